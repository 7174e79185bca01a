from __future__ import annotations

import base64
import datetime
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts.github_job import GITHUB_ISSUER
from tests.parts.key_material import public
from tests.parts.openpgp import (
    ALICE,
    ALICE_SUBKEY,
    AT,
    BOB,
    SIGN,
    Exported,
    PgpKey,
    expires_after,
    key_flags,
    packet,
    plain,
    with_subkey,
)
from tests.parts.openpgp import armoured as gpg_armoured

from intoto_action.formats.functionary import functionary_lines
from intoto_action.formats.identity import identity_of
from intoto_action.keys import words
from intoto_action.keys.keygen import generate
from intoto_action.keys.words import open_every_public_key, open_public_key, open_signer
from intoto_action.reason import IntotoActionError, Malformed, Misused

PASSWORD = "correct horse"
DATA = b"what is signed"


def refusal(text: str | None, **more: str) -> str:
    """The sentence with which the key in the variable KEY is refused."""
    environ = {} if text is None else {"KEY": text}
    with pytest.raises(Misused) as caught:
        open_signer("env:KEY", environ={**environ, **more}, password_env="PASSWORD" if more else None)
    return str(caught.value)


def armoured(label: str, body: bytes = b"no matter") -> str:
    return f"-----BEGIN {label}-----\n{base64.b64encode(body).decode()}\n-----END {label}-----\n"


def pem_of(key: object) -> str:
    assert hasattr(key, "private_bytes")
    made = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert isinstance(made, bytes)
    return made.decode()


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    "without its last newline": lambda pem: pem.rstrip("\n"),
    "with CRLF": lambda pem: pem.replace("\n", "\r\n"),
    "with CR": lambda pem: pem.replace("\n", "\r"),
    "with literal \\n": lambda pem: pem.replace("\n", "\\n"),
    "with literal \\r\\n": lambda pem: pem.replace("\n", "\\r\\n"),
    "on one line with spaces": lambda pem: pem.replace("\n", " "),
    "indented": lambda pem: pem.replace("\n", "\n      "),
    "in base64": lambda pem: base64.b64encode(pem.encode()).decode(),
    "in base64 of many lines": lambda pem: base64.encodebytes(pem.encode()).decode(),
    "in base64 of CRLF": lambda pem: base64.b64encode(pem.replace("\n", "\r\n").encode()).decode() + "\n",
    "after other text": lambda pem: f"my signing key:\n{pem}",
}


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "ecdsa-p384", "rsa"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_key_opens_however_a_ci_secret_wraps_it(pems: dict[str, str], kind: str, wrapping: str) -> None:
    expected = open_signer("env:KEY", environ={"KEY": pems[kind]}).key
    assert open_signer("env:KEY", environ={"KEY": WRAPPINGS[wrapping](pems[kind])}).key == expected


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_an_encrypted_key_opens_however_a_ci_secret_wraps_it(locked_pem: str, wrapping: str) -> None:
    environ = {"KEY": WRAPPINGS[wrapping](locked_pem), "PASSWORD": PASSWORD}
    signer = open_signer("env:KEY", environ=environ, password_env="PASSWORD")
    assert public(signer.key).keytype == "ed25519"


@pytest.mark.parametrize("password", [None, PASSWORD])
@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa-p384", "rsa"])
def test_the_traditional_pem_of_openssl_opens_too(
    pems: dict[str, str], kind: str, password: str | None
) -> None:
    key = load_pem_private_key(pems[kind].encode(), None)
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, lock).decode()
    environ = {"KEY": pem.replace("\n", "\r\n"), "PASSWORD": PASSWORD}
    opened = open_signer("env:KEY", environ=environ, password_env="PASSWORD" if password else None)
    assert opened.key == open_signer("env:KEY", environ={"KEY": pems[kind]}).key


