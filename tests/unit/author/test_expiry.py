from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.author.expiry import expiry
from intoto_action.formats.layout import INSTANT
from intoto_action.reason import Malformed

NOW = datetime(2031, 8, 31, 12, 30, 15, 999, tzinfo=UTC)


def end(text: str, at: datetime = NOW) -> str:
    return expiry(text, at, "layout.yaml:1:10").strftime(INSTANT)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("6 months", "2032-02-29T12:30:15Z"),
        ("1 month", "2031-09-30T12:30:15Z"),
        ("1 year", "2032-08-31T12:30:15Z"),
        ("16 months", "2032-12-31T12:30:15Z"),
        ("90 days", "2031-11-29T12:30:15Z"),
        ("2 weeks", "2031-09-14T12:30:15Z"),
        ("12 hours", "2031-09-01T00:30:15Z"),
        ("2040-02-29T00:00:00Z", "2040-02-29T00:00:00Z"),
    ],
)
def test_a_length_of_time_follows_the_calendar_and_an_instant_is_itself(text: str, instant: str) -> None:
    assert end(text) == instant


def test_now_may_be_told_in_another_time_zone() -> None:
    assert end("1 hours", NOW.astimezone(timezone(timedelta(hours=9)))) == "2031-08-31T13:30:15Z"


def test_a_leap_day_lives_a_year_until_the_28th() -> None:
    assert end("1 year", datetime(2032, 2, 29, tzinfo=UTC)) == "2033-02-28T00:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6",
        "months",
        "six months",
        "6 moons",
        "-6 months",
        "0 days",
        "6 months and a day",
        "9999 years",
        "99999 months",
        "2031-08-31T12:30:15Z",
        "2031-08-31",
        "2040-02-30T00:00:00Z",
        "2040-01-01T00:00:00+01:00",
        "2040-01-01 00:00:00",
        "never",
    ],
)
def test_what_is_neither_or_not_in_the_future_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match=r"layout\.yaml:1:10: expected an"):
        end(text)


def test_a_date_alone_is_answered_with_how_to_write_it() -> None:
    with pytest.raises(Malformed, match="2040-01-31T00:00:00Z"):
        end("2040-01-31")


@given(st.text(max_size=30))
def test_any_text_is_an_end_or_malformed(text: str) -> None:
    try:
        found = expiry(text, NOW, "here")
    except Malformed:
        return
    assert found > NOW
