"""Attempts: again after what may pass, not after anything else, and never beyond the deadline."""

import threading
from collections.abc import Callable

import pytest

from intoto_action.deadline import Deadline
from intoto_action.keys.attempts import Attempts, Passing
from intoto_action.reason import Misused, Reason, Unavailable


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)

    def attempts(self, seconds: float) -> Attempts:
        return Attempts(Deadline(seconds, lambda: self.now), self.sleep)


def failing(*failures: Exception) -> Callable[[], str]:
    """Fails in these ways, one after the other, and then succeeds."""
    left = iter(failures)

    def work() -> str:
        if (failure := next(left, None)) is not None:
            raise failure
        return "done"

    return work


def test_what_passes_is_tried_again_after_pauses_that_grow() -> None:
    clock = Clock()
    assert clock.attempts(100).make("S", failing(*(Passing("busy") for _ in range(6)))) == "done"
    longest = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert all(top / 2 <= slept <= top for slept, top in zip(clock.slept, longest, strict=True))
    assert len(set(clock.slept)) == len(clock.slept)


def test_a_service_that_asks_for_time_gets_it() -> None:
    clock = Clock()
    assert clock.attempts(100).make("S", failing(Passing("busy", 20))) == "done"
    assert clock.slept == [20]


def test_at_the_deadline_the_service_and_its_last_words_are_told() -> None:
    clock = Clock()
    with pytest.raises(
        Unavailable, match=r"^Rekor at U: HTTP 503 \(tried [3-9] times in [0-9]+ seconds\); is it"
    ) as over:
        clock.attempts(10).make("Rekor at U", failing(*(Passing("HTTP 503") for _ in range(99))))
    assert over.value.reason is Reason.SIGSTORE_UNAVAILABLE
    assert clock.now < 10


def test_a_service_that_asks_for_more_time_than_there_is_ends_the_attempts_at_once() -> None:
    clock = Clock()
    with pytest.raises(
        Unavailable, match="tried once in 0 seconds, it asks to wait 600 more, and 10 are left"
    ):
        clock.attempts(10).make("S", failing(Passing("busy", 600)))
    assert clock.slept == []


def test_a_service_that_is_asked_too_late_is_not_asked() -> None:
    clock = Clock()
    attempts = clock.attempts(1)
    clock.now = 2
    with pytest.raises(Unavailable, match="S was not asked any more"):
        attempts.make("S", failing())


@pytest.mark.parametrize("error", [Misused("no"), Unavailable("no"), ValueError("no")])
def test_anything_else_is_not_tried_again(error: Exception) -> None:
    clock = Clock()
    with pytest.raises(type(error), match="no"):
        clock.attempts(100).make("S", failing(error))
    assert clock.slept == []


def test_a_service_that_hangs_is_left_behind() -> None:
    released = threading.Event()

    def hang() -> None:
        released.wait(30)

    with pytest.raises(Unavailable, match="S: no answer within 0 seconds"):
        Attempts(Deadline(0.05)).make("S", hang)
    released.set()
