"""What programs that record itself asks (git, engines, credential helpers) leave running, and its end.

A build can put programs in their place: on the PATH, in an engine's configuration. The key is opened after them, and
nobody else of the user's is to run beside it who was not there before.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from intoto_action.reason import NotRecordable, Unavailable
from intoto_action.record.descendants import end_descendants
from intoto_action.system import RUNS_PROGRAMS

_PR_SET_CHILD_SUBREAPER = 36
_LONGEST = 10.0
_PAUSE = 0.01


@contextmanager
def nothing_left_running(what: str) -> Iterator[None]:
    """End whatever was started within and still runs at the end; `what` names it for the error.

    Children that were there before are left alone: a shell may have become us and left us its own.

    Raises: Misused when one cannot be ended; Unavailable when the kernel does not let us look after them.
    """
    if not RUNS_PROGRAMS:
        yield
        return
    _adopt_orphans(True)
    try:
        before = _children() if _has_children() else None
        try:
            yield
        finally:
            survivors = _end_others(before) if before is not None else end_descendants().survivors
    finally:
        _adopt_orphans(False)
    if survivors:
        raise NotRecordable(
            f"{what}: a program that was asked left processes that cannot be ended: {', '.join(survivors)}; they could "
            "change what was recorded, so nothing is"
        )


def _adopt_orphans(wanted: bool) -> None:
    """Source: prctl(2), PR_SET_CHILD_SUBREAPER."""
    if sys.platform != "linux":
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) != 0:
        raise Unavailable(
            f"this system does not let record look after what it starts: {os.strerror(ctypes.get_errno())}"
        )


def _has_children() -> bool:
    if sys.platform == "win32":
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _end_others(before: frozenset[int]) -> tuple[str, ...]:
    """Kill our children that are new, and theirs, who become ours; those that could not be ended."""
    if sys.platform == "win32":
        return ()
    end = time.monotonic() + _LONGEST
    while (others := _children() - before) and time.monotonic() < end:
        for pid in others:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(_PAUSE)
    return tuple(map(str, sorted(others)))


def _children() -> frozenset[int]:
    """The children of all our threads, ended ones included; none where there is no /proc."""
    found: set[int] = set()
    with suppress(FileNotFoundError):
        for thread in Path("/proc/self/task").iterdir():
            with suppress(FileNotFoundError):
                found.update(map(int, (thread / "children").read_text().split()))
    return frozenset(found)
