"""YAML that a person wrote, read without guessing.

The text is taken apart into a tree whose leaves are text: nothing is resolved, so that `no` is not false and
`2030-01-31` is no date; whoever wants a number or a boolean asks for one. Every node knows its line and
column. Refused: keys that are there twice, anchors, aliases and merge keys (what a person sees is what is read;
and they let a small file grow without bound), tags, several documents, and what is too large or too deep.
Source: YAML 1.1 as PyYAML reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec
import yaml

from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.formats.strict_json import MIB, check_size
from intoto_action.reason import Malformed

YAML_CAP = MIB
"""The largest file that is read, in bytes."""
DEEPEST = 32
MOST_NODES = 100_000

_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"(?:0|[1-9][0-9]{0,17})\Z")


class _Mark(Protocol):
    """What PyYAML's two kinds of marks have in common; counted from 0."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class Place(msgspec.Struct, frozen=True, order=True):
    """Where something stands in a file; lines and columns are counted from 1."""

    line: int
    column: int
    file: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Misplaced(Malformed):
    """Something wrong at a place in a file that a person wrote."""

    def __init__(self, place: Place, expected: str, found: str) -> None:
        super().__init__(str(place), expected, found)
        self.place = place


class Scalar(msgspec.Struct, frozen=True):
    """A text. `plain` when it stands without quotes, and not as a block."""

    place: Place
    text: str
    plain: bool


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    place: Place
    items: tuple[Node, ...]


class Mapping(msgspec.Struct, frozen=True):
    """Keys and values, in the order of the file."""

    place: Place
    entries: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        """The value of the key, or None when it is not there."""
        return next((value for name, value in self.entries if name.text == key), None)


Node = Scalar | Sequence | Mapping


class Bounds(msgspec.Struct, frozen=True):
    """How much a file may hold."""

    documents: int = 1
    deepest: int = DEEPEST
    nodes: int = MOST_NODES


class Composed(msgspec.Struct, frozen=True):
    """A document taken apart. `repeated` are faults: of a key that was there twice, the tree has the first."""

    root: Node
    repeated: tuple[Misplaced, ...]


def parse_yaml(raw: bytes, file: str) -> Node:
    """The tree of a YAML file; `file` names it in errors.

    Raises: Malformed.
    """
    composed = compose_yaml(raw, file)
    if composed.repeated:
        raise composed.repeated[0]
    return composed.root


def compose_yaml(raw: bytes, file: str) -> Composed:
    """Like `parse_yaml`, for a caller that reports keys that are there twice together with other faults.

    Raises: Malformed.
    """
    documents = compose_documents(raw, file, Bounds())
    if not documents:
        raise Misplaced(Place(1, 1, file), "YAML", "an empty file")
    return documents[0]


