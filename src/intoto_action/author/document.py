"""layout.yaml as its author wrote it: typed, with the place of everything that can be wrong later."""

from __future__ import annotations

import shlex

import msgspec

from intoto_action.author.faults import BadLayout, Faults
from intoto_action.formats import yaml
from intoto_action.formats.artifact import OCI_SCHEME, repository_of
from intoto_action.formats.inspection import (
    BUILT_IN,
    SOURCE,
    SourceDemand,
    event_fault,
    ref_fault,
    repository_fault,
    repository_uri,
)
from intoto_action.formats.link import step_name_fault
from intoto_action.formats.reference import parse_registry_reference
from intoto_action.formats.rule import ArtifactRule, RuleKind, parse_rule, split_rule
from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.formats.yaml import Node, Place
from intoto_action.reason import Malformed

WHOLE = "a layout: a mapping with expires, functionaries and steps"
KEYS = ("expires", "readme", "subject", "source", "inspections", "functionaries", "steps")
STEP_KEYS = (
    "name",
    "functionaries",
    "threshold",
    "expected_command",
    "expected_materials",
    "expected_products",
    "open",
)
SOURCE_KEYS = ("repository", "refs", "events", "any-commit", "pass-oidc")
FUNCTIONARY_KEYS = ("key", "keys")
_IDENTITY_KEYS = frozenset({"identity", "issuer", "claims", "repository", "workflow"})


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


class Functionary(msgspec.Struct, frozen=True):
    """A name and the paths of its keys."""

    name: Word
    keys: tuple[Word, ...]


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


def read_document(raw: bytes, file: str, faults: Faults) -> Document:
    """Read layout.yaml; what is wrong goes to `faults`.

    Raises: BadLayout when it is not even YAML, or no mapping.
    """
    try:
        composed = yaml.compose_yaml(raw, file)
        faults.extend(composed.repeated)
        fields = _fields(composed.root, WHOLE, KEYS, faults)
    except yaml.Misplaced as fault:
        raise BadLayout([fault]) from fault
    except Malformed as fault:
        raise BadLayout([yaml.Misplaced(Place(1, 1, file), fault.expected, fault.found)]) from fault
    start = composed.root.place
    for key in ("expires", "functionaries", "steps"):
        if key not in fields:
            faults.add(start, f"the key {key}", "a layout without it")
    source = _source(fields["source"], faults) if "source" in fields else None
    if "inspections" in fields:
        _inspections(fields["inspections"], "source" in fields, faults)
    listed = fields.get("steps")
    steps = _steps(listed, faults)
    return Document(
        root=start,
        expires=_word(fields.get("expires"), "an instant or a length of time", faults),
        readme=_readme(fields.get("readme"), faults),
        subject=_subject(fields["subject"], faults) if "subject" in fields else None,
        source=source,
        functionaries=_functionaries(fields.get("functionaries"), faults),
        steps=steps,
        steps_are_whole=isinstance(listed, yaml.Sequence)
        and len(listed.items) == len([step for step in steps if step.name]),
    )


def _fields(node: Node, what: str, keys: tuple[str, ...], faults: Faults) -> dict[str, Node]:
    """The values of the keys that are known; unknown ones are faults. Raises: Misplaced for no mapping."""
    found = yaml.entries(node, what)
    faults.extend(yaml.unknown_keys(node, keys))
    return {key.text: value for key, value in found if key.text in keys}


def _word(node: Node | None, what: str, faults: Faults) -> Word | None:
    if node is None:
        return None
    with faults.kept(node.place):
        return Word(yaml.text(node, what), node.place)
    return None


def _words(node: Node | None, what: str, each: str, faults: Faults) -> tuple[Word, ...]:
    """A list of texts; a single text stands for a list of one, as in `refs: refs/heads/main`."""
    if node is None:
        return ()
    with faults.kept(node.place):
        nodes = (node,) if isinstance(node, yaml.Scalar) and node.text else yaml.items(node, what)
        words = [word for item in nodes if (word := _word(item, each, faults))]
        for place, word in enumerate(words):
            if word.text in [earlier.text for earlier in words[:place]]:
                faults.add(word.place, "every value once", f"{quoted(word.text)} again")
        return tuple(words)
    return ()


def _readme(node: Node | None, faults: Faults) -> str:
    word = _word(node, "a text", faults)
    return word.text if word else ""


def _functionaries(node: Node | None, faults: Faults) -> tuple[Functionary, ...]:
    if node is None:
        return ()
    found = []
    with faults.kept(node.place):
        for name, value in yaml.entries(node, "a mapping of names to keys, e.g. alice: {key: alice.pub}"):
            if not name.text:
                faults.add(name.place, "a name", "nothing")
            found.append(Functionary(Word(name.text, name.place), _keys(value, faults)))
        if not found:
            faults.add(node.place, "at least one functionary", "none")
    return tuple(found)


