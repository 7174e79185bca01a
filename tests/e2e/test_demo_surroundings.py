"""The demo needs nothing of the place where it is called."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import intoto_action

SOURCE = str(Path(intoto_action.__file__).parents[1])


def _demo(
    environ: dict[str, str], temporary: Path, cwd: str | Path = "/proc", words: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "intoto_action", "demo", *words],
        env={"PYTHONPATH": SOURCE, "TMPDIR": str(temporary), **environ},
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="an environment with nothing in it, HOME and PATH included"),
        pytest.param(
            {"LANG": "C", "LC_ALL": "C", "HOME": "/nowhere"}, id="another locale, a home that is not there"
        ),
        pytest.param(
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_SHA": "x",
                "A_TOKEN": "unittest",
                "INTOTO_ACTION_RECORD_KEY": "/x",
            },
            id="a job whose secrets are words of the demo",
        ),
    ],
)
def test_where_nobody_can_write_it_passes_and_leaves_nothing_behind_with(
    environ: dict[str, str], tmp_path: Path
) -> None:
    temporary = tmp_path / "a directory with spaces: and @ and 'quotes'"
    played = _demo(environ, temporary)
    assert (played.returncode, played.stderr) == (0, "")
    assert list(temporary.iterdir()) == []


def test_a_working_directory_that_is_gone_is_no_hindrance(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$1" && exec "$2" -m intoto_action demo'
    played = subprocess.run(
        ["/bin/sh", "-c", script, "sh", str(gone), sys.executable],
        env={"PYTHONPATH": SOURCE, "TMPDIR": str(tmp_path)},
        cwd=gone,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (played.returncode, played.stderr) == (0, b"")


def test_a_reader_who_goes_away_leaves_nothing_behind(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    played = subprocess.run(
        [sys.executable, "-m", "intoto_action", "demo"],
        env={"PYTHONPATH": SOURCE, "TMPDIR": str(tmp_path)},
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (played.returncode, played.stderr) == (141, b"")
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "intoto_action", "demo"],
        env={"PYTHONPATH": SOURCE, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as played:
        assert played.stdout and played.stderr
        assert any(line.startswith(b"Record:") for line in played.stdout)
        played.send_signal(signal.SIGINT)
        _, said = played.communicate(timeout=60)
    assert (played.returncode, said.splitlines()[-1]) == (130, b"interrupted: nothing more was done")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_taken_from_the_working_directory(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    played = _demo({}, tmp_path / "temporary", cwd=work, words=("--dir", "kept"))
    assert played.returncode == 0
    assert sorted(path.name for path in (work / "kept").iterdir()) == ["attacks", "release"]
