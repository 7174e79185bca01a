"""Documents that are nearly right: a valid JSON document, broken in the ways that parsers get wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from intoto_action.reason import Malformed

TWENTY_MB = b" " * (20 << 20)
HOSTILE_VALUES = [
    *(b"null", b"true", b"false", b"0", b"-1", b"-0", b"1.5", b"0.0", b"1e999", b"1E2", b"NaN", b"Infinity"),
    *(
        b"-Infinity",
        b"1" * 30,
        b"9" * 400,
        b"9" * 5000,
        b"01",
        b"18446744073709551616",
        b"-9223372036854775809",
    ),
    *(
        b'""',
        b'"x"',
        b'"\\u0000"',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\\ud83d\\ude00"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
    ),
    *(b'"a\nb"', b'"\\q"', b'"\x00"', b'"../../x"', b'"a\\nb"', b'"' + b"a" * 70_000 + b'"', b'"\\":\\":"'),
    *(
        b"[]",
        b"{}",
        b"[[]]",
        b'{"":{}}',
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b"[1,]",
        b"[1",
        b"{",
        b'"',
    ),
    *(b"[" * 100 + b"]" * 100, b"[" * 3000 + b"]" * 3000, b'{"a":' * 100 + b"1" + b"}" * 100, b"[" * 100_000),
]


@dataclass
class Written:
    """An object as it is written: its keys may repeat."""

    pairs: list[tuple[str, Any]]


@dataclass
class Raw:
    """Bytes that stand where a value is."""

    content: bytes


def read(document: bytes) -> Any:
    """The document as a tree of `Written`, lists and plain values."""
    return json.loads(document, object_pairs_hook=Written)


def write(tree: Any) -> bytes:
    """The tree as a document again, without white space."""
    match tree:
        case Written(pairs):
            members = (json.dumps(key).encode() + b":" + write(value) for key, value in pairs)
            return b"{" + b",".join(members) + b"}"
        case Raw(content):
            return content
        case list():
            return b"[" + b",".join(write(each) for each in tree) + b"]"
        case _:
            return json.dumps(tree, ensure_ascii=False).encode()


def containers(tree: Any) -> list[Any]:
    """Every object and list of the tree."""
    found: list[Any] = []
    if isinstance(tree, Written):
        found.append(tree)
        tree = [value for _, value in tree.pairs]
    elif isinstance(tree, list):
        found.append(tree)
    else:
        return []
    return found + [each for child in tree for each in containers(child)]


def objects(tree: Any) -> list[Written]:
    """Every object of the tree that has a key."""
    return [each for each in containers(tree) if isinstance(each, Written) and each.pairs]


@st.composite
def _with_another_value(draw: st.DrawFn, tree: Any) -> None:
    inside = draw(st.sampled_from(containers(tree)))
    value = Raw(draw(st.sampled_from(HOSTILE_VALUES)))
    place = draw(st.integers(0, 1000))
    if isinstance(inside, list):
        inside[place % (len(inside) + 1) : place % (len(inside) + 1) + 1] = [value]
    elif inside.pairs:
        inside.pairs[place % len(inside.pairs)] = (inside.pairs[place % len(inside.pairs)][0], value)
    else:
        inside.pairs.append(("surprise", value))


@st.composite
def _with_other_keys(draw: st.DrawFn, tree: Any) -> None:
    inside = draw(st.sampled_from(objects(tree)))
    place = draw(st.integers(0, len(inside.pairs) - 1))
    key, value = inside.pairs[place]
    match draw(st.sampled_from(["drop", "twice", "twice otherwise", "other case", "more", "swap"])):
        case "drop":
            del inside.pairs[place]
        case "twice":
            inside.pairs.append((key, value))
        case "twice otherwise":
            inside.pairs.insert(place, (key, Raw(draw(st.sampled_from(HOSTILE_VALUES)))))
        case "other case":
            inside.pairs[place] = (key.swapcase(), value)
        case "more":
            inside.pairs.append((draw(st.text(max_size=5)), value))
        case _:
            other = draw(st.integers(0, len(inside.pairs) - 1))
            inside.pairs[place], inside.pairs[other] = (
                (key, inside.pairs[other][1]),
                (inside.pairs[other][0], value),
            )


def mutated(document: bytes) -> st.SearchStrategy[bytes]:
    """The valid document, broken in one to three places or in its bytes."""

    @st.composite
    def broken(draw: st.DrawFn) -> bytes:
        tree = read(document)
        for _ in range(draw(st.integers(1, 3))):
            if objects(tree):
                draw(st.one_of(_with_another_value(tree), _with_other_keys(tree)))
        return write(tree)

    @st.composite
    def spoilt(draw: st.DrawFn) -> bytes:
        place = draw(st.integers(0, max(0, len(document) - 1)))
        spoil: Callable[[bytes], bytes] = draw(
            st.sampled_from(
                [
                    lambda raw: b"",
                    lambda raw: raw[:place],
                    lambda raw: raw[place:],
                    lambda raw: raw + raw,
                    lambda raw: b"\xef\xbb\xbf" + raw,
                    lambda raw: raw + b"\x00",
                    lambda raw: raw[:place] + b"\xff" + raw[place + 1 :],
                    lambda raw: raw[:place] + b"\n" + raw[place:],
                    lambda raw: raw[:place] + raw[place + 1 :],
                    lambda raw: raw.decode().encode("utf-16"),
                    lambda raw: raw.decode().encode("utf-32-be"),
                    lambda raw: b"[" + raw + b"]",
                ]
            )
        )
        return spoil(document)

    return st.one_of(broken(), spoilt(), st.binary(max_size=200))


def read_or_malformed(parse: Callable[[bytes], object], document: bytes) -> bool:
    """Whether the document was read; anything but Malformed fails the test that asked."""
    try:
        parse(document)
    except Malformed as error:
        str(error).encode("utf-8", "backslashreplace")
        return False
    return True
