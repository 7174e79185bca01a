"""One deadline for everything a call does over the network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Overdue(TimeoutError):
    """The deadline of the whole call is over. Rooms that do I/O translate it into Unavailable where it happens."""


class Deadline:
    """A point in time by which the whole call must be over; made once at the top and handed down.

    `seconds` is how long the call may take from now. `clock` is for tests.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._end - self._clock())

    def require(self, what: str, *, at_most: float | None = None) -> float:
        """Seconds that the next piece of work may take, capped by `at_most`.

        Raises: Overdue when none are left; `what` names the work.
        """
        left = self.left()
        if left <= 0:
            raise Overdue(
                f"{what} was not finished within {self._seconds:g} seconds; look at the service it talks to, "
                "or allow more time"
            )
        return left if at_most is None else min(left, at_most)


def within(seconds: float, work: Callable[[], T], what: str) -> T:
    """Do `work` in a thread and wait for it; a thread that is late is left behind and never holds up the exit.

    For work that has no time limit of its own. Raises: Overdue when `seconds` are over; whatever `work` raises.
    """
    from concurrent.futures import Future, wait

    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 (handed over whole to the thread that waits)
            future.set_exception(error)

    threading.Thread(target=run, name=what[:60], daemon=True).start()
    if not wait([future], timeout=seconds).done:
        raise Overdue(f"{what} was not finished within {seconds:.0f} seconds")
    return future.result()
