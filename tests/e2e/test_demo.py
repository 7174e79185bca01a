"""The whole demo as a person sees it, and what it leaves for them."""

import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

import intoto_action
from intoto_action.demo import site as demo_site
from intoto_action.demo.story import ACTS, Act

SOURCE = str(Path(intoto_action.__file__).parents[1])
VERB = [sys.executable, "-m", "intoto_action"]
OUTCOMES = ("pass", *(str(act.outcome) for act in ACTS))


def _environ(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("INTOTO_", "NO_COLOR"))}
    return kept | {"PYTHONPATH": SOURCE, "TERM": "xterm-256color"} | more


def _run(words: list[str], cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=cwd, env=_environ(**more), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The directory that `demo --dir` left, and what it printed into a pipe."""
    directory = tmp_path_factory.mktemp("demo")
    played = _run([*VERB, "demo", "--dir", "kept"], directory)
    assert (played.returncode, played.stderr) == (0, "")
    return directory / "kept", played.stdout


def test_into_a_pipe_it_is_plain_and_names_each_of_the_seven_outcomes(kept: tuple[Path, str]) -> None:
    _, shown = kept
    assert "\x1b" not in shown
    table = shown.partition("\nThe end\n")[2].partition("\n  All")[0]
    assert tuple(re.split(r" {2,}", line)[-1] for line in table.splitlines()) == OUTCOMES
    for act in ACTS:
        code = str(act.outcome).removeprefix("deny: ")
        told = shown.partition(f": {act.title}\n")[2].partition("\nAttack ")[0]
        assert f"\nDENIED: {code} · sha256:" in told
        assert f"docs/reason-codes.md#{code}" in told


def test_what_it_leaves_passes_on_the_command_line(kept: tuple[Path, str]) -> None:
    directory, _ = kept
    release = directory / "release"
    words = ["verify", "--layout-key", str(release / "keys/owner.pub"), "--format", "json"]
    passed = _run([*VERB, *words, f"oci-layout:{release}/registry:1.0"], directory)
    assert (passed.returncode, json.loads(passed.stdout)["verdict"]) == (0, "pass")


@pytest.mark.parametrize("act", ACTS, ids=[act.name for act in ACTS])
def test_every_attack_that_it_leaves_is_denied_on_the_command_line(kept: tuple[Path, str], act: Act) -> None:
    site = kept[0] / "attacks" / act.name
    words = ["verify", "--layout-key", "keys/owner.pub", "--format", "json", "oci-layout:registry:1.0"]
    denied = _run([*VERB, *words], site)
    verdict = json.loads(denied.stdout)
    assert (denied.returncode, f"{verdict['verdict']}: {verdict['reason']}") == (1, str(act.outcome))


@pytest.mark.needs("skopeo")
def test_the_image_is_one_that_skopeo_reads_before_and_after_evidence_is_attached(
    kept: tuple[Path, str],
) -> None:
    release = kept[0] / "release"
    pushed = (release / "pushed.digest").read_text()
    for place in ("image:built", "registry:1.0"):
        inspected = _run(["skopeo", "inspect", f"oci:{release}/{place}"], release)
        assert inspected.returncode == 0, inspected.stderr
        image = json.loads(inspected.stdout)
        assert (image["Digest"], image["Os"], len(image["Layers"])) == (pushed, "linux", 1)


def test_the_commands_that_it_shows_do_the_same_when_a_person_types_them(
    kept: tuple[Path, str], tmp_path: Path
) -> None:
    _, shown = kept
    lines = shown.partition("\nNow ")[0].splitlines()
    commands = [line.removeprefix("  $ ") for line in lines if line.startswith("  $ ")]
    assert len(commands) == 6 + 1 + 5 + 1 + 1
    data = Path(demo_site.__file__).parent
    shutil.copytree(data / "repository", tmp_path / "upstream")
    shutil.copy(data / "layout.yaml", tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, words in (("python3", "-B"), ("intoto-action", "-m intoto_action")):
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (tools / name).chmod(0o755)
    script = "set -eu\n" + "\n".join(commands)
    typed = _run(["sh", "-c", script], tmp_path, PATH=f"{tools}:{os.environ['PATH']}")
    assert typed.returncode == 0, typed.stderr
    assert "PASS · sha256:" in typed.stdout


def test_on_a_terminal_it_is_in_colour_and_no_wider(tmp_path: Path) -> None:
    shown = _on_terminal(72, tmp_path, TERM="xterm-256color")
    assert "\x1b[1;32mPASS" in shown
    assert "\x1b[1;31mDENIED" in shown
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= 72


def test_on_a_terminal_with_no_color_it_is_plain(tmp_path: Path) -> None:
    assert "\x1b" not in _on_terminal(100, tmp_path, NO_COLOR="1")


def _on_terminal(columns: int, cwd: Path, **more: str) -> str:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environ = {name: value for name, value in _environ(**more).items() if name not in {"COLUMNS", "LINES"}}
    child = subprocess.Popen([*VERB, "demo"], cwd=cwd, env=environ, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        shown = b"".join(_chunks(master))
        assert child.wait(timeout=60) == 0
    finally:
        child.kill()
        child.wait()
        os.close(master)
    return shown.decode()


def _chunks(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(descriptor, 1 << 16)
        except OSError:  # EIO: nobody has the other end open any more
            return
        if not chunk:
            return
        yield chunk
