"""A timestamp authority in memory: RFC 3161 responses, with CMS signed data (RFC 5652) as far as they need it."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.parts import der
from tests.parts.certificate_authority import distinguished_name, key_usage

GRANTED = 0
REJECTION = 2
_SIGNED_DATA = der.identifier("1.2.840.113549.1.7.2")
_TST_INFO = der.identifier("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = der.identifier("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = der.identifier("1.2.840.113549.1.9.4")
_SIGNING_TIME = der.identifier("1.2.840.113549.1.9.5")
_SIGNING_CERTIFICATE_V2 = der.identifier("1.2.840.113549.1.9.16.2.47")
_SHA256 = der.sequence(der.identifier("2.16.840.1.101.3.4.2.1"))
_ECDSA_SHA256 = der.sequence(der.identifier("1.2.840.10045.4.3.2"))
_POLICY = der.identifier("1.3.6.1.4.1.57264.2")
_SIGNED_ATTRIBUTES = 0


class TimestampAuthority:
    """A root and a certificate for timestamps only, valid between two instants."""

    def __init__(self, organization: str, valid_from: datetime, valid_until: datetime) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        root_key = ec.generate_private_key(ec.SECP256R1())
        root_name, name = (distinguished_name(organization, common) for common in ("tsa root", "tsa"))

        def certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
            return (
                x509.CertificateBuilder()
                .subject_name(subject)
                .issuer_name(root_name)
                .public_key(public)
                .serial_number(x509.random_serial_number())
                .not_valid_before(valid_from)
                .not_valid_after(valid_until + timedelta(days=1))
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            )

        self._root = (
            certificate(root_name, root_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        self._certificate = (
            certificate(name, self._key.public_key())
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
            )
            .add_extension(key_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .sign(root_key, hashes.SHA256())
        )

    @property
    def chain(self) -> tuple[x509.Certificate, x509.Certificate]:
        """The certificate that signs, and its root."""
        return self._certificate, self._root

    def respond(self, message: bytes, at: datetime, status: int = GRANTED) -> bytes:
        """A TimeStampResp that says the message existed then."""
        return der.sequence(der.sequence(der.integer(status)), self._token(message, at))

    def _token(self, message: bytes, at: datetime) -> bytes:
        info = der.sequence(
            der.integer(1),
            _POLICY,
            der.sequence(_SHA256, der.octets(hashlib.sha256(message).digest())),
            der.integer(x509.random_serial_number()),
            der.generalized_time(at),
        )
        signed_data = der.sequence(
            der.integer(3),
            der.set_of(_SHA256),
            der.sequence(_TST_INFO, der.context(0, der.octets(info))),
            der.context(0, self._certificate.public_bytes(Encoding.DER)),
            der.set_of(self._signer_info(info, at)),
        )
        return der.sequence(_SIGNED_DATA, der.context(0, signed_data))

    def _signer_info(self, info: bytes, at: datetime) -> bytes:
        certificate = self._certificate.public_bytes(Encoding.DER)
        certificate_hash = der.octets(hashlib.sha256(certificate).digest())
        attributes = der.set_of(
            _attribute(_CONTENT_TYPE, _TST_INFO),
            _attribute(_MESSAGE_DIGEST, der.octets(hashlib.sha256(info).digest())),
            _attribute(_SIGNING_TIME, der.generalized_time(at)),
            _attribute(_SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(der.sequence(certificate_hash)))),
        )
        issuer = self._certificate.issuer.public_bytes()
        return der.sequence(
            der.integer(1),
            der.sequence(issuer, der.integer(self._certificate.serial_number)),
            _SHA256,
            # they are signed as a SET, and written with an implicit tag in its place (RFC 5652 §5.4)
            der.context(_SIGNED_ATTRIBUTES, der.content_of(attributes)),
            _ECDSA_SHA256,
            der.octets(self._key.sign(attributes, ec.ECDSA(hashes.SHA256()))),
        )


def _attribute(kind: bytes, value: bytes) -> bytes:
    return der.sequence(kind, der.set_of(value))
