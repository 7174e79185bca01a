from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from in_toto.models.layout import Layout as ReferenceLayout
from tests.parts.hostile_json import mutated, objects, read, read_or_malformed, write
from tests.parts.key_material import private_key

from intoto_action.formats.key import public_key_from_crypto
from intoto_action.formats.key_entry import KeyEntry, KeyValue
from intoto_action.formats.layout import (
    LAYOUT_CAP,
    Inspection,
    Layout,
    Step,
    encode_layout,
    parse_instant,
    parse_layout,
)
from intoto_action.reason import Malformed

WHERE = "the layout"
KEYS = [public_key_from_crypto(private_key(kind).public_key(), "key") for kind in ("ed25519", "p256")]
LAYOUT = Layout(
    steps=[
        Step(
            "checkout", [["DISALLOW", "*"]], [["CREATE", "src/*"], ["DISALLOW", "*"]], [KEYS[0].keyid], [], 1
        ),
        Step(
            "build",
            [["MATCH", "src/*", "WITH", "PRODUCTS", "FROM", "checkout"], ["DISALLOW", "*"]],
            [["REQUIRE", "app"], ["ALLOW", "*"]],
            [key.keyid for key in KEYS],
            ["make"],
            2,
        ),
    ],
    inspect=[Inspection("source", [["ALLOW", "*"]], [["ALLOW", "*"]], ["true"])],
    keys={key.keyid: key.entry for key in KEYS},
    expires="2031-05-01T12:00:00Z",
    readme="how this is built",
)
PAYLOAD = encode_layout(LAYOUT)

_words = st.lists(st.text(max_size=5), max_size=4)
_name = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,6}", fullmatch=True)
_keyid = st.text("0123456789abcdef", min_size=8, max_size=64)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    entries = st.builds(
        KeyEntry, st.text(max_size=3), st.text(max_size=3), st.builds(KeyValue, st.text(max_size=3))
    )
    keys = draw(st.dictionaries(_keyid, entries, min_size=1, max_size=3))
    names = draw(st.lists(_name, unique=True, max_size=4))
    steps = []
    for name in names:
        pubkeys = draw(st.lists(st.sampled_from(sorted(keys)), unique=True, max_size=3))
        threshold = draw(st.integers(1, max(1, len(pubkeys))))
        steps.append(
            Step(name, draw(st.lists(_words)), draw(st.lists(_words)), pubkeys, draw(_words), threshold)
        )
    expires = draw(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))
    return Layout(steps, [], keys, expires.strftime("%Y-%m-%dT%H:%M:%SZ"), draw(st.text(max_size=5)))


def parsed(change: Any) -> Layout:
    document = json.loads(PAYLOAD)
    change(document)
    return parse_layout(json.dumps(document).encode(), WHERE)


@given(layouts())
def test_a_layout_that_was_encoded_is_read_back(layout: Layout) -> None:
    assert parse_layout(encode_layout(layout), WHERE) == layout
    assert encode_layout(parse_layout(encode_layout(layout), WHERE)) == encode_layout(layout)


def test_the_reference_reads_what_was_encoded() -> None:
    theirs = ReferenceLayout.read(json.loads(PAYLOAD))
    assert [step.name for step in theirs.steps] == ["checkout", "build"]
    assert theirs.steps[1].threshold == 2
    assert set(theirs.keys) == set(LAYOUT.keys)


def test_what_the_reference_wrote_is_read() -> None:
    theirs = ReferenceLayout.read(json.loads(PAYLOAD))
    assert (
        parse_layout(json.dumps(json.loads(theirs.signable_bytes.decode(), strict=False)).encode(), WHERE)
        == LAYOUT
    )


def test_functionaries_are_in_the_order_of_the_layout() -> None:
    step = LAYOUT.step("build")
    assert step is not None
    assert [key.keyid for key in LAYOUT.functionaries(step)] == [key.keyid for key in KEYS]
    assert LAYOUT.step("scan") is None
    assert LAYOUT.expires_at == datetime(2031, 5, 1, 12, tzinfo=UTC)


def _drop(*path: Any) -> Any:
    def change(document: Any) -> None:
        for each in path[:-1]:
            document = document[each]
        del document[path[-1]]

    return change


