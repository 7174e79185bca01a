"""layout.yaml as its author wrote it: typed, with the place of everything that can be wrong later."""

from __future__ import annotations

import msgspec

from intoto_action.formats.identity import Identity
from intoto_action.formats.inspection import SourceDemand
from intoto_action.formats.rule import ArtifactRule
from intoto_action.formats.yaml import Place


class Word(msgspec.Struct, frozen=True):
    """A text and where it stands."""

    text: str
    place: Place


class AuthoredRule(msgspec.Struct, frozen=True):
    """One rule of a list. `optional`: a MATCH that may find nothing."""

    rule: ArtifactRule
    optional: bool
    place: Place


class AuthoredRules(msgspec.Struct, frozen=True):
    """A list of rules; `sound` is False when one of them could not be read. An absent list is an empty one."""

    rules: tuple[AuthoredRule, ...]
    place: Place
    sound: bool = True


class AuthoredStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `name` is None when it could not be read."""

    name: Word | None
    functionaries: tuple[Word, ...]
    threshold: int
    threshold_place: Place
    command: tuple[str, ...]
    materials: AuthoredRules
    products: AuthoredRules
    open: bool
    place: Place


class PlacedIdentity(msgspec.Struct, frozen=True):
    """An identity and where it stands."""

    identity: Identity
    place: Place


class Functionary(msgspec.Struct, frozen=True):
    """A name, the paths of its keys, and its identities; `is_whole` is False when one of them could not be read."""

    name: Word
    keys: tuple[Word, ...]
    identities: tuple[PlacedIdentity, ...]
    is_whole: bool


class Subject(msgspec.Struct, frozen=True):
    """The step whose product the image is, and the image's artifact name."""

    step: Word
    artifact: Word


class Source(msgspec.Struct, frozen=True):
    """What `source` demands; the steps it names, each with its place, so that they can be looked for."""

    demand: SourceDemand
    steps: tuple[Word, ...]
    place: Place


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. What could not be read is None or left out, and a fault says so."""

    root: Place
    expires: Word | None
    readme: str
    subject: Subject | None
    source: Source | None
    functionaries: tuple[Functionary, ...]
    steps: tuple[AuthoredStep, ...]
    steps_are_whole: bool
