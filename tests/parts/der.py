"""Just enough DER (X.690) for what the cryptography library does not write: timestamps, SCTs and claims."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime


def tagged(tag: int, *contents: bytes) -> bytes:
    """One element: a tag of one byte, the length in its shortest form, the contents one after the other."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size) + content


def sequence(*elements: bytes) -> bytes:
    return tagged(0x30, *elements)


def set_of(*elements: bytes) -> bytes:
    """A SET OF, whose elements DER sorts."""
    return tagged(0x31, *sorted(elements))


def context(number: int, *contents: bytes) -> bytes:
    """A constructed, context-specific element: `[number]`."""
    return tagged(0xA0 | number, *contents)


def integer(value: int) -> bytes:
    return tagged(0x02, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def octets(content: bytes) -> bytes:
    return tagged(0x04, content)


def utf8(text: str) -> bytes:
    return tagged(0x0C, text.encode())


def generalized_time(instant: datetime) -> bytes:
    return tagged(0x18, instant.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode())


def identifier(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tagged(0x06, *(_base_128(arc) for arc in (first * 40 + second, *rest)))


def _base_128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc := arc >> 7:
        digits.append(0x80 | arc & 0x7F)
    return bytes(reversed(digits))


def elements(content: bytes) -> Iterator[bytes]:
    """The elements that lie one after the other in a content, each with its tag and length."""
    while content:
        header, length = _header(content)
        yield content[: header + length]
        content = content[header + length :]


def content_of(element: bytes) -> bytes:
    """What an element holds."""
    header, length = _header(element)
    return element[header : header + length]


def _header(element: bytes) -> tuple[int, int]:
    """How long tag and length are, and what the length says."""
    if element[1] < 0x80:
        return 2, element[1]
    size = element[1] & 0x7F
    return 2 + size, int.from_bytes(element[2 : 2 + size])
