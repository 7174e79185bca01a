"""GPG keys in a layout: as securesystemslib writes them, and nothing else."""

from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer._gpg_signer import GPGKey
from securesystemslib.signer._key import Key as ReferenceKey
from tests.parts.hostile_json import mutated
from tests.parts.openpgp import ALICE, BOB, PgpKey

from intoto_action.formats.gpg_key import GpgKey, gpg_key, gpg_key_from_entry
from intoto_action.formats.key import key_from_entry, public_key_from_crypto, public_key_from_entry
from intoto_action.formats.key_entry import GpgValue, KeyEntry, KeyValue
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed

KEYS = [ALICE, BOB, PgpKey("rsa3072")]


def made(key: PgpKey) -> GpgKey:
    return gpg_key(key.fingerprint, key.public, "alice.asc")


def entry_of(**changes: Any) -> KeyEntry:
    return msgspec.structs.replace(made(ALICE).entry, **changes)


@pytest.mark.parametrize("key", KEYS)
def test_an_entry_is_the_one_that_securesystemslib_reads(key: PgpKey) -> None:
    entry = msgspec.to_builtins(made(key).entry)
    theirs = ReferenceKey.from_dict(entry["keyid"], entry)
    assert isinstance(theirs, GPGKey)
    numbers = theirs.keyval["public"]
    if isinstance(key.public, rsa.RSAPublicKey):
        assert (theirs.keytype, theirs.scheme) == ("rsa", "pgp+rsa-pkcsv1.5")
        public = key.public.public_numbers()
        assert (int(numbers["e"], 16), int(numbers["n"], 16)) == (public.e, public.n)
    else:
        assert (theirs.keytype, theirs.scheme) == ("eddsa", "pgp+eddsa-ed25519")
        assert bytes.fromhex(numbers["q"]) == key.public.public_bytes_raw()


@pytest.mark.parametrize("key", KEYS)
def test_an_entry_becomes_the_same_key_again(key: PgpKey) -> None:
    raw = msgspec.json.encode(made(key).entry)
    assert key_from_entry(key.fingerprint, decode(raw, KeyEntry, "layout"), "layout") == made(key)


@pytest.mark.parametrize("key", KEYS)
def test_the_numbers_of_a_pem_file_with_the_same_key_have_the_same_fingerprint(key: PgpKey) -> None:
    beside = public_key_from_crypto(key.public, "alice.pub")
    assert made(key).fingerprint == beside.fingerprint
    assert beside.fingerprint in made(key).names
    assert made(key).names & beside.names


def test_a_key_is_shown_with_its_whole_fingerprint() -> None:
    assert str(made(ALICE)) == f"GPG key {ALICE.fingerprint}"


def test_an_rsa_key_that_is_too_short_is_refused() -> None:
    short = rsa.generate_private_key(65537, 1024).public_key()
    with pytest.raises(Malformed, match="at least 2048 bits, found 1024 bits"):
        gpg_key("ab" * 20, short, "alice.asc")
    numbers = short.public_numbers()
    value = KeyValue(public=GpgValue(e=f"{numbers.e:06x}", n=f"{numbers.n:0256x}"))
    with pytest.raises(Malformed, match="at least 2048 bits, found 1024 bits"):
        key_from_entry("ab" * 20, KeyEntry("rsa", "pgp+rsa-pkcsv1.5", value), "layout")


@pytest.mark.parametrize(
    ("keytype", "scheme"),
    [
        ("dsa", "pgp+dsa-fips-180-2"),
        ("rsa", "pgp+eddsa-ed25519"),
        ("eddsa", "pgp+rsa-pkcsv1.5"),
        ("eddsa", "pgp+eddsa-ed448"),
        ("ed25519", "pgp+eddsa-ed25519"),
        ("eddsa", "pgp+"),
    ],
)
def test_any_other_algorithm_is_refused(keytype: str, scheme: str) -> None:
    with pytest.raises(Malformed, match=r"a GPG key of scheme pgp\+rsa-pkcsv1\.5 or pgp\+eddsa-ed25519"):
        key_from_entry("ab" * 20, entry_of(keytype=keytype, scheme=scheme), "layout")


@pytest.mark.parametrize(
    "value",
    [
        KeyValue(public="ab" * 32),
        KeyValue(),
        KeyValue(public=GpgValue()),
        KeyValue(public=GpgValue(e="03", n="ab")),
        KeyValue(public=GpgValue(q="ab" * 32, n="ab")),
        KeyValue(public=GpgValue(q="AB" * 32)),
        KeyValue(public=GpgValue(q="ab" * 31)),
        KeyValue(public=GpgValue(q="ab" * 33)),
        KeyValue(public=GpgValue(q="0x" + "ab" * 31)),
        KeyValue(public=GpgValue(q="ab" * 32 + "\n")),
        KeyValue(public=GpgValue(q="ab" * 32), private="cd"),
        KeyValue(public=GpgValue(q="ab" * 32), identity="me"),
    ],
)
def test_a_value_that_is_no_point_is_refused(value: KeyValue) -> None:
    with pytest.raises(Malformed):
        key_from_entry("ab" * 20, entry_of(keyval=value), "layout")


@pytest.mark.parametrize(
    ("exponent", "modulus"),
    [("01", "ab" * 256), ("02", "ab" * 256), ("00", "ab" * 256), ("010001", ""), ("ab" * 3000, "cd" * 256)],
)
def test_numbers_that_make_no_rsa_key_are_refused(exponent: str, modulus: str) -> None:
    value = KeyValue(public=GpgValue(e=exponent, n=modulus))
    with pytest.raises(Malformed):
        gpg_key_from_entry("ab" * 20, KeyEntry("rsa", "pgp+rsa-pkcsv1.5", value), "layout")


def test_the_numbers_of_a_gpg_key_are_no_key_of_another_scheme() -> None:
    for keytype, scheme in (("ed25519", "ed25519"), ("rsa", "rsassa-pss-sha256")):
        with pytest.raises(Malformed, match="numbers, as of a GPG key"):
            public_key_from_entry("ab" * 20, entry_of(keytype=keytype, scheme=scheme), "layout")


def test_an_unknown_number_is_refused() -> None:
    raw = b'{"keytype":"eddsa","scheme":"pgp+eddsa-ed25519","keyval":{"public":{"q":"ab","z":"cd"}}}'
    with pytest.raises(Malformed):
        decode(raw, KeyEntry, "layout")


@given(st.data(), st.sampled_from([ALICE, BOB]))
def test_any_entry_of_a_layout_is_a_key_or_malformed(data: st.DataObject, key: PgpKey) -> None:
    raw = data.draw(mutated(msgspec.json.encode(made(key).entry)))
    try:
        found = key_from_entry(key.fingerprint, decode(raw, KeyEntry, "layout"), "layout")
    except Malformed:
        return
    assert found.keyid == key.fingerprint
