"""The words that name keys of GnuPG, and what is refused without asking gpg."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.keys.gpg import GpgAddress, parse_address
from intoto_action.keys.words import open_public_key, open_signer
from intoto_action.reason import Misused

FINGERPRINT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("word", "address"),
    [
        ("gnupg:", GpgAddress("", "")),
        ("gnupg:/home/me/.gnupg", GpgAddress("/home/me/.gnupg", "")),
        (f"gnupg:?id={FINGERPRINT}", GpgAddress("", FINGERPRINT)),
        (f"gnupg:/a b?id={FINGERPRINT.upper()}", GpgAddress("/a b", FINGERPRINT)),
        (f"gnupg:keys?id=0x{FINGERPRINT[-16:]}", GpgAddress("keys", FINGERPRINT[-16:])),
        (f"gnupg:keys?id={FINGERPRINT}!", GpgAddress("keys", f"{FINGERPRINT}!")),
        ("gnupg:?id=0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567", GpgAddress("", FINGERPRINT)),
    ],
)
def test_a_word_names_a_home_directory_and_a_key(word: str, address: GpgAddress) -> None:
    assert parse_address(word) == address


def test_the_home_of_the_user_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    assert parse_address("gnupg:~/.gnupg").homedir == "/home/alice/.gnupg"


@pytest.mark.parametrize(
    "keyid", ["", "01234567", "alice@example.test", FINGERPRINT[:-1], f"{FINGERPRINT}00", "-" * 16, "!", "0x"]
)
def test_a_keyid_that_could_be_another_keys_is_refused(keyid: str) -> None:
    with pytest.raises(Misused, match="KEYID a fingerprint"):
        parse_address(f"gnupg:/home/me?id={keyid}")


@pytest.mark.parametrize(
    "word", ["gnupg:/home?key=x", "gnupg:/home?", "gnupg:/ho\nme", "gnupg:/home#x", f"gnupg:/{'x' * 5000}"]
)
def test_a_word_of_another_form_is_refused_with_the_form(word: str) -> None:
    with pytest.raises(Misused, match=r"expected gnupg:HOMEDIR\?id=KEYID"):
        parse_address(word)


@given(st.text(max_size=100))
def test_any_word_is_an_address_or_misused(text: str) -> None:
    try:
        address = parse_address(f"gnupg:{text}")
    except Misused:
        return
    assert address.keyid == "" or set(address.keyid) <= set("0123456789abcdef!")
    assert "?" not in address.homedir


def test_a_home_directory_that_is_not_there_is_named() -> None:
    for use in (open_signer, open_public_key):
        with pytest.raises(Misused, match="found no directory '/no/such/home'"):
            use("gnupg:/no/such/home", environ={"PATH": "/nowhere"})


def test_without_gpg_it_says_what_to_install(tmp_path: object) -> None:
    for use in (open_signer, open_public_key):
        with pytest.raises(Misused, match="there is no gpg on PATH"):
            use(f"gnupg:{tmp_path}?id={FINGERPRINT}", environ={"PATH": "/nowhere"})
