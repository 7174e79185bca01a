"""Which inspections there are, and what becomes of the others."""

from __future__ import annotations

from intoto_action.decide.inspections.interface import BuiltIn
from intoto_action.decide.inspections.source import Source
from intoto_action.formats.inspection import SourceDemand, parse_run
from intoto_action.formats.layout import Inspection, Layout
from intoto_action.reason import Denied, Finding, Malformed, Reason


def source_of(layout: Layout) -> tuple[Source, ...]:
    """The `source` inspections of a layout.

    Raises: Denied with INSPECTION_REFUSED for arguments that cannot be read.
    """
    demands = [_parse(inspection) for inspection in layout.inspect]
    return tuple(Source(demand) for demand in demands if demand is not None)


def other_inspections(layout: Layout) -> tuple[BuiltIn, ...]:
    """The built-in inspections of a layout apart from `source`.

    An inspection that is not built in is a command of the layout's author to be run on the verifier's machine, and
    is never run: in-toto's own verifier runs even those of a functionary's sublayout.
    Raises: Denied with INSPECTION_REFUSED.
    """
    foreign = [each for each in layout.inspect if _parse(each) is None]
    if foreign:
        raise Denied(
            *(_refused(each, "an inspection that is built in", " ".join(each.run)[:200]) for each in foreign)
        )
    return ()


def _parse(inspection: Inspection) -> SourceDemand | None:
    try:
        return parse_run(inspection.run, f"inspection {inspection.name!r}")
    except Malformed as error:
        raise Denied(_refused(inspection, error.expected, error.found)) from error


def _refused(inspection: Inspection, expected: str, found: str) -> Finding:
    return Finding(
        reason=Reason.INSPECTION_REFUSED,
        where=f"inspection {inspection.name!r} of the layout",
        expected=expected,
        found=found,
        advice="Nothing of a layout is run here. Extract the evidence and run in-toto-verify in a sandbox, "
        "or take the inspection out of the layout.",
    )
