from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats import yaml
from intoto_action.formats.yaml import (
    Bounds,
    Mapping,
    Misplaced,
    Node,
    Scalar,
    Sequence,
    compose_documents,
    compose_yaml,
    parse_yaml,
)
from intoto_action.reason import Malformed


def parsed(text: str) -> Node:
    return parse_yaml(text.encode(), "f.yaml")


def fault(text: str) -> str:
    with pytest.raises(Malformed) as raised:
        parsed(text)
    return str(raised.value)


def plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.entries}


@pytest.mark.parametrize(
    "word", ["no", "on", "Yes", "~", "null", "2030-01-31", "0x1F", "1_000", "1e3", "010", "="]
)
def test_every_scalar_is_its_text(word: str) -> None:
    assert plain(parsed(f"key: {word}")) == {"key": word}


def test_nodes_know_their_line_and_column() -> None:
    root = parsed("a:\n  - one\n  -   two\n")
    assert isinstance(root, Mapping)
    listed = root.get("a")
    assert isinstance(listed, Sequence)
    assert [str(item.place) for item in listed.items] == ["f.yaml:2:5", "f.yaml:3:7"]


def test_a_byte_order_mark_and_windows_line_ends_are_passed_over() -> None:
    assert plain(parse_yaml(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "f.yaml")) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a: 1\nb: 2\na: 3\n",
            "f.yaml:3:1: expected every key once, found 'a' again (it is in line 1 already)",
        ),
        ("a: &x 1\n", "the anchor '&x'"),
        ("a: *x\n", "the alias '*x'"),
        ("a: {<<: {b: 1}}\n", "the merge key <<"),
        (
            "a: !!python/object/apply:os.system [x]\n",
            "the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        ("a: !!str no\n", "values without tags"),
        ("a: !mine no\n", "the tag '!mine'"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: expected one document"),
        ("? [a, b]\n: 1\n", "expected a key that is text"),
        ("", "an empty file"),
        ("# nothing\n", "an empty file"),
        ("a: [1, 2\n", "f.yaml:2:1: expected YAML"),
        ("a: 'x\n", "expected YAML"),
        ("a:\tb:\n\t- c\n", "expected YAML"),
        ("a: \x07\n", "expected YAML"),
        ('a: "\\UFFFFFFFF"\n', "expected YAML"),
        ('a: "\\ud83d"\n', "f.yaml:1:4: expected characters, found half of one"),
    ],
)
def test_what_is_refused_is_told_with_its_place(text: str, said: str) -> None:
    assert said in fault(text)


def test_keys_that_are_there_twice_can_be_told_together() -> None:
    composed = compose_yaml(b"a: {x: 1, x: 2}\na: 2\n", "f.yaml")
    assert [each.place.line for each in composed.repeated] == [1, 2]
    assert plain(composed.root) == {"a": {"x": "1"}}


def test_32_levels_are_read_and_33_are_not() -> None:
    assert parsed("[" * 32 + "]" * 32)
    assert "at most 32 levels" in fault("[" * 33 + "]" * 33)
    assert "at most 32 levels" in fault("[" * 100_000)


def test_a_file_over_one_mebibyte_is_not_read() -> None:
    assert "at most 1048576 bytes" in fault("a: " + "x" * (1 << 20))


def test_more_values_than_the_bound_are_not_read() -> None:
    with pytest.raises(Malformed, match="at most 100 values"):
        compose_documents(b"[" + b"1," * 101 + b"]", "f.yaml", Bounds(nodes=100))
    assert compose_documents(b"[" + b"1," * 99 + b"]", "f.yaml", Bounds(nodes=100))
    assert Bounds().nodes == 100_000


def test_bytes_that_are_no_text_are_malformed() -> None:
    with pytest.raises(Malformed, match="text in UTF-8"):
        parse_yaml(b"a: \xff\xfe", "f.yaml")


def test_an_unknown_key_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        Misplaced, match=r"f.yaml:1:1: expected one of expires, steps, found 'expire' .*'expires'"
    ):
        yaml.mapping(parsed("expire: 1"), "a layout", ("expires", "steps"))


def test_a_mapping_has_no_keys_but_those_asked_for() -> None:
    assert set(yaml.mapping(parsed("b: 1\na: 2"), "letters", ("a", "b", "c"))) == {"a", "b"}


@pytest.mark.parametrize("word", ["3", "0", "12"])
def test_a_whole_number_is_read_when_one_is_asked_for(word: str) -> None:
    assert yaml.integer(parsed(word), "a number") == int(word)


@pytest.mark.parametrize("word", ["-1", "1.0", "01", "1x", "0x1", "'1'", "true", "[1]", "٣"])
def test_what_only_looks_like_a_whole_number_is_malformed(word: str) -> None:
    with pytest.raises(Misplaced, match="expected a number"):
        yaml.integer(parsed(word), "a number")


def test_true_and_false_are_read_when_a_boolean_is_asked_for() -> None:
    assert yaml.boolean(parsed("true"), "a boolean") is True
    assert yaml.boolean(parsed("false"), "a boolean") is False


@pytest.mark.parametrize("word", ["yes", "True", "on", "1", "'true'", "[]"])
def test_other_words_are_no_boolean(word: str) -> None:
    with pytest.raises(Misplaced, match="expected a boolean"):
        yaml.boolean(parsed(word), "a boolean")


@pytest.mark.parametrize("word", ["''", "[]", "{}", "a:"])
def test_what_is_empty_or_no_scalar_is_no_text(word: str) -> None:
    with pytest.raises(Misplaced, match="expected a name"):
        yaml.text(parsed(word), "a name")


def test_a_list_and_a_mapping_are_told_apart() -> None:
    with pytest.raises(Misplaced, match="expected a list, found a mapping"):
        yaml.items(parsed("a: 1"), "a list")
    with pytest.raises(Misplaced, match="expected a mapping, found a list"):
        yaml.entries(parsed("[1]"), "a mapping")


_SNIPPETS = st.sampled_from(
    [
        "a: ",
        "- ",
        "\n",
        "  ",
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "&x ",
        "*x",
        "!t ",
        "|\n",
        ">",
        "? ",
        ": ",
        "---\n",
        "\\U",
    ]
)


@given(st.lists(_SNIPPETS | st.text(max_size=4), max_size=30).map("".join))
def test_any_text_is_read_or_malformed(text: str) -> None:
    try:
        parse_yaml(text.encode("utf-8", "surrogatepass"), "f.yaml")
    except Malformed:
        return


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed(raw: bytes) -> None:
    try:
        parse_yaml(raw, "f.yaml")
    except Malformed:
        return


_TREES = st.recursive(
    st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc <", min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_TREES)
def test_what_json_writes_is_read_as_it_was(tree: object) -> None:
    assert plain(parsed(json.dumps(tree, ensure_ascii=True))) == tree
