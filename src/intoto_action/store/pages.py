"""The Link header: where the next page of a list is.

Source: RFC 8288 section 3. Read more strictly than its parsers have to be: a next page that is overlooked makes a
list look complete, and what is on that page would be denied as missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from intoto_action.reason import Malformed

_LONGEST = 16_384
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (RFC 9110's word for a name)
_QUOTED = r'"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)"'
_TARGET = re.compile(r"<([!#-;=?-~]+)>")
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*({_TOKEN})[ \t]*(?:=[ \t]*(?:{_QUOTED}|({_TOKEN})))?")
_SEPARATOR = re.compile(r"[ \t]*(?:,[ \t]*)+|[ \t]*\Z")
_RELATION = re.compile(r"[a-z][a-z0-9.-]*|[a-z][a-z0-9+.-]*:[!-~]+")


def next_page(header: str, where: str) -> str | None:
    """The target of the one link whose relation is `next`, as it is written; None when no link has it.

    Several Link headers are one, joined with commas (RFC 9110 section 5.3). `where` names the answer in errors.

    Raises: Malformed when any part of the header cannot be read, when a link does not say its relation exactly
    once, or when there are different next pages or one of another page (`anchor`).
    """
    if len(header) > _LONGEST:
        raise Malformed(where, f"a Link header of at most {_LONGEST} characters", f"{len(header)}")
    targets = {target for target, parameters in _links(header, where) if _is_next(parameters, header, where)}
    if len(targets) > 1:
        raise _unreadable(where, "one next page in the Link header", header)
    return next(iter(targets), None)


def _links(header: str, where: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each link's target and parameters, in order; names are in lower case, quotes are off."""
    place = len(header) - len(header.lstrip(" \t,"))
    while place < len(header):
        target = _TARGET.match(header, place)
        if target is None:
            raise _unreadable(where, "a Link header as RFC 8288 has it", header)
        place, parameters = target.end(), []
        while (match := _PARAMETER.match(header, place)) is not None:
            quoted = match[2]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match[3] or ""
            parameters.append((match[1].lower(), value))
            place = match.end()
        separator = _SEPARATOR.match(header, place)
        if separator is None:
            raise _unreadable(where, "a Link header as RFC 8288 has it", header)
        place = separator.end()
        yield target[1], parameters


def _is_next(parameters: list[tuple[str, str]], header: str, where: str) -> bool:
    values = [value for name, value in parameters if name == "rel"]
    relations = values[0].lower().split(" ") if len(values) == 1 else []
    relations = [each for each in relations if each]
    if not relations or not all(_RELATION.fullmatch(each) for each in relations):
        raise _unreadable(where, "one rel of relation types in every link of the Link header", header)
    if "next" not in relations:
        return False
    if any(name == "anchor" for name, _ in parameters):
        raise _unreadable(where, "the next page of this page in the Link header", header)
    return True


def _unreadable(where: str, expected: str, header: str) -> Malformed:
    return Malformed(where, expected, repr(header[:200]))
