"""Signatures by gpg: what verifies, and what an attacker could make of one.

What we take, securesystemslib's own GPGKey takes too: the reference of every test that passes.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as ReferenceEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import Key as ReferenceKey
from tests.parts.openpgp import ALICE, BOB, Made, PgpKey, damaged, seconds, subpacket

from intoto_action.formats.envelope import (
    PAYLOAD_TYPE,
    Signature,
    encode_dsse,
    encode_key_bundle,
    pae,
    parse_envelope,
)
from intoto_action.formats.gpg_key import GpgKey, gpg_key
from intoto_action.formats.key import Key, public_key_from_crypto
from intoto_action.trust.signature import check_signature, examine

PAYLOAD = b'{"_type": "link", "name": "build"}'
DATA = pae(PAYLOAD_TYPE, PAYLOAD)
CAROL = PgpKey("ed25519", 3)
KEYS = [ALICE, BOB, PgpKey("rsa3072")]


def gpg(key: PgpKey) -> GpgKey:
    return gpg_key(key.fingerprint, key.public, "alice.asc")


def dsse(
    made: Made | None,
    key: PgpKey,
    *,
    payload: bytes = PAYLOAD,
    value: bytes | None = None,
    headers: bytes | str | None = None,
    keyid: str | None = None,
) -> bytes:
    """An envelope as securesystemslib's GPGSigner makes one, with the parts that a test gives in their place."""
    if made is not None:
        value = made.value if value is None else value
        headers = made.headers if headers is None else headers
    assert value is not None
    text = headers.hex() if isinstance(headers, bytes) else headers
    beside = {} if text is None else {"other_headers": msgspec.json.encode(text)}
    return encode_dsse(PAYLOAD_TYPE, payload, (Signature(keyid or key.fingerprint, value, beside),))


def verifies(document: bytes, key: Key) -> bool:
    return check_signature(parse_envelope(document, "a link"), key) is not None


def fault(document: bytes, key: PgpKey) -> str:
    """What is told of a signature that is no such as in-toto's readers take."""
    signatures = examine(parse_envelope(document, "a link"), (gpg(key),), None, "a link")
    assert not signatures.fits
    (found,) = signatures.faults
    return str(found)


def reference_takes(document: bytes, key: PgpKey) -> bool:
    entry = msgspec.to_builtins(gpg(key).entry)
    reference = ReferenceKey.from_dict(entry["keyid"], entry)
    try:
        ReferenceEnvelope.from_dict(json.loads(document)).verify([reference], 1)
    except VerificationError:
        return False
    return True


class TestThatVerify:
    @pytest.mark.parametrize("key", KEYS)
    def test_a_signature_by_the_key_verifies_here_and_for_the_reference(self, key: PgpKey) -> None:
        document = dsse(key.sign(0x00, DATA), key)
        assert verifies(document, gpg(key))
        assert reference_takes(document, key)

    @pytest.mark.parametrize("key", KEYS)
    def test_in_a_metablock_under_both_names_of_the_value(self, key: PgpKey) -> None:
        made = key.sign(0x00, b'{"_type":"link","name":"build"}')
        for member in ("sig", "signature"):
            signature = {
                "keyid": key.fingerprint,
                member: made.value.hex(),
                "other_headers": made.headers.hex(),
            }
            metablock = {"signed": json.loads(PAYLOAD), "signatures": [signature]}
            assert verifies(json.dumps(metablock).encode(), gpg(key))

    def test_one_that_lost_its_leading_zeros_as_the_reference_keeps_it(self) -> None:
        made = next(
            made
            for count in range(5000)
            if (made := BOB.sign(0x00, DATA, subpacket(20, count.to_bytes(4, "big")))).value[0] == 0
        )
        assert verifies(dsse(made, BOB, value=made.value.lstrip(b"\x00")), gpg(BOB))

    def test_with_things_said_beside_that_change_nothing(self) -> None:
        said = (subpacket(20, b"notation"), subpacket(28, b"alice"), subpacket(2, b"abcd", critical=True))
        document = dsse(ALICE.sign(0x00, DATA, *said, seconds(3, 0)), ALICE)
        assert verifies(document, gpg(ALICE))
        assert reference_takes(document, ALICE)

    def test_without_any_look_outside(self) -> None:
        document = parse_envelope(dsse(BOB.sign(0x00, DATA), BOB), "a link")
        key = gpg(BOB)
        check_signature(document, key)  # what is imported late is imported now
        seen: list[str] = []
        watched = True

        def watch(event: str, _: tuple[Any, ...]) -> None:
            if watched and not event.startswith(("object.", "builtins.id")):
                seen.append(event)

        sys.addaudithook(watch)
        found = check_signature(document, key)
        watched = False
        assert found is not None
        assert seen == []