def test_the_parameters_that_openssl_writes_before_an_ecdsa_key_are_passed_over(pems: dict[str, str]) -> None:
    key = load_pem_private_key(pems["ecdsa"].encode(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    text = armoured("EC PARAMETERS", b"\x06\x08*\x86H\xce=\x03\x01\x07") + pem
    assert public(open_signer("env:KEY", environ={"KEY": text}).key).keytype == "ecdsa"


def test_a_key_opens_from_a_file(tmp_path: Path, pems: dict[str, str]) -> None:
    path = tmp_path / "build key.pem"
    path.write_text(pems["ed25519"])
    path.chmod(0o600)
    notes: list[str] = []
    signer = open_signer(str(path), environ={}, tell=notes.append)
    assert signer.key == open_signer("env:KEY", environ={"KEY": pems["ed25519"]}).key
    assert notes == []


def test_a_key_opens_from_a_pipe(pems: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.write(writing, pems["ed25519"].encode())
    os.close(writing)
    try:
        assert public(open_signer(f"/dev/fd/{reading}", environ={}).key).keytype == "ed25519"
    finally:
        os.close(reading)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_that_others_can_read_is_noted(tmp_path: Path, pems: dict[str, str], mode: int) -> None:
    path = tmp_path / "key.pem"
    path.write_text(pems["ed25519"])
    path.chmod(mode)
    notes: list[str] = []
    open_signer(str(path), environ={}, tell=notes.append)
    assert len(notes) == 1
    assert f"mode {mode:04o}" in notes[0]
    assert "chmod 600" in notes[0]


def test_a_password_is_asked_for_when_somebody_can_answer(locked_pem: str) -> None:
    asked: list[str] = []

    def prompt(question: str) -> str:
        asked.append(question)
        return PASSWORD

    assert public(open_signer("env:KEY", environ={"KEY": locked_pem}, prompt=prompt).key).keytype == "ed25519"
    assert asked == ["Password of the private key in the environment variable KEY"]


def test_a_password_for_a_key_that_has_none_is_noted_and_not_used(pems: dict[str, str]) -> None:
    notes: list[str] = []
    environ = {"KEY": pems["ed25519"], "PASSWORD": PASSWORD}
    open_signer("env:KEY", environ=environ, password_env="PASSWORD", tell=notes.append)
    assert notes == [
        "the private key in the environment variable KEY is not encrypted: the password in PASSWORD was not needed"
    ]


def test_an_empty_password_for_a_key_that_has_none_is_no_news(pems: dict[str, str]) -> None:
    notes: list[str] = []
    environ = {"KEY": pems["ed25519"], "PASSWORD": ""}
    open_signer("env:KEY", environ=environ, password_env="PASSWORD", tell=notes.append)
    assert notes == []


@pytest.mark.parametrize("empty", ["", " ", "\n", "\r\n\r\n"])
def test_an_empty_secret_names_the_variable_and_the_usual_cause(empty: str) -> None:
    told = refusal(empty)
    assert "environment variable KEY is empty" in told
    assert "forks get none" in told


def test_a_variable_that_is_not_set_is_named() -> None:
    assert "environment variable KEY is not there: the variable is not set" in refusal(None)


def test_an_empty_password_secret_names_its_variable(locked_pem: str) -> None:
    told = refusal(locked_pem, PASSWORD="")
    assert "the password in the environment variable PASSWORD is empty" in told


def test_a_missing_password_names_the_flag(locked_pem: str) -> None:
    assert "--password-env VAR" in refusal(locked_pem)


def test_a_wrong_password_is_told_from_a_missing_one(locked_pem: str) -> None:
    assert "the password does not open the key" in refusal(locked_pem, PASSWORD="wrong donkey")


def test_a_public_key_in_place_of_a_private_one_says_so(public_pem: str) -> None:
    assert "found a public key: give the private key" in refusal(public_pem)


def certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, start)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def test_a_certificate_in_place_of_a_private_key_says_so() -> None:
    assert "found a certificate: give the private key that belongs to it" in refusal(certificate())


def test_a_key_beside_its_certificate_is_found(pems: dict[str, str]) -> None:
    text = certificate() + pems["ecdsa"]
    assert public(open_signer("env:KEY", environ={"KEY": text}).key).keytype == "ecdsa"


@pytest.mark.parametrize("label", ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"])
def test_a_cosign_key_says_what_it_is_and_how_to_make_one_that_is_read(label: str) -> None:
    told = refusal(armoured(label))
    assert "cosign's own format" in told
    assert "intoto-action keygen" in told


def test_a_key_of_openssh_says_how_to_convert_it() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    assert "ssh-keygen -p -m PKCS8" in refusal(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here", "found a public key of OpenSSH"),
        ('{"keytype": "ed25519", "keyval": {"private": "00"}}', "a JSON document"),
        ("hunter2", "something that is not PEM"),
        (armoured("PGP PRIVATE KEY BLOCK"), "an OpenPGP key"),
        (armoured("CERTIFICATE REQUEST"), "a certificate request"),
        (armoured("RSA PUBLIC KEY"), "found a public key"),
        (armoured("SOMETHING ELSE"), "something that is not PEM"),
        (armoured("PRIVATE KEY"), "damaged or cut short"),
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIP", "damaged or cut short"),
    ],
)
def test_what_is_no_private_key_is_called_by_its_name(text: str, told: str) -> None:
    assert told in refusal(text)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (ec.generate_private_key(ec.SECP521R1()), "ECDSA on secp521r1"),
        (ec.generate_private_key(ec.SECP256K1()), "ECDSA on secp256k1"),
        (ed448.Ed448PrivateKey.generate(), "found Ed448"),
        (x25519.X25519PrivateKey.generate(), "found X25519"),
        (dsa.generate_private_key(1024), "found DSA"),
        (rsa.generate_private_key(65537, 1024), "found 1024 bits"),
    ],
)
def test_an_algorithm_that_is_not_supported_is_named(key: object, told: str) -> None:
    assert told in refusal(pem_of(key))


