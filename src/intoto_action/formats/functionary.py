"""An identity as a person writes it: in layout.yaml, in a file that `layout functionary` printed, as a word.

Two forms are read in YAML: what the certificate must say (`identity` and `issuer`, exact), and for GitHub where the
workflow is (`repository`, `workflow` and `ref`), which demands the source repository too, because a reusable workflow
has one identity whoever calls it. Claims may stand beside both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from intoto_action.formats import yaml
from intoto_action.formats.identity import (
    CLAIMS,
    GITHUB_ISSUER,
    SOURCE_REPOSITORY,
    Identity,
    claim_fault,
    identity_fault,
    identity_of,
    issuer_fault,
)
from intoto_action.formats.inspection import event_fault, ref_fault, repository_fault, repository_uri
from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.formats.workflow import (
    GITHUB_HOSTED,
    github_repository_fault,
    named_workflow,
    workflow_fault,
    workflow_ref_fault,
)
from intoto_action.formats.yaml import Misplaced, Node
from intoto_action.reason import MalformedKey

IDENTITY_KEYS = ("identity", "issuer", *CLAIMS)
_OTHER_CLAIMS = tuple(claim for claim in CLAIMS if claim != SOURCE_REPOSITORY)
WORKFLOW_KEYS = ("repository", "workflow", "ref", "issuer", *_OTHER_CLAIMS)
_OF_WORKFLOWS = ("repository", "workflow", "ref")
FORMS = "{identity: URI, issuer: URL}, or {repository: OWNER/NAME, workflow: FILE, ref: REF} for GitHub"
_IN_A_FILE = f"NAME: and below it an identity, as `layout functionary` prints it: {FORMS}"

_HOSTED = re.compile(r"[a-z0-9-]+-hosted\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_PLAIN = re.compile(r"(?:https?://|refs/)[A-Za-z0-9._/@:+*-]*[A-Za-z0-9*]\Z|[a-z]+-hosted\Z")


def is_identity_key(name: str) -> bool:
    """Whether a key of YAML is one of an identity's."""
    return name in IDENTITY_KEYS or name in WORKFLOW_KEYS


def read_identity(node: Node, faults: list[Misplaced]) -> Identity | None:
    """The identity that a mapping describes; None when it has faults, which are added to `faults`."""
    found: list[Misplaced] = []
    try:
        entries = {key.text: (key.place, value) for key, value in yaml.entries(node, FORMS)}
        keys = WORKFLOW_KEYS if entries.keys() & set(_OF_WORKFLOWS) else IDENTITY_KEYS
        found += _unknown(node, keys)
        places = {name: value.place for name, (_, value) in entries.items()}
        texts: dict[str, str] = {}
        for name, (_, value) in entries.items():
            if name in keys:
                texts[name] = yaml.text(value, f"a text for {name}")
        # What is missing is probably there under the wrong name.
        said = [each for each in _faults(texts) if each[0] in texts or not found]
        found += [Misplaced(places.get(key, node.place), expected, what) for key, expected, what in said]
        if not found:
            return _identity(texts, str(node.place))
    except Misplaced as fault:
        found.append(fault)
    faults += found
    return None


def parse_functionary(raw: bytes, where: str) -> Identity:
    """The identity in a file that `layout functionary` printed; `where` names the file.

    Raises: Malformed, with line and column.
    """
    faults: list[Misplaced] = []
    entries = yaml.entries(yaml.parse_yaml(raw, where), _IN_A_FILE)
    if len(entries) != 1:
        found = f"{len(entries)} names" if entries else "none"
        raise MalformedKey(
            where, _IN_A_FILE, f"{found}: {', '.join(quoted(key.text) for key, _ in entries[:3])}"
        )
    identity = read_identity(entries[0][1], faults)
    if identity is None:
        raise min(faults, key=lambda fault: fault.place)
    return identity


def parse_identity_word(word: str, where: str) -> Identity:
    """The identity that `identity=URI,issuer=URL[,claim=value…]` names.

    Values end at the next comma: one that has a comma itself must stand in a file, because what follows it could be
    read as a claim.
    Raises: Malformed.
    """
    texts: dict[str, str] = {}
    for part in word.split(","):
        name, equals, value = part.partition("=")
        if not equals or name not in IDENTITY_KEYS:
            expected = f"NAME=VALUE with one of {', '.join(IDENTITY_KEYS)} after every comma"
            more = f"{did_you_mean(name, IDENTITY_KEYS)}; a value with a comma in it goes into a file, as `layout "
            raise MalformedKey(where, expected, f"{quoted(part)}{more}functionary` prints it")
        if name in texts:
            raise MalformedKey(where, f"{name} once", "it twice")
        texts[name] = value
    return identity_from_texts(texts, where)


def identity_from_texts(texts: Mapping[str, str], where: str) -> Identity:
    """The identity that texts under the keys of either form describe.

    Raises: Malformed.
    """
    for name, expected, found in _faults(texts):
        raise MalformedKey(f"{where}, {name}" if name in texts else where, expected, found)
    return _identity(texts, where)


