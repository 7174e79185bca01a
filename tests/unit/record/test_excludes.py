"""The syntax of .gitignore, as in-toto reads it."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.reason import Misused
from intoto_action.record.excludes import Excludes

NAMES = [
    "a",
    "a.log",
    "d/a.log",
    ".git/HEAD",
    ".git/hooks/x",
    "d/.git/x",
    "build/x",
    "src/build/x",
    "b c",
    "ä",
]


@given(
    st.lists(
        st.sampled_from(
            ["*.log", "build/", "/a", "d/**", "!d/a.log", "!.git/**", "b*", "ä", "**/x", "#x", ""]
        )
    )
)
def test_a_name_is_left_out_when_in_toto_would_leave_it_out(patterns: list[str]) -> None:
    from in_toto.resolver import FileResolver

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # pathspec's, of the way in which in-toto calls it
        theirs = FileResolver(exclude_patterns=[".git/**", *patterns])
    ours = Excludes(patterns)
    for name in NAMES:
        assert ours.file(name) == theirs._exclude(name), name


@given(st.lists(st.text(max_size=12), max_size=4))
def test_any_pattern_is_understood_or_a_sentence(patterns: list[str]) -> None:
    try:
        excludes = Excludes(patterns)
    except Misused:
        return
    for name in NAMES:
        assert isinstance(excludes.file(name), bool)


def test_the_directory_of_git_is_not_looked_into_unless_something_is_taken_back() -> None:
    assert Excludes().directory(".git")
    assert Excludes(["*.log"]).directory(".git")
    assert not Excludes(["!.git/config"]).directory(".git")
    assert not Excludes().directory("sub/.git")


def test_a_pattern_that_gitignore_does_not_know_is_refused() -> None:
    with pytest.raises(Misused, match=r"as in \.gitignore"):
        Excludes(["!"])