def test_two_private_keys_in_one_secret_are_refused(pems: dict[str, str]) -> None:
    assert "expected one private key, found 2" in refusal(pems["ed25519"] + pems["ecdsa"])


def test_a_secret_that_is_too_long_is_refused() -> None:
    assert "at most 65536 characters, found 70000" in refusal("x" * 70_000)


@pytest.mark.parametrize("word", ["keyless:", "keyless:https://example.com"])
def test_the_word_for_no_key_is_none_where_only_keys_sign(word: str) -> None:
    with pytest.raises(Misused, match="where record, sign, layout sign and attach have --keyless"):
        open_signer(word, environ={})


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("file2:key.pem", "found a file2: URI; the URIs of keys are gnupg:, awskms:, gcpkms:"),
        ("awskm:alias/x", "found a awskm: URI (did you mean 'awskms'?)"),
        (
            "pkcs11:token=x;object=y",
            "give hsm:ID?label=TOKEN, and the library of the token in the variable PYKCS11LIB",
        ),
    ],
)
def test_a_uri_of_another_kind_is_told_with_those_that_are_known(word: str, told: str) -> None:
    with pytest.raises(Misused) as caught:
        open_signer(word, environ={})
    assert told in str(caught.value)


class TestThePublicKeyBeside:
    def test_lets_its_own_private_key_sign(self, pems: dict[str, str]) -> None:
        private = pems["ecdsa"]
        beside = public(open_signer("env:KEY", environ={"KEY": private}).key).pem
        signer = open_signer("env:KEY", environ={"KEY": private}, public_key=beside)
        assert public(signer.key).pem == beside

    def test_refuses_another_private_key(self, pems: dict[str, str], public_pem: str) -> None:
        with pytest.raises(Misused, match="expected KEY to be the private part of --public-key") as caught:
            open_signer("env:KEY", environ={"KEY": pems["ecdsa"]}, public_key=public_pem)
        assert "nothing is signed" in str(caught.value)

    def test_may_be_of_gpg_when_the_key_is_the_same(self) -> None:
        environ = {"KEY": pem_of(BOB.private), "PUB": gpg_armoured(plain(BOB).raw)}
        signer = open_signer("env:KEY", environ=environ, public_key="env:PUB")
        assert signer.key.fingerprint == open_public_key("env:PUB", environ=environ).fingerprint


