"""Public keys of the cryptography library: which are read, and when two are the same."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from intoto_action.reason import MalformedKey

SMALLEST_RSA = 2048
"""Bits of the smallest RSA key whose signatures are read; new ones are made with 3072 and more."""

CryptoPublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def spki_digest(key: CryptoPublicKey) -> str:
    """sha256 hex of the DER SubjectPublicKeyInfo: what Sigstore bundles call the hint, in base64."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def check_rsa(key: rsa.RSAPublicKey, where: str) -> None:
    """Raises: Malformed for an RSA key that is too short."""
    if key.key_size < SMALLEST_RSA:
        raise MalformedKey(where, f"an RSA key of at least {SMALLEST_RSA} bits", f"{key.key_size} bits")
