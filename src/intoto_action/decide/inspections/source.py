"""The inspection `source`: every link comes from this repository, these refs and events."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import msgspec

from intoto_action.decide.chain import Chain
from intoto_action.decide.links import VerifiedLink
from intoto_action.formats.environment import GithubEnvironment, github_environment, recorded
from intoto_action.formats.inspection import SourceDemand
from intoto_action.reason import Finding, Malformed, Reason

UNTRUSTED_EVENTS = ("pull_request", "pull_request_*", "workflow_run", "issue_comment")
"""Events that run with, or on behalf of, code nobody has merged: excluded unless the layout lists them."""


class Source(msgspec.Struct, frozen=True):
    """The demand of the layout, checked against `environment.github` of every link."""

    demand: SourceDemand

    def check(self, chain: Chain) -> Iterator[Finding]:
        """A SOURCE_MISMATCH for every link that names another source, or none."""
        for step, links in chain.links.items():
            for link in links:
                yield from self._check_link(step, link)

    def _check_link(self, step: str, verified: VerifiedLink) -> Iterator[Finding]:
        where = f"link {verified.file_name}"
        try:
            github = github_environment(verified.link, where)
            oidc = recorded(verified.link, where).oidc
        except Malformed as error:
            yield mismatch(step, error.where, error.expected, error.found)
            return
        if github is None:
            yield mismatch(
                step, where, f"a link recorded in {self.demand.repository}", "one that names no repository"
            )
            return
        yield from (mismatch(step, where, expected, found) for expected, found in self._differences(github))
        if oidc and step not in self.demand.pass_oidc:
            expected = "a command without an OIDC token (the layout's pass-oidc does not name this step)"
            yield mismatch(step, where, expected, "a command that could ask for one")

    def _differences(self, github: GithubEnvironment) -> Iterator[tuple[str, str]]:
        if github.repository_uri != self.demand.repository:
            yield self.demand.repository, github.repository_uri
        refs = self.demand.refs
        if refs and not any(_ref_matches(ref, github.ref) for ref in refs):
            yield f"ref {' or '.join(refs)}", f"ref {github.ref}"
        if self.demand.events:
            if github.event not in self.demand.events:
                yield f"event {' or '.join(self.demand.events)}", f"event {github.event}"
        elif any(fnmatchcase(github.event, pattern) for pattern in UNTRUSTED_EVENTS):
            yield "an event that runs merged code only", f"event {github.event}"


def _ref_matches(pattern: str, ref: str) -> bool:
    return ref.startswith(pattern[:-1]) if pattern.endswith("*") else ref == pattern


def mismatch(
    step: str, where: str, expected: str, found: str, reason: Reason = Reason.SOURCE_MISMATCH
) -> Finding:
    """A finding of phase 9."""
    return Finding(reason=reason, step=step, where=where, expected=expected, found=found)
