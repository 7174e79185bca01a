"""What stands beside a signature so that it can be verified without a key: Sigstore's verification material.

Three forms are read: DSSE's signature extension (kind `application/vnd.dev.sigstore.verificationmaterial`), which we
write; the member `bundle` of securesystemslib's Sigstore signer; and a Sigstore bundle around the whole envelope.
Source: DSSE, "Signature Extensions"; sigstore/protobuf-specs, sigstore_bundle.proto; securesystemslib 1.6.
Only what is needed to hand it on is read here; whether it proves anything is for `trust` to say.
"""

from __future__ import annotations

import base64
import re

import msgspec
from msgspec import UNSET, UnsetType

from intoto_action.formats.envelope import Envelope, Signature, Wrapper
from intoto_action.formats.oci import BUNDLE, BUNDLE_PREFIX
from intoto_action.formats.spelling import quoted
from intoto_action.formats.strict_json import decode_once
from intoto_action.reason import Malformed

EXTENSION = "extension"
BUNDLE_MEMBER = "bundle"
PUBLIC_KEY = "publicKey"
KIND = "application/vnd.dev.sigstore.verificationmaterial;version=0.3"
_KINDS = re.compile(r"application/vnd\.dev\.sigstore\.verificationmaterial(?:;version=0\.[123])?\Z")
_BUNDLE_WITH_CHAIN = "application/vnd.dev.sigstore.bundle+json;version=0.2"
_NO_LOG_ENTRY = (
    "no entry of a transparency log (as GitHub's own instance for private repositories makes none)"
)


class Material(msgspec.Struct, frozen=True):
    """A signature with its certificate and the proofs for it, as one Sigstore bundle.

    `bundle` is the document that a Sigstore client reads: over a message signature, or over the whole envelope when
    `is_envelope`.
    """

    bundle: bytes
    is_envelope: bool


class _Extension(msgspec.Struct):
    kind: str
    ext: msgspec.Raw


class _Message(msgspec.Struct, rename="camel"):
    signature: bytes


class _Bundle(msgspec.Struct, rename="camel"):
    media_type: str
    verification_material: msgspec.Raw
    message_signature: _Message | UnsetType = UNSET
    dsse_envelope: msgspec.Raw | UnsetType = UNSET


class _VerificationMaterial(msgspec.Struct, rename="camel"):
    certificate: msgspec.Raw | UnsetType = UNSET
    x509_certificate_chain: msgspec.Raw | UnsetType = UNSET
    public_key: msgspec.Raw | UnsetType = UNSET
    tlog_entries: list[msgspec.Raw] = []


def material_of(envelope: Envelope, signature: Signature, where: str) -> Material | None:
    """The material of one of the envelope's signatures; None when it is a signature by a key and nothing else.

    Raises: Malformed for what claims to be such material and cannot be.
    """
    if envelope.wrapper is Wrapper.BUNDLE:
        return _of_bundle(envelope, where)
    if EXTENSION in signature.beside and BUNDLE_MEMBER in signature.beside:
        raise Malformed(where, "an extension or a bundle beside the signature", "both")
    if EXTENSION in signature.beside:
        extension = decode_once(signature.beside[EXTENSION], _Extension, f"{where}, extension")
        if not _KINDS.match(extension.kind):
            raise Malformed(where, f"an extension of kind {KIND}", quoted(extension.kind))
        return _material(bytes(extension.ext), "", signature, where)
    if BUNDLE_MEMBER in signature.beside:
        bundle = decode_once(signature.beside[BUNDLE_MEMBER], _Bundle, f"{where}, bundle")
        _check_media_type(bundle.media_type, where)
        if bundle.dsse_envelope is not UNSET or bundle.message_signature is UNSET:
            raise Malformed(where, "a bundle with a message signature beside a signature", "another one")
        if bundle.message_signature.signature != signature.value:
            raise Malformed(where, "the signature that is inside the bundle beside it", "another one")
        return _material(bytes(bundle.verification_material), bundle.media_type, signature, where)
    return None


def is_keyless(envelope: Envelope, signature: Signature) -> bool:
    """Whether the signature comes with something that could be such material; `material_of` reads it."""
    if envelope.wrapper is Wrapper.BUNDLE:
        return PUBLIC_KEY not in decode_once(envelope.material, dict[str, msgspec.Raw], "the bundle")
    return EXTENSION in signature.beside or BUNDLE_MEMBER in signature.beside


def encode_extension(verification_material: bytes) -> bytes:
    """The value of a DSSE signature's `extension` for the verification material of a bundle, as JSON."""
    return msgspec.json.encode({"kind": KIND, "ext": msgspec.Raw(verification_material)})


def _of_bundle(envelope: Envelope, where: str) -> Material | None:
    read = _read(envelope.material, where)
    return Material(envelope.raw, is_envelope=True) if read.public_key is UNSET else None


def _material(document: bytes, media_type: str, signature: Signature, where: str) -> Material:
    """The bundle is made anew around the envelope's own signature, so that no other one is verified in its place."""
    read = _read(document, where)
    if read.public_key is not UNSET:
        raise Malformed(where, "a certificate in the verification material", "a public key")
    # A chain of certificates was allowed until version 0.2 of bundles.
    implied = BUNDLE if read.x509_certificate_chain is UNSET else _BUNDLE_WITH_CHAIN
    bundle = {
        "mediaType": media_type or implied,
        "verificationMaterial": msgspec.Raw(document),
        "messageSignature": {"signature": base64.b64encode(signature.value).decode()},
    }
    return Material(msgspec.json.encode(bundle), is_envelope=False)


def _read(document: bytes, where: str) -> _VerificationMaterial:
    """Who signed, and that a log has it; a Sigstore client reads the rest, and more strictly."""
    material = decode_once(document, _VerificationMaterial, f"{where}, verification material")
    who = (material.certificate, material.x509_certificate_chain, material.public_key)
    given = sum(each is not UNSET for each in who)
    if given != 1:
        raise Malformed(where, "one of a certificate, a chain and a public key", f"{given} of them")
    if material.public_key is UNSET and len(material.tlog_entries) != 1:
        found = f"{len(material.tlog_entries)} of them" if material.tlog_entries else _NO_LOG_ENTRY
        raise Malformed(where, "one entry of a transparency log beside the certificate", found)
    return material


def _check_media_type(media_type: str, where: str) -> None:
    if not media_type.startswith(BUNDLE_PREFIX):
        raise Malformed(where, f"media type {BUNDLE}", quoted(media_type))
