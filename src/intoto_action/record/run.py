"""The wrapped command: started, waited for, and everything it started ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

import msgspec

from intoto_action.reason import Misused
from intoto_action.record.descendants import Descendants

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
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

    It stays in our process group, so that the terminal's job control and interactive programs work as without us.
    Signals are blocked and fetched one by one, because only then their origin is known: what the terminal sent has
    reached the command already, everything else is passed on. Must be called from the main thread.

    Raises: Misused when the command cannot be started; Unavailable when a process that it left cannot be ended.
    """
    watched = {*_FORWARDED, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        descendants = Descendants()
        child = _start(command, environment, before)
        status, interrupted = _wait(child, watched)
        left_behind = descendants.end()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    code = os.waitstatus_to_exitcode(status)
    return Outcome(code if code >= 0 else 128 - code, interrupted, left_behind)


def _start(command: Sequence[str], environment: Mapping[str, str], mask: set[signal.Signals | int]) -> int:
    # Python ignores these two for itself; a command expects to find them as a shell leaves them.
    usual = [signal.SIGPIPE, signal.SIGXFSZ]
    try:
        return os.posix_spawnp(command[0], list(command), dict(environment), setsigmask=mask, setsigdef=usual)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise Misused(
            f"the command {command[0]!r} cannot be started: {why}; is it installed, on the PATH and executable?"
        ) from error


def _wait(child: int, watched: set[signal.Signals]) -> tuple[int, int]:
    """Wait for the child and pass signals on; its wait status, and the first signal that asked to stop, or 0."""
    interrupted = ended = status = 0
    while not ended:
        ended, status = os.waitpid(child, os.WNOHANG)
        # Once it has ended, look at what came together with its end: Ctrl-C goes to both of us.
        while news := signal.sigtimedwait(watched, 0 if ended else _LOOK_EVERY):
            if news.si_signo == signal.SIGCHLD and not ended:
                break
            if news.si_signo in _INTERRUPTS:
                interrupted = interrupted or news.si_signo
            if news.si_code != _FROM_KERNEL and not ended:
                os.kill(child, news.si_signo)
    return status, interrupted
