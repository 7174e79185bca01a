from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from in_toto.models.metadata import Metadata
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # re-exported without saying so
    CryptoSigner,
    Signature,
    SSlibKey,
)
from tests.parts.key_material import by_key

from intoto_action.formats.envelope import PAYLOAD_TYPE, pae, parse_envelope
from intoto_action.formats.link import Link, encode_link
from intoto_action.keys.key_signer import KeySigner
from intoto_action.keys.sealing import append_signature, seal, seal_bundle
from intoto_action.keys.words import open_signer
from intoto_action.reason import Misused
from intoto_action.trust.signature import check_signature

KINDS = ["ed25519", "ecdsa", "ecdsa-p384", "rsa"]
PAYLOAD = encode_link(Link("build", ["make"], {}, {}, {"return-value": 0}, {}))


def signer_of(pem: str) -> KeySigner:
    return by_key(open_signer("env:KEY", environ={"KEY": pem}))


def stock_key(pem: str) -> SSlibKey:
    return SSlibKey.from_crypto(load_pem_private_key(pem.encode(), None).public_key())


@pytest.mark.parametrize("kind", KINDS)
def test_securesystemslib_verifies_what_is_signed_here(pems: dict[str, str], kind: str) -> None:
    signer = signer_of(pems[kind])
    key = stock_key(pems[kind])
    signature = signer.sign(b"data")
    key.verify_signature(Signature(signer.key.keyid, signature.hex()), b"data")
    with pytest.raises(UnverifiedSignatureError):
        key.verify_signature(Signature(signer.key.keyid, signature.hex()), b"other data")


@pytest.mark.parametrize("kind", KINDS)
def test_what_securesystemslib_signs_is_verified_here(pems: dict[str, str], kind: str) -> None:
    signer = CryptoSigner(load_pem_private_key(pems[kind].encode(), None))
    made = signer.sign(pae(PAYLOAD_TYPE, PAYLOAD))
    ours = signer_of(pems[kind])
    envelope = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, ours), "test")
    theirs = json.loads(envelope.raw)
    theirs["signatures"] = [Signature(made.keyid, made.signature).to_dict()]
    theirs["signatures"][0]["sig"] = base64.b64encode(bytes.fromhex(made.signature)).decode()
    assert check_signature(parse_envelope(json.dumps(theirs).encode(), "test"), ours.key)


@pytest.mark.parametrize("kind", KINDS)
def test_the_keyid_is_the_one_that_securesystemslib_computes(pems: dict[str, str], kind: str) -> None:
    assert signer_of(pems[kind]).key.keyid == stock_key(pems[kind]).keyid


@pytest.mark.parametrize("kind", KINDS)
def test_stock_in_toto_loads_and_verifies_a_sealed_link(
    pems: dict[str, str], kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "build.link"
    path.write_bytes(seal(PAYLOAD_TYPE, PAYLOAD, signer_of(pems[kind])))
    loaded = Metadata.load(str(path))
    key = stock_key(pems[kind])
    loaded.verify_signature({**key.to_dict(), "keyid": key.keyid})
    assert loaded.get_payload().name == "build"


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_check_accepts_a_sealed_payload_and_no_other(pems: dict[str, str], kind: str) -> None:
    signer = signer_of(pems[kind])
    envelope = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, signer), "test")
    assert check_signature(envelope, signer.key)
    other = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD + b" ", signer), "test")
    swapped = msgspec.structs.replace(envelope, signatures=other.signatures)
    assert not check_signature(swapped, signer.key)


def test_one_signature_is_written_under_every_keyid(pems: dict[str, str]) -> None:
    signer = signer_of(pems["ecdsa"])
    keyids = (signer.key.python_keyid, signer.key.go_keyid, signer.key.python_keyid)
    envelope = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, signer, keyids=keyids), "test")
    assert [each.keyid for each in envelope.signatures] == list(keyids[:2])
    assert len({each.value for each in envelope.signatures}) == 1


def test_an_appended_signature_leaves_payload_and_earlier_signatures_as_they_were(
    pems: dict[str, str],
) -> None:
    first, second = signer_of(pems["ed25519"]), signer_of(pems["ecdsa"])
    envelope = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, first), "test")
    both = parse_envelope(append_signature(envelope, second, (second.key.keyid,)), "test")
    assert both.payload == envelope.payload
    assert both.signatures[:1] == envelope.signatures
    assert check_signature(both, first.key)
    assert check_signature(both, second.key)


def test_appending_a_signature_of_the_same_key_replaces_its_own_only(pems: dict[str, str]) -> None:
    first, second = signer_of(pems["ed25519"]), signer_of(pems["ecdsa"])
    envelope = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, first), "test")
    both = parse_envelope(append_signature(envelope, second), "test")
    again = parse_envelope(append_signature(both, second), "test")
    assert [each.keyid for each in again.signatures] == [first.key.keyid, second.key.keyid]
    assert check_signature(again, second.key)


def test_nothing_is_appended_to_what_is_no_dsse_envelope(pems: dict[str, str]) -> None:
    signer = signer_of(pems["ed25519"])
    bundle = parse_envelope(seal_bundle(PAYLOAD_TYPE, PAYLOAD, signer), "test")
    with pytest.raises(Misused, match="expected a DSSE envelope"):
        append_signature(bundle, signer)


def test_a_full_envelope_takes_no_further_signature(pems: dict[str, str]) -> None:
    signer = signer_of(pems["ed25519"])
    full = seal(PAYLOAD_TYPE, PAYLOAD, signer, keyids=[f"{number:064x}" for number in range(64)])
    with pytest.raises(Misused, match="at most 64 signatures, found 65"):
        append_signature(parse_envelope(full, "test"), signer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_has_one_signature_and_names_the_key(pems: dict[str, str], kind: str) -> None:
    signer = signer_of(pems[kind])
    raw = seal_bundle(PAYLOAD_TYPE, PAYLOAD, signer)
    envelope = parse_envelope(raw, "test")
    assert envelope.wrapper.value == "bundle"
    assert len(envelope.signatures) == 1
    hint = json.loads(raw)["verificationMaterial"]["publicKey"]["hint"]
    assert base64.b64decode(hint).hex() == signer.key.spki
    assert check_signature(envelope, signer.key)


def test_rsa_signs_a_bundle_as_sigstore_verifies_it_and_a_link_as_in_toto_does(pems: dict[str, str]) -> None:
    signer = signer_of(pems["rsa"])
    public = load_pem_public_key(signer.key.pem.encode())
    assert isinstance(public, rsa.RSAPublicKey)
    sha256 = hashes.SHA256()
    pss = padding.PSS(padding.MGF1(sha256), sha256.digest_size)
    public.verify(signer.sign_for_bundle(b"data"), b"data", padding.PKCS1v15(), sha256)
    public.verify(signer.sign(b"data"), b"data", pss, sha256)
    with pytest.raises(InvalidSignature):
        public.verify(signer.sign_for_bundle(b"data"), b"data", pss, sha256)
