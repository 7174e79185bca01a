"""A verdict as annotations of a GitHub run: workflow commands on stdout.

Source: GitHub Docs, "Workflow commands for GitHub Actions"; at most ten annotations of a kind are kept for a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from intoto_action.formats.verdict import Verdict
from intoto_action.render.escape import annotation_message, annotation_property
from intoto_action.render.sentences import anchor, what_happened

MOST = 10

Level = Literal["error", "warning"]


def workflow_commands(verdicts: Sequence[Verdict], *, level: Level = "error") -> str:
    """One workflow command a line for each finding, the gravest first, and a notice for each note."""
    lines = []
    for verdict in verdicts:
        for finding in sorted(verdict.explanation, key=lambda each: each.reason.order):
            title = annotation_property(f"{finding.reason.value} {verdict.image}".strip())
            told = annotation_message(what_happened(finding), limit=2000)
            lines.append(f"::{level} title={title}::{told} ({anchor(finding.reason)})\n")
    notes = [annotation_message(note) for verdict in verdicts for note in verdict.notes]
    return "".join([*lines[:MOST], *(f"::notice title=intoto-action::{note}\n" for note in notes[:MOST])])
