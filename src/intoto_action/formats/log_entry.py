"""An entry of Sigstore's transparency log, Rekor, as bundles carry it: what was logged, and the proof that it was.

Source: sigstore/protobuf-specs, sigstore_rekor.proto; Rekor v1, pkg/types/{hashedrekord,dsse}/v0.0.1; Rekor v2,
hashedrekord.proto. Unknown members are refused: whoever wrote one meant something by it. Nothing here says that a
proof holds: that is `trust`.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from intoto_action.formats.spelling import quoted
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed

HASHEDREKORD_V1 = ("hashedrekord", "0.0.1")
DSSE_V1 = ("dsse", "0.0.1")
HASHEDREKORD_V2 = ("hashedrekord", "0.0.2")
"""The kinds and versions of entries that are read: the first two of Rekor v1, the last of v2."""

T = TypeVar("T")

LARGEST_BODY = 64 << 10
_MOST_HASHES = 64
_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----\n((?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/=]{1,64}\n)-----END CERTIFICATE-----\n\Z"
)
_SHA256_HEX = re.compile(r"[0-9a-f]{64}\Z")

# Protobuf writes its 64-bit numbers as strings.
Number = Annotated[str, Meta(pattern=r"^(?:0|[1-9][0-9]{0,18})\Z", max_length=19)]


class InclusionProof(msgspec.Struct, frozen=True):
    """The way from a leaf to the root of a tree of `size` leaves (RFC 6962, 2.1.1); `checkpoint` is a signed note."""

    index: int
    size: int
    root_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


class LogEntry(msgspec.Struct, frozen=True):
    """Untrusted: one entry of a log.

    `kind` is kind and version; `body` the very bytes that are a leaf of the tree. `index` counts over all shards of the
    log, where the proof's is one of its own tree. `integrated_time` is in seconds since 1970, 0 when the entry names
    none; `promise` is the log's signature over it, empty when there is none.
    """

    log_id: bytes
    kind: tuple[str, str]
    index: int
    integrated_time: int
    promise: bytes
    proof: InclusionProof
    body: bytes


class Logged(msgspec.Struct, frozen=True):
    """What an entry says was logged: a signature, its certificate in DER, and a SHA-256.

    The digest is that of what is signed, or of the payload when the entry is a `dsse` of Rekor v1.
    """

    sha256: bytes
    signature: bytes
    certificate: bytes


class KeyId(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """`LogId` of the protobufs."""

    key_id: bytes


class _KindVersion(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    version: str


class _Promise(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    signed_entry_timestamp: bytes


class _Checkpoint(msgspec.Struct, forbid_unknown_fields=True):
    envelope: str


class _Proof(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    root_hash: bytes
    tree_size: Number
    checkpoint: _Checkpoint
    log_index: Number = "0"
    hashes: Annotated[list[bytes], Meta(max_length=_MOST_HASHES)] = []


class EntryDocument(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """`TransparencyLogEntry` of the protobufs, whose JSON leaves out zeros and empty lists: of a log's first entry."""

    log_id: KeyId
    kind_version: _KindVersion
    inclusion_proof: _Proof
    canonicalized_body: bytes
    log_index: Number = "0"
    integrated_time: Number = "0"
    inclusion_promise: _Promise | None = None


class _Hash(msgspec.Struct, forbid_unknown_fields=True):
    algorithm: str
    value: str


class _Data(msgspec.Struct, forbid_unknown_fields=True):
    hash: _Hash


class _PublicKey(msgspec.Struct, forbid_unknown_fields=True):
    content: bytes


