"""OpenPGP: the packets of public keys and of signatures, and the armour around them.

Source: RFC 4880, by section in the functions; RFC 9580 section 4.2 on what must not be read. Only keys and signatures
of version 4 are read: GnuPG makes no others by itself, and securesystemslib reads no others.
Nothing here says that a signature is good: that is `trust`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from intoto_action.formats.gpg_key import GpgCryptoKey
from intoto_action.reason import Malformed

# Section 4.3, packet tags.
SIGNATURE = 2
SECRET_KEY = 5
PUBLIC_KEY = 6
USER_ID = 13
PUBLIC_SUBKEY = 14
USER_ATTRIBUTE = 17

# Section 5.2.1, signature types.
BINARY = 0x00

# Section 9.1, and draft-koch-eddsa-for-openpgp for the last.
RSA = 1
EDDSA = 22
ALGORITHMS = {
    RSA: "RSA",
    2: "RSA for encryption only",
    3: "RSA for signatures only",
    16: "Elgamal",
    17: "DSA",
    18: "ECDH",
    19: "ECDSA",
    EDDSA: "EdDSA on another curve than Ed25519",
    25: "X25519",
    26: "X448",
    27: "Ed25519 in the form of RFC 9580",
    28: "Ed448",
}
"""What a person calls them; the two that are read, and those that a person may have instead."""

# Section 9.4.
SHA256 = 8
HASHES = {
    1: "MD5",
    2: "SHA-1",
    3: "RIPEMD-160",
    SHA256: "SHA-256",
    9: "SHA-384",
    10: "SHA-512",
    11: "SHA-224",
}

# Section 5.2.3.1, subpackets; 33 is of RFC 9580.
CREATED = 2
EXPIRES_AFTER = 3
KEY_EXPIRES_AFTER = 9
REVOCATION_KEY = 12
ISSUER = 16
KEY_FLAGS = 27
EMBEDDED_SIGNATURE = 32
ISSUER_FINGERPRINT = 33

_ED25519_OID = bytes.fromhex("2b06010401da470f01")
_POINT = 0x40
_BLOCK = re.compile(r"-----BEGIN PGP PUBLIC KEY BLOCK-----(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
_HEADER = re.compile(r"^[ \t]*(?:Version|Comment|MessageID|Hash|Charset): .*$", re.MULTILINE)
_CRC = re.compile(r"=[A-Za-z0-9+/]{4}\Z")


class Packet(NamedTuple):
    """One packet: its tag, and what is in it."""

    tag: int
    body: bytes


class Subpacket(NamedTuple):
    """Something that a signature says; a reader that does not know a critical one must not believe the signature."""

    type: int
    critical: bool
    data: bytes


class Hashed(msgspec.Struct, frozen=True):
    """The part of a signature that the signature is over, after the data: `raw` are its very bytes.

    `algorithm` and `hash_algorithm` are the numbers of RFC 4880.
    """

    raw: bytes
    type: int
    algorithm: int
    hash_algorithm: int
    subpackets: tuple[Subpacket, ...]

    def last(self, type_: int) -> bytes | None:
        """The data of the last subpacket of a type: the one that counts (section 5.2.4.1)."""
        found = [each.data for each in self.subpackets if each.type == type_]
        return found[-1] if found else None

    def seconds(self, type_: int) -> int | None:
        """A subpacket that holds a time or a length of time; None when it is not there. Raises: Malformed."""
        data = self.last(type_)
        if data is None:
            return None
        if len(data) != 4:
            raise Malformed("an OpenPGP signature", "a time of 4 bytes", f"{len(data)} bytes")
        return int.from_bytes(data, "big")


class SignaturePacket(msgspec.Struct, frozen=True):
    """A signature of version 4. `unhashed` nobody signed; `value` is empty for an algorithm that is not read."""

    hashed: Hashed
    unhashed: tuple[Subpacket, ...]
    value: bytes

    def may_be_by(self, fingerprint: str) -> bool:
        """Whether the signature does not name another key than that."""
        for each in (*self.hashed.subpackets, *self.unhashed):
            if each.type == ISSUER_FINGERPRINT and each.data[1:].hex() != fingerprint:
                return False
            if each.type == ISSUER and each.data.hex() != fingerprint[-16:]:
                return False
        return True


class KeyPacket(msgspec.Struct, frozen=True):
    """A public key or subkey; `crypto` is None for an algorithm that is not read. `created` is seconds since 1970."""

    body: bytes
    created: int
    algorithm: int
    fingerprint: str
    crypto: GpgCryptoKey | None


def dearmor(text: str, where: str) -> bytes:
    """The packets inside every block of armoured public keys in `text` (section 6.2), also with lines run together.

    Raises: Malformed.
    """
    blocks = [match.group(1) for match in _BLOCK.finditer(text.replace("\r", ""))]
    if not blocks:
        raise Malformed(where, "a whole block from BEGIN PGP PUBLIC KEY BLOCK to its END", "a part of one")
    return b"".join(_dearmored(block, where) for block in blocks)


def read_packets(raw: bytes, where: str) -> Iterator[Packet]:
    """The packets of a key, in their order (section 4.2).

    Raises: Malformed; also for lengths that keys do not have: partial and indeterminate ones.
    """
    position = 0
    while position < len(raw):
        tag, start, length = _header(raw, position, where)
        body = raw[start : start + length]
        if len(body) != length:
            raise _cut_short(where)
        yield Packet(tag, body)
        position = start + length


def read_key_packet(body: bytes, where: str) -> KeyPacket:
    """The body of a public key or subkey packet (section 5.5.2).

    Raises: Malformed.
    """
    if not body or body[0] != 4:
        found = f"version {body[0]}" if body else "an empty one"
        raise Malformed(where, "an OpenPGP key of version 4", f"{found}: make a key with gpg's defaults")
    if len(body) < 6:
        raise _cut_short(where)
    framed = b"\x99" + len(body).to_bytes(2, "big") + body if len(body) < 1 << 16 else b""
    if not framed:
        raise Malformed(where, "an OpenPGP key packet of at most 65535 bytes", f"{len(body)} bytes")
    return KeyPacket(
        body=body,
        created=int.from_bytes(body[1:5], "big"),
        algorithm=body[5],
        # A fingerprint of version 4 is a SHA-1 (section 12.2). Two keys with one fingerprint would both have to be
        # made by the same person; whether two keys are the same one is never decided by it here.
        fingerprint=hashlib.sha1(framed, usedforsecurity=False).hexdigest(),
        crypto=_crypto_of(body[5], body[6:], where),
    )


def read_signature_packet(body: bytes, where: str) -> SignaturePacket:
    """The body of a signature packet (section 5.2.3).

    Raises: Malformed; for another version than 4 too.
    """
    if len(body) < 6:
        raise _cut_short(where)
    end = 6 + int.from_bytes(body[4:6], "big")
    hashed = read_hashed(body[:end], where)
    count = body[end : end + 2]
    rest = end + 2 + int.from_bytes(count, "big")
    if len(count) != 2 or len(body) < rest + 2:
        raise _cut_short(where)
    unhashed = tuple(_subpackets(body[end + 2 : rest], where))
    return SignaturePacket(hashed, unhashed, _value(hashed.algorithm, body[rest + 2 :], where))


def read_hashed(raw: bytes, where: str) -> Hashed:
    """The hashed part of a signature, from its version to the last hashed subpacket: all of `raw`.

    This is what securesystemslib keeps beside a signature as `other_headers`, in hex.
    Raises: Malformed.
    """
    if not raw or raw[0] != 4:
        found = f"version {raw[0]}" if raw else "an empty one"
        raise Malformed(where, "an OpenPGP signature of version 4", found)
    if len(raw) < 6 or len(raw) != 6 + int.from_bytes(raw[4:6], "big"):
        raise Malformed(where, "the hashed part of an OpenPGP signature, whole", "one of another length")
    return Hashed(raw, raw[1], raw[2], raw[3], tuple(_subpackets(raw[6:], where)))


def framed_key(key: KeyPacket) -> bytes:
    """A key as self-signatures are over it (section 5.2.4)."""
    return b"\x99" + len(key.body).to_bytes(2, "big") + key.body


def framed_user(packet: Packet) -> bytes:
    """A user id or a user attribute as certifications are over it (section 5.2.4)."""
    prefix = b"\xb4" if packet.tag == USER_ID else b"\xd1"
    return prefix + len(packet.body).to_bytes(4, "big") + packet.body


def _dearmored(block: str, where: str) -> bytes:
    lines = _HEADER.sub("", block).split()
    checksum = lines.pop() if lines and _CRC.match(lines[-1]) else ""
    try:
        raw = base64.b64decode("".join(lines), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(where, "an armoured OpenPGP key", "something else between its lines") from error
    if checksum and base64.b64decode(checksum[1:]) != _crc24(raw):
        raise Malformed(where, "an armoured OpenPGP key with its own checksum", "another: it is damaged")
    return raw


def _crc24(raw: bytes) -> bytes:
    """Section 6.1."""
    crc = 0xB704CE
    for byte in raw:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc.to_bytes(3, "big")


def _header(raw: bytes, position: int, where: str) -> tuple[int, int, int]:
    """Tag, where the body starts, and its length (sections 4.2.1 and 4.2.2)."""
    first = raw[position]
    if not first & 0x80:
        raise Malformed(where, "OpenPGP packets", "something else")
    if first & 0x40:
        start, length = _new_length(raw, position + 1, where)
        return first & 0x3F, start, length
    size = {0: 1, 1: 2, 2: 4}.get(first & 3)
    if size is None:
        raise Malformed(where, "OpenPGP packets with their lengths", "one of indeterminate length")
    return (first >> 2) & 0xF, *_number(raw, position + 1, size, where)


def _new_length(raw: bytes, position: int, where: str) -> tuple[int, int]:
    """Where the body starts, and its length."""
    start, first = _number(raw, position, 1, where)
    if first < 192:
        return start, first
    if first < 224:
        start, second = _number(raw, start, 1, where)
        return start, ((first - 192) << 8) + second + 192
    if first < 255:
        raise Malformed(where, "OpenPGP packets with their lengths", "one of partial length")
    return _number(raw, start, 4, where)


def _number(raw: bytes, position: int, size: int, where: str) -> tuple[int, int]:
    """Where the number ends, and the number."""
    end = position + size
    if end > len(raw):
        raise _cut_short(where)
    return end, int.from_bytes(raw[position:end], "big")


def _subpackets(raw: bytes, where: str) -> Iterator[Subpacket]:
    """Section 5.2.3.1. Their lengths are those of packets, but that no partial ones are."""
    position = 0
    while position < len(raw):
        start, first = _number(raw, position, 1, where)
        length = first
        if 192 <= first < 255:
            start, second = _number(raw, start, 1, where)
            length = ((first - 192) << 8) + second + 192
        elif first == 255:
            start, length = _number(raw, start, 4, where)
        content = raw[start : start + length]
        if not length or len(content) != length:
            raise _cut_short(where)
        yield Subpacket(content[0] & 0x7F, bool(content[0] & 0x80), content[1:])
        position = start + length


def _numbers(raw: bytes, count: int, where: str) -> list[bytes]:
    """So many multiprecision integers, and nothing behind them (section 3.2)."""
    found = []
    position = 0
    for _ in range(count):
        start, bits = _number(raw, position, 2, where)
        position = start + (bits + 7) // 8
        found.append(raw[start:position])
    if position != len(raw):
        raise _cut_short(where)
    return found


def _crypto_of(algorithm: int, raw: bytes, where: str) -> GpgCryptoKey | None:
    try:
        if algorithm == RSA:
            modulus, exponent = (int.from_bytes(each, "big") for each in _numbers(raw, 2, where))
            return rsa.RSAPublicNumbers(exponent, modulus).public_key()
        if algorithm == EDDSA and raw[:1] + raw[1:10] == bytes([len(_ED25519_OID)]) + _ED25519_OID:
            (point,) = _numbers(raw[10:], 1, where)
            if len(point) != 33 or point[0] != _POINT:
                raise Malformed(where, "a point of Ed25519", "another number")
            return ed25519.Ed25519PublicKey.from_public_bytes(point[1:])
    except ValueError as error:
        raise Malformed(
            where, f"an OpenPGP key of {ALGORITHMS[algorithm]}", "numbers that make none"
        ) from error
    return None


def _value(algorithm: int, raw: bytes, where: str) -> bytes:
    """The signature as the cryptography library takes it."""
    if algorithm == RSA:
        return _numbers(raw, 1, where)[0]
    if algorithm != EDDSA:
        return b""
    # R and S of RFC 8032 are strings of 32 bytes; as integers they lost their leading zeros.
    both = _numbers(raw, 2, where)
    if any(len(each) > 32 for each in both):
        return b""  # of a longer curve
    return b"".join(each.rjust(32, b"\x00") for each in both)


def _cut_short(where: str) -> Malformed:
    return Malformed(where, "whole OpenPGP packets", "one that is cut short or too long")
