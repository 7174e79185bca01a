"""Calls that may never return."""

import threading

import pytest

from intoto_action.keys.bounded import within
from intoto_action.reason import Reason, Unavailable


def test_what_the_call_returns_is_returned() -> None:
    assert within(10, "it", lambda: 7) == 7


def test_what_the_call_raises_is_raised() -> None:
    def fail() -> int:
        raise KeyError("x")

    with pytest.raises(KeyError):
        within(10, "it", fail)


def test_a_call_that_does_not_return_is_left_behind_in_a_thread_that_holds_nobody_up() -> None:
    waiting = threading.Event()
    before = set(threading.enumerate())
    with pytest.raises(
        Unavailable, match=r"it did not answer within 0\.05 seconds, so nothing was signed"
    ) as caught:
        within(0.05, "it", lambda: waiting.wait(60))
    assert caught.value.reason is Reason.KEY_UNAVAILABLE
    (left,) = set(threading.enumerate()) - before
    assert left.daemon
    waiting.set()
