"""The wrapped command: started, waited for, and everything it started ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

import msgspec

from intoto_action.keys.memory import clear_dumpable
from intoto_action.reason import NotRecordable
from intoto_action.record.supervisor import FORWARDED, REQUESTS, Report, fork_supervisor

_REQUEST = {int(number): request for request, number in REQUESTS.items()}
_INTERRUPTS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
_FROM_KERNEL = 0x80
"""SI_KERNEL: a signal that the terminal sent, and it sent it to the command too (sigaction(2))."""
_LOOK_EVERY = 0.5


class Outcome(msgspec.Struct, frozen=True):
    """How the command ended.

    `return_value` is its exit code, or 128 and the number of the signal that ended it, as shells count;
    `interrupted` the signal that we were sent meanwhile, or 0; `left_behind` the names of processes that outlived the
    command and were ended.
    """

    return_value: int
    interrupted: int = 0
    left_behind: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What record ends with: the command's own code, and never 0 after an interruption."""
        if self.interrupted and self.return_value == 0:
            return 128 + self.interrupted
        return self.return_value


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> Outcome:
    """Run the command with our standard streams until it ends, without a time limit, and end what it left behind.

    It stays in our process group, so that the terminal's job control and interactive programs work as without us; its
    parent is a supervisor that we fork. Signals are blocked and fetched one by one, because only then their origin is
    known: what the terminal sent has reached the command already, everything else is passed on. Must be called from
    the main thread. From here on the memory and environment of this process are closed to others of the user.

    Raises: Misused when the command cannot be started, or a process that it left cannot be ended.
    """
    clear_dumpable()
    watched = {*FORWARDED, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*watched, *REQUESTS})
    # Whoever started us may have ignored it, and then nobody hears how a child ended.
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        supervisor, pipe = fork_supervisor(command, environment, before)
        with os.fdopen(pipe, "rb") as reading:
            status, interrupted = _wait(supervisor, watched)
            told = reading.read()
    finally:
        signal.signal(signal.SIGCHLD, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    report = _report(told, os.waitstatus_to_exitcode(status))
    if report.not_started:
        raise NotRecordable(
            f"the command {command[0]!r} cannot be started: {report.not_started}; is it installed, on the PATH and "
            "executable?"
        )
    if report.survivors:
        raise NotRecordable(
            f"the command left processes that cannot be ended: {', '.join(report.survivors)}; they could change what "
            "was recorded, so nothing is; let the command wait for what it starts"
        )
    code = os.waitstatus_to_exitcode(report.status)
    return Outcome(code if code >= 0 else 128 - code, interrupted, report.left_behind)


def _report(told: bytes, code: int) -> Report:
    """Raises: Misused when the supervisor did not live to make one."""
    if not told or code != 0:
        how = f"by signal {-code}" if code < 0 else f"with {code}"
        raise NotRecordable(
            f"the process that looks after what the command starts ended {how} before its time, so nothing is "
            "recorded; did the command end processes that it had not started, or was there too little memory?"
        )
    return msgspec.json.decode(told, type=Report)


def _wait(supervisor: int, watched: set[signal.Signals]) -> tuple[int, int]:
    """Wait for the supervisor and pass signals on; its wait status, and the first signal that asked to stop, or 0."""
    interrupted = ended = status = 0
    while not ended:
        ended, status = os.waitpid(supervisor, os.WNOHANG)
        # Once it has ended, look at what came together with its end: Ctrl-C goes to both of us.
        while news := signal.sigtimedwait(watched, 0 if ended else _LOOK_EVERY):
            if news.si_signo == signal.SIGCHLD and not ended:
                break
            if news.si_signo in _INTERRUPTS:
                interrupted = interrupted or news.si_signo
            if news.si_code != _FROM_KERNEL and not ended:
                os.kill(supervisor, _REQUEST[news.si_signo])
    return status, interrupted
