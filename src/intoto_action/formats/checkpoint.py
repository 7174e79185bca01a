"""A log's checkpoint: a signed note that says how large its tree is, and what its root hash.

Source: C2SP, tlog-checkpoint and signed-note; Rekor v1 writes the same, with key hints of its own. Nothing here says
that a signature is good: that is `trust`.
"""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from intoto_action.formats.spelling import quoted
from intoto_action.reason import Malformed

LARGEST_CHECKPOINT = 16 << 10
_HINT = 4
_FIRST_LINES = 3
# A name has no white space of any alphabet, and no plus (signed-note, "Verifier keys").
_SIGNATURE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)\n")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")


class NoteSignature(msgspec.Struct, frozen=True):
    """One line of signature; `hint` are the four bytes by which a verifier finds the key."""

    name: str
    hint: bytes
    value: bytes


class Checkpoint(msgspec.Struct, frozen=True):
    """Untrusted: what a log says of its tree, `signed` the bytes that the signatures are over."""

    origin: str
    size: int
    root_hash: bytes
    signed: bytes
    signatures: tuple[NoteSignature, ...]


def parse_checkpoint(text: str, where: str) -> Checkpoint:
    """The checkpoint of a signed note: origin, size, root hash, other lines; an empty line; signatures.

    Raises: Malformed.
    """
    where = f"{where}, checkpoint"
    if len(text) > LARGEST_CHECKPOINT:
        raise Malformed(where, f"at most {LARGEST_CHECKPOINT} characters", f"{len(text)}")
    note, separator, signatures = text.partition("\n\n")
    if not separator or "\n\n" in signatures:
        raise Malformed(where, "a note and its signatures, with one empty line between", "something else")
    lines = note.split("\n")
    if len(lines) < _FIRST_LINES or not lines[0].strip():
        raise Malformed(where, "lines with origin, size and root hash", f"{quoted(note)}")
    if not _DECIMAL.match(lines[1]):
        raise Malformed(where, "a size in decimal digits", quoted(lines[1]))
    root_hash = _base64(lines[2], where)
    try:
        signed = f"{note}\n".encode()
    except UnicodeEncodeError as error:
        raise Malformed(where, "text in UTF-8", "a lone surrogate") from error
    return Checkpoint(lines[0], int(lines[1]), root_hash, signed, _signatures(signatures, where))


def _signatures(text: str, where: str) -> tuple[NoteSignature, ...]:
    found: list[NoteSignature] = []
    end = 0
    while match := _SIGNATURE.match(text, end):
        value = _base64(match[2], where)
        if len(value) <= _HINT:
            raise Malformed(where, f"a signature after {_HINT} bytes of hint", f"{len(value)} bytes in all")
        found.append(NoteSignature(match[1], value[:_HINT], value[_HINT:]))
        end = match.end()
    if end != len(text) or not found:
        raise Malformed(where, "lines of signature after the empty line", quoted(text[end:]))
    return tuple(found)


def _base64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(where, "base64", quoted(text)) from error