def _keys(node: Node, faults: Faults) -> tuple[Word, ...]:
    what = "{key: PATH} or {keys: [PATH, …]}, with paths of public keys from the directory of this file"
    with faults.kept(node.place):
        names = {key.text for key, _ in yaml.entries(node, what)}
        if names & _IDENTITY_KEYS:
            found = "an identity: those come with keyless signing, which this version does not have"
            faults.add(node.place, what, found)
            return ()
        fields = _fields(node, what, FUNCTIONARY_KEYS, faults)
        if "key" in fields and "keys" in fields:
            faults.add(node.place, "key or keys", "both")
        keys = _words(fields.get("keys"), "a list of paths", "a path of a public key", faults)
        single = _word(fields.get("key"), "a path of a public key", faults)
        if not keys and not single and not set(fields) and len(names) == 0:
            faults.add(node.place, what, "no key")
        if "keys" in fields and isinstance(fields["keys"], yaml.Sequence) and not fields["keys"].items:
            faults.add(fields["keys"].place, "at least one path", "an empty list")
        return (*((single,) if single else ()), *keys)
    return ()


def _steps(node: Node | None, faults: Faults) -> tuple[AuthoredStep, ...]:
    if node is None:
        return ()
    steps: list[AuthoredStep] = []
    with faults.kept(node.place):
        nodes = yaml.items(node, "a list of steps")
        if not nodes:
            faults.add(node.place, "at least one step: without steps nothing is demanded", "none")
        for each in nodes:
            with faults.kept(each.place):
                steps.append(_step(each, faults))
    return tuple(steps)


def _step(node: Node, faults: Faults) -> AuthoredStep:
    fields = _fields(node, "a step: a mapping with name and functionaries", STEP_KEYS, faults)
    for key in ("name", "functionaries"):
        if key not in fields:
            faults.add(node.place, f"the key {key} of the step", "a step without it")
    name = _word(fields.get("name"), "the name of a step", faults)
    if name and (fault := step_name_fault(name.text)):
        faults.add(name.place, "a step name", f"{quoted(name.text)}: {fault}")
    functionaries = _words(
        fields.get("functionaries"), "a list of names", "the name of a functionary", faults
    )
    listed = fields.get("functionaries")
    if isinstance(listed, yaml.Sequence) and not listed.items:
        faults.add(listed.place, "at least one functionary: somebody must sign the step's link", "none")
    threshold = 1
    if (given := fields.get("threshold")) is not None:
        with faults.kept(given.place):
            threshold = _threshold(given)
    is_open = False
    if (given := fields.get("open")) is not None:
        with faults.kept(given.place):
            is_open = yaml.boolean(given, "true or false")
    return AuthoredStep(
        name=name,
        functionaries=functionaries,
        threshold=threshold,
        threshold_place=fields["threshold"].place if "threshold" in fields else node.place,
        command=_command(fields.get("expected_command"), faults),
        materials=_rules(fields.get("expected_materials"), node.place, faults),
        products=_rules(fields.get("expected_products"), node.place, faults),
        open=is_open,
        place=node.place,
    )


def _threshold(node: Node) -> int:
    what = "a whole number from 1 to the number of functionaries"
    threshold = yaml.integer(node, what)
    if threshold < 1:
        raise yaml.Misplaced(node.place, what, str(threshold))
    return threshold


def _command(node: Node | None, faults: Faults) -> tuple[str, ...]:
    """A list of words, or one text that is split as a shell does."""
    if node is None:
        return ()
    with faults.kept(node.place):
        if isinstance(node, yaml.Scalar):
            return _split_command(yaml.text(node, "a command"), node.place)
        words = []
        for each in yaml.items(node, "a list of words, or a command as one text"):
            if not isinstance(each, yaml.Scalar):
                raise yaml.Misplaced(each.place, "a word of the command", yaml.describe(each))
            words.append(each.text)
        return tuple(words)
    return ()


def _split_command(text: str, place: Place) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise yaml.Misplaced(place, "a command whose quotes are closed", quoted(text)) from error


def _rules(node: Node | None, step: Place, faults: Faults) -> AuthoredRules:
    if node is None:
        return AuthoredRules((), step)
    before = len(faults)
    rules = []
    with faults.kept(node.place):
        for each in yaml.items(node, "a list of rules, e.g. - CREATE out/*"):
            with faults.kept(each.place):
                rules.append(_rule(each, faults))
    return AuthoredRules(tuple(rules), node.place, sound=len(faults) == before)


