"""layout.yaml, read."""

from __future__ import annotations

from intoto_action.author.document import Document, Source, Subject, Word
from intoto_action.author.faults import BadLayout, Faults
from intoto_action.author.fields import read_fields, read_word, read_words
from intoto_action.author.read_functionaries import read_functionaries
from intoto_action.author.read_steps import read_steps
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
from intoto_action.formats.reference import parse_registry_reference
from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.formats.yaml import Node, Place
from intoto_action.reason import Malformed

WHOLE = "a layout: a mapping with expires, functionaries and steps"
KEYS = ("expires", "readme", "subject", "source", "inspections", "functionaries", "steps")
SOURCE_KEYS = ("repository", "refs", "events", "any-commit", "pass-oidc")


def read_document(raw: bytes, file: str, faults: Faults) -> Document:
    """Read layout.yaml; what is wrong goes to `faults`.

    Raises: BadLayout when it is not even YAML, or no mapping.
    """
    try:
        composed = yaml.compose_yaml(raw, file)
        faults.extend(composed.repeated)
        fields = read_fields(composed.root, WHOLE, KEYS, faults)
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
    steps = read_steps(listed, faults)
    return Document(
        root=start,
        expires=read_word(fields.get("expires"), "an instant or a length of time", faults),
        readme=_readme(fields.get("readme"), faults),
        subject=_subject(fields["subject"], faults) if "subject" in fields else None,
        source=source,
        functionaries=read_functionaries(fields.get("functionaries"), faults),
        steps=steps,
        steps_are_whole=isinstance(listed, yaml.Sequence)
        and len(listed.items) == len([step for step in steps if step.name]),
    )


def _readme(node: Node | None, faults: Faults) -> str:
    word = read_word(node, "a text", faults)
    return word.text if word else ""


def _subject(node: Node, faults: Faults) -> Subject | None:
    what = "{step: STEP, artifact: oci:REGISTRY/REPOSITORY}"
    with faults.kept(node.place):
        fields = read_fields(node, what, ("step", "artifact"), faults)
        for key in ("step", "artifact"):
            if key not in fields:
                faults.add(node.place, what, f"no {key}")
        step = read_word(fields.get("step"), "the name of a step", faults)
        artifact = read_word(fields.get("artifact"), "oci:REGISTRY/REPOSITORY", faults)
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
        fields = read_fields(node, what, SOURCE_KEYS, faults)
        if "repository" not in fields:
            faults.add(node.place, "the key repository of source", "a source without it")
        repository = read_word(fields.get("repository"), "a repository such as octo/app", faults)
        refs = read_words(fields.get("refs"), "a list of refs", "a ref such as refs/heads/main", faults)
        events = read_words(fields.get("events"), "a list of events", "an event such as push", faults)
        any_commit = read_words(fields.get("any-commit"), "a list of steps", "the name of a step", faults)
        pass_oidc = read_words(fields.get("pass-oidc"), "a list of steps", "the name of a step", faults)
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
    for word in read_words(node, "a list of built-in inspections", f"the name of one: {there_is}", faults):
        if word.text not in BUILT_IN:
            hint = did_you_mean(word.text, BUILT_IN)
            expected = f"a built-in inspection; there is {there_is} (others run with stock in-toto-verify)"
            faults.add(word.place, expected, f"{quoted(word.text)}{hint}")
        elif word.text == SOURCE and not source_is_there:
            faults.add(word.place, "the key source, which says what the inspection demands", "none")


def _texts(words: tuple[Word, ...]) -> tuple[str, ...]:
    return tuple(word.text for word in words)
