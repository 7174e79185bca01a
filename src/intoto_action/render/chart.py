"""The chain as a picture: a Mermaid flow chart, which GitHub draws in Markdown.

Source: Mermaid documentation, flowchart syntax: text in quotes is text, and `#NN;` in it the character of that number;
GitHub Docs, creating diagrams. Names come from layouts and links: every character that could be syntax of Mermaid,
Markdown or HTML is written as its number.
"""

from __future__ import annotations

from collections.abc import Sequence

from intoto_action.formats.verdict import StepReport
from intoto_action.render.escape import visible

MOST_STEPS = 40
MOST_FLOWS = 80
"""Beyond these a picture shows nobody anything; Mermaid itself ends at 500 edges and 50,000 characters."""
_LONGEST = 60
_MOST_SIGNERS = 3
_PLAIN = frozenset(" -_/")
_STYLES = {
    "pass": "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    "deny": "fill:#ffebe9,stroke:#cf222e,color:#1f2328",
    "unchecked": "fill:#f6f8fa,stroke:#59636e,color:#1f2328",
}
_MARKS = {"pass": "✓ ", "deny": "✗ "}


def chart(steps: Sequence[StepReport]) -> str:
    """The steps, who signed each, and which artifacts go from one to the other; empty when it would be no picture."""
    flows = [(flow.step, number, flow.pattern) for number, step in enumerate(steps) for flow in step.receives]
    if not steps or len(steps) > MOST_STEPS or len(flows) > MOST_FLOWS:
        return ""
    places = {step.name: number for number, step in enumerate(steps)}
    lines = ["```mermaid", "flowchart LR"]
    lines += [f'  s{number}["{_node(step)}"]' for number, step in enumerate(steps)]
    patterns: dict[tuple[int, int], list[str]] = {}
    for source, target, pattern in flows:
        if source in places:
            patterns.setdefault((places[source], target), []).append(pattern)
    for (start, end), several in patterns.items():
        lines.append(f'  s{start} -->|"{"<br>".join(map(_text, several))}"| s{end}')
    for verdict, style in _STYLES.items():
        members = [f"s{number}" for number, step in enumerate(steps) if step.verdict == verdict]
        if members:
            lines += [f"  classDef {verdict} {style}", f"  class {','.join(members)} {verdict}"]
    return "\n".join([*lines, "```"])


def _node(step: StepReport) -> str:
    signers = list(dict.fromkeys(signer.who for signer in step.signers))
    shown = [_text(each) for each in signers[:_MOST_SIGNERS]] or ["signed by nobody"]
    if len(signers) > _MOST_SIGNERS:
        shown.append(f"and {len(signers) - _MOST_SIGNERS} more")
    return "<br>".join([f"{_MARKS.get(step.verdict, '')}{_text(step.name)}", *shown])


def _text(text: str) -> str:
    """`text` between the quotes of a label: the end of a long one is what differs, so its middle is cut."""
    shown = visible(text)
    if len(shown) > _LONGEST:
        half = _LONGEST // 2
        shown = f"{shown[:half]}…{shown[-half:]}"
    return "".join(each if each.isalnum() or each in _PLAIN else f"#{ord(each)};" for each in shown)
