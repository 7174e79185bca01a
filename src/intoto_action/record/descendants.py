"""Every process that descends from this one, and its end.

A build that leaves a process behind could rewrite products after they were hashed, or the unsigned link. In a child
subreaper (prctl(2), Linux) every orphan below it becomes its child, `setsid` or not, so that none is lost. What a
daemon outside does for the command (a container engine, `at`) is no descendant of it.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import msgspec

WAIT_FOR_ANY = 0x40000000
"""__WALL of waitpid(2): children that were made with another signal than SIGCHLD count too."""
_GRACE = 2.0
_LONGEST = 10.0
_PROC = Path("/proc")
_MOST_NAMED = 20
_MOST_AT_ONCE = 1000
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
_ENDED = frozenset("ZX")


class Ended(msgspec.Struct, frozen=True):
    """Names of processes: `left_behind` was still running and is ended, `survivors` could not be."""

    left_behind: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()


def end_descendants() -> Ended:
    """End every descendant, first politely, then not. The caller is a subreaper and has no other children.

    Whether one is left is asked of the kernel, by waitpid(2); /proc only says whom to send a signal.
    """
    if _reap():
        return Ended()
    names = {pid: _name(pid) for pid in sorted(_descendants())[:_MOST_NAMED]}
    start = time.monotonic()
    _ask_to_end(start + _GRACE)
    gone = _kill(start + _LONGEST, names)
    left_behind = tuple(sorted(names.values())[:_MOST_NAMED])
    if gone:
        return Ended(left_behind)
    survivors = tuple(f"{_name(pid)} ({pid})" for pid in sorted(_descendants())[:_MOST_NAMED])
    return Ended(left_behind, survivors or ("one that is not shown to us",))


def _ask_to_end(end: float) -> None:
    """Send SIGTERM once to each descendant, also to those that appear meanwhile, as long as there is time."""
    told: set[int] = set()
    pause = _SHORTEST_PAUSE
    while not _reap() and time.monotonic() < end:
        alive = _descendants()
        for pid in alive - told:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
        told |= alive
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _kill(end: float, names: dict[int, str]) -> bool:
    """Kill our children until there is none; whether that came true in time.

    Orphans become our children, so everybody's turn comes. As long as new ones appear there is no pause: a process that
    forks and exits in a loop cannot fork any more once SIGKILL is pending (fork(2)), and one hit in time is enough.
    """
    pause = _SHORTEST_PAUSE
    before: set[int] = set()
    while not _reap():
        if time.monotonic() >= end:
            return False
        children = _own_children()
        for pid in children:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if len(names) < _MOST_NAMED:
            names.update((pid, _name(pid)) for pid in children - names.keys())
        if children <= before:
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        before = children
    return True


def _reap() -> bool:
    """Whether no child is left, after those that have ended were reaped: not all, there may be ever more."""
    try:
        for _ in range(_MOST_AT_ONCE):
            if not os.waitpid(-1, os.WNOHANG | WAIT_FOR_ANY)[0]:
                break
    except ChildProcessError:
        return True
    return False


def _own_children() -> set[int]:
    """Our children, those that have ended included."""
    try:
        with open("/proc/thread-self/children", "rb") as listed:  # noqa: PTH123 - faster than a process forks
            return {int(pid) for pid in listed.read().split()}
    except FileNotFoundError:
        return set(_children().get(os.getpid(), ()))


def _descendants() -> set[int]:
    """Descendants that still run, as far as /proc shows them."""
    children = _children()
    found: set[int] = set()
    front = set(children.get(os.getpid(), ()))
    while front:
        found |= front
        front = {below for pid in front for below in children.get(pid, ())} - found
    return {pid for pid in found if _runs(pid)}


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
