"""What stands beside a signature so that it can be verified without a key: Sigstore's verification material.

Three forms are read: DSSE's signature extension (kind `application/vnd.dev.sigstore.verificationmaterial`), which we
write; the member `bundle` of securesystemslib's Sigstore signer; and a Sigstore bundle around the whole envelope.
Source: DSSE, "Signature Extensions"; sigstore/protobuf-specs, sigstore_bundle.proto; securesystemslib 1.6.
Whether it proves anything is for `trust` to say.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from intoto_action.formats.envelope import Envelope, Signature, Wrapper
from intoto_action.formats.log_entry import (
    CertificateDocument,
    DigestDocument,
    EntryDocument,
    LogEntry,
    entry_of,
)
from intoto_action.formats.oci import BUNDLE
from intoto_action.formats.spelling import quoted
from intoto_action.formats.strict_json import decode, decode_once
from intoto_action.reason import Malformed

EXTENSION = "extension"
BUNDLE_MEMBER = "bundle"
PUBLIC_KEY = "publicKey"
KIND = "application/vnd.dev.sigstore.verificationmaterial;version=0.3"
MOST_TIMESTAMPS = 8
"""How many are looked at: one is enough, two are rare, and anybody can add more."""
LARGEST_TIMESTAMP = 64 << 10
"""Real ones have some thousand bytes, with all certificates; what reads them takes quadratic time for large ones."""
_KINDS = re.compile(r"application/vnd\.dev\.sigstore\.verificationmaterial(?:;version=0\.[123])?\Z")
_OLDEST_BUNDLE = "application/vnd.dev.sigstore.bundle+json;version=0.1"
_WITH_CHAIN = (_OLDEST_BUNDLE, "application/vnd.dev.sigstore.bundle+json;version=0.2")
_WITH_CERTIFICATE = (BUNDLE, "application/vnd.dev.sigstore.bundle+json;version=0.3")
_NO_LOG_ENTRY = (
    "no entry of a transparency log (as GitHub's own instance for private repositories makes none)"
)


class Material(msgspec.Struct, frozen=True):
    """Untrusted: a signature, the certificate in DER that it is said to be under, and the proofs for both.

    `timestamps` are responses of timestamp authorities in DER (RFC 3161). `is_envelope` says that a bundle held the
    envelope whole, of which a log keeps other entries. `sha256` is the digest of what is signed when it is named beside
    the signature, else None.
    """

    signature: bytes
    certificate: bytes
    entry: LogEntry
    timestamps: tuple[bytes, ...]
    is_envelope: bool
    sha256: bytes | None = None


class _Extension(msgspec.Struct):
    kind: str
    ext: msgspec.Raw


class _Message(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    signature: bytes
    message_digest: DigestDocument | None = None


class _Bundle(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    media_type: str
    verification_material: msgspec.Raw
    message_signature: _Message | UnsetType = UNSET
    dsse_envelope: msgspec.Raw | UnsetType = UNSET


class _Chain(msgspec.Struct, forbid_unknown_fields=True):
    certificates: Annotated[list[CertificateDocument], Meta(min_length=1, max_length=16)]


class _Timestamp(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    signed_timestamp: Annotated[bytes, Meta(max_length=LARGEST_TIMESTAMP)]


class _Timestamps(msgspec.Struct, forbid_unknown_fields=True):
    timestamps: Annotated[list[_Timestamp], Meta(max_length=MOST_TIMESTAMPS)] = msgspec.field(
        name="rfc3161Timestamps", default=[]
    )


class _Who(msgspec.Struct, rename="camel"):
    certificate: msgspec.Raw | UnsetType = UNSET
    x509_certificate_chain: msgspec.Raw | UnsetType = UNSET
    public_key: msgspec.Raw | UnsetType = UNSET
    tlog_entries: list[msgspec.Raw] = []


class _VerificationMaterial(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    tlog_entries: Annotated[list[EntryDocument], Meta(min_length=1, max_length=1)]
    certificate: CertificateDocument | None = None
    x509_certificate_chain: _Chain | None = None
    timestamp_verification_data: _Timestamps | None = None


def material_of(envelope: Envelope, signature: Signature, where: str) -> Material | None:
    """The material of one of the envelope's signatures; None when it is a signature by a key and nothing else.

    Raises: Malformed for what claims to be such material and cannot be.
    """
    if envelope.wrapper is Wrapper.BUNDLE:
        return _of_envelope(envelope, signature, where)
    if EXTENSION in signature.beside and BUNDLE_MEMBER in signature.beside:
        raise Malformed(where, "an extension or a bundle beside the signature", "both")
    if EXTENSION in signature.beside:
        extension = decode_once(signature.beside[EXTENSION], _Extension, f"{where}, extension")
        if not _KINDS.match(extension.kind):
            raise Malformed(where, f"an extension of kind {KIND}", quoted(extension.kind))
        return _material(bytes(extension.ext), None, _Message(signature.value), where)
    if BUNDLE_MEMBER in signature.beside:
        made = _of_message(decode_once(signature.beside[BUNDLE_MEMBER], _Bundle, f"{where}, bundle"), where)
        if made.signature != signature.value:
            raise Malformed(where, "the signature that is inside the bundle beside it", "another one")
        return made
    return None


def material_of_message(bundle: bytes, where: str) -> Material:
    """The material of a Sigstore bundle over a file, whose signature stands in it.

    Raises: Malformed; also for a bundle that holds an envelope.
    """
    return _of_message(decode(bundle, _Bundle, where), where)


def is_keyless(envelope: Envelope, signature: Signature) -> bool:
    """Whether the signature comes with something that could be such material; `material_of` reads it."""
    if envelope.wrapper is Wrapper.BUNDLE:
        return PUBLIC_KEY not in decode_once(envelope.material, dict[str, msgspec.Raw], "the bundle")
    return EXTENSION in signature.beside or BUNDLE_MEMBER in signature.beside


def encode_extension(verification_material: bytes) -> bytes:
    """The value of a DSSE signature's `extension` for the verification material of a bundle, as JSON."""
    return msgspec.json.encode({"kind": KIND, "ext": msgspec.Raw(verification_material)})


