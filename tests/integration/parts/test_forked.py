"""What is forked does what is started, to the letter."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.parts.desk import Desk, console_script, desk_at
from tests.parts.forked import TookTooLong, is_about_a_start, run_forked


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_at(tmp_path)


def test_codes_words_files_and_variables_are_those_of_a_process_that_is_started(desk: Desk) -> None:
    assert desk.attach().code == 0
    missing = {**os.environ, "INTOTO_ACTION_VERIFY_LAYOUT_KEY": "missing.pub"}
    for words, environ, code in (
        (("verify", desk.image, "--layout-key", "owner.pub", "--format", "json"), os.environ, 0),
        (("verify", desk.image, "--layout-key", "build.pub"), os.environ, 1),
        (("verify", desk.image), missing, 2),
        (("--version",), os.environ, 0),
    ):
        argv = [console_script(), *words]
        started = subprocess.run(
            argv,
            cwd=desk.directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        forked = run_forked(argv, desk.directory, environ, 60)
        assert forked == (started.returncode, started.stdout, started.stderr)
        assert forked[0] == code


def test_calls_at_once_do_not_meet(tmp_path: Path) -> None:
    def make(name: str) -> tuple[int, str, str]:
        (tmp_path / name).mkdir()
        return run_forked(
            [console_script(), "keygen", "--no-password", "key"], tmp_path / name, os.environ, 60
        )

    names = [f"desk-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as calls:
        made = list(calls.map(make, names))
    assert [code for code, _, _ in made] == [0] * 8
    keys = {(tmp_path / name / "key.pub").read_text() for name in names}
    assert len(keys) == 8
    assert all((tmp_path / name / "key").read_text().startswith("-----BEGIN") for name in names)


def test_a_call_that_does_not_end_is_ended(tmp_path: Path) -> None:
    words = ("record", "--step-name", "build", "--unsigned", "--link-dir", "links", "--", "sleep", "60")
    began = time.monotonic()
    with pytest.raises(TookTooLong):
        run_forked([console_script(), *words], tmp_path, os.environ, 1)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("name", ["PYTHONUTF8", "LC_ALL", "LANG", "LD_PRELOAD", "OPENSSL_CONF"])
def test_what_only_a_start_reads_is_known(name: str) -> None:
    assert not is_about_a_start(os.environ)
    assert is_about_a_start({**os.environ, name: "x"})


def test_nothing_is_left_of_the_process_that_forks(tmp_path: Path) -> None:
    """Its environment, its directory and its open files are not those of a call."""
    words = ("record", "--step-name", "build", "--unsigned", "--link-dir", "links", "--")
    look = ("sh", "-c", "env; pwd; ls -l /proc/$PPID/fd")
    code, out, err = run_forked([console_script(), *words, *look], tmp_path, {"PATH": os.environ["PATH"]}, 60)
    assert (code, "PYTEST_CURRENT_TEST" in out, f"{tmp_path}\n" in out) == (0, False, True), (out, err)
    assert "socket:" not in out
