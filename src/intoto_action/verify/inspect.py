"""A built-in inspection as a command: what a stock verifier runs when a layout of ours names it."""

from __future__ import annotations

from collections.abc import Mapping

from intoto_action.decide.inspections.source import Source
from intoto_action.decide.inspections.step_link import StepLink
from intoto_action.decide.origin import origin_findings
from intoto_action.formats.evidence import parse_links
from intoto_action.formats.inspection import SourceDemand
from intoto_action.formats.link import parse_link, step_of_file_name
from intoto_action.reason import Denied, Finding, Reason


def inspect_source(demand: SourceDemand, raw_links: Mapping[str, bytes]) -> int:
    """Hold links, by file name, against a `source` inspection; how many there were.

    Signatures are not looked at: the verifier that runs inspections has checked them before. Of files that are not
    named as links of steps it takes none: a stock verifier leaves `<inspection>.link` where it ran, and opens no other.
    Raises: Denied with SOURCE_MISMATCH, or LINK_MISSING when there is no link; Malformed for one that is none.
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
    links = [parse_link(each.payload, f"link {name}") for name, each in envelopes.items()]
    named = [StepLink(link.name, name, link) for name, link in zip(envelopes, links, strict=True)]
    if findings := origin_findings(named, [Source(demand)], same_run=False):
        raise Denied(*findings)
    return len(links)
