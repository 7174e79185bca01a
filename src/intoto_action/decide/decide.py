"""The decision, in the order of its phases: what the demands say of the evidence for one image.

Pure: bytes that were read and the time come in, a verdict goes out. The first phase that denies ends it; what had
been learnt until then stays in the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from intoto_action.decide.attestation import Attestation
from intoto_action.decide.binding import bind, statement_is_about
from intoto_action.decide.chain import Chain, follow
from intoto_action.decide.demands import Demands
from intoto_action.decide.inspections.built_in import other_inspections
from intoto_action.decide.layout import TrustedLayout, accept_layout
from intoto_action.decide.links import VerifiedLink, assess_links
from intoto_action.decide.origin import check_origin
from intoto_action.decide.provenance import VouchedProvenance, accept_provenance
from intoto_action.formats.evidence import Evidence, parse_evidence
from intoto_action.formats.key import Key
from intoto_action.formats.layout import Layout, Step, parse_layout
from intoto_action.formats.reference import Image
from intoto_action.formats.rule import RuleKind, parse_rule
from intoto_action.formats.statement import EARLIER_STATEMENT_TYPE, STATEMENT_TYPE, Statement, parse_statement
from intoto_action.formats.verdict import DENY, PASS, Flow, LayoutReport, Signer, StepReport, Verdict
from intoto_action.reason import Denied, Finding, Malformed, Reason
from intoto_action.trust.keyless import TrustRoot
from intoto_action.trust.signature import examine

__all__ = [
    "Attestation",
    "Learnt",
    "Outcome",
    "accept_outer_signature_first",
    "command_notes",
    "consider",
    "criteria",
    "decide",
    "verdict_of",
]

NO_IMAGE = "not checked: no image was given"
NOT_REACHED = "not checked: something before it was denied"


class Learnt(msgspec.Struct):
    """What is known so far; the verdict is made of it, however far the phases got."""

    image: Image | None
    evidence: Evidence | None = None
    layout: TrustedLayout | None = None
    layout_source: str = ""
    links: dict[str, tuple[VerifiedLink, ...]] = {}
    chain: Chain | None = None
    subject: str = ""
    notes: tuple[str, ...] = ()
    provenance: VouchedProvenance | None = None


class Outcome(msgspec.Struct, frozen=True):
    """A verdict with what was verified on the way: the evidence, the chain when its rules were followed.

    `image` is what was decided over; `attestation` what the evidence was in, and `provenance` what met the demands on
    provenance: the two are all attestations that the decision used.
    """

    verdict: Verdict
    evidence: Evidence | None
    chain: Chain | None
    image: Image | None = None
    attestation: Attestation | None = None
    provenance: VouchedProvenance | None = None


def decide(
    candidate: Attestation | Evidence,
    image: Image | None,
    demands: Demands,
    provenance: Sequence[Attestation] = (),
    *,
    at: datetime,
    sigstore: TrustRoot | None = None,
) -> Verdict:
    """Decide over one candidate: an attestation of an image, or the evidence of a link directory.

    `image` None: the chain alone is decided and the verdict says that no image was bound. `provenance` are the
    attestations of that kind, which are looked at when the demands want some. `at` is the time now, in UTC, `sigstore`
    what keyless signatures are held against. Never raises for what the evidence says.
    Raises: SigstoreNeeded when a keyless signature has to be looked at and `sigstore` is None.
    """
    return consider(candidate, image, demands, provenance, at=at, sigstore=sigstore).verdict


def consider(
    candidate: Attestation | Evidence,
    image: Image | None,
    demands: Demands,
    provenance: Sequence[Attestation] = (),
    *,
    at: datetime,
    sigstore: TrustRoot | None = None,
) -> Outcome:
    """Like `decide`, for whoever goes on to use what was verified."""
    learnt = Learnt(image)
    findings: tuple[Finding, ...] = ()
    try:
        _phases(candidate, image, demands, provenance, at, sigstore, learnt)
    except Denied as denied:
        findings = denied.findings
    verdict = verdict_of(learnt, demands, findings, PASS)
    attestation = candidate if isinstance(candidate, Attestation) else None
    return Outcome(verdict, learnt.evidence, learnt.chain, image, attestation, learnt.provenance)


def _phases(
    candidate: Attestation | Evidence,
    image: Image | None,
    demands: Demands,
    provenance: Sequence[Attestation],
    at: datetime,
    sigstore: TrustRoot | None,
    learnt: Learnt,
) -> None:
    roots = demands.layout_trust.keys if demands.layout_trust else ()
    demands = _knowing(demands, (*roots, *demands.attesters))
    if isinstance(candidate, Attestation):
        accept_outer_signature_first(candidate, demands, sigstore)
        statement, evidence = _read(candidate)
        if image is not None:
            statement_is_about(statement, image)
    else:
        evidence = candidate
    learnt.evidence = evidence
    layout = learnt.layout = _accept_layout(evidence, demands, at, sigstore, learnt)
    demands = _knowing(demands, layout.layout.all_functionaries())
    if isinstance(candidate, Attestation):
        _accept_outer_signature(candidate, layout.layout, demands, sigstore)
    assessment = assess_links(layout.layout, evidence, demands.revoked, sigstore)
    learnt.links = assessment.verified
    assessment.require()
    chain = learnt.chain = follow(layout.layout, assessment.verified)
    learnt.notes += tuple(command_notes(chain))
    if image is not None:
        learnt.subject = bind(chain, image, demands)
    check_origin(chain, same_run=demands.same_run)
    for inspection in other_inspections(layout.layout):
        if findings := tuple(inspection.check(chain)):
            raise Denied(*findings)
    if demands.provenance is not None:
        functionaries = layout.layout.all_functionaries()
        vouched = learnt.provenance = accept_provenance(provenance, image, demands, functionaries, sigstore)
        learnt.notes += (f"provenance {vouched}",)


def _knowing(demands: Demands, keys: Sequence[Key]) -> Demands:
    return msgspec.structs.replace(demands, revoked=demands.revoked.knowing(keys))


def accept_outer_signature_first(
    attestation: Attestation, demands: Demands, sigstore: TrustRoot | None = None
) -> None:
    """Phase 4 before phase 2, where the verifier itself says who may sign: then nothing of a stranger's is parsed.

    Raises: Denied with ATTESTATION_SIGNATURE. SigstoreNeeded.
    """
    if demands.attesters:
        _signed_by(attestation, demands.attesters, demands, sigstore)
    elif demands.layout is not None:
        try:
            layout = parse_layout(demands.layout.payload, "the layout")
            _accept_outer_signature(attestation, layout, demands, sigstore)
        except Malformed:
            return  # phase 3 says what is wrong with the layout that the verifier gave


def _accept_outer_signature(
    attestation: Attestation, layout: Layout, demands: Demands, sigstore: TrustRoot | None
) -> None:
    if demands.attesters:
        return
    roots = demands.layout_trust.keys if demands.layout_trust else ()
    _signed_by(attestation, (*roots, *layout.all_functionaries()), demands, sigstore)


def _signed_by(
    attestation: Attestation, keys: Sequence[Key], demands: Demands, sigstore: TrustRoot | None
) -> None:
    valid = tuple(key for key in keys if not demands.revoked.key(key))
    signatures = examine(attestation.envelope, valid, sigstore, attestation.where)
    if any(not demands.revoked.signature(each) for each in signatures.fits):
        return
    names = ", ".join(dict.fromkeys(str(key) for key in valid))
    found = "no valid signature by any of them"
    if signatures.strangers:
        found = f"one by {signatures.strangers[0]}"
    elif signatures.faults:
        found = f"one that does not hold: {signatures.faults[0].found}"
    finding = Finding(
        reason=Reason.ATTESTATION_SIGNATURE,
        where=attestation.where,
        expected=f"an attestation signed by {names}",
        found=found,
    )
    raise Denied(finding)


def _read(attestation: Attestation) -> tuple[Statement, Evidence]:
    try:
        # `cosign attest` still writes the earlier type around a predicate of anybody's.
        types = (STATEMENT_TYPE, EARLIER_STATEMENT_TYPE)
        statement = parse_statement(attestation.envelope.payload, attestation.where, types=types)
        return statement, parse_evidence(statement, attestation.where)
    except Malformed as error:
        finding = Finding(
            reason=Reason.NO_ATTESTATION, where=error.where, expected=error.expected, found=error.found
        )
        raise Denied(finding) from error


def _accept_layout(
    evidence: Evidence, demands: Demands, at: datetime, sigstore: TrustRoot | None, learnt: Learnt
) -> TrustedLayout:
    envelope = demands.layout or evidence.layout
    learnt.layout_source = "the verifier" if demands.layout else "the evidence"
    if envelope is None:
        fault = evidence.layout_fault
        finding = Finding(
            reason=Reason.LAYOUT_INVALID,
            where=fault.where if fault else "the evidence",
            expected=fault.expected if fault else "a signed layout",
            found=fault.found if fault else "none",
        )
        raise Denied(finding)
    return accept_layout(envelope, demands, at=at, sigstore=sigstore)


def command_notes(chain: Chain) -> list[str]:
    """in-toto warns, and no more, when a command is not the expected one (specification 5.2)."""
    return [
        f"step {step.name!r} ran another command than the layout expects"
        for step in chain.layout.steps
        if step.expected_command and chain.link(step.name).command != step.expected_command
    ]


def verdict_of(
    learnt: Learnt, demands: Demands, findings: tuple[Finding, ...], unless_denied: str
) -> Verdict:
    """The verdict: a denial when there is a finding, and else `unless_denied`."""
    reason = min((each.reason for each in findings), key=lambda each: each.order, default=None)
    return Verdict(
        verdict=DENY if findings else unless_denied,
        reason=reason,
        image=str(learnt.image) if learnt.image else "",
        layout=_layout_report(learnt),
        steps=_step_reports(learnt, findings, unless_denied),
        explanation=tuple(sorted(findings, key=lambda each: each.reason.order)),
        subject=learnt.subject or (NOT_REACHED if learnt.image else NO_IMAGE),
        criteria=criteria(demands),
        notes=learnt.notes,
    )


def _layout_report(learnt: Learnt) -> LayoutReport | None:
    if learnt.layout is None:
        return None
    signers = tuple(str(each) for each in learnt.layout.signers)
    return LayoutReport(learnt.layout.sha256, signers, learnt.layout.layout.expires, learnt.layout_source)


def _step_reports(
    learnt: Learnt, findings: tuple[Finding, ...], unless_denied: str
) -> tuple[StepReport, ...]:
    if learnt.layout is None:
        return ()
    layout = learnt.layout.layout
    denied = {each.step for each in findings}
    reports = []
    for step in layout.steps:
        verified = learnt.links.get(step.name, ())
        signers = tuple(Signer(str(each.signed_by), each.file_name) for each in verified)
        functionaries = tuple(str(key) for key in layout.functionaries(step))
        verdict = DENY if step.name in denied else unless_denied if learnt.chain else "unchecked"
        reports.append(
            StepReport(step.name, functionaries, step.threshold, signers, verdict, tuple(_flows(step)))
        )
    return tuple(reports)


def _flows(step: Step) -> Iterator[Flow]:
    """What the step's rules take from other steps, each once; the layout was accepted, so that they are rules."""
    rules = [parse_rule(words, "the layout") for words in (*step.expected_materials, *step.expected_products)]
    matches = [Flow(each.step, each.source_pattern) for each in rules if each.kind is RuleKind.MATCH]
    yield from dict.fromkeys(matches)


def criteria(demands: Demands) -> tuple[str, ...]:
    """What is enforced, in words, for whoever reads the verdict."""
    said = []
    if demands.layout_trust is None:
        said.append("the layout's root is NOT checked")
    else:
        keys = ", ".join(str(key) for key in demands.layout_trust.keys)
        said.append(f"layout signed by {demands.layout_trust.threshold} of: {keys}")
    if demands.attesters:
        said.append(f"evidence signed by one of: {', '.join(str(key) for key in demands.attesters)}")
    if demands.layout_expires_after is not None:
        said.append(f"layout ends after {demands.layout_expires_after:%Y-%m-%dT%H:%M:%SZ}")
    said += [f"{each.mirror} counts as {each.origin}" for each in demands.same_as]
    if demands.subject_step is not None:
        said.append(f"step {demands.subject_step!r} makes the image")
    if demands.same_run:
        said.append("all links from one run")
    if demands.provenance is not None:
        said.append(f"provenance: {demands.provenance}")
    if demands.revoked.number:
        said.append(f"{demands.revoked.number} revoked keys, identities and layouts do not count")
    return tuple(said)
