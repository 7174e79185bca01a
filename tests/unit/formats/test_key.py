from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer._key import SSlibKey
from tests.parts.hostile_json import mutated, read_or_malformed
from tests.parts.key_material import KINDS, foreign_public_key, pem, private_key

from intoto_action.formats.key import (
    PublicKey,
    public_key_from_crypto,
    public_key_from_entry,
    public_key_from_pem,
)
from intoto_action.formats.key_entry import KeyEntry, KeyValue
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed

WHERE = "key.pub"
FOREIGN = ("x25519", "ed448", "dsa", "rsa1024", "rsa2047", "p521", "secp256k1", "brainpool")


def key_of(kind: str, number: int = 0) -> PublicKey:
    return public_key_from_pem(pem(private_key(kind, number).public_key()), WHERE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_keyid_is_that_of_securesystemslib(kind: str) -> None:
    theirs = SSlibKey.from_crypto(private_key(kind).public_key())
    ours = key_of(kind)
    assert (ours.keyid, ours.keytype, ours.scheme) == (theirs.keyid, theirs.keytype, theirs.scheme)
    assert ours.python_keyid == theirs.keyid
    assert ours.public == theirs.keyval["public"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_of_a_key_is_that_of_its_subject_public_key_info(kind: str) -> None:
    der = private_key(kind).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key_of(kind).spki == hashlib.sha256(der).hexdigest()


# What in-toto-golang 0.11 hashes, spelled out: canonical JSON with the algorithms, the PEM without its last newline.
@pytest.mark.parametrize("kind", KINDS)
def test_the_second_keyid_is_that_of_in_toto_golang(kind: str) -> None:
    key = key_of(kind)
    public = key.public.rstrip("\n")
    canonical = (
        '{"keyid_hash_algorithms":["sha256","sha512"],'
        f'"keytype":"{key.keytype}","keyval":{{"public":"{public}"}},"scheme":"{key.scheme}"}}'
    )
    assert key.go_keyid == hashlib.sha256(canonical.encode()).hexdigest()
    assert key.keyids == {key.keyid, key.go_keyid}


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_went_into_a_layout_comes_out_of_it(kind: str) -> None:
    key = key_of(kind)
    entry = decode(msgspec.json.encode(key.entry), KeyEntry, "layout")
    assert public_key_from_entry(key.keyid, entry, "layout") == key
    assert public_key_from_pem(key.pem, WHERE) == key
    assert public_key_from_crypto(key.crypto(), WHERE) == key


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "spell",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n\n " + text + "\n\n",
        lambda text: text.rstrip("\n"),
        lambda text: "a comment above\n" + text,
    ],
    ids=["CRLF", "space around", "no last newline", "comment"],
)
def test_another_spelling_of_a_pem_file_is_the_same_key(kind: str, spell: Any) -> None:
    key = key_of(kind)
    assert public_key_from_pem(spell(key.pem), WHERE) == key


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048"])
def test_another_spelling_in_a_layout_is_still_known_by_its_keyid_and_digest(kind: str) -> None:
    key = key_of(kind)
    entry = KeyEntry(key.keytype, key.scheme, KeyValue(key.public.replace("\n", "\r\n")))
    other = public_key_from_entry("ab" * 32, entry, "layout")
    assert other.spki == key.spki
    assert other.keyids == {"ab" * 32, key.keyid, key.go_keyid}


def test_an_ed25519_key_in_upper_case_is_still_known_by_its_keyid() -> None:
    key = key_of("ed25519")
    other = public_key_from_entry(
        "ab" * 32, KeyEntry("ed25519", "ed25519", KeyValue(key.public.upper())), "layout"
    )
    assert other.spki == key.spki
    assert key.keyid in other.keyids


def test_a_compressed_point_is_the_same_key() -> None:
    public = private_key("p256").public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    point = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    again = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    assert public_key_from_crypto(again, WHERE) == key_of("p256")


def test_an_rsa_key_is_named_under_every_scheme() -> None:
    key = key_of("rsa2048")
    other = public_key_from_entry(
        "ab" * 32, KeyEntry("rsa", "rsassa-pss-sha512", KeyValue(key.public)), "layout"
    )
    assert key.keyid not in other.keyids, "a signature is looked up under the scheme that the layout names"
    assert {"ab" * 32, other.python_keyid, key.keyid, key.go_keyid, key.spki} <= other.names


@pytest.mark.parametrize("kind", KINDS)
def test_two_keys_have_no_name_in_common(kind: str) -> None:
    assert key_of(kind).names.isdisjoint(key_of(kind, 1).names)


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_key_of_another_algorithm_curve_or_size_is_refused(kind: str) -> None:
    with pytest.raises(Malformed, match=WHERE):
        public_key_from_pem(pem(foreign_public_key(kind)), WHERE)


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize(
    ("keytype", "scheme"),
    [("ecdsa", "ecdsa-sha2-nistp256"), ("ecdsa", "ecdsa-sha2-nistp384"), ("rsa", "rsassa-pss-sha256")],
)
def test_nor_is_it_taken_from_a_layout_that_calls_it_something_else(
    kind: str, keytype: str, scheme: str
) -> None:
    entry = KeyEntry(keytype, scheme, KeyValue(pem(foreign_public_key(kind))))
    with pytest.raises(Malformed):
        public_key_from_entry("ab" * 32, entry, "layout")


