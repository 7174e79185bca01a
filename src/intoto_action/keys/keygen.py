"""New key pairs, in memory: whoever asked for one writes it."""

from __future__ import annotations

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from intoto_action.formats.key import PublicKey, public_key_from_crypto
from intoto_action.keys.memory import clear_dumpable
from intoto_action.keys.pem import CryptoPrivateKey

KINDS = ("ed25519", "ecdsa", "ecdsa-p384", "rsa")
RSA_BITS = 3072
"""As long as ECDSA on P-256 is strong. Source: NIST SP 800-57 part 1, table 2."""


class KeyPair(msgspec.Struct, frozen=True):
    """A new key: its private part as PKCS #8 PEM, and its public part."""

    private_pem: bytes
    public: PublicKey

    def __repr__(self) -> str:
        return f"KeyPair({self.public})"


def generate(kind: str, password: bytes | None) -> KeyPair:
    """A new key of one of KINDS, encrypted when there is a password; `ecdsa` is P-256.

    This process is made undumpable first.
    """
    clear_dumpable()
    private = _private_key(kind)
    encryption: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return KeyPair(pem, public_key_from_crypto(private.public_key(), "the new key"))


def _private_key(kind: str) -> CryptoPrivateKey:
    if kind == "rsa":
        return rsa.generate_private_key(65537, RSA_BITS)
    if kind == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ecdsa-p384":
        return ec.generate_private_key(ec.SECP384R1())
    return ed25519.Ed25519PrivateKey.generate()