def _rule(node: Node, faults: Faults) -> AuthoredRule:
    what = "a rule as text, or {rule: MATCH …, optional: true}"
    line, optional = node, False
    if isinstance(node, yaml.Mapping):
        fields = _fields(node, what, ("rule", "optional"), faults)
        if "rule" not in fields:
            raise yaml.Misplaced(node.place, what, "a mapping without rule")
        line = fields["rule"]
        optional = "optional" in fields and yaml.boolean(fields["optional"], "true or false")
    words = split_rule(yaml.text(line, what), str(line.place))
    rule = parse_rule(words, str(line.place))
    if optional and rule.kind is not RuleKind.MATCH:
        raise yaml.Misplaced(node.place, "optional for a MATCH only", f"it for a {rule.kind.value}")
    return AuthoredRule(rule, optional, line.place)


def _subject(node: Node, faults: Faults) -> Subject | None:
    what = "{step: STEP, artifact: oci:REGISTRY/REPOSITORY}"
    with faults.kept(node.place):
        fields = _fields(node, what, ("step", "artifact"), faults)
        for key in ("step", "artifact"):
            if key not in fields:
                faults.add(node.place, what, f"no {key}")
        step = _word(fields.get("step"), "the name of a step", faults)
        artifact = _word(fields.get("artifact"), "oci:REGISTRY/REPOSITORY", faults)
        if artifact:
            with faults.kept(artifact.place):
                _check_image(artifact.text, str(artifact.place))
        return Subject(step, artifact) if step and artifact else None
    return None


def _check_image(name: str, where: str) -> None:
    """An `oci:` name whose repository is written out as `verify` will write the one of the image."""
    expected = "oci:REGISTRY/REPOSITORY with neither tag nor digest, e.g. oci:ghcr.io/octo/app"
    repository = repository_of(name)
    if repository is None or not repository:
        raise Malformed(where, expected, f"{quoted(name)}, which does not begin with {OCI_SCHEME}")
    try:
        reference = parse_registry_reference(repository)
    except Malformed as error:
        raise Malformed(where, expected, f"{quoted(name)}: {error.found}") from error
    if reference.tag or reference.digest or "[" in name:
        raise Malformed(where, expected, quoted(name))
    if reference.name != repository:
        raise Malformed(where, f"the repository written out: {OCI_SCHEME}{reference.name}", quoted(name))


def _source(node: Node, faults: Faults) -> Source | None:
    what = "{repository: OWNER/NAME, refs: [REF, …], …}"
    with faults.kept(node.place):
        fields = _fields(node, what, SOURCE_KEYS, faults)
        if "repository" not in fields:
            faults.add(node.place, "the key repository of source", "a source without it")
        repository = _word(fields.get("repository"), "a repository such as octo/app", faults)
        refs = _words(fields.get("refs"), "a list of refs", "a ref such as refs/heads/main", faults)
        events = _words(fields.get("events"), "a list of events", "an event such as push", faults)
        any_commit = _words(fields.get("any-commit"), "a list of steps", "the name of a step", faults)
        pass_oidc = _words(fields.get("pass-oidc"), "a list of steps", "the name of a step", faults)
        if repository and (fault := repository_fault(repository_uri(repository.text))):
            faults.add(repository.place, "a repository: octo/app or https://github.com/octo/app", fault)
        for ref in refs:
            if fault := ref_fault(ref.text):
                faults.add(ref.place, "a ref such as refs/heads/main or refs/tags/v*", fault)
        for event in events:
            if fault := event_fault(event.text):
                faults.add(event.place, "an event such as push", fault)
        demand = SourceDemand(
            repository_uri(repository.text) if repository else "",
            _texts(refs),
            _texts(events),
            _texts(any_commit),
            _texts(pass_oidc),
        )
        return Source(demand, (*any_commit, *pass_oidc), node.place)
    return None


def _inspections(node: Node, source_is_there: bool, faults: Faults) -> None:
    """Names only: what an inspection demands stands under its own key."""
    there_is = ", ".join(BUILT_IN)
    for word in _words(node, "a list of built-in inspections", f"the name of one: {there_is}", faults):
        if word.text not in BUILT_IN:
            hint = did_you_mean(word.text, BUILT_IN)
            expected = f"a built-in inspection; there is {there_is} (others run with stock in-toto-verify)"
            faults.add(word.place, expected, f"{quoted(word.text)}{hint}")
        elif word.text == SOURCE and not source_is_there:
            faults.add(word.place, "the key source, which says what the inspection demands", "none")


def _texts(words: tuple[Word, ...]) -> tuple[str, ...]:
    return tuple(word.text for word in words)