@pytest.mark.parametrize(
    ("kind", "keytype", "scheme"),
    [
        ("p256", "ecdsa", "ecdsa-sha2-nistp384"),
        ("p384", "ecdsa", "ecdsa-sha2-nistp256"),
        ("p256", "rsa", "rsassa-pss-sha256"),
        ("rsa2048", "ecdsa", "ecdsa-sha2-nistp256"),
        ("p256", "ed25519", "ed25519"),
        ("ed25519", "ecdsa", "ecdsa-sha2-nistp256"),
        ("ed25519", "ed25519", "ecdsa-sha2-nistp256"),
        ("p256", "ecdsa", "ed25519"),
        ("p256", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
        ("p256", "ecdsa", ""),
        ("rsa2048", "rsa", "rsa-pkcs1v15-sha256"),
        ("rsa2048", "rsa", "rsassa-pss-sha1"),
        ("rsa2048", "rsa", "rsassa-pss-sha224"),
        ("rsa2048", "RSA", "rsassa-pss-sha256"),
        ("ed25519", "sigstore-oidc", "Fulcio"),
        ("ed25519", "", ""),
    ],
)
def test_a_key_under_a_scheme_that_is_not_its_own_is_refused(kind: str, keytype: str, scheme: str) -> None:
    entry = KeyEntry(keytype, scheme, KeyValue(key_of(kind).public))
    with pytest.raises(Malformed):
        public_key_from_entry("ab" * 32, entry, "layout")


@pytest.mark.parametrize("scheme", ["rsassa-pss-sha256", "rsassa-pss-sha384", "rsassa-pss-sha512"])
def test_every_pss_scheme_of_a_key_has_a_keyid_of_its_own(scheme: str) -> None:
    key = key_of("rsa2048")
    entry = KeyEntry("rsa", scheme, KeyValue(key.public))
    assert public_key_from_entry("ab" * 32, entry, "layout").scheme == scheme


def test_an_rsa_key_with_the_exponent_1_is_refused() -> None:
    public = private_key("rsa2048").public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    weak = rsa.RSAPublicNumbers(3, public.public_numbers().n).public_key()
    der = weak.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)[:-1] + b"\x01"
    text = f"-----BEGIN PUBLIC KEY-----\n{base64.encodebytes(der).decode()}-----END PUBLIC KEY-----\n"
    with pytest.raises(Malformed):
        public_key_from_pem(text, WHERE)


def test_a_private_part_in_a_layout_is_refused() -> None:
    entry = KeyEntry("ed25519", "ed25519", KeyValue(key_of("ed25519").public, private="00" * 32))
    with pytest.raises(Malformed, match="private part") as caught:
        public_key_from_entry("ab" * 32, entry, "layout")
    assert "00" * 32 not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_private_key_where_a_public_one_is_wanted_is_refused_and_not_shown(kind: str) -> None:
    text = private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(Malformed, match=r"\.pub file beside it") as caught:
        public_key_from_pem(text, WHERE)
    assert text.splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize(
    "public", ["", "zz", "ab" * 31, "ab" * 33, "ab" * 64, "-----BEGIN PUBLIC KEY-----", "\ud800"]
)
@pytest.mark.parametrize(("keytype", "scheme"), [("ed25519", "ed25519"), ("rsa", "rsassa-pss-sha256")])
def test_a_value_that_is_no_key_is_malformed(public: str, keytype: str, scheme: str) -> None:
    with pytest.raises(Malformed):
        public_key_from_entry("ab" * 32, KeyEntry(keytype, scheme, KeyValue(public)), "layout")


@given(
    st.text(max_size=200)
    | st.text(max_size=60).map(lambda text: f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----")
)
def test_any_text_is_a_key_or_malformed(text: str) -> None:
    read_or_malformed(lambda _: public_key_from_pem(text, WHERE), b"")


@given(st.data(), st.sampled_from(KINDS))
def test_any_damage_to_a_pem_file_makes_another_key_or_malformed(data: st.DataObject, kind: str) -> None:
    text = key_of(kind).pem
    place = data.draw(st.integers(0, len(text) - 1))
    spoilt = text[:place] + data.draw(st.characters()) + text[place + 1 :]
    try:
        key = public_key_from_pem(spoilt, WHERE)
    except Malformed:
        return
    assert (
        key.spki == public_key_from_crypto(load_pem_public_key(spoilt.strip().encode() + b"\n"), WHERE).spki
    )


@given(st.data(), st.sampled_from(KINDS))
def test_any_entry_of_a_layout_is_a_key_or_malformed(data: st.DataObject, kind: str) -> None:
    raw = data.draw(mutated(msgspec.json.encode(key_of(kind).entry)))

    def parse(document: bytes) -> PublicKey:
        return public_key_from_entry("ab" * 32, decode(document, KeyEntry, "layout"), "layout")

    read_or_malformed(parse, raw)
