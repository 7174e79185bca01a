from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from intoto_action.cli.main import main
from intoto_action.formats.envelope import PAYLOAD_TYPE, Signature, encode_dsse, parse_envelope
from intoto_action.formats.link import Link, encode_link
from intoto_action.keys.keygen import KeyPair, generate
from intoto_action.trust.signature import check_signature

PAYLOAD = encode_link(Link("build", ["make"], {}, {}, {"return-value": 0}, {}))
PAIR = generate("ed25519", None)
SIGNED = f"build.{PAIR.public.keyid[:8]}.link"


def digest(payload: bytes) -> str:
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"


@pytest.fixture
def unsigned(tmp_path: Path) -> Path:
    path = tmp_path / "build.link-unsigned"
    path.write_bytes(PAYLOAD)
    return path


def sign(
    path: Path, *more: str, step: str = "build", expect: str = digest(PAYLOAD), pair: KeyPair = PAIR
) -> Result:
    words = ["sign", "--key", "env:KEY", "--step-name", step, "--expect", expect, *more, str(path)]
    return CliRunner().invoke(main, words, env={"KEY": pair.private_pem.decode()})


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def test_the_expected_link_is_signed_as_it_is_and_the_unsigned_one_removed(unsigned: Path) -> None:
    ended = sign(unsigned)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == f"{unsigned.parent / SIGNED}\n"
    assert names(unsigned) == [SIGNED]
    envelope = parse_envelope((unsigned.parent / SIGNED).read_bytes(), "link")
    assert envelope.payload == PAYLOAD
    assert check_signature(envelope, PAIR.public)


def test_every_word_but_the_link_comes_from_the_environment_too(unsigned: Path) -> None:
    environ = {
        "KEY": PAIR.private_pem.decode(),
        "INTOTO_ACTION_SIGN_KEY": "env:KEY",
        "INTOTO_ACTION_SIGN_STEP_NAME": "build",
        "INTOTO_ACTION_SIGN_EXPECT": digest(PAYLOAD),
    }
    assert CliRunner().invoke(main, ["sign", str(unsigned)], env=environ).exit_code == 0
    assert names(unsigned) == [SIGNED]


def test_a_link_that_was_changed_is_not_signed(unsigned: Path) -> None:
    changed = PAYLOAD.replace(b"make", b"fake")
    unsigned.write_bytes(changed)
    ended = sign(unsigned)
    assert ended.exit_code == 2
    assert f"expected {digest(PAYLOAD)}, found {digest(changed)}" in ended.stderr
    assert names(unsigned) == [unsigned.name]


def test_a_link_of_another_step_is_not_signed(unsigned: Path) -> None:
    ended = sign(unsigned, step="scan")
    assert ended.exit_code == 2
    assert "expected a link of step 'scan', found one of 'build'" in ended.stderr
    assert names(unsigned) == [unsigned.name]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'{"_type": "layout", "steps": []}',
        b"DSSEv1 28 application/vnd.in-toto+json 2 {}",
        PAYLOAD.replace(b'"name":"build"', b'"name":"build","name":"build"'),
        PAYLOAD.replace(b'"products"', b'"producs"'),
    ],
)
def test_what_is_no_link_is_not_signed(unsigned: Path, payload: bytes) -> None:
    unsigned.write_bytes(payload)
    ended = sign(unsigned, expect=digest(payload))
    assert ended.exit_code == 2
    assert names(unsigned) == [unsigned.name]


@pytest.mark.parametrize("expect", ["", "sha256:", "abc", f"sha512:{'a' * 128}", f"sha256:{'A' * 64}"])
def test_what_is_no_sha256_digest_is_refused(unsigned: Path, expect: str) -> None:
    assert sign(unsigned, expect=expect).exit_code == 2
    assert names(unsigned) == [unsigned.name]


def test_a_link_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = sign(tmp_path / "no.link-unsigned")
    assert ended.exit_code == 2
    assert "no.link-unsigned cannot be read" in ended.stderr


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_same_link_again_is_no_conflict_although_its_signature_is_another(
    unsigned: Path, kind: str
) -> None:
    pair = generate(kind, None)
    assert sign(unsigned, pair=pair).exit_code == 0
    (signed,) = unsigned.parent.iterdir()
    document = signed.read_bytes()
    unsigned.write_bytes(PAYLOAD)
    again = sign(unsigned, pair=pair)
    assert again.exit_code == 0, again.stderr
    assert again.stdout == f"{signed}\n"
    assert list(unsigned.parent.iterdir()) == [signed]
    assert signed.read_bytes() == document


def test_the_same_link_with_a_bad_signature_is_not_taken_for_a_signed_one(unsigned: Path) -> None:
    pair = generate("ecdsa", None)
    assert sign(unsigned, pair=pair).exit_code == 0
    (signed,) = unsigned.parent.iterdir()
    bad = encode_dsse(PAYLOAD_TYPE, PAYLOAD, (Signature(pair.public.keyid, b"none"),))
    signed.write_bytes(bad)
    unsigned.write_bytes(PAYLOAD)
    assert sign(unsigned, pair=pair).exit_code == 2
    assert (signed.read_bytes(), unsigned.exists()) == (bad, True)


def test_another_link_of_the_step_is_replaced_only_by_force(unsigned: Path) -> None:
    (unsigned.parent / SIGNED).write_bytes(b"another")
    ended = sign(unsigned)
    assert ended.exit_code == 2
    assert "--force" in ended.stderr
    assert (unsigned.parent / SIGNED).read_bytes() == b"another"
    assert unsigned.exists()
    assert sign(unsigned, "--force").exit_code == 0
    assert names(unsigned) == [SIGNED]


def test_an_unsigned_link_under_the_name_of_the_signed_one_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / SIGNED
    path.write_bytes(PAYLOAD)
    assert sign(path, "--force").exit_code == 0
    assert check_signature(parse_envelope(path.read_bytes(), "link"), PAIR.public)


def test_the_key_is_shown_nowhere(unsigned: Path) -> None:
    for ended in (sign(unsigned, step="scan"), sign(unsigned)):
        assert PAIR.private_pem.decode().split("\n")[1] not in ended.output


def test_the_example_carries_the_digest_and_does_not_compute_it() -> None:
    shown = CliRunner().invoke(main, ["sign", "--help"]).stdout
    assert '--expect "$EXPECTED"' in shown
    assert "sha256sum" not in shown
