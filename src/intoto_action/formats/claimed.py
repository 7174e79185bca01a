"""Whose signature it claims to be, where somebody else verifies it or nobody has to."""

from __future__ import annotations

from intoto_action.formats.certificate import Certificate, parse_certificate
from intoto_action.formats.envelope import Envelope, Signature
from intoto_action.formats.material import material_of


def claimed_certificate(envelope: Envelope, signature: Signature, where: str) -> Certificate | None:
    """The certificate beside a signature, of which nothing is checked; None when a key signed.

    Raises: Malformed for what claims to be one and cannot be read.
    """
    material = material_of(envelope, signature, where)
    return None if material is None else parse_certificate(material.certificate, f"{where}, certificate")
