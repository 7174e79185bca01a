"""The process that is about to hold a private key, closed to its neighbours."""

from __future__ import annotations

import sys

_PR_SET_DUMPABLE = 4


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
