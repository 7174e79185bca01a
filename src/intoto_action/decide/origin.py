"""Phase 9: one commit, and when demanded one run, for all links; and what `source` inspections want."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from intoto_action.decide.chain import Chain
from intoto_action.decide.inspections.built_in import source_of
from intoto_action.decide.inspections.source import Source, mismatch
from intoto_action.decide.inspections.step_link import Origin, StepLink
from intoto_action.reason import Denied, Finding, Malformed, Reason


def check_origin(chain: Chain, *, same_run: bool) -> None:
    """All links name the same commit or none does, and the layout's `source` holds.

    Raises: Denied with SOURCE_MISMATCH, RUN_MISMATCH, INSPECTION_REFUSED.
    """
    links = step_links(chain)
    if findings := origin_findings(links, source_of(chain.layout), same_run=same_run):
        raise Denied(*findings)


def step_links(chain: Chain) -> list[StepLink]:
    """Every link of the chain, as where it comes from is asked of it."""
    return [
        StepLink(step, each.file_name, each.link, each.signed_by.certificate)
        for step, found in chain.links.items()
        for each in found
    ]


def origin_findings(
    links: Sequence[StepLink], sources: Sequence[Source], *, same_run: bool
) -> tuple[Finding, ...]:
    """Whatever is wrong with where the links come from."""
    any_commit = frozenset(step for source in sources for step in source.demand.any_commit)
    named, findings = _origins(links)
    findings += [finding for source in sources for finding in source.check(links)]
    bound = [(each, origin) for each, origin in named if each.step not in any_commit]
    commits = [(each, origin.commit if origin else "") for each, origin in bound]
    findings += _differing(commits, "commit", Reason.SOURCE_MISMATCH)
    if same_run:
        findings += _run_findings([(each, origin.run if origin else "") for each, origin in bound])
    return tuple(findings)


def _origins(
    links: Sequence[StepLink],
) -> tuple[list[tuple[StepLink, Origin | None]], list[Finding]]:
    named: list[tuple[StepLink, Origin | None]] = []
    findings = []
    for each in links:
        try:
            named.append((each, each.origin()))
        except Malformed as error:
            findings.append(mismatch(each.step, error.where, error.expected, error.found))
    return named, findings


def _run_findings(runs: list[tuple[StepLink, str]]) -> Iterator[Finding]:
    for each, run in runs:
        if not run:
            expected, found = "a link that names its run (--same-run)", "one that names none"
            yield mismatch(each.step, each.where, expected, found, Reason.RUN_MISMATCH)
    yield from _differing(runs, "run", Reason.RUN_MISMATCH)


def _differing(named: list[tuple[StepLink, str]], what: str, reason: Reason) -> Iterator[Finding]:
    if not named:
        return
    first, wanted = named[0]
    for each, value in named[1:]:
        if value != wanted:
            expected = (
                f"{what} {wanted}, as {first.where} names it" if wanted else f"no {what}, as in {first.where}"
            )
            yield mismatch(
                each.step, each.where, expected, f"{what} {value}" if value else f"no {what}", reason
            )
