"""Signatures of every algorithm and wrapper, ours checked by the reference and the reference's by us."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st
from in_toto.exceptions import SignatureVerificationError
from in_toto.models.link import Link as ReferenceLink
from in_toto.models.metadata import Envelope as ReferenceEnvelope
from in_toto.models.metadata import Metablock, Metadata
from securesystemslib.signer._crypto_signer import CryptoSigner
from tests.parts.hostile_json import mutated
from tests.parts.key_material import KINDS, private_key

from intoto_action.formats.envelope import (
    PAYLOAD_TYPE,
    Envelope,
    Signature,
    encode_dsse,
    encode_key_bundle,
    pae,
    parse_envelope,
)
from intoto_action.formats.key import Key, PublicKey, public_key_from_crypto, public_key_from_entry
from intoto_action.formats.key_entry import KeyEntry, KeyValue
from intoto_action.reason import Malformed
from intoto_action.trust.signature import check_signature, examine

WRAPPERS = ("dsse", "metablock")
PAYLOAD = b'{"_type": "link", "name": "build"}'
SCHEMES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
ORDER = 2**252 + 27742317777372353535851937790883648493  # of the Ed25519 base point, RFC 8032 section 5.1


def key_of(kind: str, number: int = 0) -> PublicKey:
    return public_key_from_crypto(private_key(kind, number).public_key(), kind)


def made_by_the_reference(wrapper: str, kind: str, number: int = 0) -> dict[str, Any]:
    """A link's document, signed with the in-toto API."""
    link = ReferenceLink(name="build", command=["make", 'é"\\'], byproducts={"return-value": 0})
    metadata = ReferenceEnvelope.from_signable(link) if wrapper == "dsse" else Metablock(signed=link)
    metadata.create_signature(CryptoSigner(private_key(kind, number)))
    document = (
        metadata.to_dict()
        if wrapper == "dsse"
        else {"signatures": metadata.signatures, "signed": _plain(link)}
    )
    read: dict[str, Any] = json.loads(json.dumps(document))
    return read


def _plain(link: ReferenceLink) -> dict[str, Any]:
    fields = ("_type", "name", "command", "materials", "products", "byproducts", "environment")
    return {field: getattr(link, field) for field in fields}


def verifies(document: dict[str, Any] | bytes, key: PublicKey) -> bool:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return check_signature(parse_envelope(raw, "a document"), key) is not None


def keys_that_signed(envelope: Envelope, keys: Sequence[Key]) -> tuple[Key, ...]:
    return tuple(each.key for each in examine(envelope, keys, None).signers)


def raw_signature(kind: str, data: bytes, number: int = 0) -> bytes:
    """As `keys` signs: PSS with the digest's length, ECDSA with the curve's hash."""
    private = private_key(kind, number)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(data)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(data, ec.ECDSA(hashes.SHA256() if kind == "p256" else hashes.SHA384()))
    return private.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def dsse(
    kind: str, keyid: str | None = None, payload: bytes = PAYLOAD, signature: bytes | None = None
) -> bytes:
    signature = raw_signature(kind, pae(PAYLOAD_TYPE, payload)) if signature is None else signature
    return encode_dsse(PAYLOAD_TYPE, payload, (Signature(keyid or key_of(kind).keyid, signature),))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_reference_signed_verifies(wrapper: str, kind: str) -> None:
    assert verifies(made_by_the_reference(wrapper, kind), key_of(kind))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("kind", KINDS)
