"""A certificate transparency log that promises to include everything: signed certificate timestamps, RFC 6962 §3.2."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.parts import der

SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_POISON = der.identifier("1.3.6.1.4.1.11129.2.4.3")
_EXTENSIONS = 0xA3
_SHA256_ECDSA = b"\x04\x03"


class CtLog:
    """Signs for precertificates; nothing is kept, because no client of these tests asks for a proof."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_der(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def log_id(self) -> bytes:
        return hashlib.sha256(self.public_der).digest()

    def sct(self, tbs: bytes, issuer: CertificatePublicKeyTypes, at: datetime) -> bytes:
        """A signed certificate timestamp for the TBSCertificate of a precertificate, its poison taken out."""
        milliseconds = _milliseconds(at)
        signature = self._signature(tbs, issuer, milliseconds)
        return b"".join(
            (b"\x00", self.log_id, struct.pack("!Q", milliseconds), b"\x00\x00", _SHA256_ECDSA, signature)
        )

    def add_pre_chain(self, chain: Sequence[bytes]) -> dict[str, object]:
        """What `POST ct/v1/add-pre-chain` answers for a precertificate and its issuers, in DER (RFC 6962 §4.2)."""
        issuer = x509.load_der_x509_certificate(chain[1]).public_key()
        milliseconds = _milliseconds(datetime.now(UTC))
        signature = self._signature(without_poison(chain[0]), issuer, milliseconds)
        return {
            "sct_version": 0,
            "id": base64.b64encode(self.log_id).decode(),
            "timestamp": milliseconds,
            "extensions": "",
            "signature": base64.b64encode(_SHA256_ECDSA + signature).decode(),
        }

    def _signature(self, tbs: bytes, issuer: CertificatePublicKeyTypes, milliseconds: int) -> bytes:
        spki = issuer.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        version, certificate_timestamp, precertificate = 0, 0, 1
        signed = struct.pack("!BBQH", version, certificate_timestamp, milliseconds, precertificate)
        signed += hashlib.sha256(spki).digest() + len(tbs).to_bytes(3) + tbs + b"\x00\x00"
        return _long(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))


def sct_list(scts: Sequence[bytes]) -> x509.UnrecognizedExtension:
    """The extension of a certificate that holds its timestamps (RFC 6962 §3.3)."""
    listed = _long(b"".join(_long(sct) for sct in scts))
    return x509.UnrecognizedExtension(SCT_LIST, der.octets(listed))


def without_poison(precertificate: bytes) -> bytes:
    """The TBSCertificate of a precertificate without the extension that keeps it from being a certificate."""
    tbs = next(der.elements(der.content_of(precertificate)))
    return der.sequence(*(_unpoisoned(field) for field in der.elements(der.content_of(tbs))))


def _unpoisoned(field: bytes) -> bytes:
    if field[0] != _EXTENSIONS:
        return field
    extensions = der.elements(der.content_of(der.content_of(field)))
    kept = (each for each in extensions if next(der.elements(der.content_of(each))) != _POISON)
    return der.tagged(_EXTENSIONS, der.sequence(*kept))


def _long(content: bytes) -> bytes:
    """An opaque of TLS with two bytes of length."""
    return len(content).to_bytes(2) + content


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
