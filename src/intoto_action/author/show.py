"""A layout as lines for a person. Names and patterns are as they stand there: whoever prints escapes them."""

from __future__ import annotations

from collections.abc import Iterator

from intoto_action.formats.layout import Inspection, Layout, Rule, Step
from intoto_action.formats.rule import join_rule


def layout_lines(layout: Layout) -> list[str]:
    """What the layout demands, by whom, until when."""
    return [
        f"expires      {layout.expires}",
        *(f"readme       {line}" for line in layout.readme.splitlines()),
        "",
        "keys",
        *(f"  {keyid[:8]}   {entry.keytype}, {entry.scheme}" for keyid, entry in layout.keys.items()),
        *(line for step in layout.steps for line in _step_lines(step)),
        *(line for inspection in layout.inspect for line in _inspection_lines(inspection)),
    ]


def _step_lines(step: Step) -> Iterator[str]:
    yield ""
    yield f"step {step.name}"
    signers = ", ".join(keyid[:8] for keyid in step.pubkeys) or "nobody"
    yield f"  signed by    {step.threshold} of {signers}"
    if step.expected_command:
        yield f"  command      {join_rule(step.expected_command)}"
    yield from _rule_lines("materials", step.expected_materials)
    yield from _rule_lines("products", step.expected_products)


def _inspection_lines(inspection: Inspection) -> Iterator[str]:
    yield ""
    yield f"inspection {inspection.name}"
    yield f"  run          {join_rule(inspection.run)}"
    yield from _rule_lines("materials", inspection.expected_materials)
    yield from _rule_lines("products", inspection.expected_products)


def _rule_lines(name: str, rules: list[Rule]) -> Iterator[str]:
    for place, rule in enumerate(rules or [["(no rule: everything is allowed)"]]):
        yield f"  {name if place == 0 else '':<12} {join_rule(rule) if rules else rule[0]}"
