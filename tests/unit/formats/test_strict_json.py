from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.parts.hostile_json import TWENTY_MB, mutated, objects, read, read_or_malformed, write

from intoto_action.formats.strict_json import MOST_DEEP, decode, refuse_duplicate_keys
from intoto_action.reason import Malformed

WHERE = "a document"
DOCUMENT = b'{"name":"x","inner":{"a":[1,{"b":"c"}],"d":null},"list":[{"e":1},{"e":2}]}'

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    count: int = 0


def anything(raw: bytes) -> object:
    return decode(raw, dict[str, object], WHERE)


@given(st.dictionaries(st.text(), _json, max_size=5))
def test_what_was_encoded_is_read_back(value: dict[str, object]) -> None:
    assert anything(json.dumps(value).encode()) == value
    assert anything(json.dumps(value, ensure_ascii=False, indent=2).encode()) == value


@given(mutated(DOCUMENT))
@example(b"")
@example(b"\xef\xbb\xbf" + DOCUMENT)
@example(b'{"a":NaN}')
def test_any_bytes_are_read_or_malformed(raw: bytes) -> None:
    read_or_malformed(anything, raw)


@given(st.dictionaries(st.text(), _json, min_size=1, max_size=5), st.data())
def test_a_key_twice_in_any_object_is_malformed(value: dict[str, object], data: st.DataObject) -> None:
    tree = read(json.dumps(value).encode())
    inside = data.draw(st.sampled_from(objects(tree)))
    key, content = data.draw(st.sampled_from(inside.pairs))
    inside.pairs.insert(data.draw(st.integers(0, len(inside.pairs))), (key, content))

    with pytest.raises(Malformed, match="twice"):
        refuse_duplicate_keys(write(tree), WHERE)


@pytest.mark.parametrize("element", ["[]", "{}", '{"a":[]}', "[[[]]]"])
def test_a_document_of_nothing_but_objects_and_lists_is_malformed(element: str) -> None:
    """Each of them costs as much as a hundred bytes of text."""
    raw = f'{{"a":[{",".join([element] * 20_000)}]}}'.encode()
    with pytest.raises(Malformed, match="objects and lists in"):
        anything(raw)


def test_an_artifact_whose_name_is_full_of_brackets_is_none_too_many() -> None:
    names = {f"app/[slug]/[[...id]]/{{x}}/{number}.js": {"sha256": "ab" * 32} for number in range(50_000)}
    assert len(anything(json.dumps({"products": names}).encode())["products"]) == len(names)  # type: ignore[index]


def test_two_spellings_of_one_key_are_the_same_key() -> None:
    with pytest.raises(Malformed, match="twice"):
        anything(b'{"name":1,"\\u006eame":2}')


@pytest.mark.parametrize(
    "raw",
    [b'{"a" :1,"a"\t: 2}', b'{"a":"\\":","a":1}', b'[{"\\":":1},{"b":{"\\":":1,"\\":":2}}]'],
    ids=["white space", "a string that looks like a key", "a key that looks like two"],
)
def test_however_a_key_is_written_it_is_seen_twice(raw: bytes) -> None:
    with pytest.raises(Malformed, match="twice"):
        refuse_duplicate_keys(raw, WHERE)


def test_a_string_that_looks_like_a_key_is_none() -> None:
    assert anything(b'{"a":"\\":","b":["\\":"]}') == {"a": '":', "b": ['":']}


def test_the_key_that_is_there_twice_is_named() -> None:
    with pytest.raises(Malformed) as caught:
        anything(b'{"a":1,"b":{"expires":1,"x":2,"expires":3}}')
    assert (caught.value.where, caught.value.found) == (WHERE, "'expires' twice")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"[]",
        b'{"name":NaN}',
        b'{"name":Infinity}',
        b'{"name":-Infinity}',
        b'{"name":"\\ud800"}',
        b'{"name":"\xff"}',
        b'{"name":"\xed\xa0\x80"}',
        b'{"name":"a\nb"}',
        b'\xef\xbb\xbf{"name":"x"}',
        b'{"name":"x"}{"name":"x"}',
        b'{"name":"x",}',
        b'{"name":1}',
        b'{"count":1}',
        b'{"name":"x","count":"1"}',
        b'{"name":"x","count":1.0}',
        b'{"name":"x","count":true}',
        b'{"name":"x","count":' + b"9" * 5000 + b"}",
        b'{"name":"x","surprise":1}',
        '{"name":"x"}'.encode("utf-16"),
        '{"name":"x"}'.encode("utf-32"),
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_is_no_json_of_the_shape_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        decode(raw, Pair, WHERE)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [MOST_DEEP, 1000, 9000, 100_000])
def test_deep_nesting_is_malformed(opening: bytes, depth: int) -> None:
    closing = b"]" if opening == b"[" else b"}"
    with pytest.raises(Malformed, match=r"deep|objects and lists"):
        anything(b'{"a":' + opening * depth + b"1" + closing * depth + b"}")


def test_nesting_within_the_limit_is_read() -> None:
    depth = MOST_DEEP - 1
    assert anything(b'{"a":' + b"[" * depth + b"]" * depth + b"}")


def test_brackets_within_strings_are_no_nesting() -> None:
    assert anything(b'{"a":"' + b"[{" * 1000 + b'","b":"\\"' + b"[" * 1000 + b'"}')


def test_more_bytes_than_the_cap_are_not_even_looked_at() -> None:
    with pytest.raises(Malformed, match="at most 16777216 bytes, found 20971520 bytes"):
        anything(TWENTY_MB)
    with pytest.raises(Malformed, match="at most 3 bytes"):
        decode(b'{"name":"x"}', Pair, WHERE, cap=3)