def written_claim_fault(name: str, value: str) -> tuple[str, str] | None:
    """Expected and found, when a person who wrote that claim must have meant something else; else None.

    Source: Fulcio's oid-info.md for the form of each.
    """
    fault: str | None = None
    expected = ""
    match name:
        case "source-repository":
            expected = "the URI of a repository as certificates have it, e.g. https://github.com/octo/app"
            fault = repository_fault(value)
            if fault and repository_uri(value) != value:
                fault = f"{quoted(value)} (did you mean {quoted(repository_uri(value))}?)"
        case "source-ref":
            expected, fault = "a ref such as refs/heads/main or refs/tags/*", ref_fault(value)
        case "event":
            expected, fault = "an event such as push", event_fault(value)
        case "runner-environment":
            expected = "github-hosted, gitlab-hosted or self-hosted"
            hint = did_you_mean(value, expected.replace(" or", ",").split(", "))
            fault = None if _HOSTED.match(value) else f"{quoted(value)}{hint}"
        case "build-signer-digest":
            expected = "a whole commit, of 40 or 64 hex digits"
            fault = None if _COMMIT.match(value) else quoted(value)
    return (expected, fault) if fault else claim_fault(name, value)


def functionary_lines(
    name: str, identity: Identity, optional: Mapping[str, str], remark: str = ""
) -> Iterator[str]:
    """The identity as YAML that goes under `functionaries:` of a layout.yaml, and that is read as PUB.

    `optional` are claims that the author may demand too: they are commented out, below `remark`.
    """
    yield f"  {name}:"
    yield f"    identity: {_scalar(identity.identity)}"
    yield f"    issuer: {_scalar(identity.issuer)}"
    for claim, value in identity.claims:
        yield f"    {claim}: {_scalar(value)}"
    if optional and remark:
        yield f"    # {remark}"
    for claim, value in optional.items():
        yield f"    # {claim}: {_scalar(value)}"


def _unknown(node: Node, keys: tuple[str, ...]) -> Iterator[Misplaced]:
    """A fault for every key that is none of this form's, with the reason when it is one of the other's."""
    for key, _ in yaml.entries(node, FORMS):
        if key.text in keys:
            continue
        expected, found = f"one of {', '.join(keys)}", f"{quoted(key.text)}{did_you_mean(key.text, keys)}"
        if key.text == SOURCE_REPOSITORY:
            expected = "repository alone, which demands it as the source repository"
        elif key.text == "identity":
            expected, found = "identity, or repository with workflow and ref", "both"
        yield Misplaced(key.place, expected, found)


def _identity(texts: Mapping[str, str], where: str) -> Identity:
    claims = {name: value for name, value in texts.items() if name in CLAIMS}
    issuer = texts.get("issuer", GITHUB_ISSUER)
    if "repository" not in texts:
        return identity_of(texts["identity"], issuer, claims, where)
    repository = repository_uri(texts["repository"])
    workflow = named_workflow(repository, texts["workflow"], texts["ref"])
    return identity_of(workflow.identity, issuer, {SOURCE_REPOSITORY: repository, **claims}, where)


def _faults(texts: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Key, expected and found of each thing that is wrong; the key is not in `texts` when it is missing."""
    if texts.keys() & set(_OF_WORKFLOWS):
        yield from _workflow_faults(texts)
    else:
        yield from _exact_faults(texts)
    if (issuer := texts.get("issuer")) is not None and (fault := issuer_fault(issuer)):
        yield "issuer", f"an issuer such as {GITHUB_ISSUER}", fault
    for name, value in texts.items():
        if name in CLAIMS and (said := written_claim_fault(name, value)):
            yield name, *said


def _exact_faults(texts: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    identity = texts.get("identity")
    if identity is None:
        yield "identity", FORMS, "no identity"
    elif fault := identity_fault(identity):
        yield "identity", *fault
    if "issuer" not in texts:
        yield "issuer", f"the issuer that vouches for it, e.g. {GITHUB_ISSUER}", "none"


def _workflow_faults(texts: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in _OF_WORKFLOWS:
        if name not in texts:
            yield name, "repository, workflow and ref", f"no {name}"
    if (repository := texts.get("repository")) is not None:
        uri = repository_uri(repository)
        if fault := github_repository_fault(uri):
            yield "repository", "a repository: octo/app or https://github.corp/octo/app", fault
        elif "issuer" not in texts and not uri.startswith(f"{GITHUB_HOSTED}/"):
            server = "/".join(uri.split("/")[:3])
            yield "issuer", f"the issuer of that server, e.g. {server}/_services/token", "none"
    if (word := texts.get("workflow")) is not None and (fault := workflow_fault(word)):
        expected = "a workflow's file: release.yml, or octo/shared/.github/workflows/release.yml of another repository"
        yield "workflow", expected, fault
    if (ref := texts.get("ref")) is not None and (fault := workflow_ref_fault(ref)):
        yield "ref", "a ref such as refs/heads/main or refs/tags/*, or a whole commit", fault


def _scalar(text: str) -> str:
    """The text as YAML that any reader takes for a text. It has no control characters (`formats.identity`)."""
    return text if _PLAIN.match(text) else "'" + text.replace("'", "''") + "'"
