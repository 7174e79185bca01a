"""The exit code of several verdicts: only passes, and denials that were to warn of a verification, end with zero."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.cli.verdicts import exit_code
from intoto_action.formats.verdict import Verdict
from intoto_action.reason import ExitCode

WORDS = ("pass", "deny", "error", "rehearsed", "another")


def codes(*words: str, on_deny: str, let_through: ExitCode = ExitCode.PASS) -> ExitCode:
    return exit_code([Verdict(verdict=word) for word in words], on_deny, let_through)


@pytest.mark.parametrize("on_deny", ["fail", "warn"])
def test_a_rehearsal_never_ends_with_zero(on_deny: str) -> None:
    assert codes("rehearsed", on_deny=on_deny) is ExitCode.REHEARSED
    assert codes("pass", "rehearsed", on_deny=on_deny) is ExitCode.REHEARSED
    assert codes("deny", on_deny=on_deny, let_through=ExitCode.REHEARSED) is not ExitCode.PASS


def test_a_denial_in_a_rehearsal_that_is_to_warn_is_rehearsed() -> None:
    assert codes("deny", on_deny="warn", let_through=ExitCode.REHEARSED) is ExitCode.REHEARSED
    assert codes("deny", on_deny="fail", let_through=ExitCode.REHEARSED) is ExitCode.DENIED


@given(st.lists(st.sampled_from(WORDS), max_size=4), st.sampled_from(["fail", "warn", "nonsense"]))
def test_zero_means_that_there_was_something_and_all_of_it_passed_or_was_to_warn(
    words: list[str], on_deny: str
) -> None:
    allowed = {"pass", "deny"} if on_deny == "warn" else {"pass"}
    assert (codes(*words, on_deny=on_deny) is ExitCode.PASS) == (bool(words) and set(words) <= allowed)


@pytest.mark.parametrize("on_deny", ["fail", "warn"])
def test_an_error_is_not_let_through(on_deny: str) -> None:
    assert codes("pass", "error", on_deny=on_deny) is ExitCode.INFRASTRUCTURE
