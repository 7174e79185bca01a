"""The keys of a Sigstore instance's logs, each for the time that the trusted root gives it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from intoto_action.formats.trusted_root import TrustedLog
from intoto_action.reason import Malformed

_ECDSA = {
    "PKIX_ECDSA_P256_SHA_256": ec.ECDSA(hashes.SHA256()),
    "PKIX_ECDSA_P384_SHA_384": ec.ECDSA(hashes.SHA384()),
    "PKIX_ECDSA_P521_SHA_512": ec.ECDSA(hashes.SHA512()),
}
_RSA = (
    "PKCS1_RSA_PKCS1V5",
    "PKIX_RSA_PKCS1V15_2048_SHA256",
    "PKIX_RSA_PKCS1V15_3072_SHA256",
    "PKIX_RSA_PKCS1V15_4096_SHA256",
)


class LogKey:
    """The key of one log. Source: sigstore/protobuf-specs, `PublicKeyDetails`."""

    def __init__(self, log: TrustedLog, where: str) -> None:
        """Raises: Malformed for a key that is none, or of another kind than it is said to be."""
        trusted = log.public_key
        self.valid_for = trusted.valid_for
        self.origin = log.host
        self._details = trusted.key_details
        kind = _kind_of(trusted.key_details)
        try:
            self._key = load_der_public_key(trusted.raw_bytes) if kind else None
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Malformed(
                where, f"the public key of {log.base_url} in DER", "bytes that are none"
            ) from error
        if kind is not None and not isinstance(self._key, kind):
            raise Malformed(where, f"a key of kind {trusted.key_details} for {log.base_url}", "another")

    def has_signed(self, signature: bytes, data: bytes) -> bool:
        """Whether the signature over `data` is by this key; never for a kind of key that is not known here."""
        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey) and self._details in _ECDSA:
                self._key.verify(signature, data, _ECDSA[self._details])
                return True
            if isinstance(self._key, ed25519.Ed25519PublicKey) and self._details == "PKIX_ED25519":
                self._key.verify(signature, data)
                return True
            if isinstance(self._key, rsa.RSAPublicKey) and self._details in _RSA:
                self._key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
                return True
        except InvalidSignature:
            return False
        return False


class LogKeys:
    """The keys of all logs of one kind, by the id of the log, which is a claim until a signature bears it out."""

    def __init__(self, logs: Iterable[TrustedLog], where: str) -> None:
        self._keys: dict[bytes, list[LogKey]] = {}
        for log in logs:
            self._keys.setdefault(log.log_id.key_id, []).append(LogKey(log, where))

    def of(self, log_id: bytes, at: datetime) -> LogKey | None:
        """The key that the log of this id had at that time; None for a log that is not trusted, or was not then.

        Source: Sigstore client specification, "Trusted root": a key counts for the time it is given for.
        """
        return next((key for key in self._keys.get(log_id, ()) if at in key.valid_for), None)

    def knows(self, log_id: bytes) -> bool:
        """Whether a log of this id was ever trusted: for the words of an error."""
        return log_id in self._keys


def _kind_of(details: str) -> type | None:
    if details in _ECDSA:
        return ec.EllipticCurvePublicKey
    if details in _RSA:
        return rsa.RSAPublicKey
    return ed25519.Ed25519PublicKey if details == "PKIX_ED25519" else None
