"""The command while it runs: signals, and what it leaves behind."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.parts.recording import Recorder

from intoto_action.reason import Misused
from intoto_action.record import descendants
from intoto_action.record.run import run_command

SH = ("--", "sh", "-c")
HOPPER = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end, hops = time.monotonic() + 30, 0
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    hops += 1
    if hops % 20 == 0:
        open("out", "w").write(str(hops))
"""


def test_a_child_that_outlives_the_command_is_ended_before_products_are_hashed(recorder: Recorder) -> None:
    script = (
        "echo good >out; setsid sh -c 'trap \"\" TERM; while :; do sleep 0.01; echo bad >out; done' & exit 0"
    )
    done = recorder("--products", "out", *SH, script)
    assert done.returncode == 0, done.stderr
    assert "ended what the command had left running" in done.stderr
    content = (recorder.base / "out").read_bytes()
    time.sleep(0.2)
    assert (recorder.base / "out").read_bytes() == content


def test_a_daemon_that_forked_twice_is_ended_as_well(recorder: Recorder) -> None:
    script = "(setsid sh -c 'echo $$ >pid; sleep 60' &) ; while [ ! -s pid ]; do sleep 0.01; done"
    start = time.monotonic()
    assert recorder("--products", "pid", *SH, script).returncode == 0
    assert time.monotonic() - start < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((recorder.base / "pid").read_text()), 0)


@pytest.mark.parametrize("others", ["", "sleep 60 >/dev/null 2>&1 & echo $! >../other; "])
def test_a_process_that_forks_and_exits_in_a_loop_is_caught(recorder: Recorder, others: str) -> None:
    """It is never where a scan of /proc looks; that record has other children must not matter."""
    script = f'{others}exec "$@"'
    (recorder.base / "out").touch()
    done = subprocess.run(
        ["sh", "-c", script, "sh", *recorder.argv("--products", "out", "--", sys.executable, "-c", HOPPER)],
        cwd=recorder.base,
        env=recorder.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if others:
        os.kill(int((recorder.base.parent / "other").read_text()), signal.SIGKILL)  # it is still there
    content = (recorder.base / "out").read_bytes()
    time.sleep(0.5)
    assert (recorder.base / "out").read_bytes() == content
    assert done.returncode == 0, done.stderr
    assert "ended what the command had left running: python" in done.stderr


def test_processes_further_down_are_asked_to_end_before_they_are_killed(recorder: Recorder) -> None:
    below = 'trap "touch asked; exit" TERM; touch ready; while :; do sleep 0.01; done'
    middle = f"trap : TERM; sh -c '{below}' & while :; do sleep 0.1; done"
    script = f"sh -c {shlex.quote(middle)} & while [ ! -e ready ]; do sleep 0.01; done"
    assert recorder("--products", "asked", *SH, script).returncode == 0


def test_a_process_that_cannot_be_ended_is_an_error_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = os.kill
    monkeypatch.setattr(descendants, "_GRACE", 0.1)
    monkeypatch.setattr(descendants, "_LONGEST", 0.3)
    monkeypatch.setattr(os, "kill", lambda pid, number: None)
    with pytest.raises(Misused, match=r"processes that cannot be ended: sleep \(\d+\)"):
        run_command(["sh", "-c", f"sleep 60 & echo $! >{tmp_path}/pid"], os.environ)
    kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_command_that_ends_its_supervisor_gets_no_link(recorder: Recorder) -> None:
    done = recorder(*SH, "kill -9 $PPID; sleep 0.2")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: the process that looks after what the command starts ended by signal 9"
    )
    assert recorder.no_link()


def test_the_command_and_what_it_started_end_with_a_killed_record(recorder: Recorder) -> None:
    process = recorder.start(*SH, "setsid sleep 60 & echo $! >one; echo $$ >two; touch ready; wait")
    _wait_for(recorder.base / "ready")
    process.kill()
    process.communicate(timeout=20)
    for name in ("one", "two"):
        _wait_for_the_end_of(int((recorder.base / name).read_text()))


