"""A step of one of our actions, run as GitHub's runner runs it, and cancelled as GitHub cancels it."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from make.cache import CHECKOUT
from tests.parts.github_job import GitHubJob

_PATIENCE = {signal.SIGINT: 1.5, signal.SIGTERM: 4.0, signal.SIGKILL: 10.0}
"""After SIGINT GitHub waits 7.5 seconds, and 2.5 after SIGTERM (actions/runner, ProcessInvoker). We wait less where the
step is to go on, and longer where it is to end, because a machine that runs tests is busy."""
_SECONDS = 30.0
_MARK = "RUNNER_TRACKING_ID"
"""By it GitHub's runner finds what a step left behind; we too."""


def within_seconds(happened: Callable[[], object], seconds: float = _SECONDS) -> bool:
    """Whether it happens in time."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@dataclass
class Job:
    """The folders of a job."""

    folder: Path

    def __post_init__(self) -> None:
        for each in (self.workspace, self.temporary, self.folder / "home"):
            each.mkdir(parents=True, exist_ok=True)

    @property
    def workspace(self) -> Path:
        return self.folder / "work space"

    @property
    def temporary(self) -> Path:
        return self.folder / "runner temp"

    @property
    def links(self) -> list[str]:
        return sorted(path.name for path in (self.temporary / "in-toto" / "links").glob("*"))

    @property
    def outputs(self) -> str:
        path = self.folder / "outputs"
        return path.read_text() if path.exists() else ""

    @property
    def left_over(self) -> list[str]:
        """Files and folders with a name that we give to what is only for a moment."""
        named = (path for path in self.temporary.rglob("*intoto-action-*"))
        return sorted(str(path.relative_to(self.temporary)) for path in named)

    @contextmanager
    def step(self, action: str, name: str, **given: str) -> Iterator[Step]:
        """The step of an action's file, running. What its `env` takes from somewhere is what is `given`, or nothing."""
        document = yaml.safe_load((CHECKOUT / action / "action.yml").read_text())
        found = next(each for each in document["runs"]["steps"] if each["name"] == name)
        script = self.folder / "script.sh"
        script.write_text(found["run"])
        argv = [str(script) if word == "{0}" else word for word in found["shell"].split()]
        mark = secrets.token_hex(8)
        environ = {
            **GitHubJob().environ,
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.temporary),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.folder / "outputs"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_ACTION_PATH": str(CHECKOUT / action),
            _MARK: mark,
            **{name: "" if "${{" in str(value) else str(value) for name, value in found["env"].items()},
            "INTOTO_ACTION_PYTHON": sys.executable,
            **given,
        }
        process = subprocess.Popen(
            argv,
            cwd=self.workspace,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        step = Step(process, mark)
        try:
            yield step
        finally:
            for pid in step.alive():
                subprocess.run(["kill", "-KILL", str(pid)], check=False)
            process.kill()
            process.communicate()


@dataclass
class Step:
    """The process that the runner started: signals go to it alone."""

    process: subprocess.Popen[str]
    mark: str

    def cancel(self, first: signal.Signals = signal.SIGINT) -> signal.Signals:
        """Send what GitHub sends, one after the other, until the process has ended; the last that was sent.

        Other CI systems begin with SIGTERM.
        """
        for number, patience in [*_PATIENCE.items()][list(_PATIENCE).index(first) :]:
            self.process.send_signal(number)
            if within_seconds(lambda: self.process.poll() is not None, patience):
                return number
        raise AssertionError("the step outlives SIGKILL")

    def alive(self) -> list[int]:
        """Processes that the step started, however they left it, and that have not ended."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if f"{_MARK}={self.mark}".encode() in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
            except OSError:
                continue
        return found

    def ended(self) -> tuple[int, str]:
        """Exit code and output, once it and all that it started have ended."""
        assert within_seconds(lambda: not self.alive()), self.alive()
        output, _ = self.process.communicate(timeout=_SECONDS)
        return self.process.returncode, output
