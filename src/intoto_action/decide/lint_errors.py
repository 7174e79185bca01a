"""The errors of a layout: it says something else than it seems to, or cannot be met."""

from __future__ import annotations

import re
from collections.abc import Iterator

from intoto_action.decide.lint_fault import (
    FIELDS,
    Lint,
    Lists,
    Severity,
    error,
    matches,
    readable_key,
    readable_keys,
)
from intoto_action.decide.lint_identities import identity_errors
from intoto_action.decide.lint_rules import list_errors, of_list
from intoto_action.formats.layout import Inspection, Layout, Step
from intoto_action.formats.link import step_name_fault
from intoto_action.formats.rule import parse_rule
from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.reason import Malformed

_KEYID = re.compile(r"[0-9a-f]{8,128}\Z")


def layout_errors(layout: Layout, lists: Lists) -> tuple[Lint, ...]:
    """All of them; names and keys come before rules."""
    return (
        *_no_steps(layout),
        *_names(layout),
        *_keys(layout),
        *_grammar(layout),
        *_signers(layout),
        *identity_errors(layout),
        *_lists_errors(lists),
        *_origins(layout, lists),
    )


def _no_steps(layout: Layout) -> Iterator[Lint]:
    """L31: in_toto_verify passes a layout without steps, whatever was built."""
    if not layout.steps:
        yield error("L31", "at least one step", "none: nothing is demanded")


def _names(layout: Layout) -> Iterator[Lint]:
    """L24: names are used in file names as they are (in_toto.models.link)."""
    seen: set[str] = set()
    for step in layout.steps:
        if fault := step_name_fault(step.name):
            yield error("L24", "a step name", f"{quoted(step.name)}: {fault}", step)
        if step.name in seen:
            yield error("L24", "a name of its own for every step", f"{quoted(step.name)} again", step)
        seen.add(step.name)


def _keys(layout: Layout) -> Iterator[Lint]:
    """L18: a keyid is a file name and a hint; it must be one name for one key."""
    for keyid, entry in layout.keys.items():
        if not _KEYID.match(keyid):
            yield error("L18", "keyids of lower-case hex digits", quoted(keyid))
        elif entry.keyid not in {"", keyid}:
            expected = f"the keyid {keyid[:8]} under which the key is listed"
            yield error("L18", expected, f"{quoted(entry.keyid)} inside it")
        elif readable_key(layout, keyid) is None:
            yield error("L18", "public keys that can be read", f"key {keyid[:8]}, which cannot")
    for step in layout.steps:
        for keyid in step.pubkeys:
            if keyid not in layout.keys:
                found = f"{quoted(keyid[:64])}, which is none"
                yield error("L18", "pubkeys that are in the layout's keys", found, step, "pubkeys")


def _grammar(layout: Layout) -> Iterator[Lint]:
    """L32; of inspections this is all that is looked at."""
    items: list[Step | Inspection] = [*layout.steps, *layout.inspect]
    for each in items:
        for field, rules in zip(FIELDS, (each.expected_materials, each.expected_products), strict=True):
            for place, words in enumerate(rules):
                try:
                    parse_rule(words, field)
                except Malformed as fault:
                    yield Lint(
                        id="L32",
                        severity=Severity.ERROR,
                        expected=fault.expected,
                        found=fault.found,
                        step=each.name,
                        field=field,
                        rule=place,
                    )


def _signers(layout: Layout) -> Iterator[Lint]:
    """L17, L19."""
    for step in layout.steps:
        keys = readable_keys(layout, step)
        distinct = {key.fingerprint: key for key in keys}
        if len(distinct) < len(keys):
            expected = "every key and identity once: one under two keyids would count twice"
            yield error("L19", expected, "one of them twice", step, "pubkeys")
        elif len({keyid[:8] for keyid in step.pubkeys}) < len(step.pubkeys):
            expected = "keyids that differ in their first 8 digits, as file names of links have them"
            yield error("L19", expected, "two that do not", step, "pubkeys")
        known = len(keys) == len(step.pubkeys)
        if step.threshold < 1 or (known and step.threshold > len(distinct)):
            most = f"1 to {len(distinct)}, the number of its keys" if distinct else "at least one key"
            found = str(step.threshold) if distinct else "none: nobody can sign its link"
            yield error("L17", f"a threshold of {most}" if distinct else most, found, step, "threshold")


def _lists_errors(lists: Lists) -> Iterator[Lint]:
    for (step, field), rules in lists.items():
        for fault in list_errors(rules, field, step):
            yield of_list(fault, step, field)


def _origins(layout: Layout, lists: Lists) -> Iterator[Lint]:
    """L04: a MATCH FROM nowhere takes nothing, without a word."""
    steps = [step.name for step in layout.steps]
    inspections = {each.name for each in layout.inspect}
    for step, field, place, rule in matches(lists):
        if rule.step in steps:
            continue
        hint = did_you_mean(rule.step, steps)
        found = f"{quoted(rule.step)}{hint}"
        if rule.step in inspections:
            found = f"{quoted(rule.step)}, an inspection: those come after all steps"
        yield Lint(
            id="L04",
            severity=Severity.ERROR,
            expected="MATCH … FROM a step of the layout",
            found=found,
            step=step,
            field=field,
            rule=place,
        )
