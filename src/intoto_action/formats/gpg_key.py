"""Keys of GnuPG as they stand in layouts: who signs by calling gpg.

Source: securesystemslib 1.6 (`GPGKey`: key types and schemes, and `keyval.public` as numbers in hex; the keyid is the
fingerprint of the very key or subkey that signs, RFC 4880 section 12.2). Neither an expiry nor a revocation of the key
is in such an entry, and no reader looks for one: who opens a key to put it there does (`trust.gpg_validity`).
"""

from __future__ import annotations

import re

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from intoto_action.formats.crypto_key import check_rsa, spki_digest
from intoto_action.formats.key_entry import GpgValue, KeyEntry, KeyValue
from intoto_action.formats.spelling import quoted
from intoto_action.reason import MalformedKey

GpgCryptoKey = ed25519.Ed25519PublicKey | rsa.RSAPublicKey
RSA_SCHEME = "pgp+rsa-pkcsv1.5"
ED25519_SCHEME = "pgp+eddsa-ed25519"
GPG_CAP = 1 << 20
"""Bytes of the largest file with a key that is read; signatures of others, which make it large, can be left out."""
ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_FIRST_BYTES = {bytes([first]) for first in (*range(0x94, 0x9C), 0xC5, 0xC6)}
"""How a public or secret key begins that is not armoured, in old packets and in new ones (RFC 4880 section 4.2)."""
_PREFIX = "pgp+"
_KEYTYPES = {RSA_SCHEME: "rsa", ED25519_SCHEME: "eddsa"}
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,2048}\Z")


class GpgKey(msgspec.Struct, frozen=True):
    """A key of GnuPG: the one that signs, be it a primary key or a subkey.

    `keyid` is its fingerprint; `spki` the sha256 hex of the DER SubjectPublicKeyInfo: a PEM file with an equal one
    holds the same key.
    """

    keyid: str
    public: GpgValue
    spki: str

    @property
    def keyids(self) -> frozenset[str]:
        """The keyid under which every tool writes a signature by this key."""
        return frozenset({self.keyid})

    @property
    def names(self) -> frozenset[str]:
        """Everything the key may be called where it is revoked."""
        return frozenset({self.keyid, self.spki})

    @property
    def fingerprint(self) -> str:
        """What two entries of one key have in common, as a GPG key or in a PEM file."""
        return self.spki

    @property
    def scheme(self) -> str:
        """How signatures by this key are made."""
        return ED25519_SCHEME if self.public.q else RSA_SCHEME

    @property
    def entry(self) -> KeyEntry:
        """The key as it goes into a layout."""
        return KeyEntry(
            keyid=self.keyid,
            keytype=_KEYTYPES[self.scheme],
            scheme=self.scheme,
            keyval=KeyValue(public=self.public),
        )

    def crypto(self) -> GpgCryptoKey:
        """The key of the cryptography library. Raises: Malformed."""
        return _crypto_of(self.public, str(self))

    def __str__(self) -> str:
        return f"GPG key {self.keyid}"


def holds_gpg_key(raw: bytes) -> bool:
    """Whether a file looks like one with OpenPGP keys in it, armoured or not. PEM never does."""
    return ARMOUR in raw or raw[:1] in _FIRST_BYTES


def is_gpg(entry: KeyEntry) -> bool:
    """Whether an entry of a layout's `keys` claims to be a GPG key."""
    return entry.scheme.startswith(_PREFIX)


def gpg_key(keyid: str, crypto: GpgCryptoKey, where: str) -> GpgKey:
    """The GPG key with that fingerprint. Raises: Malformed for an RSA key that is too short."""
    if isinstance(crypto, rsa.RSAPublicKey):
        check_rsa(crypto, where)
        numbers = crypto.public_numbers()
        value = GpgValue(e=_hex(numbers.e), n=_hex(numbers.n))
    else:
        value = GpgValue(q=crypto.public_bytes(Encoding.Raw, PublicFormat.Raw).hex())
    return GpgKey(keyid, value, spki_digest(crypto))


def gpg_key_from_entry(keyid: str, entry: KeyEntry, where: str) -> GpgKey:
    """A GPG key of a signed layout's `keys`.

    Raises: Malformed for another algorithm than RSA and Ed25519, or for numbers that are no such key.
    """
    if _KEYTYPES.get(entry.scheme) != entry.keytype:
        known = " or ".join(_KEYTYPES)
        raise MalformedKey(
            where,
            f"a GPG key of scheme {known}",
            f"{quoted(entry.keytype)} with scheme {quoted(entry.scheme)}",
        )
    value = entry.keyval
    if value.private or value.is_identity or not isinstance(value.public, GpgValue):
        raise MalformedKey(where, "the numbers of a public GPG key, and nothing else", "another value")
    wanted = {"q"} if entry.scheme == ED25519_SCHEME else {"e", "n"}
    given = {name for name in ("e", "n", "q") if getattr(value.public, name)}
    if given != wanted:
        expected = f"the numbers {', '.join(sorted(wanted))} of a GPG key of scheme {entry.scheme}"
        raise MalformedKey(where, expected, ", ".join(sorted(given)) or "none")
    crypto = _crypto_of(value.public, where)
    if isinstance(crypto, rsa.RSAPublicKey):
        check_rsa(crypto, where)
    return GpgKey(keyid, value.public, spki_digest(crypto))


def _crypto_of(value: GpgValue, where: str) -> GpgCryptoKey:
    for number in (value.e, value.n, value.q):
        if number and not _HEX.match(number):
            raise MalformedKey(where, "the numbers of a GPG key in lower-case hex", quoted(number))
    try:
        if value.q:
            return ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(value.q))
        return rsa.RSAPublicNumbers(int(value.e, 16), int(value.n, 16)).public_key()
    except ValueError as error:
        raise MalformedKey(where, "the numbers of a GPG key", "some that make none") from error


def _hex(number: int) -> str:
    return number.to_bytes((number.bit_length() + 7) // 8, "big").hex()
