"""What only the whole layout.yaml shows to be wrong: names that are not there, and the lint."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from intoto_action.author.document import AuthoredStep, Document, Word
from intoto_action.author.expand import PlacedRule
from intoto_action.author.faults import Faults
from intoto_action.author.functionaries import Functionaries
from intoto_action.decide.lint import Lint, Severity, lint, lint_expiry
from intoto_action.decide.lint_fault import EXPECTED_MATERIALS
from intoto_action.formats.inspection import SOURCE
from intoto_action.formats.layout import Layout, Step
from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.formats.yaml import Place

_ERRORS_OF_AUTHORS = frozenset({"L33", "L35"})
"""Warnings about a signed layout that are errors in a file that its author can still change."""
_OF_KEYS = frozenset({"L17", "L18", "L19", "L20", "L35"})
_OF_STEPS = frozenset({"L04", "L29"})
_SEEN_WHILE_READING = frozenset({"L24", "L31"})
_IN_WORDS_OF_THE_FILE = {
    "L10": "open: true for the step instead (without it, DISALLOW * follows every list)",
}


class CompiledStep(msgspec.Struct, frozen=True):
    """A step of the layout, and what in layout.yaml its rules come from."""

    step: Step
    materials: tuple[PlacedRule, ...]
    products: tuple[PlacedRule, ...]
    authored: AuthoredStep

    def place(self, fault: Lint) -> Place:
        """Where in layout.yaml a fault of this step stands."""
        if fault.field == "threshold":
            return self.authored.threshold_place
        if fault.rule is None:
            return self.authored.place
        return self._rules(fault.field)[fault.rule].place

    def is_deliberate(self, fault: Lint) -> bool:
        """Whether the author has said that it is meant: `optional: true`."""
        return fault.id == "L08" and fault.rule is not None and self._rules(fault.field)[fault.rule].optional

    def _rules(self, field: str) -> tuple[PlacedRule, ...]:
        return self.materials if field == EXPECTED_MATERIALS else self.products


def check_names(document: Document, faults: Faults) -> None:
    """Look whether every step that is named somewhere is there, and no two have one name."""
    seen: dict[str, Place] = {}
    for step in document.steps:
        if step.name is None:
            continue
        if step.name.text in seen:
            found = f"{quoted(step.name.text)} again (it is in line {seen[step.name.text].line} already)"
            faults.add(step.name.place, "a name of its own for every step", found)
        seen.setdefault(step.name.text, step.name.place)
        if document.source is not None and step.name.text == SOURCE:
            expected = "a name other than that of the inspection that the key source writes"
            faults.add(step.name.place, expected, quoted(SOURCE))
    if document.subject is not None:
        _check_step_is_there(document.subject.step, seen, faults)
    for name in document.source.steps if document.source is not None else ():
        _check_step_is_there(name, seen, faults)


def check_lint(
    layout: Layout,
    steps: list[CompiledStep],
    document: Document,
    functionaries: Functionaries,
    *,
    expires_is_sound: bool,
    at: datetime,
    faults: Faults,
) -> tuple[str, ...]:
    """Lint the compiled layout: errors go to `faults`, warnings are returned, one a line, in the file's order.

    What could be a consequence of another fault (a step or a key that could not be read) is left out.
    """
    left_out = _SEEN_WHILE_READING
    left_out |= frozenset({"L23"}) if not expires_is_sound else frozenset()
    left_out |= _OF_KEYS if not functionaries.sound else frozenset()
    left_out |= _OF_STEPS if not document.steps_are_whole else frozenset()
    by_name = {each.step.name: each for each in steps}
    of_keys = functionaries.places()
    warnings = []
    for fault in (*lint(layout), *lint_expiry(layout, at)):
        if fault.id in left_out:
            continue
        step = by_name.get(fault.step) if fault.step is not None else None
        if step is not None and step.is_deliberate(fault):
            continue
        place = step.place(fault) if step is not None else _place(document, of_keys, fault)
        if fault.severity is Severity.ERROR or fault.id in _ERRORS_OF_AUTHORS:
            expected = _IN_WORDS_OF_THE_FILE.get(fault.id, fault.expected)
            faults.add(place, expected, f"{fault.found} ({fault.id})")
        else:
            warnings.append(
                (place, f"{place}: warning {fault.id}: expected {fault.expected}, found {fault.found}")
            )
    return tuple(text for _, text in sorted(warnings))


def _place(document: Document, of_keys: Mapping[str, Place], fault: Lint) -> Place:
    if fault.key in of_keys:
        return of_keys[fault.key]
    if fault.id == "L23" and document.expires is not None:
        return document.expires.place
    return document.root


def _check_step_is_there(name: Word, steps: dict[str, Place], faults: Faults) -> None:
    if name.text not in steps:
        expected = f"a step of this layout ({', '.join(steps) or 'there is none'})"
        faults.add(name.place, expected, f"{quoted(name.text)}{did_you_mean(name.text, steps)}")
