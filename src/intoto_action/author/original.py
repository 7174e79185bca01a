"""The layout.yaml that a signed layout was made of, found among files that anybody could have written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec

from intoto_action.author.compile import compile_layout
from intoto_action.author.functionaries import KeyReader
from intoto_action.author.places import Places
from intoto_action.author.sign import keys_beside
from intoto_action.deadline import Deadline
from intoto_action.formats.key import Key
from intoto_action.formats.layout import encode_layout, parse_instant
from intoto_action.formats.verdict import LayoutReport
from intoto_action.reason import Malformed, Misused
from intoto_action.store.files import read_capped

LARGEST = 64 << 10
"""Bytes of a file that is looked at. What is larger is told without a line, which nothing depends on."""
_SECONDS = 3.0
"""After these no further file is begun, nor a key of one: in a pull request all of them are its author's, and can be
slow to read, and one can be named a thousand times.
"""


def places_of(report: LayoutReport, files: Iterable[Path], *, at: datetime) -> Places | None:
    """The places of the first of `files` that compiles to exactly the layout of the report, whenever that ends.

    A file that was changed since, or was never it, would have a line shown that says something else than what was
    signed. So the payload is made anew, with the end that was signed, and its digest must be the signed one's.
    """
    deadline = Deadline(_SECONDS)
    for file in files:
        if deadline.left() <= 0:
            break
        if (found := _places(report, file, at, deadline)) is not None:
            return found
    return None


def _places(report: LayoutReport, file: Path, at: datetime, deadline: Deadline) -> Places | None:
    try:
        # Of a layout that has ended, too: as it was on its last day.
        at = min(at, parse_instant(report.expires, "expires") - timedelta(minutes=1))
        raw = read_capped(file, LARGEST, "the layout")
        compiled = compile_layout(raw, str(file), read_key=_until(deadline, keys_beside(file, at=at)), at=at)
    except (Malformed, Misused, OSError, OverflowError):
        return None
    layout = msgspec.structs.replace(compiled.layout, expires=report.expires)
    same = sha256(encode_layout(layout)).hexdigest() == report.sha256.removeprefix("sha256:")
    return compiled.places if same else None


def _until(deadline: Deadline, read_key: KeyReader) -> KeyReader:
    def read(text: str) -> Key:
        if deadline.left() <= 0:
            raise Misused("expected keys that are read in seconds, found slower ones")
        return read_key(text)

    return read
