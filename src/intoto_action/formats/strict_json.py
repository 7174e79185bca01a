"""JSON read strictly: bounded, UTF-8, no duplicate keys, no unknown fields, no NaN."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from intoto_action.reason import Malformed

T = TypeVar("T")

MIB = 1 << 20
DOCUMENT_CAP = 16 * MIB
"""The largest JSON document that is read at all, in bytes."""


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


def refuse_duplicate_keys(raw: bytes, where: str) -> None:
    """Raises: Malformed when an object anywhere in `raw` has the same key twice, or `raw` is no JSON."""

    def pairs(items: list[tuple[str, Any]]) -> None:
        if len(items) != len({key for key, _ in items}):
            raise Malformed(where, "every key once in an object", f"{_first_repeated(items)!r} twice")

    try:
        json.loads(raw, object_pairs_hook=pairs)
    except Malformed:
        raise
    except RecursionError as error:
        raise Malformed(where, "JSON of a reasonable depth", "nesting too deep to read") from error
    except ValueError as error:
        raise Malformed(where, "valid JSON in UTF-8", _first_line(error)) from error


def _first_repeated(items: Iterable[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _ in items:
        if key in seen:
            return key
        seen.add(key)
    return ""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
