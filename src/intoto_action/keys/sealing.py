"""Payloads to signed documents: DSSE envelopes and Sigstore bundles."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from intoto_action.formats.envelope import (
    MOST_SIGNATURES,
    Envelope,
    Signature,
    Wrapper,
    encode_dsse,
    pae,
)
from intoto_action.keys.interface import Signer
from intoto_action.keys.key_signer import KeySigner
from intoto_action.reason import WrongKey


def seal(payload_type: str, payload: bytes, signer: Signer, *, keyids: Sequence[str] = ()) -> bytes:
    """A DSSE envelope of `payload` with one signature, written once under each of `keyids`.

    Without `keyids` it is written under the keyid of securesystemslib. in-toto-golang computes another keyid
    for the same PEM and looks signatures up by it, so a layout carries its signature under both.
    """
    signature = signer.signature(pae(payload_type, payload))
    return encode_dsse(payload_type, payload, _under(keyids or (signer.key.keyid,), signature))


def append_signature(envelope: Envelope, signer: Signer, keyids: Sequence[str] = ()) -> bytes:
    """The document of `envelope` with one more signature; an earlier one under the same keyids is replaced.

    Raises: Misused when the envelope is no DSSE envelope, or is full.
    """
    if envelope.wrapper is not Wrapper.DSSE:
        raise WrongKey(
            f"expected a DSSE envelope to append a signature to, found a {envelope.wrapper.value}: "
            "sign the layout anew"
        )
    wanted = tuple(keyids) or (signer.key.keyid,)
    others = tuple(each for each in envelope.signatures if each.keyid not in wanted)
    signatures = others + _under(wanted, signer.signature(envelope.signed))
    if len(signatures) > MOST_SIGNATURES:
        raise WrongKey(
            f"expected at most {MOST_SIGNATURES} signatures, found {len(signatures)}: sign the layout anew"
        )
    return encode_dsse(envelope.payload_type, envelope.payload, signatures)


def seal_bundle(payload_type: str, payload: bytes, signer: Signer) -> bytes:
    """A Sigstore bundle 0.3 with one DSSE signature, by a key or with a certificate."""
    return signer.bundle(payload_type, payload)


def seal_for_slsa_verifier(payload_type: str, payload: bytes, signer: KeySigner) -> bytes:
    """A DSSE envelope as slsa-verifier checks one: RSA with PKCS #1 v1.5, ECDSA with the hash of its curve, no keyid.

    Source: slsa-verifier 2.7.1, verify_vsa.go (`determineSignatureHashAlgo`) and sigstore's LoadVerifier. A signature
    whose keyid is not the fingerprint that SSH has for the key is passed over there, and one without is tried.
    """
    sign = signer.sign_for_bundle if signer.key.keytype == "rsa" else signer.sign
    return encode_dsse(payload_type, payload, (Signature("", sign(pae(payload_type, payload))),))


def _under(keyids: Sequence[str], signature: Signature) -> tuple[Signature, ...]:
    return tuple(msgspec.structs.replace(signature, keyid=keyid) for keyid in dict.fromkeys(keyids))
