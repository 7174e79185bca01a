"""A built-in inspection as a command: what a stock verifier runs when a layout of ours names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from intoto_action.decide.inspections.source import Source
from intoto_action.decide.inspections.step_link import StepLink
from intoto_action.decide.origin import origin_findings
from intoto_action.formats.envelope import Envelope
from intoto_action.formats.evidence import parse_links
from intoto_action.formats.inspection import SourceDemand
from intoto_action.formats.link import parse_link, step_of_file_name
from intoto_action.reason import Denied, Finding, Reason
from intoto_action.trust.keyless import claimed_certificate


def inspect_source(demand: SourceDemand, raw_links: Mapping[str, bytes]) -> int:
    """Hold links, by file name, against a `source` inspection; how many there were.

    Signatures are not looked at: the verifier that runs inspections has checked them before, and the certificate that
    it accepted is taken at its word. Of files that are not named as links of steps it takes none: a stock verifier
    leaves `<inspection>.link` where it ran, and opens no other.
    Raises: Denied with SOURCE_MISMATCH, LINK_MISSING when there is no link, or LINK_INVALID for one of another step
    than its file's; Malformed for one that is none.
    """
    of_steps = {name: raw for name, raw in raw_links.items() if step_of_file_name(name) is not None}
    envelopes, faults = parse_links(of_steps, "the link directory")
    for fault in faults.values():
        raise fault
    if not envelopes:
        finding = Finding(
            reason=Reason.LINK_MISSING,
            expected="links (*.link) in the directory",
            found="none",
            where="the link directory",
            advice="Run the verifier in the directory that `evidence extract` wrote.",
        )
        raise Denied(finding)
    links = [each for name, envelope in envelopes.items() for each in _accepted(name, envelope)]
    if findings := origin_findings(links, [Source(demand)], same_run=False):
        raise Denied(*findings)
    return len(envelopes)


def _accepted(name: str, envelope: Envelope) -> Iterator[StepLink]:
    """The link, with the certificate of the signature that a stock verifier accepted; once for each that it may be.

    Such a verifier looks a signature up by the keyid of a functionary, which a link's file name begins with. Whoever
    may write the file can put another signature beside that one, with any certificate, so that what is beside it must
    not speak for the link; and where more than one may be meant, the demand holds for each.
    """
    where = f"link {name}"
    link = parse_link(envelope.payload, where)
    _check_step(name, link.name, where)
    hint = name.removesuffix(".link").rpartition(".")[2]
    meant = [each for each in envelope.signatures if each.keyid.startswith(hint)] or envelope.signatures
    claimed = [claimed_certificate(envelope, each, where) for each in meant]
    different = {repr(each): each for each in claimed or [None]}
    for certificate in different.values():
        yield StepLink(link.name, name, link, certificate)


def _check_step(file_name: str, claimed: str, where: str) -> None:
    """A stock verifier takes a link for a step by its file's name alone, and what is demanded differs by step.

    Raises: Denied with LINK_INVALID.
    """
    step = step_of_file_name(file_name) or ""
    if claimed != step:
        finding = Finding(
            reason=Reason.LINK_INVALID,
            step=step,
            where=where,
            expected=f"a link of step {step!r}",
            found=f"a link of step {claimed!r}",
        )
        raise Denied(finding)
