"""The process that holds a private key, closed to its neighbours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

_PR_SET_DUMPABLE = 4
_ARGUMENTS, _ENVIRONMENT = slice(45, 47), slice(47, 49)
"""arg_start and arg_end, env_start and env_end: fields of /proc/PID/stat behind the name of the program, proc(5)."""


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


def hide_argument(secret: str) -> None:
    """Write over a word of the command line, or the end of one, in /proc/PID/cmdline, which everybody can read.

    Programs that are started later do not see it there; who looked before has.
    """
    word = os.fsencode(secret)

    def without(block: bytes) -> bytes:
        words = block.split(b"\0")
        return b"\0".join(
            each[: -len(word)] + b"*" * len(word) if each.endswith(word) else each for each in words
        )

    if sys.platform == "linux" and word:
        _replace_in(_ARGUMENTS, without)


def _overwrite(names: set[bytes]) -> None:
    """Put zeros over the values in the block that the kernel made when this program was executed.

    /proc/PID/environ shows that block; it is unused, because nothing in the environment points there any more.
    """

    def without(block: bytes) -> bytes:
        entries = [entry.partition(b"=") for entry in block.split(b"\0")]
        return b"\0".join(
            name + equals + (b"\0" * len(value) if name in names else value)
            for name, equals, value in entries
        )

    _replace_in(_ENVIRONMENT, without)


def _replace_in(fields: slice, change: Callable[[bytes], bytes]) -> None:
    """Write what `change` makes of one of the kernel's blocks, in the same length, in its place."""
    import ctypes

    said = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    start, end = (int(field) for field in said[fields])
    if end > start:
        ctypes.memmove(start, change(ctypes.string_at(start, end - start)), end - start)