def _of_envelope(envelope: Envelope, signature: Signature, where: str) -> Material | None:
    if _who(envelope.material, where).public_key is not UNSET:
        return None
    made = _material(envelope.material, envelope.media_type, _Message(signature.value), where)
    return msgspec.structs.replace(made, is_envelope=True)


def _of_message(bundle: _Bundle, where: str) -> Material:
    message = bundle.message_signature
    if bundle.dsse_envelope is not UNSET or isinstance(message, UnsetType):
        raise Malformed(where, "a bundle with a message signature beside a signature", "another one")
    return _material(bytes(bundle.verification_material), bundle.media_type, message, where)


def _material(document: bytes, media_type: str | None, message: _Message, where: str) -> Material:
    """`media_type` is the bundle's; None where the material stands alone, and may have either form of certificate."""
    who = _who(document, where)
    if who.public_key is not UNSET:
        raise Malformed(where, "a certificate in the verification material", "a public key")
    if len(who.tlog_entries) != 1:
        found = f"{len(who.tlog_entries)} of them" if who.tlog_entries else _NO_LOG_ENTRY
        raise Malformed(where, "one entry of a transparency log beside the certificate", found)
    read = decode_once(document, _VerificationMaterial, f"{where}, verification material")
    entry = entry_of(read.tlog_entries[0], where)
    data = read.timestamp_verification_data
    timestamps = tuple(each.signed_timestamp for each in data.timestamps) if data else ()
    if len(set(timestamps)) != len(timestamps):
        raise Malformed(where, "each timestamp once", "the same one twice")
    if not entry.promise and (media_type == _OLDEST_BUNDLE or not timestamps):
        raise Malformed(where, "a timestamp, or the log's promise with a time", "neither")
    return Material(
        message.signature,
        _certificate(read, media_type, where),
        entry,
        timestamps,
        is_envelope=False,
        sha256=_sha256(message.message_digest, where),
    )


def _who(document: bytes, where: str) -> _Who:
    """Who is said to have signed, before the rest is read."""
    material = decode_once(document, _Who, f"{where}, verification material")
    who = (material.certificate, material.x509_certificate_chain, material.public_key)
    given = sum(each is not UNSET for each in who)
    if given != 1:
        raise Malformed(where, "one of a certificate, a chain and a public key", f"{given} of them")
    return material


def _certificate(material: _VerificationMaterial, media_type: str | None, where: str) -> bytes:
    """The leaf. Bundles before 0.3 have it in a chain, whose other certificates prove nothing and are not read."""
    if media_type is not None and media_type not in (*_WITH_CHAIN, *_WITH_CERTIFICATE):
        raise Malformed(where, f"media type {BUNDLE}", quoted(media_type))
    if material.certificate is not None and media_type not in _WITH_CHAIN:
        return material.certificate.raw_bytes
    if material.x509_certificate_chain is not None and media_type not in _WITH_CERTIFICATE:
        return material.x509_certificate_chain.certificates[0].raw_bytes
    expected = "a chain of certificates" if media_type in _WITH_CHAIN else "a certificate"
    bundle = "verification material" if media_type is None else f"a bundle of type {media_type}"
    raise Malformed(where, f"{expected} in {bundle}", "the other, or none")


def _sha256(digest: DigestDocument | None, where: str) -> bytes | None:
    if digest is None:
        return None
    if digest.algorithm != "SHA2_256":
        raise Malformed(where, "a message digest by SHA2_256", quoted(digest.algorithm))
    return digest.digest
