"""The process between record and the command: parent of whatever the command starts, and of nothing else.

Only a process that has no other children can ask the kernel whether anybody is left: waitpid(2) fails with ECHILD then,
and a scan of /proc, which a process that forks and exits in a loop outruns, decides nothing. Record itself may have
been started with children of its own. It is forked and not executed, because that is fast.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence

import msgspec

from intoto_action.record.descendants import WAIT_FOR_ANY, end_descendants

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
REQUESTS = {signal.SIGRTMIN + place: number for place, number in enumerate(FORWARDED)}
"""What record sends to have a signal passed on. Real-time signals queue (signal(7)); others melt with those that
somebody sent to both of us."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_EVERY = 0.5
_MOST_AT_ONCE = 1000
_USUAL = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these two for itself; a command expects to find them as a shell leaves them."""


class Report(msgspec.Struct, frozen=True):
    """What record is told at the end: the wait status, or why there is none.

    `left_behind` are names of processes that outlived the command and were ended, `survivors` those that were not.
    """

    status: int = 0
    not_started: str = ""
    left_behind: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()


Mask = set[signal.Signals | int]


def fork_supervisor(command: Sequence[str], environment: Mapping[str, str], mask: Mask) -> tuple[int, int]:
    """Fork the supervisor, which starts the command; its process id, and the descriptor to read its report from.

    All signals of `FORWARDED` and `REQUESTS` and SIGCHLD must be blocked; `mask` is what the command is to have.
    """
    record, libc = os.getpid(), ctypes.CDLL(None, use_errno=True)
    reading, writing = os.pipe()
    supervisor = os.fork()
    if supervisor:
        os.close(writing)
        return supervisor, reading
    code = 1
    try:
        os.close(reading)
        report = _supervise(record, libc, command, environment, mask)
        os.write(writing, msgspec.json.encode(report))
        code = 0
    finally:
        # Nothing of record's may run twice: no handler at exit, no buffer that is written again.
        os._exit(code)


def _supervise(
    record: int, libc: ctypes.CDLL, command: Sequence[str], environment: Mapping[str, str], mask: Mask
) -> Report:
    if sys.platform == "linux" and libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        why = os.strerror(ctypes.get_errno())
        return Report(not_started=f"this system does not let record look after what it starts ({why})")
    # The end of record wakes us up; what to do then takes longer than a signal that ends us would allow.
    _die_with(libc, signal.SIGCHLD)
    child, not_started = _start(libc, command, environment, mask)
    if not_started:
        return Report(not_started=not_started)
    status = _wait(record, child)
    ended = end_descendants()
    return Report(status, left_behind=ended.left_behind, survivors=ended.survivors)


def _wait(record: int, child: int) -> int:
    """The wait status of the command; what comes to us from its descendants is reaped meanwhile.

    When record is gone, the command is not waited for: what is left is to end it.
    """
    watched = {signal.SIGCHLD, *REQUESTS}
    while os.getppid() == record:
        for _ in range(_MOST_AT_ONCE):
            ended, status = os.waitpid(-1, os.WNOHANG | WAIT_FOR_ANY)
            if ended == child:
                return status
            if not ended:
                break
        news = signal.sigtimedwait(watched, _LOOK_EVERY)
        # From anybody else it went to record or to the command too, or is none of our business.
        if news and news.si_signo in REQUESTS and news.si_pid == record:
            os.kill(child, REQUESTS[news.si_signo])
    return 0


def _start(
    libc: ctypes.CDLL, command: Sequence[str], environment: Mapping[str, str], mask: Mask
) -> tuple[int, str]:
    """Start the command: its process id, and why it cannot be started, or nothing."""
    supervisor = os.getpid()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            _die_with(libc, signal.SIGKILL)
            if os.getppid() == supervisor:
                _execute(command, environment, mask, writing)
        finally:
            os._exit(127)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        return child, pipe.read().decode(errors="replace")


def _execute(command: Sequence[str], environment: Mapping[str, str], mask: Mask, failure: int) -> None:
    for number in FORWARDED:
        if callable(signal.getsignal(number)):
            signal.signal(
                number, signal.SIG_DFL
            )  # before they are let in, or Python would take one and drop it
    for number in _USUAL:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - this is what record is for
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        os.write(failure, str(why).encode(errors="replace"))


def _die_with(libc: ctypes.CDLL, number: signal.Signals) -> None:
    """Have the kernel send us the signal when our parent ends. Source: prctl(2), PR_SET_PDEATHSIG."""
    if sys.platform == "linux":
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
