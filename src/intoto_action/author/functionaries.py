"""Who signs what: the names of layout.yaml, and the public keys and identities behind them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from intoto_action.author.document import AuthoredStep, Document, Functionary
from intoto_action.author.faults import Faults
from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key
from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.formats.yaml import Place

KeyReader = Callable[[str], Key]
"""Opens the public key at a path as it stands in layout.yaml; raises Malformed or Misused."""


class PlacedKey(msgspec.Struct, frozen=True):
    """A key or an identity, and where in layout.yaml it comes from."""

    key: Key
    place: Place


class Functionaries(msgspec.Struct, frozen=True):
    """The keys and identities of every name; `sound` is False when one could not be read or a name is unknown."""

    keys: dict[str, tuple[PlacedKey, ...]]
    sound: bool

    def of(self, step: AuthoredStep) -> list[Key]:
        """The keys of a step, each once, in the order of the file."""
        placed = [each for name in step.functionaries for each in self.keys.get(name.text, ())]
        return list({each.key.keyid: each.key for each in placed}.values())

    def everybody(self) -> list[Key]:
        """All keys, each once."""
        return list({each.key.keyid: each.key for keys in self.keys.values() for each in keys}.values())

    def places(self) -> dict[str, Place]:
        """Where each key stands, by its keyid."""
        return {each.key.keyid: each.place for keys in self.keys.values() for each in keys}


def find_functionaries(document: Document, read_key: KeyReader, faults: Faults) -> Functionaries:
    """Read all keys, and look whether every name is used and every used name is there."""
    before = len(faults)
    owners: dict[str, str] = {}
    keys = {each.name.text: _keys(each, read_key, owners, faults) for each in document.functionaries}
    for step in document.steps:
        _check_step(step, keys, faults)
    are_whole = all(each.is_whole for each in document.functionaries)
    sound = len(faults) == before and are_whole and all(keys.values())
    used = {name.text for step in document.steps for name in step.functionaries}
    for each in document.functionaries:
        if each.name.text not in used:
            expected = "every functionary in at least one step"
            faults.add(each.name.place, expected, f"{quoted(each.name.text)}, who is in none")
    return Functionaries(keys, sound)


def _keys(
    functionary: Functionary, read_key: KeyReader, owners: dict[str, str], faults: Faults
) -> tuple[PlacedKey, ...]:
    """A key stands for one person: under two names it would be counted as two by a reader."""
    keys = []
    for placed in _opened(functionary, read_key, faults):
        key = placed.key
        if key.fingerprint in owners:
            what = "identity" if isinstance(key, Identity) else "key"
            found = f"the {what} of {quoted(owners[key.fingerprint])} again"
            faults.add(placed.place, f"every {what} once, under one name", found)
            continue
        owners[key.fingerprint] = functionary.name.text
        keys.append(placed)
    return tuple(keys)


def _opened(functionary: Functionary, read_key: KeyReader, faults: Faults) -> list[PlacedKey]:
    opened = []
    for path in functionary.keys:
        with faults.kept(path.place):
            opened.append(PlacedKey(read_key(path.text), path.place))
    return [*opened, *(PlacedKey(each.identity, each.place) for each in functionary.identities)]


def _check_step(step: AuthoredStep, keys: dict[str, tuple[PlacedKey, ...]], faults: Faults) -> None:
    for name in step.functionaries:
        if name.text not in keys:
            expected = f"a name under functionaries ({', '.join(keys) or 'there is none'})"
            faults.add(name.place, expected, f"{quoted(name.text)}{did_you_mean(name.text, keys)}")
        elif step.threshold > 1 and len(keys[name.text]) > 1:
            expected = f"one key or identity of {quoted(name.text)} in a step with a threshold above 1"
            found = f"{len(keys[name.text])}: one person could meet the threshold alone"
            faults.add(name.place, expected, found)
