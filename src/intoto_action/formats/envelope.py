"""DSSE envelopes, Metablocks and Sigstore bundles, read into one shape.

Source: DSSE 1.0 (PAE), in-toto 3.1 (`Metablock`: a signature over canonical JSON), Sigstore bundle 0.3.
Nothing here says that a signature is good: that is `trust`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from enum import Enum

import msgspec
from msgspec import UNSET, UnsetType

from intoto_action.formats.oci import BUNDLE, BUNDLE_PREFIX
from intoto_action.formats.strict_json import DOCUMENT_CAP, check_size, decode_once, refuse_duplicate_keys
from intoto_action.reason import Malformed

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""The payload type of links, layouts and Statements alike: the document's `_type` tells which it is."""
MOST_SIGNATURES = 64


_IS_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*\Z")


class Wrapper(Enum):
    """What held the payload."""

    DSSE = "dsse"
    METABLOCK = "metablock"
    BUNDLE = "bundle"


class Signature(msgspec.Struct, frozen=True):
    """One signature; `keyid` is a hint that nobody signed.

    `beside` are the members that stand beside it in a DSSE signature or a Metablock's, as JSON: what somebody needs to
    verify it without a key (`extension`, `bundle`), or with a GPG key (`other_headers`). Nobody signed them either.
    """

    keyid: str
    value: bytes
    beside: dict[str, bytes] = {}


class Envelope(msgspec.Struct, frozen=True):
    """Untrusted: a payload and what claims to be signatures over `signed`.

    `canonical` is the canonical JSON of a Metablock's payload, empty for the other wrappers; `material` the
    `verificationMaterial` of a Sigstore bundle as JSON, empty likewise, and `media_type` that bundle's; `raw` the whole
    document as it was read. A link can have millions of bytes, so what follows from the payload is computed when it is
    asked for, and not kept.
    """

    wrapper: Wrapper
    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]
    raw: bytes
    canonical: bytes = b""
    material: bytes = b""
    media_type: str = ""

    @property
    def signed(self) -> bytes:
        """What the signatures are over: the PAE of the payload (DSSE, bundle), or its canonical JSON (Metablock)."""
        return self.canonical or pae(self.payload_type, self.payload)

    @property
    def sha256(self) -> str:
        """Hex digest of the payload. Of a Metablock: of its canonical JSON, because white space that nobody signed
        would give a revoked layout another digest.
        """
        return hashlib.sha256(self.canonical or self.payload).hexdigest()


class _DsseSignature(msgspec.Struct):
    sig: bytes
    keyid: str = ""
    extension: msgspec.Raw | UnsetType = UNSET
    bundle: msgspec.Raw | UnsetType = UNSET
    other_headers: msgspec.Raw | UnsetType = UNSET


class _Dsse(msgspec.Struct, rename="camel"):
    payload: bytes
    payload_type: str
    signatures: list[_DsseSignature]


class _UrlSafeSignature(msgspec.Struct):
    sig: str
    keyid: str = ""
    extension: msgspec.Raw | UnsetType = UNSET
    bundle: msgspec.Raw | UnsetType = UNSET
    other_headers: msgspec.Raw | UnsetType = UNSET


class _UrlSafeDsse(msgspec.Struct, rename="camel"):
    payload: str
    payload_type: str
    signatures: list[_UrlSafeSignature]


class _MetablockSignature(msgspec.Struct):
    keyid: str
    sig: str | UnsetType = UNSET
    signature: str | UnsetType = UNSET
    extension: msgspec.Raw | UnsetType = UNSET
    bundle: msgspec.Raw | UnsetType = UNSET
    other_headers: msgspec.Raw | UnsetType = UNSET


class _Metablock(msgspec.Struct):
    signed: msgspec.Raw
    signatures: list[_MetablockSignature]


