"""New key pairs, in memory: whoever asked for one writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
from intoto_action.keys.pem import CryptoPrivateKey, PemSigner
from intoto_action.reason import WrongKey

RSA_BITS = 3072
"""As long as ECDSA on P-256 is strong. Source: NIST SP 800-57 part 1, table 2."""

_MAKERS: Mapping[str, Callable[[], CryptoPrivateKey]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(65537, RSA_BITS),
}


class KeyPair(msgspec.Struct, frozen=True):
    """A new key: its private part as PKCS #8 PEM, and its public part."""

    private_pem: bytes
    public: PublicKey

    def __repr__(self) -> str:
        return f"KeyPair({self.public})"


def generate(kind: str, password: bytes | None) -> KeyPair:
    """A new key: `kind` is ed25519, ecdsa (P-256), ecdsa-p384 or rsa; encrypted when there is a password.

    This process is made undumpable first.

    Raises: Misused for any other kind.
    """
    clear_dumpable()
    if kind not in _MAKERS:
        raise WrongKey(f"expected a kind of key ({', '.join(_MAKERS)}), found {kind[:80]!r}")
    private = _MAKERS[kind]()
    encryption: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return KeyPair(pem, public_key_from_crypto(private.public_key(), "the new key"))


def throw_away() -> PemSigner:
    """A new key that is never written anywhere, for signatures that only this process holds."""
    private = ed25519.Ed25519PrivateKey.generate()
    return PemSigner(private, public_key_from_crypto(private.public_key(), "the throw-away key"))
