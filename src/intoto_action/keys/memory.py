"""The process that holds a private key, closed to its neighbours."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

_PR_SET_DUMPABLE = 4
_ENVIRONMENT = slice(47, 49)
"""env_start and env_end among the fields of /proc/PID/stat that follow the name of the program, proc(5)."""


def clear_dumpable() -> bool:
    """Clear the dumpable flag of this process; False where the system has no such flag or refused.

    From then on no process of the same user can attach to this one or read its memory and environment in
    /proc, and it leaves no core file; a program that is executed from it starts dumpable again.

    Source: prctl(2) PR_SET_DUMPABLE, ptrace(2) "ptrace access mode checking", proc(5).
    """
    if sys.platform != "linux":
        return False
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    prctl.restype = ctypes.c_int
    return bool(prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)


def withdraw(names: Iterable[str]) -> None:
    """Take variables out of the environment of this process, and of /proc/PID/environ, which root can read.

    What is needed of them is copied before. Programs that are started later do not inherit them.
    """
    gone = set(names)
    for name in gone:
        os.environ.pop(name, None)
    if gone and sys.platform == "linux":
        _overwrite({os.fsencode(name) for name in gone})


def _overwrite(names: set[bytes]) -> None:
    """Put zeros over the values in the block that the kernel made when this program was executed.

    /proc/PID/environ shows that block; it is unused, because nothing in the environment points there any more.
    """
    import ctypes

    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    start, end = (int(field) for field in fields[_ENVIRONMENT])
    place = start
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name in names:
            ctypes.memset(place + len(name) + 1, 0, len(value))
        place += len(entry) + 1
