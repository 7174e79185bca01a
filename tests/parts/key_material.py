"""Private keys of every kind that is read, made once in a test run."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from intoto_action.formats.key import Key, PublicKey
from intoto_action.keys.interface import Signer
from intoto_action.keys.key_signer import KeySigner

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KINDS = ("ed25519", "p256", "p384", "rsa2048", "rsa3072")
"""What is read."""


def private_key(kind: str, number: int = 0) -> PrivateKey:
    """The private key of that kind; another `number` is another key."""
    return _private_key(kind, number)


@cache
def _private_key(kind: str, number: int) -> PrivateKey:
    match kind:
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))


@cache
def foreign_public_key(kind: str) -> PublicKeyTypes:
    """A public key of a kind that is refused."""
    match kind:
        case "x25519":
            return x25519.X25519PrivateKey.generate().public_key()
        case "ed448":
            return ed448.Ed448PrivateKey.generate().public_key()
        case "dsa":
            return dsa.generate_private_key(2048).public_key()
        case "rsa1024":
            return rsa.generate_private_key(65537, 1024).public_key()
        case "rsa2047":
            return rsa.generate_private_key(65537, 2047).public_key()
        case "p521":
            return ec.generate_private_key(ec.SECP521R1()).public_key()
        case "secp256k1":
            return ec.generate_private_key(ec.SECP256K1()).public_key()
    return ec.generate_private_key(ec.BrainpoolP256R1()).public_key()


def pem(key: PublicKeyTypes) -> str:
    """The public key as every tool writes it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public(key: Key) -> PublicKey:
    """The key, which the test knows to be no identity."""
    assert isinstance(key, PublicKey)
    return key


def by_key(signer: Signer) -> KeySigner:
    """The signer, which the test knows to have a key."""
    assert isinstance(signer, KeySigner)
    return signer
