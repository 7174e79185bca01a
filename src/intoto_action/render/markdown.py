"""A verdict as Markdown, for the summary of a job or a comment: tables and sections, everything in them escaped."""

from __future__ import annotations

from collections.abc import Sequence

from intoto_action.formats.verdict import LayoutReport, StepReport, Verdict
from intoto_action.reason import Finding
from intoto_action.render.chart import chart
from intoto_action.render.escape import code
from intoto_action.render.escape import markdown as escaped
from intoto_action.render.sentences import (
    ARTIFACT,
    advice,
    anchor,
    facts,
    heading,
    kind,
    place,
    signed_by,
    tally,
    wanted_from,
)

MOST_FOLDED = 20
"""Artifacts of one finding that are listed; the rest is counted."""
_VERDICT_OF_STEP = {"pass": "ok", "rehearsed": "rehearsed", "deny": "denied"}


def markdown(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as Markdown that ends with a line feed."""
    blocks = [block for verdict in verdicts for block in _verdict(verdict)]
    if len(verdicts) > 1:
        blocks.insert(0, escaped(tally(verdicts)))
    return "\n\n".join(blocks) + "\n"


def _verdict(verdict: Verdict) -> list[str]:
    blocks = [f"### {escaped(heading(verdict))}"]
    rows = [("image", code(verdict.image))] if verdict.image else []
    picture = chart(verdict.steps)
    if verdict.layout:
        rows += _layout(verdict.layout)
    if verdict.subject:
        rows.append(("subject", escaped(verdict.subject)))
    rows += [("criterion", escaped(each)) for each in verdict.criteria]
    rows += [("note", escaped(each)) for each in verdict.notes]
    if rows:
        blocks.append(_table(("", ""), rows))
    if picture:
        blocks.append(picture)
    if verdict.steps:
        columns = ("step", "expected", "signed by", "")
        blocks.append(_table(columns, [_step(step) for step in verdict.steps]))
    ordered = sorted(verdict.explanation, key=lambda each: each.reason.order)
    return [*blocks, *(block for finding in ordered for block in _finding(finding))]


def _layout(layout: LayoutReport) -> list[tuple[str, str]]:
    signers = ", ".join(layout.signers) or "nobody whose key was given"
    return [
        ("layout", code(f"sha256:{layout.sha256.removeprefix('sha256:')}")),
        ("signed by", code(signers)),
        ("expires", escaped(layout.expires)),
        ("from", escaped(layout.source)),
    ]


def _step(step: StepReport) -> tuple[str, ...]:
    outcome = _VERDICT_OF_STEP.get(step.verdict, "not checked")
    return code(step.name), code(wanted_from(step)), code(signed_by(step)), outcome


def _finding(finding: Finding) -> list[str]:
    at = place(finding)
    title = f"#### {kind(finding)}: {escaped(finding.reason.value)}" + (f" · {code(at)}" if at else "")
    rows = [(label, code(value)) for label, values in facts(finding) for value in values if label != ARTIFACT]
    blocks = [title, _table(("", ""), rows), *_folded(finding.artifacts)]
    return [*blocks, escaped(advice(finding), limit=2000), code(anchor(finding.reason))]


def _folded(artifacts: Sequence[str]) -> list[str]:
    if not artifacts:
        return []
    rest = len(artifacts) - MOST_FOLDED
    items = [f"- {code(each)}" for each in artifacts[:MOST_FOLDED]]
    items += [f"- and {rest} more"] if rest > 0 else []
    return [f"<details><summary>{_artifacts(len(artifacts))}</summary>", "\n".join(items), "</details>"]


def _artifacts(number: int) -> str:
    return "1 artifact" if number == 1 else f"{number} artifacts"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A GFM table of cells that are escaped already."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