class _Bundle(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    media_type: str
    verification_material: msgspec.Raw
    dsse_envelope: msgspec.Raw | UnsetType = UNSET
    message_signature: msgspec.Raw | UnsetType = UNSET


class _Probe(msgspec.Struct, rename="camel"):
    payload_type: msgspec.Raw | UnsetType = UNSET
    signed: msgspec.Raw | UnsetType = UNSET
    media_type: msgspec.Raw | UnsetType = UNSET


def pae(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature is over (DSSE 1.0, pre-authentication encoding)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def parse_envelope(raw: bytes, where: str, *, cap: int = DOCUMENT_CAP) -> Envelope:
    """A DSSE envelope, a Metablock or a Sigstore bundle with a DSSE envelope in it.

    Raises: Malformed.
    """
    check_size(raw, where, cap)
    refuse_duplicate_keys(raw, where)
    probe = decode_once(raw, _Probe, where)
    kinds = [probe.payload_type, probe.signed, probe.media_type]
    if sum(each is not UNSET for each in kinds) != 1:
        raise Malformed(
            where, "a DSSE envelope, a Metablock or a Sigstore bundle", "a document that is none of them"
        )
    if probe.payload_type is not UNSET:
        return _from_dsse(raw, raw, where, Wrapper.DSSE)
    if probe.signed is not UNSET:
        return _from_metablock(raw, where)
    return _from_bundle(raw, where)


def encode_dsse(payload_type: str, payload: bytes, signatures: tuple[Signature, ...]) -> bytes:
    """The document of a DSSE envelope."""
    return msgspec.json.encode(_dsse_fields(payload_type, payload, signatures))


def encode_key_bundle(payload_type: str, payload: bytes, signature: bytes, spki: str) -> bytes:
    """A Sigstore bundle 0.3 over one DSSE signature by a key; `spki` is the hex digest of its public key."""
    fields = _dsse_fields(payload_type, payload, (Signature("", signature),))
    hint = base64.b64encode(bytes.fromhex(spki)).decode()
    material = {"publicKey": {"hint": hint}}
    return msgspec.json.encode(
        {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": fields}
    )


def _dsse_fields(payload_type: str, payload: bytes, signatures: tuple[Signature, ...]) -> dict[str, object]:
    listed = [
        {"sig": base64.b64encode(each.value).decode()}
        | ({"keyid": each.keyid} if each.keyid else {})
        | {name: msgspec.Raw(value) for name, value in each.beside.items()}
        for each in signatures
    ]
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": listed,
    }


def _from_dsse(raw: bytes, document: bytes, where: str, wrapper: Wrapper) -> Envelope:
    dsse = _decode_dsse(document, where)
    if dsse.payload_type != PAYLOAD_TYPE:
        raise Malformed(where, f"payloadType {PAYLOAD_TYPE}", repr(dsse.payload_type[:120]))
    signatures = _signatures(
        [Signature(each.keyid, each.sig, _beside(each)) for each in dsse.signatures], where
    )
    return Envelope(wrapper, dsse.payload_type, dsse.payload, signatures, raw)


def _decode_dsse(document: bytes, where: str) -> _Dsse:
    """The fields of a DSSE envelope, in standard or URL-safe base64: verifiers accept both (DSSE 1.0, parameters)."""
    try:
        return msgspec.json.decode(document, type=_Dsse)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # the reading below says what is wrong, if it is not the alphabet
    dsse = decode_once(document, _UrlSafeDsse, where)
    signatures = [
        _DsseSignature(
            _base64(each.sig, f"{where}, signature"),
            each.keyid,
            each.extension,
            each.bundle,
            each.other_headers,
        )
        for each in dsse.signatures
    ]
    return _Dsse(_base64(dsse.payload, f"{where}, payload"), dsse.payload_type, signatures)


def _from_metablock(raw: bytes, where: str) -> Envelope:
    # Pure Python, and needed by this old wrapper only.
    from securesystemslib.exceptions import FormatError
    from securesystemslib.formats import encode_canonical

    metablock = decode_once(raw, _Metablock, where)
    payload = bytes(metablock.signed)
    try:
        canonical = encode_canonical(json.loads(payload))
    except (FormatError, RecursionError) as error:
        raise Malformed(
            where, "a document that canonical JSON can hold", "one with fractions or too deep"
        ) from error
    if not isinstance(canonical, str):
        raise Malformed(where, "a document that canonical JSON can hold", "none")
    found = [
        Signature(each.keyid, _metablock_value(each, where), _beside(each)) for each in metablock.signatures
    ]
    try:
        signed = canonical.encode()
    except UnicodeEncodeError as error:
        raise Malformed(where, "text in UTF-8", "a lone surrogate") from error
    return Envelope(Wrapper.METABLOCK, PAYLOAD_TYPE, payload, _signatures(found, where), raw, signed)


def _from_bundle(raw: bytes, where: str) -> Envelope:
    bundle = decode_once(raw, _Bundle, where)
    if not bundle.media_type.startswith(BUNDLE_PREFIX):
        raise Malformed(where, f"media type {BUNDLE}", repr(bundle.media_type[:120]))
    if bundle.dsse_envelope is UNSET:
        raise Malformed(where, "a Sigstore bundle with a DSSE envelope", "one without (a bare signature?)")
    if bundle.message_signature is not UNSET:
        raise Malformed(where, "an envelope or a message signature in a Sigstore bundle", "both")
    decode_once(bytes(bundle.verification_material), dict[str, msgspec.Raw], f"{where}, verificationMaterial")
    envelope = _from_dsse(raw, bytes(bundle.dsse_envelope), where, Wrapper.BUNDLE)
    if len(envelope.signatures) != 1:
        raise Malformed(where, "exactly one signature in a Sigstore bundle", str(len(envelope.signatures)))
    return msgspec.structs.replace(
        envelope, material=bytes(bundle.verification_material), media_type=bundle.media_type
    )


def _signatures(found: list[Signature], where: str) -> tuple[Signature, ...]:
    if len(found) > MOST_SIGNATURES:
        raise Malformed(where, f"at most {MOST_SIGNATURES} signatures", str(len(found)))
    # The reference refuses such a DSSE envelope, and looks at the first one only in a Metablock.
    if len(found) != len({each.keyid for each in found}):
        raise Malformed(where, "one signature for each keyid", "two for the same one")
    return tuple(found)


def _beside(signature: _DsseSignature | _UrlSafeSignature | _MetablockSignature) -> dict[str, bytes]:
    members = {
        "extension": signature.extension,
        "bundle": signature.bundle,
        "other_headers": signature.other_headers,
    }
    return {name: bytes(value) for name, value in members.items() if value is not UNSET}


def _metablock_value(signature: _MetablockSignature, where: str) -> bytes:
    """Hexadecimal, but for the one of securesystemslib's Sigstore signer, which writes base64 there.

    in-toto's own GPG signer calls it `signature`, and everybody else `sig` (in-toto 3.1, `GPGSignature`).
    """
    given = [each for each in (signature.sig, signature.signature) if not isinstance(each, UnsetType)]
    if len(given) != 1:
        found = "both" if given else "neither"
        raise Malformed(f"{where}, signature", "one of the members sig and signature", found)
    if signature.bundle is not UNSET and not _IS_HEX.match(given[0]):
        return _base64(given[0], f"{where}, signature")
    return _hex(given[0], where)


def _base64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(where, "base64", "something else") from error


def _hex(text: str, where: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Malformed(f"{where}, signature", "hexadecimal digits", "something else") from error
