from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from in_toto.models.metadata import Metadata
from securesystemslib.dsse import Envelope as ReferenceEnvelope
from securesystemslib.formats import encode_canonical
from tests.parts.hostile_json import TWENTY_MB, mutated, objects, read, read_or_malformed, write

from intoto_action.formats.envelope import (
    MOST_SIGNATURES,
    PAYLOAD_TYPE,
    Signature,
    Wrapper,
    encode_dsse,
    encode_key_bundle,
    pae,
    parse_envelope,
)
from intoto_action.reason import Malformed

WHERE = "a document"
SIGNED = {
    "_type": "link",
    "name": "build",
    "n": 1,
    "text": 'a"b\\c\né',
    "list": [None, True, {"b": 1, "a": 2}],
}
METABLOCK = {"signed": SIGNED, "signatures": [{"keyid": "ab" * 32, "sig": "00ff"}]}
DSSE = encode_dsse(PAYLOAD_TYPE, b'{"_type":"link"}', (Signature("ab" * 32, b"one"), Signature("", b"two")))
BUNDLE = encode_key_bundle(PAYLOAD_TYPE, b'{"_type":"x"}', b"signature", "ab" * 32)

_signatures = st.lists(
    st.builds(Signature, st.text(max_size=8), st.binary(max_size=20)),
    max_size=4,
    unique_by=lambda each: each.keyid,
).map(tuple)


def dsse(**fields: Any) -> bytes:
    document = {**json.loads(DSSE), **fields}
    return json.dumps({key: value for key, value in document.items() if value is not ...}).encode()


def metablock(**fields: Any) -> bytes:
    return json.dumps(
        {key: value for key, value in {**METABLOCK, **fields}.items() if value is not ...}
    ).encode()


def bundle(**fields: Any) -> bytes:
    document = {**json.loads(BUNDLE), **fields}
    return json.dumps({key: value for key, value in document.items() if value is not ...}).encode()


@given(st.binary(), _signatures)
def test_an_envelope_that_was_encoded_is_read_back(payload: bytes, signatures: tuple[Signature, ...]) -> None:
    raw = encode_dsse(PAYLOAD_TYPE, payload, signatures)
    envelope = parse_envelope(raw, WHERE)
    assert (envelope.wrapper, envelope.payload_type, envelope.payload) == (
        Wrapper.DSSE,
        PAYLOAD_TYPE,
        payload,
    )
    assert envelope.signatures == signatures
    assert envelope.signed == pae(PAYLOAD_TYPE, payload)
    assert envelope.sha256 == hashlib.sha256(payload).hexdigest()
    assert envelope.raw == raw


@given(st.binary(), st.binary(), st.binary(min_size=32, max_size=32))
def test_a_bundle_that_was_encoded_is_read_back(payload: bytes, signature: bytes, spki: bytes) -> None:
    raw = encode_key_bundle(PAYLOAD_TYPE, payload, signature, spki.hex())
    envelope = parse_envelope(raw, WHERE)
    assert (envelope.wrapper, envelope.payload, envelope.signatures) == (
        Wrapper.BUNDLE,
        payload,
        (Signature("", signature),),
    )
    hint = json.loads(raw)["verificationMaterial"]["publicKey"]["hint"]
    assert base64.b64decode(hint) == spki


@given(st.text(max_size=10), st.binary())
def test_what_is_signed_is_what_the_reference_signs(kind: str, payload: bytes) -> None:
    assert pae(kind, payload) == ReferenceEnvelope(payload, kind, {}).pae()


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), _plain, max_size=4), st.sampled_from([None, 2]), st.booleans())
def test_a_metablock_is_signed_over_canonical_json_however_it_is_written(
    signed: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    document = {"signed": signed, "signatures": [{"keyid": "ab", "sig": "0f"}]}
    envelope = parse_envelope(json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode(), WHERE)
    canonical = encode_canonical(signed)
    assert isinstance(canonical, str)
    assert envelope.wrapper is Wrapper.METABLOCK
    assert envelope.signed == canonical.encode()
    assert envelope.sha256 == hashlib.sha256(canonical.encode()).hexdigest()
    assert json.loads(envelope.payload) == signed
    assert envelope.signatures == (Signature("ab", b"\x0f"),)


def test_white_space_and_the_order_of_keys_do_not_rename_a_metablock() -> None:
    one = parse_envelope(metablock(), WHERE)
    other = parse_envelope(
        json.dumps({"signatures": METABLOCK["signatures"], "signed": SIGNED}, indent=3).encode(), WHERE
    )
    backwards = parse_envelope(metablock(signed=dict(reversed(SIGNED.items()))), WHERE)
    assert one.payload != other.payload
    assert one.sha256 == other.sha256 == backwards.sha256
    assert one.signed == other.signed == backwards.signed


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_both_alphabets_of_base64_are_read(encode: Any) -> None:
    payload = b"\xfb\xff\xfe" * 5
    assert parse_envelope(dsse(payload=encode(payload).decode()), WHERE).payload == payload


@pytest.mark.parametrize(
    "text", ["=", "a", "YQ", "YQ=", "YQ==\n", " YQ==", "YQ==YQ==", "Y Q==", "é", "YQ==#"]
)
def test_what_is_no_base64_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="base64"):
        parse_envelope(dsse(payload=text), WHERE)
    with pytest.raises(Malformed, match="base64"):
        parse_envelope(dsse(signatures=[{"sig": text, "keyid": "ab"}]), WHERE)


