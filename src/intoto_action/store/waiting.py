"""Waiting for work that has no time limit of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from intoto_action import deadline
from intoto_action.deadline import Overdue
from intoto_action.reason import Unavailable

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T], what: str) -> T:
    """As `deadline.within`, for stores.

    Raises: Unavailable when `seconds` are over; whatever `work` raises.
    """
    try:
        return deadline.within(seconds, work, what)
    except Overdue as error:
        raise Unavailable(str(error)) from error
