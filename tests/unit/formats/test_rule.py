from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_toto.rulelib import unpack_rule
from securesystemslib.exceptions import FormatError

from intoto_action.formats.rule import (
    ArtifactRule,
    RuleKind,
    encode_rule,
    join_rule,
    parse_rule,
    split_rule,
)
from intoto_action.reason import Malformed

WHERE = "layout.yaml:3:5"
_KEYWORDS = ["MATCH", "match", "Create", "modify", "DELETE", "allow", "DISALLOW", "Require"]
_PARTS = ["IN", "in", "WITH", "with", "MATERIALS", "products", "FROM", "from", "src/*", "build", "dir"]
_words = st.sampled_from(_PARTS) | st.text(max_size=6)
_rules = st.one_of(
    st.builds(
        ArtifactRule,
        st.sampled_from([kind for kind in RuleKind if kind is not RuleKind.MATCH]),
        st.text(max_size=9),
    ),
    st.builds(
        ArtifactRule,
        st.just(RuleKind.MATCH),
        st.text(max_size=9),
        st.text(max_size=5),
        st.sampled_from(["materials", "products"]),
        st.text(max_size=5),
        st.text(max_size=9),
    ),
)


@st.composite
def almost_rules(draw: st.DrawFn) -> list[str]:
    """Words that are mostly rules of MATCH, with one word more, less or changed now and then."""
    words = [draw(st.sampled_from(_KEYWORDS)), draw(_words)]
    if draw(st.booleans()):
        words += [draw(st.sampled_from(["IN", "in"])), draw(_words)] if draw(st.booleans()) else []
        words += [
            draw(st.sampled_from(["WITH", "with"])),
            draw(st.sampled_from(["MATERIALS", "products", "x"])),
        ]
        words += [draw(st.sampled_from(["IN", "in"])), draw(_words)] if draw(st.booleans()) else []
        words += ["FROM", draw(_words)]
    if draw(st.integers(0, 3)) == 0:
        words[draw(st.integers(0, len(words) - 1))] = draw(_words)
    return words


@given(almost_rules() | st.lists(_words, max_size=11))
def test_the_grammar_is_that_of_in_toto(words: list[str]) -> None:
    try:
        theirs = unpack_rule(words)
    except FormatError:
        theirs = None
    try:
        ours = parse_rule(words, WHERE)
    except Malformed:
        ours = None

    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        assert (ours.kind.value.lower(), ours.pattern) == (theirs["rule_type"], theirs["pattern"])
        assert ours.source_prefix == theirs.get("source_prefix", "")
        assert ours.destination_prefix == theirs.get("dest_prefix", "")
        assert ours.destination == theirs.get("dest_type", "")
        assert ours.step == theirs.get("dest_name", "")


@given(_rules)
def test_a_rule_is_read_back_from_its_words(rule: ArtifactRule) -> None:
    assert parse_rule(encode_rule(rule), WHERE) == rule


@given(_rules)
def test_a_rule_is_read_back_from_its_line(rule: ArtifactRule) -> None:
    assert split_rule(join_rule(encode_rule(rule)), WHERE) == encode_rule(rule)


@given(st.text(max_size=60) | st.lists(_words | st.sampled_from(_KEYWORDS), max_size=11).map(" ".join))
def test_any_line_is_a_rule_or_malformed(line: str) -> None:
    try:
        words = split_rule(line, WHERE)
    except Malformed:
        return
    assert parse_rule(words, WHERE)


def test_keywords_are_written_in_upper_case_and_names_as_they_are() -> None:
    line = "match Src/* in App with products in Out from Build"
    assert split_rule(line, WHERE) == [
        "MATCH",
        "Src/*",
        "IN",
        "App",
        "WITH",
        "PRODUCTS",
        "IN",
        "Out",
        "FROM",
        "Build",
    ]


def test_words_are_split_as_a_shell_does() -> None:
    assert split_rule("CREATE 'a file' ", WHERE) == ["CREATE", "a file"]
    assert split_rule('CREATE "it\'s"', WHERE) == ["CREATE", "it's"]
    assert split_rule("CREATE oci:ghcr.io/o/app#linux/arm64", WHERE)[1] == "oci:ghcr.io/o/app#linux/arm64"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "begins with one of CREATE"),
        ("CRAETE x", "found 'CRAETE' (did you mean 'CREATE'?)"),
        ("CREATE", "expected a pattern after CREATE, found the end of the rule"),
        ("CREATE a b", "found 'b'"),
        ("CREATE 'a", "quotes are closed"),
        ("MATCH x", "expected IN or WITH"),
        ("MATCH x WIHT PRODUCTS FROM s", "found 'WIHT' as word 3"),
        ("MATCH x WITH PRODUCT FROM s", "(did you mean 'PRODUCTS'?) as word 4"),
        ("MATCH x WITH PRODUCTS", "expected IN or FROM"),
        ("MATCH x WITH PRODUCTS IN", "expected a prefix after IN"),
        ("MATCH x WITH PRODUCTS IN d FORM s", "expected FROM"),
        ("MATCH x WITH PRODUCTS FROM", "expected the name of a step"),
        ("MATCH x WITH PRODUCTS FROM s now", "expected the end of the rule"),
        ("CREATE " + "x" * 20_000, "at most 16384 characters"),
    ],
)
def test_a_bad_rule_is_told_with_the_word_that_is_wrong(line: str, said: str) -> None:
    with pytest.raises(Malformed) as raised:
        split_rule(line, WHERE)
    assert str(raised.value).startswith(f"{WHERE}: expected ")
    assert said in str(raised.value)


def test_a_prefix_is_put_in_front_as_the_reference_does() -> None:
    rule = parse_rule(["MATCH", "x", "IN", "src/", "WITH", "PRODUCTS", "IN", "out", "FROM", "s"], WHERE)
    assert (rule.source_pattern, rule.destination_pattern) == ("src/x", "out/x")