class TestGpgKeys:
    RAW = with_subkey().raw
    EXPIRED = Exported(ALICE).user("A", key_flags(SIGN), expires_after(30)).raw

    def test_in_every_place_where_a_public_key_is_read(self, tmp_path: Path) -> None:
        text = gpg_armoured(self.RAW)
        (tmp_path / "alice.gpg").write_bytes(self.RAW)
        (tmp_path / "alice.asc").write_text(text)
        wrapped = base64.b64encode(text.encode()).decode()
        for word in (
            text,
            wrapped,
            str(tmp_path / "alice.gpg"),
            str(tmp_path / "alice.asc"),
            "env:PUB",
            "env:WRAPPED",
        ):
            key = open_public_key(word, environ={"PUB": text, "WRAPPED": wrapped}, at=AT)
            assert key.keyid == ALICE_SUBKEY.fingerprint

    def test_that_are_expired_are_refused_at_the_time_and_not_before(self, tmp_path: Path) -> None:
        (tmp_path / "alice.gpg").write_bytes(self.EXPIRED)
        word = str(tmp_path / "alice.gpg")
        with pytest.raises(Malformed, match=r"alice\.gpg': expected .* which expired on 2030-01-31"):
            open_public_key(word, environ={}, at=AT)
        assert (
            open_public_key(word, environ={}, at=AT - datetime.timedelta(days=350)).keyid == ALICE.fingerprint
        )

    def test_are_looked_at_now_when_no_time_is_given(self) -> None:
        ended = Exported(PgpKey(created=0)).user("A", key_flags(SIGN), expires_after(30), created=0)
        with pytest.raises(Malformed, match="which expired on 1970-01-31"):
            open_public_key(gpg_armoured(ended.raw), environ={})

    def test_are_all_named_where_they_are_taken_out_of_use_be_they_expired_or_revoked(self) -> None:
        gone = with_subkey().directly(ALICE.sign(0x20, ALICE.framed))
        for raw, keys in ((gone.raw, [ALICE, ALICE_SUBKEY]), (self.EXPIRED, [ALICE])):
            found = open_every_public_key(gpg_armoured(raw), environ={})
            assert [key.keyid for key in found] == [key.fingerprint for key in keys]

    def test_a_private_one_as_pub_is_refused_and_not_shown(self, tmp_path: Path) -> None:
        (tmp_path / "alice.gpg").write_bytes(packet(5, ALICE.body + b"hunter2"))
        with pytest.raises(Malformed, match="found a private one") as caught:
            open_public_key(str(tmp_path / "alice.gpg"), environ={})
        assert "hunter2" not in str(caught.value)

    def test_a_private_one_as_key_says_how_to_sign_with_it(self) -> None:
        told = refusal(armoured("PGP PRIVATE KEY BLOCK"))
        assert "an OpenPGP key: import it into GnuPG" in told
        assert "give gnupg:HOMEDIR?id=FINGERPRINT" in told

    def test_a_public_one_as_key_says_how_to_sign_with_it(self) -> None:
        assert "a public key of GnuPG: give gnupg:HOMEDIR" in refusal(gpg_armoured(self.RAW))


def test_a_file_whose_name_looks_like_a_uri_is_a_file(
    tmp_path: Path, pems: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("build:key.pem").write_text(pems["ed25519"])
    assert public(open_signer("build:key.pem", environ={}).key).keytype == "ed25519"


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misused, match=r"no-key\.pem' cannot be read: No such file"):
        open_signer(str(tmp_path / "no-key.pem"), environ={})