def test_another_key_of_the_same_kind_did_not_sign(wrapper: str, kind: str) -> None:
    assert not verifies(made_by_the_reference(wrapper, kind, 1), key_of(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_what_we_sign_verifies_for_the_reference(kind: str) -> None:
    link = ReferenceLink(name="build")
    payload = json.dumps(_plain(link)).encode()
    document = json.loads(dsse(kind, payload=payload))
    key = CryptoSigner(private_key(kind)).public_key
    theirs = Metadata.from_dict(document)
    theirs.verify_signature({"keyid": key.keyid, **key.to_dict()})
    other = CryptoSigner(private_key(kind, 1)).public_key
    with pytest.raises(SignatureVerificationError):
        theirs.verify_signature({"keyid": other.keyid, **other.to_dict()})


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_under_the_keyid_of_in_toto_golang_verifies(kind: str) -> None:
    assert verifies(dsse(kind, key_of(kind).go_keyid), key_of(kind))


def _flipped(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "spoil",
    [
        _flipped,
        lambda value: bytes([value[0] ^ 0x80]) + value[1:],
        lambda value: value[:-1],
        lambda value: value[1:],
        lambda value: value + b"\x00",
        lambda value: b"\x00" + value,
        lambda value: b"",
        lambda value: bytes(len(value)),
        lambda value: b"\xff" * len(value),
        lambda value: value + value,
    ],
    ids=[
        "bit",
        "first bit",
        "cut",
        "cut in front",
        "longer",
        "zero in front",
        "empty",
        "zeros",
        "ones",
        "twice",
    ],
)
def test_a_signature_that_was_altered_does_not_verify(kind: str, spoil: Callable[[bytes], bytes]) -> None:
    signature = raw_signature(kind, pae(PAYLOAD_TYPE, PAYLOAD))
    assert verifies(dsse(kind, signature=signature), key_of(kind))
    assert not verifies(dsse(kind, signature=spoil(signature)), key_of(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_payload_that_was_altered_does_not_verify(kind: str) -> None:
    signature = raw_signature(kind, pae(PAYLOAD_TYPE, PAYLOAD))
    assert not verifies(dsse(kind, payload=PAYLOAD + b" ", signature=signature), key_of(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_over_another_payload_type_does_not_verify(kind: str) -> None:
    signature = raw_signature(kind, pae("application/vnd.in-toto.layout+json", PAYLOAD))
    assert not verifies(dsse(kind, signature=signature), key_of(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_over_the_bare_payload_does_not_verify_as_dsse(kind: str) -> None:
    assert not verifies(dsse(kind, signature=raw_signature(kind, PAYLOAD)), key_of(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_of_one_wrapper_does_not_verify_in_another(kind: str) -> None:
    over_dsse = raw_signature(kind, pae(PAYLOAD_TYPE, PAYLOAD))
    metablock = {
        "signed": json.loads(PAYLOAD),
        "signatures": [{"keyid": key_of(kind).keyid, "sig": over_dsse.hex()}],
    }
    assert not verifies(metablock, key_of(kind))
    over_canonical = raw_signature(kind, b'{"_type":"link","name":"build"}')
    metablock["signatures"] = [{"keyid": key_of(kind).keyid, "sig": over_canonical.hex()}]
    assert verifies(metablock, key_of(kind)), "white space in `signed` is nothing that was signed"
    assert not verifies(dsse(kind, signature=over_canonical), key_of(kind))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_under_the_keyid_of_another_key_is_passed_over(wrapper: str, kind: str) -> None:
    document = made_by_the_reference(wrapper, kind)
    document["signatures"][0]["keyid"] = key_of(kind, 1).keyid
    assert not verifies(document, key_of(kind))
    assert not verifies(document, key_of(kind, 1))


def test_a_signature_without_a_keyid_is_passed_over_in_a_link() -> None:
    document = json.loads(dsse("ed25519"))
    del document["signatures"][0]["keyid"]
    assert not verifies(document, key_of("ed25519"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_signature_among_bad_ones_counts(kind: str) -> None:
    good = Signature(key_of(kind).keyid, raw_signature(kind, pae(PAYLOAD_TYPE, PAYLOAD)))
    bad = Signature(key_of(kind).go_keyid, _flipped(good.value))
    stranger = Signature("ab" * 32, good.value)
    assert verifies(encode_dsse(PAYLOAD_TYPE, PAYLOAD, (stranger, bad, good)), key_of(kind))
    assert not verifies(encode_dsse(PAYLOAD_TYPE, PAYLOAD, (stranger, bad)), key_of(kind))


@pytest.mark.parametrize("salt", [padding.PSS.MAX_LENGTH, 32, 20, 0])
def test_every_length_of_salt_verifies_as_for_the_reference(salt: Any) -> None:
    private = private_key("rsa2048")
    assert isinstance(private, rsa.RSAPrivateKey)
    signature = private.sign(
        pae(PAYLOAD_TYPE, PAYLOAD), padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256()
    )
    assert verifies(dsse("rsa2048", signature=signature), key_of("rsa2048"))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("signed_with", SCHEMES)
def test_an_rsa_signature_verifies_under_the_scheme_of_the_layout_only(scheme: str, signed_with: str) -> None:
    private = private_key("rsa2048")
    assert isinstance(private, rsa.RSAPrivateKey)
    digest = SCHEMES[signed_with]
    signature = private.sign(
        pae(PAYLOAD_TYPE, PAYLOAD), padding.PSS(padding.MGF1(digest), digest.digest_size), digest
    )
    entry = KeyEntry("rsa", f"rsassa-pss-{scheme}", KeyValue(key_of("rsa2048").public))
    key = public_key_from_entry("ab" * 32, entry, "layout")
    assert verifies(dsse("rsa2048", "ab" * 32, signature=signature), key) == (scheme == signed_with)


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072"])
def test_pkcs1_v15_is_refused_in_a_link_and_demanded_in_a_bundle(kind: str) -> None:
    private = private_key(kind)
    assert isinstance(private, rsa.RSAPrivateKey)
    data = pae(PAYLOAD_TYPE, PAYLOAD)
    old = private.sign(data, padding.PKCS1v15(), hashes.SHA256())
    assert not verifies(dsse(kind, signature=old), key_of(kind))
    assert verifies(encode_key_bundle(PAYLOAD_TYPE, PAYLOAD, old, key_of(kind).spki), key_of(kind))
    pss = raw_signature(kind, data)
    assert not verifies(encode_key_bundle(PAYLOAD_TYPE, PAYLOAD, pss, key_of(kind).spki), key_of(kind))
    sha512 = private.sign(data, padding.PKCS1v15(), hashes.SHA512())
    assert not verifies(encode_key_bundle(PAYLOAD_TYPE, PAYLOAD, sha512, key_of(kind).spki), key_of(kind))


@pytest.mark.parametrize(
    ("kind", "digest"), [("p384", hashes.SHA256()), ("p256", hashes.SHA384()), ("p256", hashes.SHA512())]
)
def test_ecdsa_with_the_hash_of_another_curve_is_refused_in_a_link(
    kind: str, digest: hashes.HashAlgorithm
) -> None:
    private = private_key(kind)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    signature = private.sign(pae(PAYLOAD_TYPE, PAYLOAD), ec.ECDSA(digest))
    assert not verifies(dsse(kind, signature=signature), key_of(kind))


@pytest.mark.parametrize("kind", ["p256", "p384"])
def test_ecdsa_in_a_bundle_is_with_sha256_on_every_curve(kind: str) -> None:
    for digest in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        private = private_key(kind)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        signature = private.sign(pae(PAYLOAD_TYPE, PAYLOAD), ec.ECDSA(digest))
        document = encode_key_bundle(PAYLOAD_TYPE, PAYLOAD, signature, key_of(kind).spki)
        assert verifies(document, key_of(kind)) == isinstance(digest, hashes.SHA256)


@pytest.mark.parametrize("kind", ["p256", "p384"])
@pytest.mark.parametrize(
    "value", [b"0\x06\x02\x01\x00\x02\x01\x00", b"0\x06\x02\x01\x01\x02\x01\x01", b"0\x00"]
)
def test_a_degenerate_ecdsa_signature_does_not_verify(kind: str, value: bytes) -> None:
    assert not verifies(dsse(kind, signature=value), key_of(kind))


def test_an_ed25519_signature_with_a_scalar_beyond_the_order_does_not_verify() -> None:
    signature = raw_signature("ed25519", pae(PAYLOAD_TYPE, PAYLOAD))
    scalar = int.from_bytes(signature[32:], "little")
    assert scalar < ORDER
    for times in (1, 2, 3):
        other = signature[:32] + (scalar + times * ORDER).to_bytes(32, "little")
        assert not verifies(dsse("ed25519", signature=other), key_of("ed25519"))


def _signature_for_a_bundle(kind: str, data: bytes) -> bytes:
    private = private_key(kind)
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(data, ec.ECDSA(hashes.SHA256()))
    return private.sign(data)


@pytest.mark.parametrize("kind", KINDS)
def test_the_hint_of_a_bundle_is_a_hint(kind: str) -> None:
    signature = _signature_for_a_bundle(kind, pae(PAYLOAD_TYPE, PAYLOAD))
    with_hint_of_another = encode_key_bundle(PAYLOAD_TYPE, PAYLOAD, signature, key_of(kind, 1).spki)
    assert verifies(with_hint_of_another, key_of(kind))
    assert not verifies(with_hint_of_another, key_of(kind, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_one_key_under_two_keyids_counts_once(kind: str) -> None:
    key = key_of(kind)
    twin = public_key_from_entry("cd" * 32, key.entry, "layout")
    signature = raw_signature(kind, pae(PAYLOAD_TYPE, PAYLOAD))
    both = encode_dsse(
        PAYLOAD_TYPE, PAYLOAD, (Signature(key.keyid, signature), Signature("cd" * 32, signature))
    )
    assert keys_that_signed(parse_envelope(both, "x"), (key, twin)) == (key,)


def test_one_key_under_two_schemes_counts_once() -> None:
    key = key_of("rsa2048")
    other = public_key_from_entry(
        "cd" * 32, KeyEntry("rsa", "rsassa-pss-sha512", KeyValue(key.public)), "layout"
    )
    private = private_key("rsa2048")
    assert isinstance(private, rsa.RSAPrivateKey)
    data = pae(PAYLOAD_TYPE, PAYLOAD)
    second = private.sign(data, padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512())
    both = encode_dsse(
        PAYLOAD_TYPE,
        PAYLOAD,
        (Signature(key.keyid, raw_signature("rsa2048", data)), Signature("cd" * 32, second)),
    )
    assert keys_that_signed(parse_envelope(both, "x"), (key, other)) == (key,)
    assert keys_that_signed(parse_envelope(both, "x"), (other, key)) == (other,)


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_one_key_spelled_in_two_ways_counts_once(kind: str) -> None:
    key = key_of(kind)
    spelled = key.public.upper() if kind == "ed25519" else key.public.replace("\n", "\r\n")
    twin = public_key_from_entry("cd" * 32, KeyEntry(key.keytype, key.scheme, KeyValue(spelled)), "layout")
    document = parse_envelope(dsse(kind), "x")
    assert keys_that_signed(document, (twin, key)) == (twin,)


def test_two_keys_that_both_signed_count_twice_in_the_order_that_was_asked() -> None:
    data = pae(PAYLOAD_TYPE, PAYLOAD)
    signatures = tuple(Signature(key_of(kind).keyid, raw_signature(kind, data)) for kind in KINDS)
    envelope = parse_envelope(encode_dsse(PAYLOAD_TYPE, PAYLOAD, signatures), "x")
    keys = tuple(key_of(kind) for kind in reversed(KINDS))
    assert keys_that_signed(envelope, keys) == keys
    assert keys_that_signed(envelope, ()) == ()


@given(st.binary(max_size=600), st.sampled_from(KINDS))
def test_any_bytes_are_no_signature(value: bytes, kind: str) -> None:
    assert not verifies(dsse(kind, signature=value), key_of(kind))
    assert not verifies(encode_key_bundle(PAYLOAD_TYPE, PAYLOAD, value, key_of(kind).spki), key_of(kind))


SIGNED_METABLOCK = json.dumps(made_by_the_reference("metablock", "ed25519")).encode()


@given(mutated(SIGNED_METABLOCK))
def test_a_metablock_verifies_only_while_it_says_what_was_signed(raw: bytes) -> None:
    try:
        envelope = parse_envelope(raw, "x")
    except Malformed:
        return
    if check_signature(envelope, key_of("ed25519")):
        assert json.loads(envelope.payload) == json.loads(SIGNED_METABLOCK)["signed"]


@given(mutated(dsse("ed25519")))
def test_an_envelope_verifies_only_while_it_says_what_was_signed(raw: bytes) -> None:
    try:
        envelope = parse_envelope(raw, "x")
    except Malformed:
        return
    if check_signature(envelope, key_of("ed25519")):
        assert envelope.payload == PAYLOAD


def test_the_other_alphabet_of_base64_verifies_too() -> None:
    document = json.loads(dsse("ed25519"))
    for signature in document["signatures"]:
        signature["sig"] = base64.urlsafe_b64encode(base64.b64decode(signature["sig"])).decode()
    document["payload"] = base64.urlsafe_b64encode(PAYLOAD).decode()
    assert verifies(document, key_of("ed25519"))
