"""Calls of libraries that may never return, with a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from intoto_action.reason import Reason, Unavailable

T = TypeVar("T")


class _Call(Generic[T]):
    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self.done = threading.Event()
        self.returned: list[T] = []
        self.raised: BaseException | None = None

    def run(self) -> None:
        try:
            self.returned.append(self._call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the call was made
            self.raised = error
        finally:
            self.done.set()


def within(seconds: float, what: str, call: Callable[[], T]) -> T:
    """What `call` returns; what it raises is raised here. `what` names in the error whom we waited for.

    It runs in a daemon thread, which does not keep the process from ending when it never returns.
    Raises: Unavailable when it takes longer than `seconds`.
    """
    made = _Call(call)
    threading.Thread(target=made.run, daemon=True).start()
    if not made.done.wait(seconds):
        raise Unavailable(
            f"{what} did not answer within {seconds:g} seconds, so nothing was signed: look whether it is up, "
            "waits for somebody (a touch, a PIN), or cannot be reached from here",
            Reason.KEY_UNAVAILABLE,
        )
    if made.raised is not None:
        raise made.raised
    return made.returned[0]
