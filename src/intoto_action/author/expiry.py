"""When a layout ends: an instant, or a length of time from now."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from intoto_action.formats.layout import INSTANT, parse_instant
from intoto_action.formats.spelling import quoted
from intoto_action.reason import Malformed

EXPECTED = "an instant such as 2030-01-31T12:00:00Z, or a length of time such as 6 months, 90 days or 1 year"
_LENGTH = re.compile(r"([0-9]{1,5}) +(hour|day|week|month|year)s?\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def is_length(text: str) -> bool:
    """Whether the text is a length of time, and no instant."""
    return bool(_LENGTH.match(text.strip()))


def expiry(text: str, at: datetime, where: str) -> datetime:
    """The instant that `expires` means for a layout written at `at`; a length of time follows the calendar.

    Six months after the 31st of August are the last of February, as in a contract. Raises: Malformed, also
    when the instant is not after `at`.
    """
    found = _LENGTH.match(text.strip())
    end = _after(at, int(found[1]), found[2], where) if found else _instant(text.strip(), where)
    if end <= at:
        raise Malformed(where, f"an instant after now ({at.strftime(INSTANT)})", quoted(text))
    return end


def _instant(text: str, where: str) -> datetime:
    if _DATE.match(text):
        raise Malformed(where, EXPECTED, f"{quoted(text)}: say when on that day, e.g. {text}T00:00:00Z")
    try:
        return parse_instant(text, where)
    except Malformed as error:
        raise Malformed(where, EXPECTED, quoted(text)) from error


def _after(at: datetime, count: int, unit: str, where: str) -> datetime:
    start = at.astimezone(UTC).replace(microsecond=0)
    try:
        match unit:
            case "year":
                return _add_months(start, 12 * count)
            case "month":
                return _add_months(start, count)
            case _:
                return start + timedelta(**{f"{unit}s": count})
    except (ValueError, OverflowError) as error:
        raise Malformed(where, "an end before the year 10000", f"{count} {unit}s from now") from error


def _add_months(start: datetime, months: int) -> datetime:
    years, month = divmod(start.month - 1 + months, 12)
    last = calendar.monthrange(start.year + years, month + 1)[1]
    return start.replace(year=start.year + years, month=month + 1, day=min(start.day, last))
