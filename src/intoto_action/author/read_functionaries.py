"""The functionaries of layout.yaml: names, with paths of keys and identities below them."""

from __future__ import annotations

from intoto_action.author.document import Functionary, PlacedIdentity, Word
from intoto_action.author.faults import Faults
from intoto_action.author.fields import read_fields, read_word, read_words
from intoto_action.formats import yaml
from intoto_action.formats.functionary import (
    FORMS,
    IDENTITY_KEYS,
    WORKFLOW_KEYS,
    is_identity_key,
    read_identity,
)
from intoto_action.formats.yaml import Misplaced, Node

LIST_KEYS = ("key", "keys", "identities")
FUNCTIONARY_KEYS = tuple(dict.fromkeys((*LIST_KEYS, *IDENTITY_KEYS, *WORKFLOW_KEYS)))
_FORMS = f"{{key: PATH}}, {FORMS}, or lists under keys and identities"


def read_functionaries(node: Node | None, faults: Faults) -> tuple[Functionary, ...]:
    """Every functionary, in the order of the file; what is wrong goes to `faults`."""
    if node is None:
        return ()
    found = []
    with faults.kept(node.place):
        for name, value in yaml.entries(
            node, "a mapping of names to functionaries, e.g. alice: {key: alice.pub}"
        ):
            if not name.text:
                faults.add(name.place, "a name", "nothing")
            found.append(_functionary(Word(name.text, name.place), value, faults))
        if not found:
            faults.add(node.place, "at least one functionary", "none")
    return tuple(found)


def _functionary(name: Word, node: Node, faults: Faults) -> Functionary:
    before = len(faults)
    keys: tuple[Word, ...] = ()
    identities: tuple[PlacedIdentity, ...] = ()
    with faults.kept(node.place):
        names = {key.text for key, _ in yaml.entries(node, _FORMS)}
        if any(map(is_identity_key, names)):
            identities = _one_identity(node, names, faults)
        else:
            fields = read_fields(node, _FORMS, FUNCTIONARY_KEYS, faults)
            if not names:
                faults.add(node.place, _FORMS, "nothing")
            keys = _keys(fields, node, faults)
            identities = _identities(fields.get("identities"), faults)
    return Functionary(name, keys, identities, is_whole=len(faults) == before)


def _keys(fields: dict[str, Node], node: Node, faults: Faults) -> tuple[Word, ...]:
    if "key" in fields and "keys" in fields:
        faults.add(node.place, "key or keys", "both")
    keys = read_words(fields.get("keys"), "a list of paths", "a path of a public key", faults)
    single = read_word(fields.get("key"), "a path of a public key", faults)
    if isinstance(listed := fields.get("keys"), yaml.Sequence) and not listed.items:
        faults.add(listed.place, "at least one path", "an empty list")
    return (*((single,) if single else ()), *keys)


def _one_identity(node: Node, names: set[str], faults: Faults) -> tuple[PlacedIdentity, ...]:
    """An identity that stands right below the name."""
    if lists := [name for name in LIST_KEYS if name in names]:
        expected = "an identity alone, or identities: [ … ] beside keys"
        faults.add(node.place, expected, f"an identity beside {', '.join(lists)}")
        return ()
    return _identity(node, faults)


def _identities(node: Node | None, faults: Faults) -> tuple[PlacedIdentity, ...]:
    if node is None:
        return ()
    found: list[PlacedIdentity] = []
    with faults.kept(node.place):
        nodes = yaml.items(node, f"a list of identities, each {FORMS}")
        if not nodes:
            faults.add(node.place, "at least one identity", "an empty list")
        for each in nodes:
            found += _identity(each, faults)
    return tuple(found)


def _identity(node: Node, faults: Faults) -> tuple[PlacedIdentity, ...]:
    wrong: list[Misplaced] = []
    identity = read_identity(node, wrong)
    faults.extend(wrong)
    return () if identity is None else (PlacedIdentity(identity, node.place),)
