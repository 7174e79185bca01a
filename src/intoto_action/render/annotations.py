"""A verdict as annotations of a GitHub run: workflow commands on stdout.

Source: GitHub Docs, "Workflow commands for GitHub Actions"; at most ten annotations of a kind are kept for a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Finding
from intoto_action.render.escape import LONGEST, annotation_message, annotation_property
from intoto_action.render.sentences import anchor, what_happened

MOST = 10
TITLE = "intoto-action"

Level = Literal["error", "warning", "notice"]


def workflow_commands(verdicts: Sequence[Verdict], *, level: Level = "error") -> str:
    """One workflow command a line for each step that failed, and a notice for each note; ten of each at most."""
    lines = [line for verdict in verdicts for line in _findings(verdict, level)]
    notes = [annotation("notice", note) for verdict in verdicts for note in verdict.notes]
    return "".join([*lines[:MOST], *notes[:MOST]])


def annotation(level: Level, text: str, *, title: str = TITLE, limit: int = LONGEST) -> str:
    """One workflow command that annotates the run, with its line feed."""
    return f"::{level} title={annotation_property(title)}::{annotation_message(text, limit=limit)}\n"


def _findings(verdict: Verdict, level: Level) -> Iterator[str]:
    """The gravest finding of each step, and how many more there are."""
    ordered = sorted(verdict.explanation, key=lambda each: each.reason.order)
    of_step: dict[str | None, list[Finding]] = {}
    for finding in ordered:
        of_step.setdefault(finding.step, []).append(finding)
    for first, *more in of_step.values():
        told = f"{what_happened(first)} ({anchor(first.reason)})"
        told += f" And {len(more)} more: see the summary." if more else ""
        yield annotation(level, told, title=f"{first.reason.value} {verdict.image}".strip(), limit=2000)
