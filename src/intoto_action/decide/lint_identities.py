"""What is wrong with the identities of a layout: they can be somebody else than their author meant.

Source: Fulcio's oid-info.md and configuration for GitHub: the subject alternative name of a job is that of the workflow
file that defines it, whoever calls it, and every job of a file has the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from intoto_action.decide.lint_fault import Lint, error, readable_key, readable_keys, source_demands, warning
from intoto_action.formats.identity import GITHUB_ISSUER, PREFIX_CLAIM, SOURCE_REPOSITORY, Identity
from intoto_action.formats.inspection import SourceDemand
from intoto_action.formats.layout import Layout, Step
from intoto_action.formats.spelling import quoted
from intoto_action.formats.workflow import workflow_of
from intoto_action.trust.identities import share_a_signer

_UNREVIEWED = ("refs/heads/", "refs/pull/")
"""Where refs are that somebody can make whose change nobody has merged."""


def identity_errors(layout: Layout) -> Iterator[Lint]:
    """L36, when the layout says where links come from."""
    identities = _identities(layout)
    for demand in source_demands(layout) if identities else ():
        for identity in identities:
            yield from _of_another_source(identity, demand)


def identity_warnings(layout: Layout) -> Iterator[Lint]:
    """L26, L35, L36 when the layout does not say where links come from, L37, L38."""
    identities = _identities(layout)
    if not identities:
        return
    for identity in identities:
        yield from _more_than_meant(identity)
    for step in layout.steps:
        yield from _one_signer_for_two(layout, step)
    demands = source_demands(layout)
    if not demands:
        yield from _callable_by_others(identities)
    yield warning(
        "L37",
        "identities that sign links, layouts and evidence only",
        f"{_one_of(identities)}: nobody looks whether it signs other things, and what it signs with another tool "
        "(cosign sign-blob) is a link when its bytes are those of one",
    )
    yield from _commands_that_can_sign(layout, identities, demands)


def _identities(layout: Layout) -> list[Identity]:
    found = (readable_key(layout, keyid) for keyid, entry in layout.keys.items() if entry.keyval.is_identity)
    return [key for key in found if isinstance(key, Identity)]


def _of_another_source(identity: Identity, demand: SourceDemand) -> Iterator[Lint]:
    """L36: a link by a workflow of another repository says by its signature alone nothing of who called it."""
    workflow = workflow_of(identity.identity)
    stated = dict(identity.claims).get(SOURCE_REPOSITORY)
    if stated is not None and stated != demand.repository:
        expected = f"source-repository {demand.repository}, which source demands of every link"
        yield error("L36", expected, f"{stated} of {identity.identity}", key=identity.keyid)
    elif stated is None and workflow is not None and workflow.repository != demand.repository:
        expected = (
            f"source-repository {demand.repository} beside a workflow of another repository: its identity is the "
            "same whoever calls it"
        )
        yield error("L36", expected, f"none beside {identity.identity}", key=identity.keyid)


def _callable_by_others(identities: list[Identity]) -> Iterator[Lint]:
    for identity in identities:
        if workflow_of(identity.identity) and SOURCE_REPOSITORY not in dict(identity.claims):
            expected = (
                "source for the layout, or source-repository beside a workflow: if others can call it "
                "(workflow_call), its identity is the same whoever does"
            )
            yield warning("L36", expected, f"neither for {identity.identity}", key=identity.keyid)


def _more_than_meant(identity: Identity) -> Iterator[Lint]:
    """L26."""
    refs = [value for name, value in identity.claims if name == PREFIX_CLAIM]
    if "@refs/" in identity.identity:
        refs.insert(0, f"refs/{identity.identity.partition('@refs/')[2]}")
    for ref in refs:
        if ref.endswith("*") and any(_overlaps(ref[:-1], place) for place in _UNREVIEWED):
            expected = (
                "branches by their names (only tags with *): who may push one can change the workflow in it"
            )
            yield warning("L26", expected, f"{ref} of {identity.identity}", key=identity.keyid)
        elif ref.startswith("refs/pull/"):
            expected = "a ref that merged code has"
            yield warning("L26", expected, f"{ref}, of a pull request", key=identity.keyid)
    if identity.issuer == GITHUB_ISSUER and workflow_of(identity.identity) is None:
        expected = "a workflow, …/.github/workflows/FILE@REF: that is what GitHub's certificates name"
        yield warning("L26", expected, f"{identity.identity}, which is nobody", key=identity.keyid)
    if identity.issuer.startswith("http://"):
        expected = "an issuer with https"
        found = f"{identity.issuer}, which is somebody else on every machine"
        yield warning("L26", expected, found, key=identity.keyid)


def _overlaps(prefix: str, place: str) -> bool:
    return prefix.startswith(place) or place.startswith(prefix)


def _one_signer_for_two(layout: Layout, step: Step) -> Iterator[Lint]:
    """L35: who fits two functionaries counts once for us, and twice for a verifier that counts keyids."""
    if step.threshold < 2:
        return
    identities = [key for key in readable_keys(layout, step) if isinstance(key, Identity)]
    for one, other in combinations(identities, 2):
        if one.fingerprint != other.fingerprint and share_a_signer(one, other):
            expected = "functionaries whom nobody fits two of, in a step with a threshold above 1"
            found = f"{one.identity} and {other.identity}: who is both counts once"
            yield warning("L35", expected, found, step.name, "pubkeys")


def _commands_that_can_sign(
    layout: Layout, identities: list[Identity], demands: list[SourceDemand]
) -> Iterator[Lint]:
    """L38: a command with an OIDC token can sign whatever it likes as the workflow that it runs in."""
    if not demands:
        expected = "source, whose pass-oidc names the steps whose commands may ask for an OIDC token"
        found = f"none: a command that was recorded with --pass-oidc may have signed as {_one_of(identities)}"
        yield warning("L38", expected, found)
        return
    passing = {name for demand in demands for name in demand.pass_oidc}
    for step in layout.steps:
        if step.name not in passing:
            continue
        for other in layout.steps:
            if other is not step and (identity := _shared(layout, step, other)):
                expected = "an identity that signs no other step, where the command may ask for an OIDC token"
                found = f"{identity.identity}, as which it could sign step {quoted(other.name)} too"
                yield warning("L38", expected, found, step.name, "pubkeys")


def _shared(layout: Layout, step: Step, other: Step) -> Identity | None:
    """An identity of the step that can sign the other one too."""
    theirs = [key for key in readable_keys(layout, other) if isinstance(key, Identity)]
    ours = [key for key in readable_keys(layout, step) if isinstance(key, Identity)]
    return next((each for each in ours if any(share_a_signer(each, key) for key in theirs)), None)


def _one_of(identities: list[Identity]) -> str:
    more = len(identities) - 1
    return identities[0].identity + (f" or {more} more" if more else "")
