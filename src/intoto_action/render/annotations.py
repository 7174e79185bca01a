"""A verdict as annotations of a GitHub run: workflow commands on stdout.

Source: GitHub Docs, "Workflow commands for GitHub Actions"; at most ten annotations of a kind are kept for a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Literal, TypeGuard

import msgspec

from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Finding, Topic
from intoto_action.render.escape import LONGEST, annotation_message, annotation_property, visible
from intoto_action.render.sentences import anchor, what_happened

MOST = 10
TITLE = "intoto-action"

Level = Literal["error", "warning", "notice"]


class Line(msgspec.Struct, frozen=True):
    """A line of a file, which is named relative to the workspace."""

    file: str
    number: int


LineOf = Callable[[Verdict, Finding], Line | None]
"""Says on which line a finding is annotated, or that it is on none."""


def workflow_commands(
    verdicts: Sequence[Verdict], *, level: Level = "error", line_of: LineOf = lambda verdict, finding: None
) -> str:
    """One workflow command a line for each step that failed, and a notice for each note; ten of each at most."""
    findings = (line for verdict in verdicts for line in _findings(verdict, level, line_of))
    notes = (annotation("notice", note) for verdict in verdicts for note in verdict.notes)
    return "".join([*islice(findings, MOST), *islice(notes, MOST)])


def annotation(
    level: Level,
    text: str,
    *,
    title: str = TITLE,
    limit: int = LONGEST,
    line: Line | None = None,
    topic: Topic | None = None,
) -> str:
    """One workflow command that annotates the run, or a line of a file in it, with its line feed.

    `topic` is where the text is explained; it is there however long the text is.
    """
    docs = f" ({anchor(topic)})" if topic is not None else ""
    at = f"file={annotation_property(line.file)},line={line.number}," if _can_be_told(line) else ""
    return (
        f"::{level} {at}title={annotation_property(title)}::{annotation_message(text, limit=limit)}{docs}\n"
    )


def _can_be_told(line: Line | None) -> TypeGuard[Line]:
    """A name that has to be cut or escaped would be another file's."""
    return line is not None and visible(line.file) == line.file


def _findings(verdict: Verdict, level: Level, line_of: LineOf) -> Iterator[str]:
    """The gravest finding of each step, and how many more there are."""
    ordered = sorted(verdict.explanation, key=lambda each: each.reason.order)
    of_step: dict[str | None, list[Finding]] = {}
    for finding in ordered:
        of_step.setdefault(finding.step, []).append(finding)
    for first, *more in of_step.values():
        told = what_happened(first)
        told += f" And {len(more)} more: see the summary." if more else ""
        title = f"{first.reason.value} {verdict.image}".strip()
        line = line_of(verdict, first)
        yield annotation(level, told, title=title, limit=2000, line=line, topic=first.reason)
