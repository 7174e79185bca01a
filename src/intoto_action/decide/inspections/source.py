"""The inspection `source`: every link comes from this repository, these refs and events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

import msgspec

from intoto_action.formats.environment import GithubEnvironment, github_environment, recorded
from intoto_action.formats.inspection import SourceDemand
from intoto_action.formats.link import Link
from intoto_action.reason import Finding, Malformed, Reason

UNTRUSTED_EVENTS = ("pull_request", "pull_request_*", "workflow_run", "issue_comment")
"""Events that run with, or on behalf of, code nobody has merged: excluded unless the layout lists them."""


class StepLink(msgspec.Struct, frozen=True):
    """A link of a step, and the file it was read from."""

    step: str
    file_name: str
    link: Link

    @property
    def where(self) -> str:
        """The file, in words."""
        return f"link {self.file_name}"


class Source(msgspec.Struct, frozen=True):
    """The demand of the layout, checked against `environment.github` of every link."""

    demand: SourceDemand

    def check(self, links: Iterable[StepLink]) -> Iterator[Finding]:
        """A SOURCE_MISMATCH for every link that names another source, or none."""
        for each in links:
            yield from self._check_link(each)

    def _check_link(self, each: StepLink) -> Iterator[Finding]:
        try:
            github = github_environment(each.link, each.where)
            oidc = recorded(each.link, each.where).oidc
        except Malformed as error:
            yield mismatch(each.step, error.where, error.expected, error.found)
            return
        if github is None:
            expected = f"a link recorded in {self.demand.repository}"
            yield mismatch(each.step, each.where, expected, "one that names no repository")
            return
        for expected, found in self._differences(github):
            yield mismatch(each.step, each.where, expected, found)
        if oidc and each.step not in self.demand.pass_oidc:
            expected = "a command without an OIDC token (the layout's pass-oidc does not name this step)"
            yield mismatch(each.step, each.where, expected, "a command that could ask for one")

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
