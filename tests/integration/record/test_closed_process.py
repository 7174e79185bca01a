"""What the command, and everything else that record starts, can see of the process that will sign."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.parts.recording import Recorder

SH = ("--", "sh", "-c")
ENVIRONMENTS = 'cat /proc/$PPID/environ "/proc/$(cut -d " " -f 4 /proc/$PPID/stat)/environ"; true'
WATCHED = """
import ctypes, sys
libc = ctypes.CDLL(None)
def watch(event, arguments):
    if event in {"os.fork", "subprocess.Popen", "os.posix_spawn"}:
        print(event, libc.prctl(3, 0, 0, 0, 0), flush=True)
sys.addaudithook(watch)
from intoto_action.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "words",
    [
        ("--unsigned", "--", "true"),
        ("--unsigned", "--phase", "after"),
        ("--phase", "start"),
        ("--key", "../key.pem", "--", "true"),
        ("--key", "../key.pem", "--github", "--", "true"),
    ],
    ids=" ".join,
)
def test_the_process_is_closed_before_it_starts_anything(recorder: Recorder, words: tuple[str, ...]) -> None:
    """Root reads every process, so the flag is looked at: prctl(PR_GET_DUMPABLE) is 3."""
    recorder.write("a", "a")
    for line in ("init -q", "add a", "-c user.name=x -c user.email=x commit -qm x"):
        subprocess.run(["git", *line.split()], cwd=recorder.base, check=True)
    environ = {**recorder.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:]) + os.pathsep + str(Path.cwd())}
    environ |= {
        "RUNNER_TEMP": str(recorder.base.parent),
        "GITHUB_OUTPUT": str(recorder.base.parent / "output"),
    }
    front = [
        "record",
        "--step-name",
        "build",
        "--link-dir",
        str(recorder.links),
        "--materials",
        "git:tracked",
    ]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *front, *words],
        cwd=recorder.base,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    started = [
        line.split()[1] for line in done.stdout.splitlines() if line.startswith(("os.", "subprocess."))
    ]
    assert started
    assert set(started) == {"0"}


def test_proc_shows_the_command_no_variable_that_its_environment_hides(recorder: Recorder) -> None:
    locked = recorder.new_key(recorder.base.parent / "other.pem")
    hidden = {
        "MY_SIGNING": locked,
        "MY_PHRASE": "correct horse battery",
        "INTOTO_ACTION_SIGNING_KEY": "another key",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a token for tokens",
    }
    done = recorder(
        "--password-env",
        "MY_PHRASE",
        *SH,
        ENVIRONMENTS,
        key="env:MY_SIGNING",
        environ={**hidden, "SEEN": "seen"},
    )
    assert done.returncode == 0, done.stderr
    for value in hidden.values():
        assert value.strip() not in done.stdout
    if os.geteuid() == 0:
        assert done.stdout.count("SEEN=seen") == 2
    assert recorder.link()["name"] == "build"


def test_what_the_command_may_have_stays_for_it(recorder: Recorder) -> None:
    environ = {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a token for tokens", "INTOTO_ACTION_DEBUG": "1"}
    done = recorder("--pass-oidc", "--", "env", environ=environ)
    assert "ACTIONS_ID_TOKEN_REQUEST_TOKEN=a token for tokens" in done.stdout
    assert "INTOTO_ACTION" not in done.stdout
