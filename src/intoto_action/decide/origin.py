"""Phase 9: one commit, and when demanded one run, for all links; and what `source` inspections want."""

from __future__ import annotations

from collections.abc import Iterator

from intoto_action.decide.chain import Chain
from intoto_action.decide.inspections.built_in import source_of
from intoto_action.decide.inspections.source import mismatch
from intoto_action.formats.environment import GithubEnvironment, github_environment
from intoto_action.reason import Denied, Finding, Malformed, Reason

_Named = tuple[str, str, str]


def check_origin(chain: Chain, *, same_run: bool) -> None:
    """All links name the same commit or none does, and the layout's `source` holds.

    Raises: Denied with SOURCE_MISMATCH, RUN_MISMATCH, INSPECTION_REFUSED.
    """
    sources = source_of(chain.layout)
    any_commit = frozenset(step for source in sources for step in source.demand.any_commit)
    environments, findings = _environments(chain)
    findings += [finding for source in sources for finding in source.check(chain)]
    commits = [
        (step, where, github.sha if github else "")
        for step, where, github in environments
        if step not in any_commit
    ]
    findings += _differing(commits, "commit", Reason.SOURCE_MISMATCH)
    if same_run:
        runs = [(step, where, _run(github)) for step, where, github in environments if step not in any_commit]
        findings += [
            mismatch(
                step,
                where,
                "a link that names its run (--same-run)",
                "one that names none",
                Reason.RUN_MISMATCH,
            )
            for step, where, run in runs
            if not run
        ]
        findings += _differing(runs, "run", Reason.RUN_MISMATCH)
    if findings:
        raise Denied(*findings)


def _environments(chain: Chain) -> tuple[list[tuple[str, str, GithubEnvironment | None]], list[Finding]]:
    environments: list[tuple[str, str, GithubEnvironment | None]] = []
    findings = []
    for step, links in chain.links.items():
        for each in links:
            where = f"link {each.file_name}"
            try:
                environments.append((step, where, github_environment(each.link, where)))
            except Malformed as error:
                findings.append(mismatch(step, error.where, error.expected, error.found))
    return environments, findings


def _run(github: GithubEnvironment | None) -> str:
    return f"{github.repository_uri}/actions/runs/{github.run_id}" if github and github.run_id else ""


def _differing(named: list[_Named], what: str, reason: Reason) -> Iterator[Finding]:
    if not named:
        return
    _, first_where, first = named[0]
    for step, where, value in named[1:]:
        if value != first:
            expected = (
                f"{what} {first}, as {first_where} names it" if first else f"no {what}, as in {first_where}"
            )
            yield mismatch(step, where, expected, f"{what} {value}" if value else f"no {what}", reason)
