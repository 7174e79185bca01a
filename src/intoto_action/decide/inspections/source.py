"""The inspection `source`: every link comes from this repository, these refs and events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from intoto_action.decide.inspections.step_link import Origin, StepLink
from intoto_action.formats.environment import is_before_the_merge, recorded
from intoto_action.formats.inspection import SourceDemand
from intoto_action.reason import Finding, Malformed, Reason

_ON_BEHALF = frozenset({"workflow_run", "issue_comment"})
"""Events that anybody can bring about, and that run what is merged on behalf of what is not."""


class Source(msgspec.Struct, frozen=True):
    """The demand of the layout, checked against where every link comes from."""

    demand: SourceDemand

    def check(self, links: Iterable[StepLink]) -> Iterator[Finding]:
        """A SOURCE_MISMATCH for every link that names another source, or none."""
        for each in links:
            yield from self._check_link(each)

    def _check_link(self, each: StepLink) -> Iterator[Finding]:
        try:
            origin = each.origin()
            contradictions = list(each.contradictions())
            oidc = recorded(each.link, each.where).oidc
        except Malformed as error:
            yield mismatch(each.step, error.where, error.expected, error.found)
            return
        if origin is None:
            expected = f"a link recorded in {self.demand.repository}"
            found = (
                "a certificate that names no repository"
                if each.certificate
                else "one that names no repository"
            )
            yield mismatch(each.step, each.where, expected, found)
            return
        for expected, found in (*contradictions, *self.differences(origin)):
            yield mismatch(each.step, each.where, expected, found)
        if oidc and each.step not in self.demand.pass_oidc:
            expected = "a command without an OIDC token (the layout's pass-oidc does not name this step)"
            yield mismatch(each.step, each.where, expected, "a command that could ask for one")

    def differences(self, origin: Origin) -> Iterator[tuple[str, str]]:
        """Expected and found, for whatever of repository, ref and event is another than the layout wants."""
        if origin.repository != self.demand.repository:
            yield self.demand.repository, origin.repository
        refs = self.demand.refs
        if refs and not any(_ref_matches(ref, origin.ref) for ref in refs):
            yield f"ref {' or '.join(refs)}", f"ref {origin.ref}"
        if self.demand.events:
            if origin.event not in self.demand.events:
                yield f"event {' or '.join(self.demand.events)}", f"event {origin.event}"
        elif is_before_the_merge(origin.event) or origin.event in _ON_BEHALF:
            yield "an event that runs merged code only", f"event {origin.event}"


def _ref_matches(pattern: str, ref: str) -> bool:
    return ref.startswith(pattern[:-1]) if pattern.endswith("*") else ref == pattern


def mismatch(
    step: str, where: str, expected: str, found: str, reason: Reason = Reason.SOURCE_MISMATCH
) -> Finding:
    """A finding of phase 9."""
    return Finding(reason=reason, step=step, where=where, expected=expected, found=found)
