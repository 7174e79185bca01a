"""The proofs for a keyless signature, held against one Sigstore instance. Imported when the first one is met.

Source: Sigstore client specification, "Verification"; the same checks as sigstore-python 4.5, and from sigstore-go 1.1
the periods of keys and the origin of a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from intoto_action.formats.certificate import CERTIFICATE_CAP
from intoto_action.formats.material import Material
from intoto_action.formats.spelling import shown
from intoto_action.formats.trusted_root import parse_trusted_root
from intoto_action.reason import Malformed
from intoto_action.trust.log_keys import LogKeys
from intoto_action.trust.signing_certificate import (
    Authority,
    check_certificate_timestamp,
    check_chain,
    check_use,
)
from intoto_action.trust.timestamps import TimestampAuthority, times_of
from intoto_action.trust.transparency import check_inclusion, check_kind, check_logged, promised_time

_SHA256 = ec.ECDSA(Prehashed(hashes.SHA256()))


class Proofs:
    """What the proofs of one instance are held against; its keys and certificates are read once, here."""

    def __init__(self, document: bytes, name: str) -> None:
        """Raises: Malformed for what is no trusted root."""
        self._name = name
        root = parse_trusted_root(document, name)
        self._authorities = [Authority(each, name) for each in root.certificate_authorities]
        self._timestamp_authorities = [TimestampAuthority(each, name) for each in root.timestamp_authorities]
        self._logs = LogKeys(root.tlogs, name)
        self._certificate_logs = LogKeys(root.ctlogs, name)

    def certificate(
        self, material: Material, sha256: bytes, payload_sha256: bytes, where: str
    ) -> x509.Certificate:
        """The certificate under which something was signed, when every proof for it holds.

        `sha256` is the digest of what is signed, `payload_sha256` that of an envelope's payload (unused otherwise).
        Raises: Malformed, with the first proof that does not.
        """
        with _told(where, self._name):
            check_kind(material, where)
            certificate = read_certificate(material.certificate, where)
            times = self._times(material, where)
            issuer = [check_chain(certificate, self._authorities, at, where) for at in times][-1]
            check_use(certificate, where)
            check_certificate_timestamp(certificate, issuer, self._certificate_logs, where)
            check_inclusion(material.entry, self._logs, times, where)
            _check_signature(material, certificate, sha256, where)
            check_logged(material, sha256, payload_sha256, where)
        return certificate

    def _times(self, material: Material, where: str) -> list[datetime]:
        """When it was signed, by everybody whose word counts; each of these times has to fit. At least one."""
        times = times_of(material.timestamps, material.signature, self._timestamp_authorities, where)
        promised = promised_time(material.entry, self._logs, where)
        if promised is not None:
            times.append(promised)
        if not times:
            found = f"no promise of the log, and timestamps by others ({len(material.timestamps)})"
            raise Malformed(where, "a time of signing that a trusted authority or log vouches for", found)
        return times


def read_certificate(der: bytes, where: str) -> x509.Certificate:
    """Raises: Malformed for what is no certificate."""
    if len(der) > CERTIFICATE_CAP:
        raise Malformed(where, f"a certificate of at most {CERTIFICATE_CAP} bytes", f"{len(der)} bytes")
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise Malformed(where, "an X.509 certificate in DER", "bytes that are none") from error


def _check_signature(material: Material, certificate: x509.Certificate, sha256: bytes, where: str) -> None:
    """By ECDSA with P-256 and SHA-256, which every client of Sigstore makes its keys for. Raises: Malformed."""
    if material.sha256 is not None and material.sha256 != sha256:
        raise Malformed(where, f"a signature over sha256 {sha256.hex()}", f"sha256 {material.sha256.hex()}")
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Malformed(where, "a certificate for an ECDSA key on P-256", "one for another key")
    try:
        key.verify(material.signature, sha256, _SHA256)
    except InvalidSignature as error:
        raise Malformed(where, "a signature by the key of the certificate", "another") from error


@contextmanager
def _told(where: str, name: str) -> Iterator[None]:
    """Say under which instance a proof does not hold: often it is that of another one.

    And make Malformed of whatever the libraries below raise: bytes of strangers can do almost all.
    """
    try:
        yield
    except Malformed as error:
        raise Malformed(error.where, f"{error.expected}, under {name}", error.found) from error
    except Exception as error:
        said = shown(str(error)) or type(error).__name__
        raise Malformed(where, f"proofs that can be read, under {name}", said) from error
