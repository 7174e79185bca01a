from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from in_toto.models.link import FILENAME_FORMAT
from in_toto.models.link import Link as ReferenceLink
from tests.parts.hostile_json import Raw, mutated, objects, read, read_or_malformed, write

from intoto_action.formats.artifact import Digests
from intoto_action.formats.link import (
    Link,
    check_step_name,
    encode_link,
    link_file_name,
    parse_link,
    step_name_fault,
    step_of_file_name,
    steps_of_unsigned_file_name,
    unsigned_file_name,
)
from intoto_action.formats.strict_json import MOST_DEEP
from intoto_action.reason import Malformed

WHERE = "link build.12345678.link"
HEX = "0123456789abcdef"
TRAPS = ['":', '"a":1', '\\":', '":"', "{", '"sha256":', "\\", '\\"', "é", "😀", "\x00", "\x1f", "/"]

_text = st.text(max_size=6) | st.sampled_from(TRAPS)
_free = st.recursive(
    st.none() | st.booleans() | st.integers() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_name = st.from_regex(r"[a-zA-Z0-9é\"{:, ]{1,8}(/[a-z\":]{1,4}){0,2}", fullmatch=True).filter(
    lambda name: "/." not in name
)
_digests = st.builds(
    Digests,
    sha256=st.text(HEX, min_size=64, max_size=64),
    sha512=st.just(msgspec.UNSET) | st.text(HEX, min_size=128, max_size=128),
)
_artifacts = st.dictionaries(_name, _digests, max_size=4)
links = st.builds(
    Link,
    name=_text,
    command=st.lists(_text, max_size=3),
    materials=_artifacts,
    products=_artifacts,
    byproducts=st.dictionaries(_text, _free, max_size=3),
    environment=st.dictionaries(_text, _free, max_size=3),
)
LINK = Link(
    "build",
    ["make", "all"],
    {"src/app.py": Digests(sha256="a" * 64)},
    {"app": Digests(sha256="b" * 64, sha512="c" * 128), "oci:ghcr.io/octo/app": Digests(sha256="d" * 64)},
    {"return-value": 0},
    {
        "github": {"repository": "octo/app", "sha": "c0ffee"},
        "recorded": {"oidc": False, "materials": ["src"]},
    },
)
PAYLOAD = encode_link(LINK)


def parsed(**fields: Any) -> Link:
    document = {**json.loads(PAYLOAD), **fields}
    return parse_link(
        json.dumps({key: value for key, value in document.items() if value is not ...}).encode(), WHERE
    )


@given(links)
def test_a_link_that_was_encoded_is_read_back(link: Link) -> None:
    assert parse_link(encode_link(link), WHERE) == link
    assert encode_link(parse_link(encode_link(link), WHERE)) == encode_link(link)


@given(links)
def test_the_reference_reads_what_was_encoded(link: Link) -> None:
    theirs = ReferenceLink.read(json.loads(encode_link(link)))
    assert (theirs.name, theirs.command, theirs.byproducts) == (link.name, link.command, link.byproducts)
    assert theirs.materials == json.loads(msgspec.json.encode(link.materials))


@given(links, st.sampled_from([None, 1, 4]), st.booleans())
def test_a_link_is_the_same_however_it_is_spaced(link: Link, indent: int | None, ascii_only: bool) -> None:
    document = json.loads(encode_link(link))
    assert parse_link(json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode(), WHERE) == link


@given(links, st.data())
def test_any_key_twice_anywhere_in_a_link_is_malformed(link: Link, data: st.DataObject) -> None:
    tree = read(encode_link(link))
    inside = data.draw(st.sampled_from(objects(tree)))
    key, value = data.draw(st.sampled_from(inside.pairs))
    other = data.draw(st.sampled_from([value, Raw(b'""'), Raw(b"0"), Raw(b"{}")]))
    inside.pairs.insert(data.draw(st.integers(0, len(inside.pairs))), (key, other))

    with pytest.raises(Malformed):
        parse_link(write(tree), WHERE)


@given(links, st.data())
def test_nor_does_a_key_left_out_make_up_for_one_that_is_there_twice(link: Link, data: st.DataObject) -> None:
    tree = read(encode_link(link))
    removed = data.draw(st.sampled_from(tree.pairs))
    tree.pairs.remove(removed)
    inside = data.draw(st.sampled_from(objects(tree)))
    inside.pairs.append(data.draw(st.sampled_from(inside.pairs)))

    with pytest.raises(Malformed):
        parse_link(write(tree), WHERE)


def test_a_doubled_name_is_not_balanced_by_a_missing_type() -> None:
    spoilt = PAYLOAD.replace(b'"_type":"link",', b"").replace(
        b'"name":"build"', b'"name":"scan","name":"build"'
    )
    with pytest.raises(Malformed):
        parse_link(spoilt, WHERE)


@pytest.mark.parametrize("type_", [..., "", "Link", "layout", "step", None, 0, ["link"]])
def test_a_document_of_another_type_or_none_is_no_link(type_: object) -> None:
    with pytest.raises(Malformed):
        parsed(_type=type_)


@pytest.mark.parametrize("field", ["name", "command", "materials", "products", "byproducts", "environment"])
def test_a_link_without_a_field_is_malformed(field: str) -> None:
    with pytest.raises(Malformed, match=field):
        parsed(**{field: ...})


@pytest.mark.parametrize(
    "fields",
    [
        {"surprise": 1},
        {"Name": "build"},
        {"name": None},
        {"name": ["build"]},
        {"command": "make"},
        {"command": [1]},
        {"command": None},
        {"materials": []},
        {"materials": {"a": "a" * 64}},
        {"materials": {"a": {"sha256": None}}},
        {"materials": {"a": {"sha256": 1}}},
        {"materials": {"a": {"sha256": "a" * 64, "md5": "b" * 32}}},
        {"materials": {"a": {"SHA256": "a" * 64}}},
        {"products": {"a": {}}},
        {"products": {"a": {"sha256": "a" * 64 + "\n" + "b" * 64}}},
        {"products": {"a/../b": {"sha256": "a" * 64}}},
        {"byproducts": []},
        {"byproducts": None},
        {"byproducts": {"return-value": 0.0}},
        {"byproducts": {"deep": [{"er": 1.5}]}},
        {"environment": "x"},
        {"environment": {"load": 0.5}},
    ],
)
def test_a_field_of_another_shape_is_malformed(fields: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parsed(**fields)


def _nested(depth: int, opening: str, closing: str) -> bytes:
    return PAYLOAD.replace(b'"return-value":0', f'"x":{opening * depth}0{closing * depth}'.encode())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
@pytest.mark.parametrize("depth", [MOST_DEEP - 1, 100, 400, 600, 900, 5000, 200_000])
def test_deep_nesting_is_malformed(depth: int, opening: str, closing: str) -> None:
    with pytest.raises(Malformed, match=r"deep|depth"):
        parse_link(_nested(depth, opening, closing), WHERE)


def test_nesting_within_the_limit_is_read() -> None:
    assert parse_link(_nested(MOST_DEEP - 2, "[", "]"), WHERE).name == "build"


def test_integers_as_large_as_canonical_json_holds_are_read() -> None:
    assert parsed(byproducts={"a": 2**70, "b": -(2**70)}).byproducts == {"a": 2**70, "b": -(2**70)}


def test_a_link_over_the_cap_is_not_even_read() -> None:
    with pytest.raises(Malformed, match="at most 16777216 bytes"):
        parse_link(PAYLOAD + b" " * (20 << 20), WHERE)
    with pytest.raises(Malformed, match="at most 10 bytes"):
        parse_link(PAYLOAD, WHERE, cap=10)


@given(mutated(PAYLOAD))
@example(b"")
@example(b"\xef\xbb\xbf" + PAYLOAD)
@example(b"null")
@example(b'"' + PAYLOAD)
@example(PAYLOAD.replace(b'"return-value":0', b'"return-value":NaN'))
@example(PAYLOAD.replace(b'"return-value":0', b'"return-value":' + b"9" * 5000))
@example(PAYLOAD.replace(b'"return-value":0', b'"return-value":"\\ud800"'))
def test_any_bytes_are_a_link_or_malformed(raw: bytes) -> None:
    read_or_malformed(lambda payload: parse_link(payload, WHERE), raw)


@given(mutated(PAYLOAD))
def test_what_is_read_as_a_link_is_one_for_the_reference_too(raw: bytes) -> None:
    try:
        link = parse_link(raw, WHERE)
    except Malformed:
        return
    theirs = ReferenceLink.read(json.loads(raw.decode("utf-8")))
    assert (theirs.name, theirs.command) == (link.name, link.command)
    assert (theirs.byproducts, theirs.environment) == (link.byproducts, link.environment)


@given(st.text(max_size=12) | st.just("build.abc"), st.text(HEX, min_size=8, max_size=64))
def test_the_file_name_of_a_link_is_that_of_the_reference(step: str, keyid: str) -> None:
    assert link_file_name(step, keyid) == FILENAME_FORMAT.format(step_name=step, keyid=keyid)
    if step:
        assert step_of_file_name(link_file_name(step, keyid)) == step


@pytest.mark.parametrize(
    ("file_name", "step"),
    [
        ("build.12345678.link", "build"),
        ("build.abc.12345678.link", "build.abc"),
        ("build.12345678.87654321.link", "build.12345678"),
        ("a\nb.12345678.link", "a\nb"),
        ("build.1234567.link", None),
        ("build.123456789.link", None),
        ("build.1234567G.link", None),
        ("build.ABCDEF12.link", None),
        ("build.12345678.link\n", None),
        ("build.12345678.link.bak", None),
        ("build.12345678.LINK", None),
        (".12345678.link", None),
        ("12345678.link", None),
        ("root.layout", None),
        ("", None),
    ],
)
def test_only_the_last_two_parts_of_a_file_name_are_not_the_step(file_name: str, step: str | None) -> None:
    assert step_of_file_name(file_name) == step


@pytest.mark.parametrize("name", ["build", "build.abc", "a-b_c+d", "step 1", "9", "A" * 128])
def test_a_plain_word_is_the_name_of_a_step(name: str) -> None:
    check_step_name(name, "layout")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-x",
        "a/b",
        "../x",
        "a\\b",
        "a\nb",
        "a\x00",
        " a",
        "a ",
        "a*",
        "[a]",
        "bυild",
        "ﬁ",
        "А",
        "a" * 129,
    ],
)
def test_what_could_be_another_file_is_no_name_of_a_step(name: str) -> None:
    assert step_name_fault(name) is not None
    with pytest.raises(Malformed, match="step name"):
        check_step_name(name, "layout")


@pytest.mark.parametrize(
    ("file_name", "steps"),
    [
        ("build.link-unsigned", ("build",)),
        ("build.0a1b2c3d.link-unsigned", ("build.0a1b2c3d", "build")),
        ("build.link", ()),
        ("build.12345678.link", ()),
        ("build.link-unsigned.txt", ()),
    ],
)
def test_an_unsigned_link_may_be_of_these_steps(file_name: str, steps: tuple[str, ...]) -> None:
    assert steps_of_unsigned_file_name(file_name) == steps
    assert step_of_file_name(unsigned_file_name("build")) is None