def test_a_directory_in_place_of_a_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="Is a directory"):
        open_signer(str(tmp_path), environ={})


def test_an_empty_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").touch()
    with pytest.raises(Misused, match="is empty"):
        open_signer(str(tmp_path / "key.pem"), environ={})


def test_a_key_in_der_says_how_to_convert_it(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.der").write_bytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(Misused, match="openssl pkey -inform DER"):
        open_signer(str(tmp_path / "key.der"), environ={})


def test_a_file_without_end_is_read_no_further_than_a_key_is_long() -> None:
    with pytest.raises(Misused, match="at most 65536 bytes, found more"):
        open_signer("/dev/zero", environ={})


BODY_SECRET = "hunter2hunter2hunter2"


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_key_on_the_command_line_is_refused_without_repeating_it(
    pems: dict[str, str], wrapping: str
) -> None:
    word = WRAPPINGS[wrapping](pems["ed25519"])
    with pytest.raises(Misused, match="stands on the command line") as caught:
        open_signer(word, environ={})
    assert pems["ed25519"].split("\n")[1][:12] not in repr(caught.value)


@pytest.mark.parametrize(
    ("word", "password_env"),
    [
        (f"env:{BODY_SECRET}+/=", None),
        (f"env:-----BEGIN PRIVATE KEY-----{BODY_SECRET}", None),
        (f"{BODY_SECRET}\n{BODY_SECRET}", None),
        (BODY_SECRET * 20, None),
        ("env:LOCKED", f"{BODY_SECRET}!"),
        ("env:LOCKED", "PASSWORD"),
        ("env:LOCKED", BODY_SECRET * 2),
        ("env:BROKEN", None),
        ("env:PLAIN", None),
    ],
)
def test_no_refusal_repeats_what_may_be_a_secret(
    locked_pem: str, word: str, password_env: str | None
) -> None:
    environ = {
        "LOCKED": locked_pem,
        "PASSWORD": BODY_SECRET,
        "BROKEN": armoured("PRIVATE KEY", BODY_SECRET.encode()),
        "PLAIN": BODY_SECRET,
    }
    with pytest.raises(Misused) as caught:
        open_signer(word, environ=environ, password_env=password_env)
    told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__cause__}"
    for secret in (BODY_SECRET, base64.b64encode(BODY_SECRET.encode()).decode(), locked_pem.split("\n")[1]):
        assert secret not in told


def mistaken(pem: str) -> list[str]:
    """Words that people give for KEY or PUB and that hold the key itself, all of it or a line, whole or cut."""
    body = pem.split("\n")[1]
    wrapped = base64.b64encode(pem.encode()).decode()
    words = [body, wrapped[:-7], pem[:60], pem.replace("PRIVATE KEY-----", "PRIVATE KEY"), f"keys/{body}"]
    return [*words, f"env:{pem}", f"env:{body}", f"env:{wrapped}", f"ENV:{body}", f" {body}", f"./{body}"]


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
@pytest.mark.parametrize("number", range(11))
def test_a_key_in_the_place_of_its_path_is_not_repeated(pems: dict[str, str], kind: str, number: int) -> None:
    word = mistaken(pems[kind])[number]
    for open_key in (open_signer, open_public_key):
        with pytest.raises((Misused, Malformed)) as caught:
            open_key(word, environ={})
        told = f"{caught.value!r} {caught.value.__cause__!r}"
        assert pems[kind].split("\n")[1][:16] not in told
        assert pems[kind].split("\n")[1][16:32] not in told
        assert base64.b64encode(pems[kind].encode()).decode()[:16] not in told


@pytest.mark.parametrize(
    "word", ["keys/builder", "../no/such/directory/key.pem", "env:INTOTO_ACTION_SIGNING_KEY_OF_THE_BUILDER"]
)
def test_a_word_that_is_missing_and_no_key_is_repeated(word: str) -> None:
    with pytest.raises(Misused) as caught:
        open_signer(word, environ={})
    assert word.removeprefix("env:") in str(caught.value)


