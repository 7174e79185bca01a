from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # re-exported without saying so
from tests.parts.key_material import public

from intoto_action.cli import keygen as module
from intoto_action.cli.main import main
from intoto_action.keys.words import open_public_key, open_signer
from intoto_action.reason import Misused
from intoto_action.store import files


def keygen(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(main, ["keygen", *words], env=environ)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "ecdsa-p384", "rsa"])
def test_a_key_pair_is_two_files_and_its_keyid_is_printed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "deep" / "down" / "alice"
    ended = keygen("--type", kind, "--no-password", str(path))
    assert ended.exit_code == 0
    public = path.with_name("alice.pub")
    stock = SSlibKey.from_crypto(load_pem_public_key(public.read_bytes()))
    assert ended.stdout == f"{stock.keyid}\n"
    assert open_signer(str(path), environ={}).key == open_public_key(str(public), environ={})
    assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert sorted(each.name for each in path.parent.iterdir()) == ["alice", "alice.pub"]


def test_the_default_is_ed25519_and_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    ended = keygen(str(tmp_path / "key"))
    assert ended.exit_code == 0
    assert "(not encrypted)" in ended.stderr
    assert public(open_signer(str(tmp_path / "key"), environ={}).key).keytype == "ed25519"


def test_the_type_comes_from_the_environment_too(tmp_path: Path) -> None:
    assert keygen(str(tmp_path / "key"), INTOTO_ACTION_KEYGEN_TYPE="ecdsa").exit_code == 0
    assert public(open_signer(str(tmp_path / "key"), environ={}).key).keytype == "ecdsa"


def test_a_password_from_the_environment_encrypts_and_is_shown_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "key"
    ended = keygen("--password-env", "PASSWORD", str(path), PASSWORD="correct horse")
    assert ended.exit_code == 0
    assert "correct horse" not in ended.output
    assert path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    environ = {"PASSWORD": "correct horse"}
    assert public(open_signer(str(path), environ=environ, password_env="PASSWORD").key).keytype == "ed25519"


def test_a_password_from_a_person_encrypts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "password_prompt", lambda: str)
    path = tmp_path / "key"
    ended = CliRunner().invoke(main, ["keygen", str(path)], input="correct horse\ncorrect horse\n")
    assert ended.exit_code == 0
    assert "correct horse" not in ended.output
    assert "(encrypted)" in ended.stderr
    environ = {"PASSWORD": "correct horse"}
    assert public(open_signer(str(path), environ=environ, password_env="PASSWORD").key).keytype == "ed25519"


def test_an_empty_answer_is_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "password_prompt", lambda: str)
    ended = CliRunner().invoke(main, ["keygen", str(tmp_path / "key")], input="\n\n")
    assert ended.exit_code == 0
    assert "(not encrypted)" in ended.stderr


def test_an_empty_password_variable_makes_no_unencrypted_key(tmp_path: Path) -> None:
    ended = keygen("--password-env", "PASSWORD", str(tmp_path / "key"), PASSWORD="")
    assert ended.exit_code == 2
    assert "environment variable PASSWORD is empty" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_password_and_no_password_are_one_too_many(tmp_path: Path) -> None:
    ended = keygen("--password-env", "PASSWORD", "--no-password", str(tmp_path / "key"), PASSWORD="x")
    assert ended.exit_code == 2
    assert "found both" in ended.stderr


@pytest.mark.parametrize("taken", ["key", "key.pub"])
def test_neither_file_is_ever_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    ended = keygen(str(tmp_path / "key"))
    assert ended.exit_code == 2
    assert f"{taken} exists already and is not overwritten" in ended.stderr
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(taken, "mine")]


def test_nobody_is_asked_for_the_password_of_a_key_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "password_prompt", lambda: str)
    (tmp_path / "key.pub").touch()
    ended = CliRunner().invoke(main, ["keygen", str(tmp_path / "key")], input="x\nx\n")
    assert "exists already" in ended.stderr
    assert "Password" not in ended.output


def test_a_dangling_symlink_is_a_taken_name(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    assert keygen(str(tmp_path / "key")).exit_code == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_public_key_that_cannot_be_written_leaves_no_private_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole = files.write_whole

    def full_disk(path: Path, content: bytes, *, mode: int = 0o644, overwrite: bool) -> None:
        if path.suffix == ".pub":
            raise Misused("no space left")
        write_whole(path, content, mode=mode, overwrite=overwrite)

    monkeypatch.setattr(files, "write_whole", full_disk)
    assert keygen(str(tmp_path / "key")).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = keygen(str(tmp_path / "file" / "key"))
    assert ended.exit_code == 2
    assert "file cannot be made" in ended.stderr


@pytest.mark.parametrize("path", [".", "/", ""])
def test_a_path_without_a_name_is_refused(path: str) -> None:
    assert keygen(path).exit_code == 2
