"""A certificate authority that writes certificates as Fulcio does: identity, issuer, claims, and a CT log's promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.parts import der
from tests.parts.ct_log import CtLog, sct_list

CLAIMS: Mapping[str, int] = {
    "github-workflow-trigger": 2,
    "github-workflow-sha": 3,
    "github-workflow-name": 4,
    "github-workflow-repository": 5,
    "github-workflow-ref": 6,
    "build-signer": 9,
    "build-signer-digest": 10,
    "runner-environment": 11,
    "source-repository": 12,
    "source-digest": 13,
    "source-ref": 14,
    "source-repository-id": 15,
    "source-owner": 16,
    "source-owner-id": 17,
    "build-config": 18,
    "build-config-digest": 19,
    "event": 20,
    "run": 21,
    "visibility": 22,
    "environment": 23,
    "token-subject": 24,
}
"""By the words of this project: the last arc of Fulcio's object identifiers (its docs/oid-info.md)."""

Claims = Mapping[str, str | bytes | None]
"""By a word of CLAIMS, or by the number as text for what has no word. Text is written as Fulcio does; bytes are the
extension's value as they are; None leaves the claim out.
"""

FULCIO = "1.3.6.1.4.1.57264.1"
_ISSUER = 1
_ISSUER_V2 = 8
_FIRST_IN_DER = 7


class CertificateAuthority:
    """A root and an intermediate certificate, valid between two instants."""

    def __init__(self, organization: str, valid_from: datetime, valid_until: datetime) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        root_key = ec.generate_private_key(ec.SECP256R1())
        root_name, name = (distinguished_name(organization, common) for common in ("root", "intermediate"))

        def certificate(
            subject: x509.Name, public: ec.EllipticCurvePublicKey, length: int
        ) -> x509.CertificateBuilder:
            return (
                x509.CertificateBuilder()
                .subject_name(subject)
                .issuer_name(root_name)
                .public_key(public)
                .serial_number(x509.random_serial_number())
                .not_valid_before(valid_from)
                .not_valid_after(valid_until)
                .add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
                .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            )

        self._root = certificate(root_name, root_key.public_key(), 1).sign(root_key, hashes.SHA256())
        self._intermediate = (
            certificate(name, self._key.public_key(), 0)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .sign(root_key, hashes.SHA256())
        )

    @property
    def chain(self) -> tuple[x509.Certificate, x509.Certificate]:
        """The certificate that issues, and its root."""
        return self._intermediate, self._root

    def key_pem(self, password: bytes) -> bytes:
        """The key that issues, encrypted, as Fulcio's `fileca` wants it."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))

    def draft(
        self, public_key: ec.EllipticCurvePublicKey, valid_from: datetime, valid_until: datetime
    ) -> x509.CertificateBuilder:
        """A certificate for a key, without name, usage and claims; `issue` signs it when they are in."""
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._intermediate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(valid_from)
            .not_valid_after(valid_until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(issuer, critical=False)
        )

    def promises(self, draft: x509.CertificateBuilder, logs: Sequence[CtLog], at: datetime) -> list[bytes]:
        """A signed certificate timestamp of each log for the draft."""
        tbs = draft.sign(self._key, hashes.SHA256()).tbs_certificate_bytes if logs else b""
        return [log.sct(tbs, self._key.public_key(), at) for log in logs]

    def issue(self, draft: x509.CertificateBuilder, scts: Sequence[bytes]) -> x509.Certificate:
        """The certificate; without timestamps it has no extension for them."""
        with_scts = draft.add_extension(sct_list(scts), critical=False) if scts else draft
        return with_scts.sign(self._key, hashes.SHA256())


def identify(
    draft: x509.CertificateBuilder, identity: str, issuer: str, claims: Claims
) -> x509.CertificateBuilder:
    """The draft with who it is for: a URI or an e-mail address, who vouched for it, and what else was said."""
    name = x509.UniformResourceIdentifier(identity) if "://" in identity else x509.RFC822Name(identity)
    draft = draft.add_extension(x509.SubjectAlternativeName([name]), critical=True)
    numbered: dict[int, str | bytes | None] = {_ISSUER: issuer, _ISSUER_V2: issuer}
    numbered |= {int(claim) if claim.isdecimal() else CLAIMS[claim]: said for claim, said in claims.items()}
    for number, said in numbered.items():
        if said is not None:
            kind = x509.ObjectIdentifier(f"{FULCIO}.{number}")
            draft = draft.add_extension(
                x509.UnrecognizedExtension(kind, _value(number, said)), critical=False
            )
    return draft


def for_use(
    draft: x509.CertificateBuilder, usage: str, use: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    """The draft with what its key may do."""
    return draft.add_extension(key_usage(usage), critical=True).add_extension(
        x509.ExtendedKeyUsage([use]), critical=False
    )


def _value(number: int, said: str | bytes) -> bytes:
    if isinstance(said, bytes):
        return said
    return said.encode() if number < _FIRST_IN_DER else der.utf8(said)


def distinguished_name(organization: str, common_name: str) -> x509.Name:
    """O and CN, which is all that the authorities of these tests are called."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def key_usage(*uses: str) -> x509.KeyUsage:
    """What a key may do, by the names of the cryptography library."""
    all_uses = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{use: use in uses for use in all_uses.split()})