def test_a_path_below_a_directory_is_repeated_however_long_it_is(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 40)
    directory.mkdir()
    with pytest.raises(Misused, match=r"x{40}/key\.pem' cannot be read"):
        open_signer(str(directory / "key.pem"), environ={})


def test_a_signer_does_not_show_its_key(pems: dict[str, str]) -> None:
    signer = open_signer("env:KEY", environ={"KEY": pems["ed25519"]})
    assert repr(signer) == f"PemSigner(ed25519 key {signer.key.keyid[:8]})"


def test_a_system_that_cannot_hide_memory_is_noted(
    pems: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "clear_dumpable", lambda: False)
    notes: list[str] = []
    open_signer("env:KEY", environ={"KEY": pems["ed25519"]}, tell=notes.append)
    assert len(notes) == 1
    assert "cannot hide the memory of this process" in notes[0]


def test_the_process_is_not_dumpable_when_the_key_is_read() -> None:
    script = """
import ctypes
from intoto_action.keys.words import open_signer
class Environ(dict):
    def get(self, name, default=None):
        print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
        return ""
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
try:
    open_signer("env:KEY", environ=Environ())
except Exception:
    pass
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1", "0"]


def test_a_public_key_is_read_from_a_file(tmp_path: Path) -> None:
    pair = generate("ecdsa", None)
    (tmp_path / "alice.pub").write_text(pair.public.pem)
    assert open_public_key(str(tmp_path / "alice.pub"), environ={}) == pair.public


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_public_key_is_read_from_the_word_itself_and_from_a_variable(wrapping: str) -> None:
    pair = generate("ed25519", None)
    text = WRAPPINGS[wrapping](pair.public.pem)
    assert open_public_key(text, environ={}) == pair.public
    assert open_public_key("env:PUB", environ={"PUB": text}) == pair.public


def test_a_private_key_in_place_of_a_public_one_is_refused_without_repeating_it(pems: dict[str, str]) -> None:
    with pytest.raises(Malformed, match=r"give the \.pub file beside it") as caught:
        open_public_key(pems["ed25519"], environ={})
    assert pems["ed25519"].split("\n")[1][:12] not in repr(caught.value)


def test_a_certificate_in_place_of_a_public_key_says_how_to_take_the_key_out() -> None:
    with pytest.raises(Misused, match="openssl x509 -pubkey"):
        open_public_key(certificate(), environ={})


BUILD = "https://github.com/octo/app/.github/workflows/build.yml@refs/heads/main"
IDENTITY_WORD = f"identity={BUILD},issuer={GITHUB_ISSUER},event=push"
IDENTITY = identity_of(BUILD, GITHUB_ISSUER, {"event": "push"})


@pytest.mark.parametrize(
    ("word", "environ"),
    [
        (IDENTITY_WORD, {}),
        (",".join(reversed(IDENTITY_WORD.split(",")[:2])) + ",event=push", {}),
        ("env:PUB", {"PUB": f"\n{IDENTITY_WORD}\n"}),
        ("env:PUB", {"PUB": "\n".join(functionary_lines("x", IDENTITY, {}))}),
        ("env:PUB", {"PUB": f"{{x: {{identity: {BUILD}, issuer: {GITHUB_ISSUER}, event: push}}}}"}),
        (
            "env:PUB",
            {"PUB": f'{{"x": {{"identity": "{BUILD}", "issuer": "{GITHUB_ISSUER}", "event": "push"}}}}'},
        ),
    ],
)
def test_an_identity_stands_where_a_public_key_does(word: str, environ: dict[str, str]) -> None:
    assert open_public_key(word, environ=environ) == IDENTITY


def test_a_file_that_layout_functionary_printed_is_a_public_key_s(tmp_path: Path) -> None:
    path = tmp_path / "builder.yaml"
    path.write_text(
        "# a comment\n" + "\n".join(functionary_lines("x", IDENTITY, {"environment": "eu"}, "more"))
    )
    assert open_public_key(str(path), environ={}) == IDENTITY


@pytest.mark.parametrize(
    ("word", "environ", "said"),
    [
        ("identity=https://x", {}, "the identity on the command line: expected the issuer"),
        ("issuer=https://y,identity=x y", {}, "the identity on the command line, identity: expected"),
        (f"{IDENTITY_WORD},refs", {}, "a value with a comma in it goes into a file"),
        ("env:PUB", {"PUB": "identity=x"}, "the environment variable PUB: expected the issuer"),
        ("env:PUB", {"PUB": "x: {identity: y}"}, "the environment variable PUB:1:4: expected the issuer"),
        ("env:PUB", {"PUB": "identity: x\nissuer: y"}, "expected NAME: and below it an identity"),
        ("env:PUB", {"PUB": "x: {identity: \udcff}"}, "expected text in UTF-8"),
        ("env:PUB", {"PUB": "something else"}, "expected a public key"),
    ],
)
def test_a_word_that_is_no_identity_is_told(word: str, environ: dict[str, str], said: str) -> None:
    with pytest.raises(Malformed) as caught:
        open_public_key(word, environ=environ)
    assert said in str(caught.value)


def test_a_private_key_beside_the_word_identity_is_not_repeated(pems: dict[str, str]) -> None:
    with pytest.raises(IntotoActionError) as caught:
        open_public_key("env:PUB", environ={"PUB": f"x: {{identity: |\n{pems['ed25519']}}}"})
    assert pems["ed25519"].split("\n")[1][:12] not in repr(caught.value)


def test_an_empty_variable_for_a_public_key_is_named() -> None:
    with pytest.raises(Misused, match="the public key in the environment variable PUB is empty"):
        open_public_key("env:PUB", environ={"PUB": ""})


PEM_LIKE = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            [
                "-----BEGIN PRIVATE KEY-----",
                "-----END PRIVATE KEY-----",
                "-----BEGIN ENCRYPTED PRIVATE KEY-----",
                "-----END ENCRYPTED PRIVATE KEY-----",
                "-----BEGIN EC PRIVATE KEY-----",
                "-----END EC PRIVATE KEY-----",
                "-----BEGIN PUBLIC KEY-----",
                "-----END PUBLIC KEY-----",
                "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n",
                "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
                "\\n",
                "\n",
                "\r\n",
            ]
        ),
        st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode()),
    ),
    max_size=12,
).map("".join)


@given(text=st.one_of(st.text(), PEM_LIKE), password=st.text(max_size=10))
def test_any_text_is_a_key_or_refused_in_a_sentence(text: str, password: str) -> None:
    environ = {"KEY": text, "PASSWORD": password}
    for password_env in (None, "PASSWORD"):
        try:
            signer = open_signer("env:KEY", environ=environ, password_env=password_env)
        except IntotoActionError as error:
            assert str(error)
        else:
            assert signer.signature(DATA).value
    try:
        open_public_key("env:KEY", environ=environ)
    except IntotoActionError as error:
        assert str(error)


@given(data=st.data())
@settings(max_examples=200)
def test_a_key_with_a_few_bytes_changed_is_a_key_or_refused_in_a_sentence(
    data: st.DataObject, pems: dict[str, str], locked_pem: str
) -> None:
    text = list(data.draw(st.sampled_from([*pems.values(), locked_pem])))
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.characters())
    environ = {"KEY": "".join(text), "PASSWORD": PASSWORD}
    try:
        open_signer("env:KEY", environ=environ, password_env="PASSWORD")
    except IntotoActionError as error:
        assert str(error)


@given(word=st.one_of(st.text(), st.from_regex(r"[a-z]{1,8}:.*")))
def test_any_word_is_refused_in_a_sentence_or_read(word: str) -> None:
    for opened in (open_signer, open_public_key):
        with pytest.raises(IntotoActionError):
            opened(word, environ={})
