"""One fault of a layout, and the lists of rules that faults are looked for in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

import msgspec

from intoto_action.formats.inspection import SourceDemand, parse_run
from intoto_action.formats.key import Key, key_from_entry
from intoto_action.formats.layout import Layout, Rule, Step
from intoto_action.formats.rule import ArtifactRule, RuleKind, parse_rule
from intoto_action.formats.spelling import quoted
from intoto_action.reason import Malformed

EXPECTED_MATERIALS = "expected_materials"
EXPECTED_PRODUCTS = "expected_products"
FIELDS = (EXPECTED_MATERIALS, EXPECTED_PRODUCTS)
Lists = Mapping[tuple[str, str], Sequence[ArtifactRule]]
"""The rules of every list that is in in-toto's grammar, by step and field."""


class Severity(Enum):
    """Whether a layout with this fault is refused."""

    ERROR = "error"
    WARNING = "warning"


class Lint(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a layout.

    `field` is the field of the step or inspection `step` it is in (empty: the whole step), `rule` the place of the
    rule in that list, from 0; `key` the keyid of the functionary it is about; all of them empty or None when it is
    about the whole layout.
    """

    id: str
    severity: Severity
    expected: str
    found: str
    step: str | None = None
    field: str = ""
    rule: int | None = None
    key: str = ""

    @property
    def where(self) -> str:
        """The place in words: `step 'build', expected_products, rule 2`."""
        parts = [f"step {quoted(self.step)}"] if self.step is not None else ["layout"]
        parts += [f"key {quoted(self.key[:8])}"] if self.key else []
        parts += [self.field] if self.field else []
        parts += [f"rule {self.rule + 1}"] if self.rule is not None else []
        return ", ".join(parts)


def readable_lists(layout: Layout) -> dict[tuple[str, str], Sequence[ArtifactRule]]:
    """The lists of all steps, but for those with a rule that is not in the grammar (L32 reports it)."""
    lists: dict[tuple[str, str], Sequence[ArtifactRule]] = {}
    for step in layout.steps:
        for field in FIELDS:
            try:
                lists[step.name, field] = [parse_rule(words, field) for words in rules_of(step, field)]
            except Malformed:
                continue
    return lists


def readable_key(layout: Layout, keyid: str) -> Key | None:
    """The key or identity of that keyid, None when it is not there or cannot be read (L18 reports it)."""
    try:
        return key_from_entry(keyid, layout.keys[keyid], "layout") if keyid in layout.keys else None
    except Malformed:
        return None


def readable_keys(layout: Layout, step: Step) -> list[Key]:
    """The functionaries of a step, but for those that cannot be read."""
    return [key for keyid in step.pubkeys if (key := readable_key(layout, keyid)) is not None]


def source_demands(layout: Layout) -> list[SourceDemand]:
    """What the inspections `source` demand, but for those that cannot be read (phase 10 refuses them)."""
    demands: list[SourceDemand] = []
    for inspection in layout.inspect:
        try:
            demand = parse_run(inspection.run, "run")
        except Malformed:
            continue
        demands += [] if demand is None else [demand]
    return demands


def rules_of(step: Step, field: str) -> list[Rule]:
    """The list that `field` names."""
    return step.expected_materials if field == EXPECTED_MATERIALS else step.expected_products


def matches(lists: Lists) -> Iterator[tuple[str, str, int, ArtifactRule]]:
    """Step, field, place and rule of every MATCH."""
    for (step, field), rules in lists.items():
        for place, rule in enumerate(rules):
            if rule.kind is RuleKind.MATCH:
                yield step, field, place, rule


def error(
    id_: str, expected: str, found: str, step: Step | None = None, field: str = "", key: str = ""
) -> Lint:
    """An error about a step, about a functionary, or about the whole layout."""
    name = None if step is None else step.name
    return Lint(
        id=id_, severity=Severity.ERROR, expected=expected, found=found, step=name, field=field, key=key
    )


def warning(
    id_: str,
    expected: str,
    found: str,
    step: str | None = None,
    field: str = "",
    rule: int | None = None,
    *,
    key: str = "",
) -> Lint:
    """A warning about a rule, a step, a functionary, or the whole layout."""
    return Lint(
        id=id_,
        severity=Severity.WARNING,
        expected=expected,
        found=found,
        step=step,
        field=field,
        rule=rule,
        key=key,
    )
