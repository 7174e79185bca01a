"""OpenPGP keys and signatures built byte by byte, so that each of their parts can be made wrong.

Source: RFC 4880. Nothing of the product is used: what it reads here, it would read of gpg.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import strategies as st
from tests.parts.key_material import private_key

MADE = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
"""When the keys were made, and what is signed about them, if a test says nothing else."""
AT = datetime(2031, 1, 1, tzinfo=UTC)
DAY = 86_400
CERTIFY, SIGN, ENCRYPT = 1, 2, 4
_ED25519 = bytes.fromhex("092b06010401da470f01")
_HASHES: dict[int, hashes.HashAlgorithm] = {
    1: hashes.MD5(),
    2: hashes.SHA1(),
    8: hashes.SHA256(),
    9: hashes.SHA384(),
    10: hashes.SHA512(),
}


def packet(tag: int, body: bytes, *, new: bool = False) -> bytes:
    """A packet, its length in the old form as gpg writes it, or in the new one."""
    if new:
        return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body
    return bytes([0x80 | tag << 2 | 2]) + len(body).to_bytes(4, "big") + body


def number(value: int) -> bytes:
    """A multiprecision integer."""
    return value.bit_length().to_bytes(2, "big") + value.to_bytes((value.bit_length() + 7) // 8, "big")


def subpacket(type_: int, data: bytes, *, critical: bool = False) -> bytes:
    content = bytes([type_ | (0x80 if critical else 0)]) + data
    if len(content) < 192:
        return bytes([len(content)]) + content
    return b"\xff" + len(content).to_bytes(4, "big") + content


def seconds(type_: int, value: int) -> bytes:
    return subpacket(type_, value.to_bytes(4, "big"))


def armoured(raw: bytes, *, checksum: bytes | None = None, label: str = "PUBLIC KEY BLOCK") -> str:
    lines = base64.encodebytes(raw).decode()
    end = base64.b64encode(checksum if checksum is not None else crc24(raw)).decode()
    return f"-----BEGIN PGP {label}-----\n\n{lines}={end}\n-----END PGP {label}-----\n"


def crc24(raw: bytes) -> bytes:
    crc = 0xB704CE
    for byte in raw:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return (crc & 0xFFFFFF).to_bytes(3, "big")


@st.composite
def damaged(draw: st.DrawFn, raw: bytes) -> bytes:
    """The bytes with one place of them changed, left out or put in twice, or cut off there."""
    place = draw(st.integers(0, len(raw) - 1))
    end = draw(st.integers(place, min(len(raw), place + 8)))
    put_in = draw(st.sampled_from([b"", raw[place:end] * 2, b"\x00", b"\xff" * 4]) | st.binary(max_size=8))
    return raw[:place] if draw(st.integers(0, 5)) == 0 else raw[:place] + put_in + raw[end:]


@dataclass(frozen=True)
class Made:
    """A signature: the body of its packet, its hashed part, and its value as in-toto's files have it."""

    body: bytes
    headers: bytes
    value: bytes


