"""Phase 7: in-toto's own verifier decides over the artifact rules, and every rule that fails is explained.

The reference's functions run unmodified on our structs; what it does not look at has been looked at before
(`links`), so that we never pass what it denies and deny more.
"""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Iterator, Mapping

import msgspec

from intoto_action.decide.links import VerifiedLink
from intoto_action.formats.layout import Layout, Rule, Step
from intoto_action.formats.link import Link
from intoto_action.reason import Denied, Finding, Reason, Sighting

MOST_ARTIFACTS = 20
"""How many of the artifacts that broke a rule are named in a finding."""
_TRACE = threading.Lock()  # verifylib keeps the trace of the rules in a global of its module

Links = Mapping[str, tuple[VerifiedLink, ...]]


class Chain(msgspec.Struct, frozen=True):
    """The links that followed every rule of the layout: only `follow` makes one."""

    layout: Layout
    links: dict[str, tuple[VerifiedLink, ...]]

    def link(self, step: str) -> Link:
        """The link of a step; when several functionaries signed one, they agree on its artifacts."""
        return self.links[step][0].link


def follow(layout: Layout, links: dict[str, tuple[VerifiedLink, ...]]) -> Chain:
    """Hold the links against the rules of the layout.

    Raises: Denied with THRESHOLD when functionaries of one step disagree, with RULE_VIOLATION for every list of
    rules that fails.
    """
    if findings := tuple(_disagreements(layout, links)):
        raise Denied(*findings)
    with _TRACE:
        chain = _reference_links(layout, links)
        findings = tuple(finding for step in layout.steps for finding in _violations(layout, step, chain))
    if findings:
        raise Denied(*findings)
    return Chain(layout, links)


class _Metadata:
    """A verified link as verifylib wants to see it."""

    def __init__(self, verified: VerifiedLink) -> None:
        self._verified = verified

    def verify_signature(self, key: Mapping[str, object]) -> None:
        """Raises what verifylib expects for a link that this key did not sign.

        That its functionary signed it was found out when the link became a VerifiedLink.
        """
        from in_toto.exceptions import SignatureVerificationError

        if key["keyid"] != self._verified.functionary.keyid:
            raise SignatureVerificationError(f"{self._verified.file_name} is not signed by {key['keyid']}")

    def get_payload(self) -> Link:
        """The link, already typed."""
        return self._verified.link


class _LayoutView(msgspec.Struct, frozen=True):
    """The layout as verifylib wants to see it: keys are plain dicts."""

    steps: list[Step]
    keys: dict[str, dict[str, object]]


def _disagreements(layout: Layout, links: Links) -> Iterator[Finding]:
    """Links of one step that name other artifacts: the reference compares them for thresholds above 1 only.

    Source: facts of in-toto 3.1: at a threshold of 1 it takes the first in the order of the layout's keyids.
    """
    for step in layout.steps:
        first, *others = links[step.name]
        for other in others:
            if (first.link.materials, first.link.products) == (other.link.materials, other.link.products):
                continue
            yield Finding(
                reason=Reason.THRESHOLD,
                step=step.name,
                where=f"links {first.file_name} and {other.file_name}",
                expected="the same materials and products from every functionary of the step",
                found=f"{first.signed_by} and {other.signed_by} recorded different ones",
                artifacts=_differences(first.link, other.link),
            )


def _differences(one: Link, other: Link) -> tuple[str, ...]:
    pairs = ((one.materials, other.materials), (one.products, other.products))
    names = {name for a, b in pairs for name in {*a, *b} if a.get(name) != b.get(name)}
    return tuple(sorted(names)[:MOST_ARTIFACTS])


def _reference_links(layout: Layout, links: Links) -> dict[str, Link]:
    from in_toto import verifylib
    from in_toto.exceptions import ThresholdVerificationError

    keys: dict[str, dict[str, object]] = {
        keyid: {"keyid": keyid, "keytype": entry.keytype, "scheme": entry.scheme}
        for keyid, entry in layout.keys.items()
    }
    metadata = {
        step: {each.functionary.keyid: _Metadata(each) for each in verified}
        for step, verified in links.items()
    }
    try:
        counted = verifylib.verify_link_signature_thresholds(_LayoutView(layout.steps, keys), metadata)
        payloads = {
            step: {keyid: each.get_payload() for keyid, each in found.items()}
            for step, found in counted.items()
        }
        verifylib.verify_threshold_constraints(layout, payloads)
    except ThresholdVerificationError as error:
        finding = Finding(
            reason=Reason.THRESHOLD,
            expected="enough links by different functionaries, as in-toto's verifier counts them",
            found=str(error).splitlines()[0][:300],
            where="the links",
        )
        raise Denied(finding) from error
    reduced: dict[str, Link] = verifylib.reduce_chain_links(payloads)
    return reduced


def _violations(layout: Layout, step: Step, chain: Mapping[str, Link]) -> Iterator[Finding]:
    from in_toto import verifylib
    from in_toto.exceptions import RuleVerificationError

    for kind, rules in (("materials", step.expected_materials), ("products", step.expected_products)):
        try:
            verifylib.verify_item_rules(step.name, kind, rules, chain)
        except RuleVerificationError:
            passed = verifylib.RULE_TRACE["trace"]
            queue = passed[-1]["queue"] if passed else list(getattr(chain[step.name], kind))
            yield _violation(layout, step, kind, rules[len(passed)], queue, chain)


def _violation(
    layout: Layout, step: Step, kind: str, rule: Rule, queue: list[str], chain: Mapping[str, Link]
) -> Finding:
    artifacts: tuple[str, ...]
    if rule[0].upper() == "REQUIRE":
        artifacts, found = (rule[1],), f"it is not among the step's {kind}, or an earlier rule consumed it"
        expected = f"{rule[1]} among the {kind} of step {step.name!r}"
    else:
        matched = sorted(fnmatch.filter(queue, rule[1]))
        artifacts = tuple(matched[:MOST_ARTIFACTS])
        found = f"{len(matched)} that no rule before accounts for: {', '.join(artifacts[:3])}"
        found += " …" if len(matched) > 3 else ""
        expected = f"no {kind} of step {step.name!r} but those that its rules allow"
    return Finding(
        reason=Reason.RULE_VIOLATION,
        step=step.name,
        where=rules_as_told(kind, step.name),
        rule=rule_as_told(rule),
        expected=expected,
        found=found,
        artifacts=artifacts,
        sightings=sightings(layout, chain, artifacts[0]) if artifacts else (),
    )


def rules_as_told(kind: str, step: str) -> str:
    """What a finding calls a list of rules: `kind` is materials or products."""
    return f"expected_{kind} of step {step!r}"


def rule_as_told(rule: Rule) -> str:
    """What a finding calls a rule."""
    return " ".join(rule)


def sightings(layout: Layout, chain: Mapping[str, Link], artifact: str) -> tuple[Sighting, ...]:
    """What every step recorded for the artifact, in the order of the layout; steps that never saw it are left out."""
    found = []
    for step in layout.steps:
        for kind in ("materials", "products"):
            recorded = getattr(chain[step.name], kind).get(artifact)
            if recorded is not None:
                found.append(Sighting(step.name, kind, str(recorded)))
    return tuple(found)
