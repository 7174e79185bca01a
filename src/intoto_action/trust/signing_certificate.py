"""Whether a signing certificate is one by the instance's authority, for code, and promised to a certificate log.

Source: Sigstore client specification, "Certificate verification"; RFC 5280; RFC 6962, 3.2 and 3.3.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification
from cryptography.x509.certificate_transparency import LogEntryType, Version
from cryptography.x509.oid import ExtendedKeyUsageOID

from intoto_action.formats.spelling import shown
from intoto_action.formats.trusted_root import Period, TrustedAuthority
from intoto_action.reason import Malformed
from intoto_action.trust.log_keys import LogKeys

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_CERTIFICATE_TIMESTAMP = 0


class Authority:
    """A certificate authority of the trusted root. All of its certificates are trusted as they stand there."""

    def __init__(self, authority: TrustedAuthority, where: str) -> None:
        """Raises: Malformed for certificates that are none."""
        self.valid_for: Period = authority.valid_for
        certificates = load_certificates(authority, where)
        # The default policies of the web want server or client authentication; which use is ours is asked below.
        authorities, leaves = (
            policy.may_be_present(x509.ExtendedKeyUsage, verification.Criticality.NON_CRITICAL, None)
            for policy in (
                verification.ExtensionPolicy.webpki_defaults_ca(),
                verification.ExtensionPolicy.webpki_defaults_ee(),
            )
        )
        self._policy = (
            verification.PolicyBuilder()
            .store(verification.Store(certificates))
            .extension_policies(ca_policy=authorities, ee_policy=leaves)
        )

    def issuer_of(self, certificate: x509.Certificate, at: datetime) -> x509.Certificate:
        """Who issued it, by a chain that is valid at that time.

        Raises: VerificationError or UnsupportedGeneralNameType, of `cryptography`.
        """
        return self._policy.time(at).build_client_verifier().verify(certificate, []).chain[1]


def load_certificates(authority: TrustedAuthority, where: str) -> list[x509.Certificate]:
    """The certificates of an authority, the root last. Raises: Malformed."""
    try:
        return [x509.load_der_x509_certificate(each.raw_bytes) for each in authority.cert_chain.certificates]
    except (ValueError, x509.InvalidVersion) as error:
        raise Malformed(where, f"certificates of {authority.uri} in DER", "bytes that are none") from error


def check_chain(
    certificate: x509.Certificate, authorities: Sequence[Authority], at: datetime, where: str
) -> x509.Certificate:
    """The issuer, by a chain to one of the authorities that are trusted at that time. Raises: Malformed."""
    said = "none of its authorities is trusted at that time"
    for authority in authorities:
        if at not in authority.valid_for:
            continue
        try:
            return authority.issuer_of(certificate, at)
        except (verification.VerificationError, x509.UnsupportedGeneralNameType) as error:
            said = shown(str(error))
    raise Malformed(
        where, f"a certificate that chains to the root and is valid at {at:%Y-%m-%d %H:%M:%SZ}", said
    )


def check_use(certificate: x509.Certificate, where: str) -> None:
    """Raises: Malformed unless the certificate is for signatures, and for code."""
    extensions = certificate.extensions
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise Malformed(where, "a certificate that says what its key is for", "one that does not") from error
    if not usage.digital_signature:
        raise Malformed(where, "a key usage of digital signatures in the certificate", "another")
    if ExtendedKeyUsageOID.CODE_SIGNING not in extended:
        raise Malformed(where, "an extended key usage of code signing in the certificate", "another")


def check_certificate_timestamp(
    certificate: x509.Certificate, issuer: x509.Certificate, logs: LogKeys, where: str
) -> None:
    """Raises: Malformed unless a trusted log has promised, in the certificate, to include it.

    More than one promise is refused, as sigstore-python does: Fulcio has always one.
    """
    expected = "a certificate with one signed certificate timestamp of a trusted log"
    try:
        found = list(
            certificate.extensions.get_extension_for_class(
                x509.PrecertificateSignedCertificateTimestamps
            ).value
        )
    except x509.ExtensionNotFound as error:
        raise Malformed(where, expected, "one without") from error
    if len(found) != 1:
        raise Malformed(where, expected, f"one with {len(found)} of them")
    (timestamp,) = found
    if timestamp.version is not Version.v1 or timestamp.entry_type is not LogEntryType.PRE_CERTIFICATE:
        raise Malformed(where, f"{expected}, of RFC 6962", "another kind")
    if not isinstance(timestamp.signature_hash_algorithm, hashes.SHA256):
        raise Malformed(where, f"{expected}, by SHA-256", "another hash")
    at = timestamp.timestamp.replace(tzinfo=UTC)
    key = logs.of(timestamp.log_id, at)
    if key is None:
        found_log = "is not trusted at that time" if logs.knows(timestamp.log_id) else "is not known"
        raise Malformed(where, expected, f"one of a log that {found_log} ({timestamp.log_id.hex()})")
    if not key.has_signed(timestamp.signature, _signed_by_log(timestamp, certificate, issuer, at)):
        raise Malformed(where, expected, "a timestamp that the log has not signed for this certificate")


def _signed_by_log(
    timestamp: x509.certificate_transparency.SignedCertificateTimestamp,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    at: datetime,
) -> bytes:
    """What the log's signature is over (RFC 6962, 3.2): the precertificate, under the hash of its issuer's key."""
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    precertificate = certificate.tbs_precertificate_bytes
    extensions = timestamp.extension_bytes
    return b"".join(
        (
            struct.pack(
                "!BBQH",
                timestamp.version.value,
                _CERTIFICATE_TIMESTAMP,
                (at - _EPOCH) // _MILLISECOND,
                timestamp.entry_type.value,
            ),
            hashlib.sha256(key).digest(),
            len(precertificate).to_bytes(3),
            precertificate,
            len(extensions).to_bytes(2),
            extensions,
        )
    )
