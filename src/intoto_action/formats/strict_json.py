"""JSON read strictly: bounded, UTF-8, no duplicate keys, no unknown fields, no NaN."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from intoto_action.reason import Malformed

T = TypeVar("T")

MIB = 1 << 20
DOCUMENT_CAP = 16 * MIB
"""The largest JSON document that is read at all, in bytes."""
MOST_DEEP = 64
"""How many objects and lists may be inside each other; what we read needs less than ten."""
_BRACKETS = 10_000
_BYTES_A_BRACKET = 16
"""A document may open so many objects and lists, and one more for so many bytes: an entry of a link has some eighty."""


class Typed(msgspec.Struct):
    """A document that says what it is.

    msgspec takes a struct with a tag also from a document without one, and demands it only where it has to choose. So
    the presence of `_type` is checked by decoding into this as well: without it, one payload could be read as two.
    """

    type_: str = msgspec.field(name="_type")


def decode(raw: bytes, type_: type[T], where: str, *, cap: int = DOCUMENT_CAP) -> T:
    """Turn the JSON document `raw` into `type_`; `where` names it in the error.

    msgspec keeps the last of two equal keys without a word, and two readers that keep different ones read two
    different documents under one signature (RFC 8259 section 4), so duplicates are looked for first.

    Raises: Malformed.
    """
    check_size(raw, where, cap)
    refuse_duplicate_keys(raw, where)
    return decode_once(raw, type_, where)


def decode_once(raw: bytes, type_: type[T], where: str) -> T:
    """Like `decode`, for a caller that looks for duplicate keys and size itself.

    Raises: Malformed.
    """
    try:
        return msgspec.json.decode(raw, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(where, "valid JSON of the documented shape", _first_line(error)) from error
    except RecursionError as error:
        raise Malformed(where, "JSON of a reasonable depth", "nesting too deep to read") from error


def check_size(raw: bytes, where: str, cap: int) -> None:
    """Raises: Malformed when the document is over `cap` bytes."""
    if len(raw) > cap:
        raise Malformed(where, f"at most {cap} bytes", f"{len(raw)} bytes")


def check_depth(depth: int, where: str) -> None:
    """Raises: Malformed when objects and lists are in each other more than `MOST_DEEP` times."""
    if depth > MOST_DEEP:
        raise Malformed(where, f"JSON nested at most {MOST_DEEP} deep", "deeper nesting")


# Strings and everything else between brackets; a string that does not end is taken to the end of the document, so
# that no byte is looked at twice.
_NO_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^\[\]{}"]++', re.DOTALL)
_STEPS = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]


def _depth(raw: bytes) -> int:
    return max(accumulate(map(_STEPS.__getitem__, _NO_BRACKETS.sub(b"", raw))), default=0)


def refuse_duplicate_keys(raw: bytes, where: str) -> None:
    """Raises: Malformed when an object in `raw` has the same key twice, or `raw` is no JSON or nested too deep.

    And when it is mostly objects and lists: each costs as much as a hundred bytes of text.
    """
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets > (most := _BRACKETS + len(raw) // _BYTES_A_BRACKET):
        raise Malformed(where, f"at most {most} objects and lists in {len(raw)} bytes", f"{brackets}")
    if brackets > MOST_DEEP:
        check_depth(_depth(raw), where)
    if _every_key_is_read(raw):
        return

    def pairs(items: list[tuple[str, Any]]) -> None:
        if len(items) != len(dict(items)):
            raise Malformed(where, "every key once in an object", f"{_first_repeated(items)!r} twice")

    try:
        json.loads(raw, object_pairs_hook=pairs)
    except Malformed:
        raise
    except RecursionError as error:
        raise Malformed(where, "JSON of a reasonable depth", "nesting too deep to read") from error
    except ValueError as error:
        raise Malformed(where, "valid JSON in UTF-8", _first_line(error)) from error


def _every_key_is_read(raw: bytes) -> bool:
    """Whether a reader that keeps the last of equal keys reads as many keys as there are: then none is there twice.

    It is a proof, and in half the time: without white space each key of the document stands before one `":`, and a
    `":` inside a string only makes the first number larger. Whatever is read otherwise is for the slow way to judge.
    """
    try:
        return msgspec.json.format(raw, indent=-1).count(b'":') == _keys(msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _keys(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_keys, value.values()))
    return sum(map(_keys, value)) if isinstance(value, list) else 0


def _first_repeated(items: Iterable[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _ in items:
        if key in seen:
            return key
        seen.add(key)
    return ""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
