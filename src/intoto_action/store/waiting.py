"""Waiting for work that has no time limit of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from intoto_action.reason import Unavailable

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T], what: str) -> T:
    """Do `work` in a thread and wait for it; a thread that is late is left behind and never holds up the exit.

    Raises: Unavailable when `seconds` are over; whatever `work` raises.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 (handed over whole to the thread that waits)
            future.set_exception(error)

    threading.Thread(target=run, name=what[:60], daemon=True).start()
    if not wait([future], timeout=seconds).done:
        raise Unavailable(f"{what} was not finished within {seconds:.0f} seconds")
    return future.result()
