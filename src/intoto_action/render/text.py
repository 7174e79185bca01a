"""A verdict for a person at a terminal at 3 a.m.: what, why, where, what to look at next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from intoto_action.formats.verdict import PASS, LayoutReport, StepReport, Verdict
from intoto_action.reason import Finding
from intoto_action.render.escape import terminal
from intoto_action.render.sentences import (
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

GOOD, BAD, QUIET, PLAIN = "bold green", "bold red", "dim", ""
_LABEL = 10
_READABLE = 160
"""Columns up to which a step is one line."""
_MARKS = {"pass": ("ok", GOOD), "rehearsed": ("ok", GOOD), "deny": ("no", BAD)}


class Line(msgspec.Struct, frozen=True):
    """A line that is escaped already, and how it looks where there is colour."""

    text: str
    style: str = PLAIN


def text(verdicts: Sequence[Verdict], *, colour: bool) -> str:
    """The verdicts as text that ends with a line feed; `colour` for a terminal, plain for a pipe."""
    lines: list[Line] = []
    for verdict in verdicts:
        lines += [*_verdict(verdict), Line("")]
    if len(verdicts) > 1:
        lines.append(Line(terminal(tally(verdicts))))
    else:
        lines = lines[:-1]
    return _coloured(lines) if colour else "".join(f"{line.text}\n" for line in lines)


def headline(verdicts: Sequence[Verdict]) -> str:
    """One line, without its line feed, for all of them."""
    return terminal(tally(verdicts)) if len(verdicts) > 1 else _title(verdicts[0])


def findings(denials: Iterable[Finding]) -> str:
    """Denials without a verdict around them, without colour and last line feed."""
    ordered = sorted(denials, key=lambda each: each.reason.order)
    return "\n".join(line.text for each in ordered for line in _finding(each))


def wants_colour(*, is_terminal: bool, environ: Mapping[str, str]) -> bool:
    """Whether to use colour. Source: no-color.org (any value but the empty one says no)."""
    return is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _verdict(verdict: Verdict) -> list[Line]:
    style = GOOD if verdict.verdict == PASS else BAD
    lines = [Line(_title(verdict), style)]
    if verdict.layout:
        lines += _layout(verdict.layout)
    lines += _labelled("subject", [verdict.subject] if verdict.subject else [])
    lines += _labelled("criteria", verdict.criteria)
    width = max((len(terminal(step.name)) for step in verdict.steps), default=0)
    for step in verdict.steps:
        lines += _step(step, width)
    for finding in sorted(verdict.explanation, key=lambda each: each.reason.order):
        lines += _finding(finding)
    return [*lines, *_labelled("note", verdict.notes)]


def _title(verdict: Verdict) -> str:
    return terminal(" · ".join(each for each in (heading(verdict), verdict.image) if each))


def _layout(layout: LayoutReport) -> list[Line]:
    signers = ", ".join(layout.signers) or "nobody whose key was given"
    return _labelled(
        "layout",
        [
            f"sha256:{layout.sha256.removeprefix('sha256:')}",
            f"signed by {signers}",
            f"expires {layout.expires}",
            f"from {layout.source}",
        ],
    )


def _step(step: StepReport, width: int) -> list[Line]:
    mark, style = _MARKS.get(step.verdict, ("--", QUIET))
    name = f"{terminal(step.name):{width}}"
    wanted, signed = terminal(wanted_from(step)), terminal(signed_by(step))
    whole = f"  {mark}  {name}  expected {wanted}; signed by {signed}"
    if len(whole) <= _READABLE:
        return [Line(whole, style)]
    # Identities are long, and differ in the middle: one under the other they can be compared.
    under = " " * (width + 8)
    return [
        Line(f"  {mark}  {name}  expected   {wanted}", style),
        Line(f"{under}signed by  {signed}", style),
    ]


def _finding(finding: Finding) -> list[Line]:
    head = " · ".join(each for each in (finding.reason.value, place(finding)) if each)
    lines = [Line(f"{kind(finding)}: {terminal(head)}", BAD)]
    for label, values in facts(finding):
        lines += _labelled(label, values)
    lines.append(Line(f"  {terminal(advice(finding), limit=2000)}"))
    return [*lines, Line(f"  docs: {anchor(finding.reason)}", QUIET)]


def _labelled(label: str, values: Sequence[str]) -> list[Line]:
    """Values under each other, the label in front of the first."""
    labels = [label, *[""] * (len(values) - 1)]
    return [Line(f"  {each:{_LABEL}}{terminal(value)}") for each, value in zip(labels, values, strict=False)]


def _coloured(lines: Iterable[Line]) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    out = StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", no_color=False, highlight=False)
    for line in lines:
        console.print(Text(line.text, style=line.style), soft_wrap=True)
    return out.getvalue()