def test_a_caller_that_ignores_the_end_of_children_hears_how_the_command_ended(recorder: Recorder) -> None:
    program = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    argv = recorder.argv(*SH, "exit 7")
    done = subprocess.run(
        [sys.executable, "-c", program, *argv], cwd=recorder.base, env=recorder.environ, check=False
    )
    assert done.returncode == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_command_and_then_there_is_no_link(
    recorder: Recorder, number: signal.Signals
) -> None:
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo caught; exit 0' {name}; touch ready; while :; do sleep 0.02; done"
    process = recorder.start("--products", "ready", *SH, script)
    _wait_for(recorder.base / "ready")
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert stdout == "caught\n"
    assert process.returncode == 128 + number
    assert "interrupted by" in stderr
    assert recorder.no_link()


def test_a_command_that_ends_by_the_signal_gives_its_own_code(recorder: Recorder) -> None:
    process = recorder.start(*SH, "trap 'exit 5' TERM; touch ready; while :; do sleep 0.02; done")
    _wait_for(recorder.base / "ready")
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 5
    assert recorder.no_link()


def test_a_killed_record_leaves_no_half_link_and_the_next_one_works(recorder: Recorder) -> None:
    process = recorder.start(*SH, "touch ready; sleep 0.3")
    _wait_for(recorder.base / "ready")
    process.kill()
    process.communicate(timeout=60)
    assert recorder.no_link()
    assert recorder("--", "true").returncode == 0
    assert recorder.link()["byproducts"] == {"return-value": 0}


def test_signals_are_not_blocked_in_the_command(recorder: Recorder) -> None:
    done = recorder("--", "grep", "-E", "SigBlk|SigIgn", "/proc/self/status")
    blocked, ignored = (line.split()[1] for line in done.stdout.splitlines())
    assert int(blocked, 16) == 0
    assert int(ignored, 16) & (1 << (signal.SIGPIPE - 1)) == 0


def test_ctrl_c_reaches_the_command_once(recorder: Recorder) -> None:
    """On a terminal the kernel tells both of us; a second signal from us would end what cleans up after the first.

    The command prints who sent each signal: 0 is the kernel. Signals that come together melt into one, so there are
    several.
    """
    program = (
        "import signal, pathlib; signal.pthread_sigmask(signal.SIG_BLOCK, {2, 10}); pathlib.Path('ready').touch()\n"
        "while (news := signal.sigwaitinfo({2, 10})).si_signo == 2: print('from', news.si_pid, flush=True)"
    )
    command = shlex.join(recorder.argv("--", sys.executable, "-c", program))
    (recorder.base / "argv").write_text(command)
    terminal = subprocess.Popen(
        ["script", "--quiet", "--return", "--command", 'echo $$ >pid; eval "exec $(cat argv)"', "/dev/null"],
        cwd=recorder.base,
        env=recorder.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert terminal.stdin is not None
    _wait_for(recorder.base / "ready")
    for _ in range(5):
        terminal.stdin.write(b"\x03")
        terminal.stdin.flush()
        time.sleep(0.2)
    os.kill(int((recorder.base / "pid").read_text()), signal.SIGUSR1)
    stdout, _ = terminal.communicate(timeout=60)
    senders = [
        line.split()[1] for line in stdout.decode().splitlines() if "from " in line and line[:4] != "note"
    ]
    assert len(senders) == 5
    assert set(senders) == {"0"}
    assert terminal.returncode == 130
    assert recorder.no_link()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)


def _wait_for_the_end_of(pid: int) -> None:
    end = time.monotonic() + 15
    while (stat := Path(f"/proc/{pid}/stat")).exists() and stat.read_text().rpartition(")")[2].split()[
        0
    ] != "Z":
        assert time.monotonic() < end, f"{pid} still runs"
        time.sleep(0.01)
