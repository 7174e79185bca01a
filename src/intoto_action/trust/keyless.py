"""Keyless signatures: whose certificate it is that signed, when every proof for it holds.

The proofs: for every signing time that a timestamp authority or the log vouches for, the chain to the root; the
certificate's SCT; the log's inclusion proof and checkpoint; and that signature, certificate and log entry speak of the
same bytes. Source: Sigstore client specification, "Verification".
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from intoto_action.formats.certificate import Certificate, facts_of, parse_certificate
from intoto_action.formats.envelope import Envelope, Signature
from intoto_action.formats.material import material_of, material_of_message
from intoto_action.formats.trusted_root import LARGEST_ROOT
from intoto_action.reason import IntotoActionError

if TYPE_CHECKING:
    from intoto_action.trust.proofs import Proofs

__all__ = ["LARGEST_ROOT", "MOST_KEYLESS", "SigstoreNeeded", "TrustRoot", "claimed_certificate"]

MOST_KEYLESS = 16
"""How many keyless signatures of one envelope are looked at: each takes milliseconds, and anybody can make up more."""


class SigstoreNeeded(IntotoActionError):
    """A decision met an identity, and was given no trust root: whoever decides opens one and decides again."""

    def __init__(self) -> None:
        super().__init__(
            "a keyless signature cannot be checked without the trust root of a Sigstore instance"
        )


class TrustRoot:
    """The roots of one Sigstore instance, parsed once. `name` says which one, in words.

    `document` is a trusted root (`application/vnd.dev.sigstore.trustedroot+json;version=0.1`); nothing is fetched.
    Raises: Malformed when it is none.
    """

    def __init__(self, document: bytes, name: str) -> None:
        self.name = name
        self._document = document
        self._proofs  # noqa: B018 - a root that cannot be read is told now

    def __repr__(self) -> str:
        return f"TrustRoot({self.name})"

    @cached_property
    def _proofs(self) -> Proofs:
        # With it comes what reads certificates and timestamps, which decisions with keys alone do without.
        from intoto_action.trust.proofs import Proofs

        return Proofs(self._document, self.name)

    def certificate_of(self, envelope: Envelope, signature: Signature, where: str) -> Certificate | None:
        """Whose certificate made the signature over `envelope.signed`; None for one by a key and nothing else.

        Raises: Malformed, with what is wrong with the proofs for it.
        """
        material = material_of(envelope, signature, where)
        if material is None:
            return None
        signed = hashlib.sha256(envelope.signed).digest()
        payload = hashlib.sha256(envelope.payload).digest() if material.is_envelope else b""
        verified = self._proofs.certificate(material, signed, payload, where)
        return facts_of(verified, f"{where}, certificate")

    def certificate_over(self, sha256: bytes, bundle: bytes, where: str) -> Certificate:
        """Whose certificate made the signature in a Sigstore bundle over a file with this digest.

        Raises: Malformed, with what is wrong with the proofs for it; also when the bundle is for other bytes.
        """
        material = material_of_message(bundle, where)
        return facts_of(self._proofs.certificate(material, sha256, b"", where), f"{where}, certificate")


def claimed_certificate(envelope: Envelope, signature: Signature, where: str) -> Certificate | None:
    """Whose certificate stands beside a signature, read as it is when it is verified; None beside one by a key.

    Nothing of it is checked: it is for showing, and for where somebody else has verified the signature.
    Raises: Malformed for what claims to be a certificate and cannot be read.
    """
    material = material_of(envelope, signature, where)
    return None if material is None else parse_certificate(material.certificate, f"{where}, certificate")
