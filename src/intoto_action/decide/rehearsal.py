"""A rehearsal: the phases of the decision over links that nobody has signed yet. All is decided but who signed.

Pure, as the decision is. Whoever rehearses has put one throw-away signature on each link; here the keys of those
signatures take the place of every functionary, in a copy of the layout that is made after the real one was accepted.
So the links go through the same functions as in a decision, and no verdict of these is ever a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import msgspec

from intoto_action.decide.chain import follow
from intoto_action.decide.decide import Learnt, command_notes, verdict_of
from intoto_action.decide.demands import Demands
from intoto_action.decide.inspections.built_in import other_inspections, source_of
from intoto_action.decide.inspections.rehearsed_source import RehearsedSource
from intoto_action.decide.layout import accept_layout
from intoto_action.decide.links import assess_links
from intoto_action.decide.origin import origin_findings, step_links
from intoto_action.formats.envelope import Envelope
from intoto_action.formats.evidence import Evidence
from intoto_action.formats.key import PublicKey
from intoto_action.formats.layout import Layout, Step
from intoto_action.formats.link import step_of_file_name, steps_of_unsigned_file_name
from intoto_action.formats.verdict import REHEARSED, Verdict
from intoto_action.reason import Denied, Finding, Reason
from intoto_action.trust.keyless import TrustRoot

CRITERION = "a rehearsal: who signed the links is NOT checked"
NOTE = (
    "a rehearsal, which is no pass: nobody's signature on a link was looked at, and what a link says of itself "
    "(its repository and commit among it) is the word of whoever ran the steps"
)

StepOf = Callable[[str], str | None]


def rehearse(
    layout: Envelope,
    evidence: Evidence,
    stand_ins: Mapping[str, PublicKey],
    demands: Demands,
    *,
    at: datetime,
    sigstore: TrustRoot | None = None,
) -> Verdict:
    """Decide over links by file name, each signed by a key of its own: `stand_ins` are these keys by keyid.

    The layout's signatures, its end, its revocation and its form are decided as ever, and `sigstore` is for them. One
    link is enough for a step; several must agree. The verdict is `rehearsed` or `deny`.
    Raises: SigstoreNeeded.
    """
    learnt = Learnt(None, evidence=evidence, layout_source="the verifier")
    findings: tuple[Finding, ...] = ()
    try:
        _phases(layout, evidence, stand_ins, demands, at, sigstore, learnt)
    except Denied as denied:
        findings = denied.findings
    # Of the stand-ins nothing is told: a step that anybody may have signed was signed by nobody.
    verdict = verdict_of(learnt, demands, findings, REHEARSED)
    return msgspec.structs.replace(
        verdict, criteria=(CRITERION, *verdict.criteria), notes=(NOTE, *verdict.notes)
    )


def _phases(
    envelope: Envelope,
    evidence: Evidence,
    stand_ins: Mapping[str, PublicKey],
    demands: Demands,
    at: datetime,
    sigstore: TrustRoot | None,
    learnt: Learnt,
) -> None:
    trusted = learnt.layout = accept_layout(envelope, demands, at=at, sigstore=sigstore)
    step_of = _step_of(trusted.layout)
    learnt.notes += tuple(_step_notes(trusted.layout, evidence, step_of))
    recast = _recast(trusted.layout, evidence, stand_ins, step_of)
    assessment = assess_links(recast, evidence, demands.revoked, step_of=step_of)
    if unreadable := tuple(_unreadable(trusted.layout, evidence, step_of)):
        raise Denied(*unreadable)
    assessment.require()
    chain = learnt.chain = follow(recast, assessment.verified)
    learnt.notes += tuple(command_notes(chain))
    links = step_links(chain)
    sources = [RehearsedSource(each.demand) for each in source_of(recast)]
    learnt.notes += tuple(note for each in sources for note in each.notes(links))
    if findings := origin_findings(links, sources, same_run=demands.same_run):
        raise Denied(*findings)
    for inspection in other_inspections(recast):
        if findings := tuple(inspection.check(chain)):
            raise Denied(*findings)


def _step_of(layout: Layout) -> StepOf:
    """Of which step a file is: of a signed link as ever, of an unsigned one as `record` names it."""
    names = frozenset(step.name for step in layout.steps)

    def step_of(file_name: str) -> str | None:
        unsigned = (each for each in steps_of_unsigned_file_name(file_name) if each in names)
        return step_of_file_name(file_name) or next(unsigned, None)

    return step_of


def _recast(
    layout: Layout, evidence: Evidence, stand_ins: Mapping[str, PublicKey], step_of: StepOf
) -> Layout:
    """The layout with the keys of its links in every functionary's place. Only a rehearsal ever sees it."""
    return msgspec.structs.replace(
        layout,
        steps=[_recast_step(step, evidence, step_of) for step in layout.steps],
        keys={keyid: key.entry for keyid, key in stand_ins.items()},
    )


def _recast_step(step: Step, evidence: Evidence, step_of: StepOf) -> Step:
    links = (envelope for name, envelope in evidence.links.items() if step_of(name) == step.name)
    keyids = [signature.keyid for envelope in links for signature in envelope.signatures]
    return msgspec.structs.replace(step, pubkeys=keyids, threshold=1)


def _unreadable(layout: Layout, evidence: Evidence, step_of: StepOf) -> Iterator[Finding]:
    """Files that are called like links and are none. Whose they were to be cannot be told here, so each denies."""
    for step in layout.steps:
        for name, fault in sorted(evidence.faults.items()):
            if step_of(name) == step.name:
                yield Finding(
                    reason=Reason.LINK_INVALID,
                    step=step.name,
                    where=fault.where,
                    expected=fault.expected,
                    found=fault.found,
                )


def _step_notes(layout: Layout, evidence: Evidence, step_of: StepOf) -> list[str]:
    """What was taken for the links of each step, and what a threshold would want besides."""
    notes = []
    for step in layout.steps:
        names = [name for name in sorted(evidence.links) if step_of(name) == step.name]
        if names:
            notes.append(f"step {step.name!r} is rehearsed with {', '.join(names)}")
        if step.threshold > 1:
            notes.append(
                f"step {step.name!r} needs links by {step.threshold} functionaries; one link is enough for a rehearsal"
            )
    return notes