class TestThatDoNot:
    @pytest.mark.parametrize("key", KEYS)
    def test_a_signature_by_another_key_of_the_kind(self, key: PgpKey) -> None:
        other = PgpKey(key.kind, 5)
        document = dsse(other.sign(0x00, DATA), key)
        assert not verifies(document, gpg(key))

    @pytest.mark.parametrize("key", KEYS)
    def test_a_signature_over_another_payload(self, key: PgpKey) -> None:
        made = key.sign(0x00, DATA)
        assert not verifies(dsse(made, key, payload=PAYLOAD + b" "), gpg(key))

    @pytest.mark.parametrize("key", KEYS)
    def test_a_signature_over_the_bare_payload(self, key: PgpKey) -> None:
        assert not verifies(dsse(key.sign(0x00, PAYLOAD), key), gpg(key))

    @pytest.mark.parametrize("key", [ALICE, BOB])
    @pytest.mark.parametrize("place", range(0, 35, 3))
    def test_a_signature_with_altered_headers(self, key: PgpKey, place: int) -> None:
        made = key.sign(0x00, DATA)
        headers = bytearray(made.headers)
        headers[place] ^= 0x01
        assert not verifies(dsse(made, key, headers=bytes(headers)), gpg(key))

    @pytest.mark.parametrize("key", [ALICE, BOB])
    def test_data_that_became_headers_or_headers_that_became_data(self, key: PgpKey) -> None:
        """The end of the data could be read as the beginning of the headers, were the headers not counted."""
        made = key.sign(0x00, DATA)
        data = DATA + made.headers[:6]
        longer = key.sign(0x00, data)
        for headers in (made.headers[6:], made.headers[:6] + longer.headers, longer.headers):
            assert not verifies(dsse(longer, key, headers=headers), gpg(key))

    @pytest.mark.parametrize("key", [ALICE, BOB])
    @pytest.mark.parametrize("type_", [0x01, 0x02, 0x10, 0x13, 0x18, 0x1F, 0x20, 0x40])
    def test_a_signature_of_another_type_although_its_numbers_hold(self, key: PgpKey, type_: int) -> None:
        """A certification or a signature over text says something else. The reference does not look."""
        document = dsse(key.sign(type_, DATA), key)
        assert reference_takes(document, key)
        assert f"expected a signature over a binary document, found one of type 0x{type_:02x}" in fault(
            document, key
        )

    @pytest.mark.parametrize("key", [ALICE, BOB])
    @pytest.mark.parametrize(("number", "name"), [(1, "MD5"), (2, "SHA-1"), (9, "SHA-384"), (10, "SHA-512")])
    def test_a_signature_with_another_hash(self, key: PgpKey, number: int, name: str) -> None:
        document = dsse(key.sign(0x00, DATA, hash_algorithm=number), key)
        assert f"with SHA-256, as in-toto's readers take it, found {name}" in fault(document, key)
        assert not reference_takes(document, key)

    def test_a_hash_that_has_no_name_is_told_by_its_number(self) -> None:
        headers = bytearray(ALICE.sign(0x00, DATA).headers)
        headers[3] = 99
        assert "found hash algorithm 99" in fault(
            dsse(ALICE.sign(0x00, DATA), ALICE, headers=bytes(headers)), ALICE
        )

    @pytest.mark.parametrize("key", [ALICE, BOB])
    def test_headers_that_claim_another_hash_than_was_signed_with(self, key: PgpKey) -> None:
        made = key.sign(0x00, DATA, hash_algorithm=2)
        claimed = made.headers[:3] + b"\x08" + made.headers[4:]
        assert not verifies(dsse(made, key, headers=claimed), gpg(key))

    @pytest.mark.parametrize("key", [ALICE, BOB])
    def test_a_signature_of_version_3(self, key: PgpKey) -> None:
        """Version 3 hashes no headers but a type and a time, so it could be moved to other data that end like these."""
        private = key.private
        trailer = b"\x00" + (0x70000000).to_bytes(4, "big")
        if isinstance(private, rsa.RSAPrivateKey):
            value = private.sign(DATA + trailer, padding.PKCS1v15(), hashes.SHA256())
        else:
            assert isinstance(private, ed25519.Ed25519PrivateKey)
            digest = hashes.Hash(hashes.SHA256())
            digest.update(DATA + trailer)
            value = private.sign(digest.finalize())
        headers = b"\x03\x05" + trailer + bytes.fromhex(key.fingerprint)[-8:] + b"\x16\x08"
        assert "version 4, found version 3" in fault(dsse(None, key, value=value, headers=headers), key)

    @pytest.mark.parametrize("version", [0, 2, 3, 5, 6])
    def test_a_signature_of_another_version_although_its_numbers_hold(self, version: int) -> None:
        document = dsse(ALICE.sign(0x00, DATA, version=version), ALICE)
        assert reference_takes(document, ALICE)
        assert f"version 4, found version {version}" in fault(document, ALICE)

    def test_a_signature_that_claims_another_algorithm(self) -> None:
        assert not verifies(dsse(ALICE.sign(0x00, DATA, algorithm=1), ALICE), gpg(ALICE))
        assert not verifies(dsse(BOB.sign(0x00, DATA, algorithm=22), BOB), gpg(BOB))
        assert not verifies(dsse(BOB.sign(0x00, DATA, algorithm=3), BOB), gpg(BOB))

    def test_a_signature_that_expires(self) -> None:
        document = dsse(ALICE.sign(0x00, DATA, seconds(3, 1)), ALICE)
        assert reference_takes(document, ALICE)
        assert "expected a GPG signature without an expiry" in fault(document, ALICE)

    def test_a_signature_with_something_critical_that_is_not_known(self) -> None:
        document = dsse(ALICE.sign(0x00, DATA, subpacket(99, b"only on mondays", critical=True)), ALICE)
        assert reference_takes(document, ALICE)
        assert "critical subpackets that are not known here, found number 99" in fault(document, ALICE)

    @pytest.mark.parametrize(
        "headers",
        ["", "zz", "04", "0400160800", "04001608ffff", " 0400", "04 00", "0x04"],
    )
    def test_headers_that_are_none(self, headers: str) -> None:
        made = ALICE.sign(0x00, DATA)
        assert not verifies(dsse(made, ALICE, headers=headers), gpg(ALICE))

    @pytest.mark.parametrize("spoil", [str.upper, lambda text: text + "00", lambda text: f" {text}"])
    def test_headers_in_another_spelling(self, spoil: Callable[[str], str]) -> None:
        made = ALICE.sign(0x00, DATA)
        assert not verifies(dsse(made, ALICE, headers=spoil(made.headers.hex())), gpg(ALICE))

    @pytest.mark.parametrize("raw", [b"null", b"7", b"[]", b"{}", b'"04"'])
    def test_headers_of_another_kind(self, raw: bytes) -> None:
        made = ALICE.sign(0x00, DATA)
        document = encode_dsse(
            PAYLOAD_TYPE, PAYLOAD, (Signature(ALICE.fingerprint, made.value, {"other_headers": raw}),)
        )
        assert not verifies(document, gpg(ALICE))

    def test_a_signature_without_headers(self) -> None:
        made = ALICE.sign(0x00, DATA)
        document = encode_dsse(PAYLOAD_TYPE, PAYLOAD, (Signature(ALICE.fingerprint, made.value),))
        assert not verifies(document, gpg(ALICE))

    @pytest.mark.parametrize("key", [ALICE, BOB])
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda value: value[:-1],
            lambda value: value + b"\x00",
            lambda value: b"\x00" + value,
            lambda value: b"",
            lambda value: bytes(len(value)),
            lambda value: value[1:],
            lambda value: value + value,
            lambda value: value[:-1] + bytes([value[-1] ^ 1]),
        ],
    )
    def test_a_value_that_was_altered(self, key: PgpKey, spoil: Callable[[bytes], bytes]) -> None:
        made = key.sign(0x00, DATA)
        assert not verifies(dsse(made, key, value=spoil(made.value)), gpg(key))

    def test_a_signature_in_a_sigstore_bundle(self) -> None:
        made = ALICE.sign(0x00, DATA)
        bundle = json.loads(encode_key_bundle(PAYLOAD_TYPE, PAYLOAD, made.value, gpg(ALICE).spki))
        bundle["dsseEnvelope"]["signatures"] = [
            {
                "sig": base64.b64encode(made.value).decode(),
                "keyid": ALICE.fingerprint,
                "other_headers": made.headers.hex(),
            }
        ]
        assert not verifies(json.dumps(bundle).encode(), gpg(ALICE))

    @given(st.data(), st.sampled_from([ALICE, BOB]))
    def test_any_damage_to_headers_or_value(self, data: st.DataObject, key: PgpKey) -> None:
        made = key.sign(0x00, DATA)
        headers = data.draw(damaged(made.headers))
        value = data.draw(st.just(made.value) | damaged(made.value))
        same = headers == made.headers and value.rjust(len(made.value), b"\x00") == made.value
        assert verifies(dsse(made, key, headers=headers, value=value), gpg(key)) == (
            same and (value == made.value or key is BOB)
        )


