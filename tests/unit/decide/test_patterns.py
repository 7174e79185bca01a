from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.decide.patterns import matches_everything, may_meet, may_take
from intoto_action.formats.rule import ArtifactRule, RuleKind

_patterns = st.text("ab/*?[]!-", max_size=7)
_prefixes = st.sampled_from(["", "a", "a/", "b/a"])
_names = st.text("ab/", min_size=1, max_size=7)


def in_front(prefix: str, rest: str) -> str:
    return f"{prefix.rstrip('/')}/{rest}" if prefix else rest


@given(_patterns, _prefixes, _patterns, _prefixes, _names)
def test_patterns_meet_when_one_name_matches_both(
    left: str, left_prefix: str, right: str, right_prefix: str, name: str
) -> None:
    def takes(pattern: str, prefix: str) -> bool:
        head = in_front(prefix, "")
        return name.startswith(head) and fnmatch.fnmatchcase(name.removeprefix(head), pattern)

    if takes(left, left_prefix) and takes(right, right_prefix):
        assert may_meet(left, left_prefix, right, right_prefix)


@given(_names, _names)
def test_names_meet_themselves_only(left: str, right: str) -> None:
    assert may_meet(left, "", right, "") == (left == right)


@pytest.mark.parametrize(
    ("left", "right", "meet"),
    [
        ("src/*", "*/main.c", True),
        ("src/*", "lib/*", False),
        ("*.c", "*.h", False),
        ("a*b", "ab*", True),
        ("?", "", False),
        ("*", "", True),
        ("a[bc]d", "abd", True),
        ("a[", "ab", False),
        ("*a*a*a*a*a*a*a*a*a*b", "a" * 200, False),
    ],
)
def test_some_pairs(left: str, right: str, meet: bool) -> None:
    assert may_meet(left, "", right, "") is meet
    assert may_meet(right, "", left, "") is meet


def test_patterns_too_long_to_compare_may_meet() -> None:
    assert may_meet("a" * 100_000, "", "b" * 100_000, "")


def test_a_prefix_is_literal() -> None:
    rule = ArtifactRule(RuleKind.MATCH, "*", "s*c", "products", "", "build")
    assert may_take(rule, "s*c/x")
    assert not may_take(rule, "src/x")


@pytest.mark.parametrize(("pattern", "everything"), [("*", True), ("**", True), ("", False), ("*x", False)])
def test_only_stars_match_everything(pattern: str, everything: bool) -> None:
    assert matches_everything(pattern) is everything