def _put(*path: Any) -> Any:
    def change(document: Any) -> None:
        for each in path[:-2]:
            document = document[each]
        document[path[-2]] = path[-1]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _drop("_type"),
        _drop("steps"),
        _drop("inspect"),
        _drop("keys"),
        _drop("expires"),
        _drop("steps", 0, "_type"),
        _drop("steps", 0, "name"),
        _drop("steps", 0, "pubkeys"),
        _drop("steps", 0, "threshold"),
        _drop("steps", 0, "expected_materials"),
        _drop("steps", 0, "expected_products"),
        _drop("steps", 0, "expected_command"),
        _drop("inspect", 0, "_type"),
        _drop("inspect", 0, "run"),
        _put("_type", "link"),
        _put("_type", ""),
        _put("steps", 0, "_type", "inspection"),
        _put("inspect", 0, "_type", "step"),
        _put("steps", 0, "treshold", 2),
        _put("steps", 0, "threshold", 0),
        _put("steps", 0, "threshold", -1),
        _put("steps", 0, "threshold", 2),
        _put("steps", 0, "threshold", True),
        _put("steps", 0, "threshold", 1.0),
        _put("steps", 0, "threshold", "1"),
        _put("steps", 0, "threshold", None),
        _put("steps", 0, "name", "build"),
        _put("steps", 0, "name", "source"),
        _put("steps", 0, "name", "../build"),
        _put("steps", 0, "name", ""),
        _put("steps", 0, "pubkeys", ["ab" * 32]),
        _put("steps", 0, "pubkeys", "ab"),
        _put("steps", 0, "expected_command", "make"),
        _put("steps", 0, "expected_materials", [["ALLOW", 1]]),
        _put("steps", 0, "expected_materials", ["ALLOW *"]),
        _put("steps", 0, "expected_materials", None),
        _put("inspect", 0, "run", "true"),
        _put("steps", {}),
        _put("keys", []),
        _put("keys", "ab" * 32, {}),
        _put("keys", KEYS[0].keyid, "surprise", 1),
        _put("readme", None),
        _put("surprise", 1),
        _put("expires", None),
        _put("expires", 1935316800),
    ],
)
def test_a_layout_of_another_shape_is_malformed(change: Any) -> None:
    with pytest.raises(Malformed):
        parsed(change)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2031-05-01",
        "2031-05-01T12:00:00",
        "2031-05-01T12:00:00z",
        "2031-05-01t12:00:00Z",
        "2031-05-01 12:00:00Z",
        "2031-05-01T12:00:00+00:00",
        "2031-05-01T12:00:00.0Z",
        "2031-5-1T12:00:00Z",
        "2031-05-01T12:00Z",
        "2031-13-01T12:00:00Z",
        "2031-02-29T12:00:00Z",
        "2031-05-01T24:00:00Z",
        "2031-05-01T12:60:00Z",
        "2031-05-01T12:00:60Z",
        "2031-05-01T12:00:61Z",
        "31-05-01T12:00:00Z",
        "99999-05-01T12:00:00Z",
        " 2031-05-01T12:00:00Z",
        "2031-05-01T12:00:00Z\n",
        "２０３１-05-01T12:00:00Z",
        "2031-05-01T12:00:00\ud800",
        "never",
    ],
)
def test_an_expiry_that_is_no_instant_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="an instant such as"):
        parse_instant(text, WHERE)
    with pytest.raises(Malformed):
        parsed(_put("expires", text))


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))
def test_an_instant_that_was_written_is_read_back(instant: datetime) -> None:
    whole = instant.replace(microsecond=0, tzinfo=UTC)
    assert parse_instant(whole.strftime("%Y-%m-%dT%H:%M:%SZ"), WHERE) == whole


@given(st.data())
def test_any_key_twice_anywhere_in_a_layout_is_malformed(data: st.DataObject) -> None:
    tree = read(PAYLOAD)
    inside = data.draw(st.sampled_from(objects(tree)))
    inside.pairs.append(data.draw(st.sampled_from(inside.pairs)))
    with pytest.raises(Malformed, match="twice"):
        parse_layout(write(tree), WHERE)


@given(mutated(PAYLOAD))
@example(b"")
@example(b"null")
def test_any_bytes_are_a_layout_or_malformed(raw: bytes) -> None:
    read_or_malformed(lambda payload: parse_layout(payload, WHERE).all_functionaries(), raw)


def test_a_layout_over_the_cap_is_not_even_read() -> None:
    with pytest.raises(Malformed, match="at most 4194304 bytes"):
        parse_layout(PAYLOAD + b" " * LAYOUT_CAP, WHERE)


def test_a_key_that_no_library_reads_is_malformed_when_it_is_asked_for() -> None:
    entry = KeyEntry("ed25519", "ed25519", KeyValue("ab"))
    layout = Layout([], [], {"ab" * 32: entry}, LAYOUT.expires)
    with pytest.raises(Malformed, match="key abababab"):
        layout.all_functionaries()