def compose_documents(raw: bytes, file: str, bounds: Bounds) -> tuple[Composed, ...]:
    """Every document of a YAML file taken apart, as many as `bounds` allows.

    Raises: Malformed.
    """
    check_size(raw, file, YAML_CAP)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(file, "text in UTF-8", f"a byte that is none at {error.start}") from error
    try:
        return _Builder(file, bounds).build(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        place = _place(file, error.problem_mark or error.context_mark)
        raise Misplaced(place, "YAML", _one_line(error.problem or error.context or "")) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # ValueError and OverflowError: PyYAML hands the number of a "\U…" escape to chr() as it is.
        raise Malformed(file, "YAML", _one_line(str(error))) from error


def entries(node: Node, what: str) -> tuple[tuple[Scalar, Node], ...]:
    """Keys and values of a mapping whose keys are free. Raises: Misplaced."""
    if not isinstance(node, Mapping):
        raise Misplaced(node.place, what, describe(node))
    return node.entries


def mapping(node: Node, what: str, keys: Iterable[str]) -> dict[str, Node]:
    """The values of a mapping that has no keys but these; whichever of them may be absent.

    Raises: Misplaced; for an unknown key with the known one that was probably meant.
    """
    known = tuple(keys)
    found = entries(node, what)
    for fault in unknown_keys(node, known):
        raise fault
    return {key.text: value for key, value in found}


def unknown_keys(node: Node, keys: Iterable[str]) -> Iterator[Misplaced]:
    """A fault for every key of a mapping that is none of `keys`."""
    known = tuple(keys)
    for key, _ in node.entries if isinstance(node, Mapping) else ():
        if key.text not in known:
            hint = did_you_mean(key.text, known)
            yield Misplaced(key.place, f"one of {', '.join(known)}", f"{quoted(key.text)}{hint}")


def items(node: Node, what: str) -> tuple[Node, ...]:
    """The items of a list. Raises: Misplaced."""
    if not isinstance(node, Sequence):
        raise Misplaced(node.place, what, describe(node))
    return node.items


def text(node: Node, what: str) -> str:
    """A text that is not empty, as it stands there. Raises: Misplaced."""
    if not isinstance(node, Scalar) or not node.text:
        raise Misplaced(node.place, what, describe(node))
    return node.text


def integer(node: Node, what: str) -> int:
    """A whole number, not negative, without quotes. Raises: Misplaced."""
    if not isinstance(node, Scalar) or not node.plain or not _INTEGER.match(node.text):
        raise Misplaced(node.place, what, describe(node))
    return int(node.text)


def boolean(node: Node, what: str) -> bool:
    """`true` or `false`, without quotes; not `yes`, `on` and their like. Raises: Misplaced."""
    if not isinstance(node, Scalar) or not node.plain or node.text not in {"true", "false"}:
        raise Misplaced(node.place, what, describe(node))
    return node.text == "true"


def describe(node: Node) -> str:
    """What a node is, in words, for the end of a sentence."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return quoted(node.text) if node.text else "nothing"


def _one_line(problem: str) -> str:
    return " ".join(problem.split())[:300] or "something else"


def _place(file: str, mark: _Mark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1, file) if mark else Place(1, 1, file)


class _Open:
    """A list or mapping that is being read; a mapping alternates between keys and values."""

    def __init__(self, place: Place, is_mapping: bool) -> None:
        self.place = place
        self.is_mapping = is_mapping
        self.items: list[Node] = []


class _Builder:
    """Makes the tree of PyYAML's events, without recursion, so that depth is only a number."""

    def __init__(self, file: str, bounds: Bounds) -> None:
        self._file = file
        self._bounds = bounds
        self._open: list[_Open] = []
        self._documents: list[Composed] = []
        self._repeated: list[Misplaced] = []
        self._nodes = 0

    def build(self, events: Iterable[yaml.Event]) -> tuple[Composed, ...]:
        for event in events:
            self._take(event)
        return tuple(self._documents)

    def _take(self, event: yaml.Event) -> None:
        place = _place(self._file, event.start_mark)
        most = self._bounds.documents
        if isinstance(event, yaml.DocumentStartEvent) and len(self._documents) >= most:
            raise Misplaced(
                place, "one document" if most == 1 else f"at most {most} documents", "another one"
            )
        if isinstance(event, yaml.NodeEvent):
            self._check(event, place)
        if isinstance(event, yaml.ScalarEvent):
            self._add(Scalar(place, event.value, event.style is None))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append(_Open(place, isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._add(self._closed(self._open.pop()))

    def _check(self, event: yaml.NodeEvent, place: Place) -> None:
        self._nodes += 1
        if self._nodes > self._bounds.nodes:
            raise Misplaced(place, f"at most {self._bounds.nodes} values", "more")
        if isinstance(event, yaml.AliasEvent):
            raise Misplaced(place, "everything written out", f"the alias {quoted(f'*{event.anchor}')}")
        if event.anchor is not None:
            raise Misplaced(place, "everything written out", f"the anchor {quoted(f'&{event.anchor}')}")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            raise Misplaced(place, "values without tags", f"the tag {quoted(event.tag)}")
        if isinstance(event, yaml.CollectionStartEvent) and len(self._open) >= self._bounds.deepest:
            raise Misplaced(place, f"at most {self._bounds.deepest} levels", "one more")
        if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            raise Misplaced(place, "characters", "half of one (\\ud800 to \\udfff)")

    def _add(self, node: Node) -> None:
        if not self._open:
            self._documents.append(Composed(node, tuple(self._repeated)))
            self._repeated = []
            return
        parent = self._open[-1]
        if parent.is_mapping and len(parent.items) % 2 == 0:
            self._check_key(node)
        parent.items.append(node)

    def _check_key(self, node: Node) -> None:
        if not isinstance(node, Scalar):
            raise Misplaced(node.place, "a key that is text", describe(node))
        if node.plain and node.text == "<<":
            raise Misplaced(node.place, "everything written out", "the merge key <<")

    def _closed(self, opened: _Open) -> Node:
        if not opened.is_mapping:
            return Sequence(opened.place, tuple(opened.items))
        seen: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(opened.items[::2], opened.items[1::2], strict=True):
            if not isinstance(key, Scalar):  # `_check_key` has seen to it
                continue
            if key.text in seen:
                first = seen[key.text][0].place.line
                found = f"{quoted(key.text)} again (it is in line {first} already)"
                self._repeated.append(Misplaced(key.place, "every key once", found))
                continue
            seen[key.text] = (key, value)
        return Mapping(opened.place, tuple(seen.values()))
