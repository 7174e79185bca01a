"""Reading keys and words of layout.yaml, with what is wrong noted and the rest read on."""

from __future__ import annotations

from intoto_action.author.document import Word
from intoto_action.author.faults import Faults
from intoto_action.formats import yaml
from intoto_action.formats.spelling import quoted
from intoto_action.formats.yaml import Node


def read_fields(node: Node, what: str, keys: tuple[str, ...], faults: Faults) -> dict[str, Node]:
    """The values of the keys that are known; unknown ones are faults. Raises: Misplaced for no mapping."""
    found = yaml.entries(node, what)
    faults.extend(yaml.unknown_keys(node, keys))
    return {key.text: value for key, value in found if key.text in keys}


def read_word(node: Node | None, what: str, faults: Faults) -> Word | None:
    """A text that is not empty, or None when there is no node or it is none."""
    if node is None:
        return None
    with faults.kept(node.place):
        return Word(yaml.text(node, what), node.place)
    return None


def read_words(node: Node | None, what: str, each: str, faults: Faults) -> tuple[Word, ...]:
    """A list of texts; a single text stands for a list of one, as in `refs: refs/heads/main`."""
    if node is None:
        return ()
    with faults.kept(node.place):
        nodes = (node,) if isinstance(node, yaml.Scalar) and node.text else yaml.items(node, what)
        words = [word for item in nodes if (word := read_word(item, each, faults))]
        seen: set[str] = set()
        for word in words:
            if word.text in seen:
                faults.add(word.place, "every value once", f"{quoted(word.text)} again")
            seen.add(word.text)
        return tuple(words)
    return ()