@pytest.mark.parametrize("text", ["0", "xx", "0x00", "é", "YQ=="])
def test_what_is_no_hexadecimal_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="hexadecimal"):
        parse_envelope(metablock(signatures=[{"keyid": "ab", "sig": text}]), WHERE)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        dsse(payloadType=...),
        dsse(payload=...),
        dsse(signatures=...),
        dsse(signatures={}),
        dsse(signatures=[{"keyid": "ab"}]),
        dsse(signatures=[{"keyid": None, "sig": ""}]),
        dsse(payload=None),
        dsse(payload=1),
        dsse(payloadType=1),
        dsse(payloadType="application/json"),
        dsse(payloadType="application/vnd.in-toto+json "),
        dsse(payloadType="Application/vnd.in-toto+json"),
        dsse(payloadType=""),
        dsse(signed={}),
        dsse(mediaType="application/vnd.dev.sigstore.bundle.v0.3+json"),
        metablock(signatures=...),
        metablock(signed=...),
        metablock(signatures=[{"sig": "00"}]),
        metablock(signatures=[{"keyid": "ab"}]),
        metablock(signed={"a": 1.5}),
        metablock(signed={"a": [0.0]}),
        metablock(signed={"a": 1e300}),
        metablock(mediaType="x"),
        bundle(mediaType="application/vnd.oci.image.manifest.v1+json"),
        bundle(dsseEnvelope=...),
        bundle(dsseEnvelope=None),
        bundle(dsseEnvelope=..., messageSignature={"signature": ""}),
        bundle(verificationMaterial=...),
        bundle(verificationMaterial=None),
        bundle(dsseEnvelope={**json.loads(BUNDLE)["dsseEnvelope"], "signatures": []}),
        bundle(
            dsseEnvelope={
                **json.loads(BUNDLE)["dsseEnvelope"],
                "signatures": [{"sig": ""}, {"sig": "", "keyid": "a"}],
            }
        ),
        bundle(payloadType=PAYLOAD_TYPE),
    ],
    ids=lambda raw: repr(raw[:60]),
)
def test_what_is_none_of_the_three_or_more_than_one_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_envelope(raw, WHERE)


@pytest.mark.parametrize("wrapped", [DSSE, metablock(), BUNDLE], ids=["dsse", "metablock", "bundle"])
@given(data=st.data())
def test_any_key_twice_anywhere_is_malformed(wrapped: bytes, data: st.DataObject) -> None:
    tree = read(wrapped)
    inside = data.draw(st.sampled_from(objects(tree)))
    inside.pairs.append(data.draw(st.sampled_from(inside.pairs)))
    with pytest.raises(Malformed, match="twice"):
        parse_envelope(write(tree), WHERE)


@pytest.mark.parametrize("wrapped", [DSSE, metablock(), BUNDLE], ids=["dsse", "metablock", "bundle"])
@given(data=st.data())
@example(data=None)
def test_any_bytes_are_an_envelope_or_malformed(wrapped: bytes, data: st.DataObject | None) -> None:
    raw = b"\xef\xbb\xbf" + wrapped if data is None else data.draw(mutated(wrapped))
    read_or_malformed(lambda document: parse_envelope(document, WHERE), raw)


@given(mutated(metablock()))
def test_the_payload_of_a_metablock_says_what_was_signed(raw: bytes) -> None:
    try:
        envelope = parse_envelope(raw, WHERE)
    except Malformed:
        return
    if envelope.wrapper is Wrapper.METABLOCK:
        assert str(encode_canonical(json.loads(envelope.payload))).encode() == envelope.signed


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [100, 1000, 9000, 100_000])
@pytest.mark.parametrize("field", [b"signed", b"payloadType"])
def test_deep_nesting_is_malformed(opening: bytes, depth: int, field: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    deep = opening * depth + b"1" + closing * depth
    with pytest.raises(Malformed, match=r"deep|objects and lists"):
        parse_envelope(b'{"%b":%b,"payload":"","signatures":[]}' % (field, deep), WHERE)


def test_twenty_megabytes_are_not_even_looked_at() -> None:
    with pytest.raises(Malformed, match="at most 16777216 bytes"):
        parse_envelope(TWENTY_MB, WHERE)


def test_more_signatures_than_anybody_needs_are_malformed() -> None:
    many = tuple(Signature(f"{place:08x}", b"") for place in range(MOST_SIGNATURES + 1))
    assert parse_envelope(encode_dsse(PAYLOAD_TYPE, b"", many[:-1]), WHERE)
    with pytest.raises(Malformed, match="at most 64 signatures"):
        parse_envelope(encode_dsse(PAYLOAD_TYPE, b"", many), WHERE)


@pytest.mark.parametrize("keyid", ["ab", ""])
def test_two_signatures_under_one_keyid_are_malformed_as_for_the_reference(keyid: str) -> None:
    raw = encode_dsse(PAYLOAD_TYPE, b"{}", (Signature(keyid, b"a"), Signature(keyid, b"b")))
    with pytest.raises(Malformed, match="one signature for each keyid"):
        parse_envelope(raw, WHERE)
    with pytest.raises((ValueError, KeyError)):
        Metadata.from_dict(json.loads(raw))
    twice = [{"keyid": "ab", "sig": "00"}, {"keyid": "ab", "sig": "01"}]
    with pytest.raises(Malformed, match="one signature for each keyid"):
        parse_envelope(metablock(signatures=twice), WHERE)


def test_fields_that_nobody_knows_change_nothing() -> None:
    assert parse_envelope(dsse(surprise=1), WHERE).payload == b'{"_type":"link"}'
    with_certificate = [{"keyid": "ab", "sig": "00", "cert": "x"}]
    assert parse_envelope(metablock(signatures=with_certificate), WHERE).signatures == (
        Signature("ab", b"\x00"),
    )