@dataclass(frozen=True)
class PgpKey:
    """A key; another `number` is another key of the kind, another `created` the same key with another fingerprint."""

    kind: str = "ed25519"
    number: int = 0
    created: int = MADE
    algorithm: int | None = None
    version: int = 4

    @property
    def private(self) -> ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey:
        found = private_key(self.kind, self.number)
        assert isinstance(found, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey)
        return found

    @property
    def public(self) -> ed25519.Ed25519PublicKey | rsa.RSAPublicKey:
        return self.private.public_key()

    @property
    def body(self) -> bytes:
        public = self.public
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            algorithm, material = 1, number(numbers.n) + number(numbers.e)
        else:
            point = b"\x40" + public.public_bytes(Encoding.Raw, PublicFormat.Raw)
            algorithm, material = 22, _ED25519 + number(int.from_bytes(point, "big"))
        start = bytes([self.version]) + self.created.to_bytes(4, "big")
        return start + bytes([self.algorithm or algorithm]) + material

    @property
    def framed(self) -> bytes:
        return b"\x99" + len(self.body).to_bytes(2, "big") + self.body

    @property
    def fingerprint(self) -> str:
        return hashlib.sha1(self.framed).hexdigest()

    def sign(
        self,
        type_: int,
        data: bytes,
        *more: bytes,
        unhashed: bytes = b"",
        created: int | None = MADE,
        hash_algorithm: int = 8,
        algorithm: int | None = None,
        version: int = 4,
        issuer: str | None = None,
    ) -> Made:
        """A signature of any type over any data; `more` are hashed subpackets besides creation time and issuer."""
        fingerprint = issuer or self.fingerprint
        inside = b"" if created is None else seconds(2, created)
        inside += subpacket(33, b"\x04" + bytes.fromhex(fingerprint)) + b"".join(more)
        number_ = algorithm or (1 if isinstance(self.private, rsa.RSAPrivateKey) else 22)
        headers = bytes([version, type_, number_, hash_algorithm]) + len(inside).to_bytes(2, "big") + inside
        outside = unhashed + subpacket(16, bytes.fromhex(fingerprint)[-8:])
        digest = hashes.Hash(_HASHES[hash_algorithm])
        digest.update(data + headers + b"\x04\xff" + len(headers).to_bytes(4, "big"))
        hashed = digest.finalize()
        value = self._raw(hashed, _HASHES[hash_algorithm])
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = number(int.from_bytes(value, "big"))
        else:
            numbers = b"".join(number(int.from_bytes(half, "big")) for half in (value[:32], value[32:]))
        body = headers + len(outside).to_bytes(2, "big") + outside + hashed[:2] + numbers
        return Made(body, headers, value)

    def _raw(self, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        private = self.private
        if isinstance(private, rsa.RSAPrivateKey):
            return private.sign(digest, padding.PKCS1v15(), Prehashed(algorithm))
        return private.sign(digest)


@dataclass(frozen=True)
class Exported:
    """What `gpg --export` writes of a primary key: parts that methods add, in the order of the file."""

    primary: PgpKey
    direct: tuple[bytes, ...] = ()
    users: tuple[tuple[bytes, tuple[bytes, ...]], ...] = ()
    subkeys: tuple[tuple[PgpKey, tuple[bytes, ...]], ...] = ()
    new: bool = field(default=False)

    def user(
        self,
        name: str = "Alice <alice@example.test>",
        *said: bytes,
        created: int = MADE,
        hash_algorithm: int = 8,
    ) -> Self:
        """A user id with a self-signature that says so much."""
        data = self.user_data(name)
        claim = self.primary.sign(0x13, data, *said, created=created, hash_algorithm=hash_algorithm)
        return replace(self, users=(*self.users, (name.encode(), (claim.body,))))

    def more_of_user(self, *claims: Made) -> Self:
        """More signatures behind the last user id."""
        *others, (name, before) = self.users
        return replace(self, users=(*others, (name, (*before, *(each.body for each in claims)))))

    def user_data(self, name: str = "Alice <alice@example.test>") -> bytes:
        raw = name.encode()
        return self.primary.framed + b"\xb4" + len(raw).to_bytes(4, "big") + raw

    def directly(self, *claims: Made | bytes) -> Self:
        """Signatures about the primary key itself."""
        bodies = (each.body if isinstance(each, Made) else each for each in claims)
        return replace(self, direct=(*self.direct, *bodies))

    def subkey(
        self,
        key: PgpKey,
        *said: bytes,
        flags: int = SIGN,
        back: Made | None = None,
        cross_certified: bool = True,
        by: PgpKey | None = None,
        created: int = MADE,
        hash_algorithm: int = 8,
    ) -> Self:
        """A subkey with its binding, and the subkey's own signature in it."""
        data = self.primary.framed + key.framed
        back = back or key.sign(0x19, data)
        unhashed = subpacket(32, back.body) if cross_certified else b""
        claim = (by or self.primary).sign(
            0x18,
            data,
            subpacket(27, bytes([flags])),
            *said,
            unhashed=unhashed,
            created=created,
            hash_algorithm=hash_algorithm,
            issuer=self.primary.fingerprint,
        )
        return replace(self, subkeys=(*self.subkeys, (key, (claim.body,))))

    def more_of_subkey(self, *claims: Made | bytes) -> Self:
        """More signatures behind the last subkey."""
        *others, (key, before) = self.subkeys
        bodies = tuple(each.body if isinstance(each, Made) else each for each in claims)
        return replace(self, subkeys=(*others, (key, (*before, *bodies))))

    def subkey_data(self) -> bytes:
        """What signatures about the last subkey are over."""
        return self.primary.framed + self.subkeys[-1][0].framed

    @property
    def raw(self) -> bytes:
        parts = [(6, self.primary.body), *((2, body) for body in self.direct)]
        for name, claims in self.users:
            parts += [(13, name), *((2, body) for body in claims)]
        for key, claims in self.subkeys:
            parts += [(14, key.body), *((2, body) for body in claims)]
        return b"".join(packet(tag, body, new=self.new) for tag, body in parts)


def key_flags(flags: int) -> bytes:
    return subpacket(27, bytes([flags]))


def expires_after(days: int) -> bytes:
    """The key ends so many days after it was made."""
    return seconds(9, days * DAY)


ALICE = PgpKey("ed25519")
ALICE_SUBKEY = PgpKey("ed25519", 1)
BOB = PgpKey("rsa2048")


def plain(primary: PgpKey = ALICE) -> Exported:
    """A primary key that signs by itself."""
    return Exported(primary).user("Alice <alice@example.test>", key_flags(CERTIFY | SIGN))


def with_subkey(primary: PgpKey = ALICE, subkey: PgpKey = ALICE_SUBKEY) -> Exported:
    """A primary key that certifies only, and a subkey that signs."""
    return Exported(primary).user("Alice <alice@example.test>", key_flags(CERTIFY)).subkey(subkey)