class TestWhoSigned:
    def test_a_signature_under_the_keyid_of_another_key_is_passed_over(self) -> None:
        document = dsse(ALICE.sign(0x00, DATA), ALICE, keyid=CAROL.fingerprint)
        assert not verifies(document, gpg(ALICE))
        assert not verifies(document, gpg(CAROL))

    @pytest.mark.parametrize(
        "keyid", ["", ALICE.fingerprint[-16:], ALICE.fingerprint.upper()], ids=["none", "short", "upper"]
    )
    def test_a_signature_under_another_form_of_the_keyid_is_passed_over(self, keyid: str) -> None:
        made = ALICE.sign(0x00, DATA)
        beside = {"other_headers": msgspec.json.encode(made.headers.hex())}
        document = encode_dsse(PAYLOAD_TYPE, PAYLOAD, (Signature(keyid, made.value, beside),))
        assert not verifies(document, gpg(ALICE))

    def test_of_two_subkeys_only_the_one_that_is_listed_signs(self) -> None:
        document = dsse(CAROL.sign(0x00, DATA), CAROL)
        assert verifies(document, gpg(CAROL))
        assert not verifies(document, gpg(ALICE))

    def test_one_key_made_at_two_times_counts_once(self) -> None:
        twin = PgpKey("ed25519", created=ALICE.created + 1)
        beside = [
            Signature(key.fingerprint, made.value, {"other_headers": msgspec.json.encode(made.headers.hex())})
            for key in (ALICE, twin)
            for made in [key.sign(0x00, DATA)]
        ]
        envelope = parse_envelope(encode_dsse(PAYLOAD_TYPE, PAYLOAD, tuple(beside)), "a link")
        signatures = examine(envelope, (gpg(ALICE), gpg(twin)), None)
        assert len(signatures.fits) == 2
        assert len(signatures.signers) == 1

    @pytest.mark.parametrize("key", [ALICE, BOB])
    def test_one_key_with_gpg_and_in_a_pem_file_counts_once(self, key: PgpKey) -> None:
        made = key.sign(0x00, DATA)
        plain = public_key_from_crypto(key.public, "alice.pub")
        private = key.private
        if isinstance(private, rsa.RSAPrivateKey):
            raw = private.sign(DATA, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        else:
            raw = private.sign(DATA)
        both = (
            Signature(
                key.fingerprint, made.value, {"other_headers": msgspec.json.encode(made.headers.hex())}
            ),
            Signature(plain.keyid, raw),
        )
        envelope = parse_envelope(encode_dsse(PAYLOAD_TYPE, PAYLOAD, both), "a link")
        signatures = examine(envelope, (gpg(key), plain), None)
        assert len(signatures.fits) == 2
        assert len(signatures.signers) == 1

    @pytest.mark.parametrize("key", [ALICE, BOB])
    def test_a_signature_by_gpg_is_none_by_the_same_key_in_a_pem_file_nor_the_other_way(
        self, key: PgpKey
    ) -> None:
        made = key.sign(0x00, DATA)
        plain = public_key_from_crypto(key.public, "alice.pub")
        assert not verifies(dsse(made, key, keyid=plain.keyid), plain)
        private = key.private
        raw = (
            private.sign(DATA, padding.PKCS1v15(), hashes.SHA256())
            if isinstance(private, rsa.RSAPrivateKey)
            else private.sign(DATA)
        )
        assert not verifies(dsse(made, key, value=raw), gpg(key))

    def test_a_good_signature_beside_a_faulty_one_counts(self) -> None:
        faulty = ALICE.sign(0x00, DATA, hash_algorithm=2)
        good = CAROL.sign(0x00, DATA)
        both = tuple(
            Signature(key.fingerprint, made.value, {"other_headers": msgspec.json.encode(made.headers.hex())})
            for key, made in ((ALICE, faulty), (CAROL, good))
        )
        envelope = parse_envelope(encode_dsse(PAYLOAD_TYPE, PAYLOAD, both), "a link")
        signatures = examine(envelope, (gpg(ALICE), gpg(CAROL)), None)
        assert [each.key for each in signatures.fits] == [gpg(CAROL)]
        assert len(signatures.faults) == 1
