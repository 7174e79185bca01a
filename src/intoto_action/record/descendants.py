"""Every process that descends from us, and its end.

A build that leaves a process behind could rewrite products after they were hashed, or the unsigned link. As a child
subreaper (prctl(2), Linux) we become the parent of every orphan below us, `setsid` or not, so that none is lost. What a
daemon outside does for the command (a container engine, `at`) is no descendant of it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from intoto_action.reason import Unavailable

_PR_SET_CHILD_SUBREAPER = 36
_GRACE = 2.0
_LONGEST = 10.0
_PROC = Path("/proc")
_MOST_NAMED = 20
_ENDED = frozenset("ZX")


class Descendants:
    """Made before the command starts, so that children which were there before are left alone.

    Raises: Unavailable when the kernel refuses to make us a subreaper.
    """

    def __init__(self) -> None:
        _become_subreaper()
        self._others = frozenset(_children().get(os.getpid(), ())) if _has_children() else frozenset()

    def end(self) -> tuple[str, ...]:
        """End every descendant, first politely, then not; the names of those that were still running.

        Raises: Unavailable when one survives.
        """
        if self._gone():
            return ()
        names = {pid: _name(pid) for pid in self._alive()}
        start = time.monotonic()
        self._signal_until_gone(signal.SIGTERM, start + _GRACE)
        self._signal_until_gone(signal.SIGKILL, start + _LONGEST)
        if not self._gone():
            survivors = sorted(self._alive())[:_MOST_NAMED]
            listed = ", ".join(f"{_name(pid)} ({pid})" for pid in survivors) or "not shown to us"
            raise Unavailable(
                f"the command left processes that cannot be ended: {listed}; they could change what was recorded, so "
                "nothing is; let the command wait for what it starts"
            )
        return tuple(sorted(names.values())[:_MOST_NAMED])

    def _gone(self) -> bool:
        """Whether no descendant is left: as a subreaper we are the parent of one as long as there is any."""
        return not self._alive() if self._others else _reap_all()

    def _signal_until_gone(self, number: signal.Signals, end: float) -> None:
        """New descendants of those that are not gone yet get the signal as well, as long as there is time."""
        told: set[int] = set()
        pause = 0.002
        while not self._gone() and time.monotonic() < end:
            alive = self._alive()
            for pid in alive - told if number is signal.SIGTERM else alive:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            told |= alive
            time.sleep(pause)
            pause = min(pause * 2, 0.05)

    def _alive(self) -> set[int]:
        """Descendants that still run; those of our children that have ended are reaped here."""
        children = _children()
        found: set[int] = set()
        front = set(children.get(os.getpid(), ())) - self._others
        _reap(front)
        while front:
            found |= front
            front = {below for pid in front for below in children.get(pid, ())} - found
        return {pid for pid in found if _runs(pid)}


def _become_subreaper() -> None:
    if sys.platform != "linux":
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise Unavailable(
            f"this system does not let record look after what the command starts: {os.strerror(ctypes.get_errno())}"
        )


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reap_all() -> bool:
    """Whether there is no child left at all, after those that have ended were reaped."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _reap(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _children() -> dict[int, list[int]]:
    """The processes of this machine by the process id of their parent."""
    found: dict[int, list[int]] = {}
    with suppress(FileNotFoundError):
        for entry in os.scandir(_PROC):
            if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
                found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold anything; nothing when the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _runs(pid: int) -> bool:
    """Whether a thread of the process still runs: a first thread may have ended before the others."""
    try:
        threads = [int(entry.name) for entry in os.scandir(_PROC / str(pid) / "task")]
    except OSError:
        return False
    return any(fields[0] not in _ENDED for thread in threads if (fields := _stat(thread)))


def _name(pid: int) -> str:
    try:
        name = (_PROC / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return "unknown"
    return "".join(character if character.isprintable() else "?" for character in name)