class _SignatureV1(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    content: bytes
    public_key: _PublicKey


class _HashedrekordV1(msgspec.Struct, forbid_unknown_fields=True):
    data: _Data
    signature: _SignatureV1


class _DsseSignature(msgspec.Struct, forbid_unknown_fields=True):
    signature: bytes
    verifier: bytes


class _DsseV1(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    envelope_hash: _Hash
    payload_hash: _Hash
    signatures: list[_DsseSignature]


class CertificateDocument(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """`X509Certificate` of the protobufs: DER."""

    raw_bytes: bytes


class _Verifier(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    key_details: str
    x509_certificate: CertificateDocument


class _SignatureV2(msgspec.Struct, forbid_unknown_fields=True):
    content: bytes
    verifier: _Verifier


class DigestDocument(msgspec.Struct, forbid_unknown_fields=True):
    """`HashOutput` of the protobufs."""

    algorithm: str
    digest: bytes


class _HashedRekord(msgspec.Struct, forbid_unknown_fields=True):
    data: DigestDocument
    signature: _SignatureV2


class _HashedrekordV2(msgspec.Struct, forbid_unknown_fields=True):
    hashed_rekord: _HashedRekord = msgspec.field(name="hashedRekordV002")


class _Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    api_version: str
    kind: str
    spec: msgspec.Raw


def entry_of(document: EntryDocument, where: str) -> LogEntry:
    """The entry of its JSON. Raises: Malformed for a proof that names a leaf outside its tree."""
    proof = document.inclusion_proof
    index, size = int(proof.log_index), int(proof.tree_size)
    if index >= size:
        raise Malformed(where, "an inclusion proof of a leaf of its tree", f"leaf {index} of {size}")
    promise = document.inclusion_promise
    if promise is not None and not promise.signed_entry_timestamp:
        raise Malformed(where, "a promise of the log (signed entry timestamp) that is signed", "an empty one")
    return LogEntry(
        document.log_id.key_id,
        (document.kind_version.kind, document.kind_version.version),
        int(document.log_index),
        int(document.integrated_time),
        promise.signed_entry_timestamp if promise else b"",
        InclusionProof(index, size, proof.root_hash, tuple(proof.hashes), proof.checkpoint.envelope),
        document.canonicalized_body,
    )


def parse_logged(entry: LogEntry, where: str) -> Logged:
    """What the entry's body says, in whichever of the three kinds it is.

    Raises: Malformed; also when the body is of another kind than the entry says.
    """
    where = f"{where}, log entry"
    body = decode(entry.body, _Body, where, cap=LARGEST_BODY)
    if (body.kind, body.api_version) != entry.kind:
        found = quoted(f"{body.kind} {body.api_version}")
        raise Malformed(where, f"a body of kind {quoted(' '.join(entry.kind))}, as the entry says", found)
    if entry.kind == HASHEDREKORD_V2:
        return _from_hashedrekord_v2(bytes(body.spec), where)
    if entry.kind == HASHEDREKORD_V1:
        return _from_hashedrekord_v1(bytes(body.spec), where)
    if entry.kind == DSSE_V1:
        return _from_dsse_v1(bytes(body.spec), where)
    expected = "an entry of kind hashedrekord (0.0.1 or 0.0.2) or dsse (0.0.1)"
    raise Malformed(where, expected, quoted(" ".join(entry.kind)))


def _from_hashedrekord_v2(spec: bytes, where: str) -> Logged:
    record = _read(spec, _HashedrekordV2, where).hashed_rekord
    verifier = record.signature.verifier
    if verifier.key_details != "PKIX_ECDSA_P256_SHA_256":
        raise Malformed(where, "a key of kind PKIX_ECDSA_P256_SHA_256", quoted(verifier.key_details))
    if record.data.algorithm != "SHA2_256":
        raise Malformed(where, "a digest by SHA2_256", quoted(record.data.algorithm))
    return Logged(record.data.digest, record.signature.content, verifier.x509_certificate.raw_bytes)


def _from_hashedrekord_v1(spec: bytes, where: str) -> Logged:
    record = _read(spec, _HashedrekordV1, where)
    digest = _sha256(record.data.hash, where)
    return Logged(digest, record.signature.content, _der(record.signature.public_key.content, where))


def _from_dsse_v1(spec: bytes, where: str) -> Logged:
    """The digest of the envelope is read and passed over: it is over bytes that nobody has any more."""
    record = _read(spec, _DsseV1, where)
    _sha256(record.envelope_hash, where)
    if len(record.signatures) != 1:
        raise Malformed(where, "one signature", f"{len(record.signatures)} of them")
    (signature,) = record.signatures
    return Logged(_sha256(record.payload_hash, where), signature.signature, _der(signature.verifier, where))


def _read(spec: bytes, type_: type[T], where: str) -> T:
    return decode(spec, type_, where, cap=LARGEST_BODY)


def _sha256(found: _Hash, where: str) -> bytes:
    if found.algorithm != "sha256":
        raise Malformed(where, "a digest by sha256", quoted(found.algorithm))
    if not _SHA256_HEX.match(found.value):
        raise Malformed(where, "a digest of 64 lower-case hexadecimal digits", "something else")
    return bytes.fromhex(found.value)


def _der(pem: bytes, where: str) -> bytes:
    """The one certificate of a PEM (RFC 7468)."""
    match = _PEM.match(pem)
    try:
        if match is not None:
            return base64.b64decode(match[1].replace(b"\n", b""), validate=True)
    except binascii.Error:
        pass  # said below, as for any other text
    raise Malformed(where, "a certificate in PEM", "something else")
