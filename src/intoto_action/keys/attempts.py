"""Work that asks a service over the network, done again when it failed for a moment, until a deadline is over."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from intoto_action.deadline import Deadline, Overdue, within
from intoto_action.reason import Reason, Unavailable

T = TypeVar("T")

LONGEST_ATTEMPT = 30.0
"""Seconds. Rekor v2 answers when an entry is in the log, and asks for 20 seconds of patience (its CLIENTS.md)."""
PASSING = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses after which another attempt may get another answer."""

_LONGEST_PAUSE = 8.0


class Passing(Exception):
    """A failure that may be gone at the next attempt. `after` is how many seconds the service asked to wait."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class Attempts:
    """Makes attempts until one deadline, with pauses that grow and are never the same for two who wait.

    `sleep` is for tests.
    """

    def __init__(self, deadline: Deadline, sleep: Callable[[float], None] = time.sleep) -> None:
        self.deadline = deadline
        self._sleep = sleep

    def make(self, service: str, work: Callable[[], T]) -> T:
        """What `work` returns at the first attempt that does not end with Passing; `service` names whom it asks.

        Each attempt has a thread of its own, because neither name look-ups nor sigstore-python's requests have a time
        limit: one that hangs is left behind.
        Raises: Unavailable when the deadline is over; whatever else `work` raises.
        """
        began, attempt = self.deadline.left(), 0
        while limit := min(self.deadline.left(), LONGEST_ATTEMPT):
            attempt += 1
            try:
                return within(limit, work, service)
            except Overdue:
                why, after = f"no answer within {limit:.0f} seconds", None
            except Passing as error:
                why, after = str(error), error.after
            left = self.deadline.left()
            pause = max(_pause(attempt), after or 0.0)
            if pause >= left:
                tried = f"tried {_times(attempt)} in {began - left:.0f} seconds{_asked(after, left)}"
                raise _unavailable(f"{service}: {why} ({tried}); is it up?")
            self._sleep(pause)
        raise _unavailable(f"{service} was not asked any more: the time for signing was over.")


def _unavailable(said: str) -> Unavailable:
    advice = "Try again later, or allow more time (--signing-timeout)"
    return Unavailable(f"{said} {advice}", Reason.SIGSTORE_UNAVAILABLE)


def _pause(attempt: int) -> float:
    return min(_LONGEST_PAUSE, 0.25 * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)


def _asked(after: float | None, left: float) -> str:
    return f", it asks to wait {after:.0f} more, and {left:.0f} are left" if after and left > 1 else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
