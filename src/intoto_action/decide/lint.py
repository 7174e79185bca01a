"""What is wrong with a layout that in-toto's own models let through.

The checks have numbers, which docs/layouts.md explains. An error is a layout that says something else than it
seems to, or that cannot be met; `accept_layout` refuses it. A warning is for the layout's author.

Source: in-toto specification 1.0, 4.3; in_toto.verifylib 3.1 for what rules really do; design of this project.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from intoto_action.decide.lint_rules import (
    EXPECTED_MATERIALS,
    EXPECTED_PRODUCTS,
    ListFault,
    Severity,
    is_closed,
    list_errors,
    list_warnings,
)
from intoto_action.decide.patterns import may_meet, takes
from intoto_action.formats.artifact import repository_of
from intoto_action.formats.envelope import Wrapper
from intoto_action.formats.inspection import parse_run
from intoto_action.formats.key import Key, public_key_from_entry
from intoto_action.formats.layout import Inspection, Layout, Rule, Step
from intoto_action.formats.link import step_name_fault
from intoto_action.formats.rule import ArtifactRule, RuleKind, join_rule, parse_rule
from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.reason import Finding, Malformed, Reason

__all__ = ["Lint", "Severity", "error_findings", "lint", "lint_expiry", "lint_wrapper"]

FIELDS = (EXPECTED_MATERIALS, EXPECTED_PRODUCTS)
LONG_LIFE = timedelta(days=2 * 366)
_KEYID = re.compile(r"[0-9a-f]{8,128}\Z")
_Lists = Mapping[tuple[str, str], Sequence[ArtifactRule]]
"""The rules of every list that is in in-toto's grammar, by step and field."""


class Lint(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a layout.

    `field` is the field of the step or inspection `step` it is in (empty: the whole step), `rule` the place of the
    rule in that list, from 0; all of them empty or None when it is about the whole layout.
    """

    id: str
    severity: Severity
    expected: str
    found: str
    step: str | None = None
    field: str = ""
    rule: int | None = None

    @property
    def where(self) -> str:
        """The place in words: `step 'build', expected_products, rule 2`."""
        parts = [f"step {quoted(self.step)}"] if self.step is not None else ["layout"]
        parts += [self.field] if self.field else []
        parts += [f"rule {self.rule + 1}"] if self.rule is not None else []
        return ", ".join(parts)


def lint(layout: Layout) -> tuple[Lint, ...]:
    """Every fault of a layout, errors first. Pure, and for any layout that `parse_layout` returns."""
    lists = _readable(layout)
    return (*_errors(layout, lists), *_warnings(layout, lists))


def error_findings(layout: Layout) -> tuple[Finding, ...]:
    """The errors among the faults, as findings of phase 3 of the decision."""
    return tuple(_finding(layout, each) for each in _errors(layout, _readable(layout)))


def lint_expiry(layout: Layout, at: datetime) -> tuple[Lint, ...]:
    """L23, which needs to know the time: a layout that has ended, or lives so long that old ones pile up.

    Source: GHSA-73jv-h86v-c2vh: whoever has an old layout with valid signatures can use it until it ends.
    """
    if layout.expires_at <= at:
        found = f"{layout.expires}, which is over"
        return (_error("L23", "a layout that has not ended", found),)
    if layout.expires_at > at + LONG_LIFE:
        expected = f"an end within {LONG_LIFE.days} days, so that an older layout cannot be used for years"
        return (_warning("L23", expected, layout.expires),)
    return ()


def lint_wrapper(wrapper: Wrapper) -> tuple[Lint, ...]:
    """L27: the older wrapper signs canonical JSON, which two readers may write differently."""
    if wrapper is Wrapper.METABLOCK:
        return (_warning("L27", "a DSSE envelope", "a Metablock, in-toto's older wrapper"),)
    return ()


def _finding(layout: Layout, fault: Lint) -> Finding:
    return Finding(
        reason=Reason.LAYOUT_INVALID,
        expected=fault.expected,
        found=f"{fault.found} (lint {fault.id})",
        where=f"the layout, {fault.where}" if fault.step is not None else "the layout",
        step=fault.step,
        rule=_rule_text(layout, fault),
    )


def _rule_text(layout: Layout, fault: Lint) -> str | None:
    step = layout.step(fault.step) if fault.step is not None else None
    if step is None or fault.rule is None:
        return None
    return join_rule(_rules(step, fault.field)[fault.rule])


def _errors(layout: Layout, lists: _Lists) -> tuple[Lint, ...]:
    return (
        *_no_steps(layout),
        *_names(layout),
        *_keys(layout),
        *_grammar(layout),
        *_signers(layout),
        *_lists_errors(lists),
        *_origins(layout, lists),
    )


def _warnings(layout: Layout, lists: _Lists) -> tuple[Lint, ...]:
    return (
        *_unused_keys(layout),
        *_one_for_all(layout),
        *_commands(layout),
        *_lists_warnings(lists),
        *_later_steps(layout, lists),
        *_empty_matches(lists),
        *_no_image(lists),
        *_any_branch(layout),
    )


def _readable(layout: Layout) -> dict[tuple[str, str], Sequence[ArtifactRule]]:
    lists: dict[tuple[str, str], Sequence[ArtifactRule]] = {}
    for step in layout.steps:
        for field in FIELDS:
            try:
                lists[step.name, field] = [parse_rule(words, field) for words in _rules(step, field)]
            except Malformed:
                continue  # `_grammar` reports it
    return lists


def _rules(step: Step, field: str) -> list[Rule]:
    return step.expected_materials if field == EXPECTED_MATERIALS else step.expected_products


def _no_steps(layout: Layout) -> Iterator[Lint]:
    """L31: in_toto_verify passes a layout without steps, whatever was built."""
    if not layout.steps:
        yield _error("L31", "at least one step", "none: nothing is demanded")


def _names(layout: Layout) -> Iterator[Lint]:
    """L24: names are used in file names as they are (in_toto.models.link)."""
    seen: set[str] = set()
    for step in layout.steps:
        if fault := step_name_fault(step.name):
            yield _error("L24", "a step name", f"{quoted(step.name)}: {fault}", step)
        if step.name in seen:
            yield _error("L24", "a name of its own for every step", f"{quoted(step.name)} again", step)
        seen.add(step.name)


def _keys(layout: Layout) -> Iterator[Lint]:
    """L18: a keyid is a file name and a hint; it must be one name for one key."""
    for keyid, entry in layout.keys.items():
        if not _KEYID.match(keyid):
            yield _error("L18", "keyids of lower-case hex digits", quoted(keyid))
        elif entry.keyid not in {"", keyid}:
            expected = f"the keyid {keyid[:8]} under which the key is listed"
            yield _error("L18", expected, f"{quoted(entry.keyid)} inside it")
        elif _key(layout, keyid) is None:
            yield _error("L18", "public keys that can be read", f"key {keyid[:8]}, which cannot")
    for step in layout.steps:
        for keyid in step.pubkeys:
            if keyid not in layout.keys:
                found = f"{quoted(keyid[:64])}, which is none"
                yield _error("L18", "pubkeys that are in the layout's keys", found, step, "pubkeys")


def _key(layout: Layout, keyid: str) -> Key | None:
    try:
        return public_key_from_entry(keyid, layout.keys[keyid], "layout") if keyid in layout.keys else None
    except Malformed:
        return None


def _grammar(layout: Layout) -> Iterator[Lint]:
    """L32; of inspections this is all that is looked at."""
    items: list[Step | Inspection] = [*layout.steps, *layout.inspect]
    for each in items:
        for field, rules in zip(FIELDS, (each.expected_materials, each.expected_products), strict=True):
            for place, words in enumerate(rules):
                try:
                    parse_rule(words, field)
                except Malformed as error:
                    yield Lint(
                        id="L32",
                        severity=Severity.ERROR,
                        expected=error.expected,
                        found=error.found,
                        step=each.name,
                        field=field,
                        rule=place,
                    )


def _signers(layout: Layout) -> Iterator[Lint]:
    """L17, L19."""
    for step in layout.steps:
        keys = [key for keyid in step.pubkeys if (key := _key(layout, keyid)) is not None]
        distinct = {key.spki: key for key in keys}
        if len(distinct) < len(keys):
            expected = "every key once: a key under two keyids would count twice"
            yield _error("L19", expected, "one key twice", step, "pubkeys")
        elif len({keyid[:8] for keyid in step.pubkeys}) < len(step.pubkeys):
            expected = "keyids that differ in their first 8 digits, as file names of links have them"
            yield _error("L19", expected, "two that do not", step, "pubkeys")
        known = len(keys) == len(step.pubkeys)
        if step.threshold < 1 or (known and step.threshold > len(distinct)):
            most = f"1 to {len(distinct)}, the number of its keys" if distinct else "at least one key"
            found = str(step.threshold) if distinct else "none: nobody can sign its link"
            yield _error("L17", f"a threshold of {most}" if distinct else most, found, step, "threshold")


def _lists_errors(lists: _Lists) -> Iterator[Lint]:
    for (step, field), rules in lists.items():
        for fault in list_errors(rules, field, step):
            yield _of_list(fault, step, field)


def _lists_warnings(lists: _Lists) -> Iterator[Lint]:
    """L08 of a product is left out when another step cannot do without it."""
    demanded = set(_demanded_elsewhere(lists))
    for (step, field), rules in lists.items():
        for fault in list_warnings(rules, field):
            name = rules[fault.rule].source_pattern if fault.rule is not None else ""
            if fault.id != "L08" or (step, field, name) not in demanded:
                yield _of_list(fault, step, field)


def _demanded_elsewhere(lists: _Lists) -> Iterator[tuple[str, str, str]]:
    """Step, field and name of what a REQUIRE and a MATCH of another list demand together."""
    for (step, field), rules in lists.items():
        required = {rule.pattern for rule in rules if rule.kind is RuleKind.REQUIRE}
        for rule in rules:
            if rule.kind is RuleKind.MATCH and rule.is_literal and rule.source_pattern in required:
                other = (rule.step, f"expected_{rule.destination}")
                if other != (step, field):
                    yield *other, rule.destination_pattern


def _of_list(fault: ListFault, step: str, field: str) -> Lint:
    return Lint(
        id=fault.id,
        severity=fault.severity,
        expected=fault.expected,
        found=fault.found,
        step=step,
        field=field,
        rule=fault.rule,
    )


def _matches(lists: _Lists) -> Iterator[tuple[str, str, int, ArtifactRule]]:
    for (step, field), rules in lists.items():
        for place, rule in enumerate(rules):
            if rule.kind is RuleKind.MATCH:
                yield step, field, place, rule


def _origins(layout: Layout, lists: _Lists) -> Iterator[Lint]:
    """L04: a MATCH FROM nowhere takes nothing, without a word."""
    steps = [step.name for step in layout.steps]
    inspections = {each.name for each in layout.inspect}
    for step, field, place, rule in _matches(lists):
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


def _later_steps(layout: Layout, lists: _Lists) -> Iterator[Lint]:
    """L06: order is not enforced by in-toto, but a MATCH from a later step is mostly a slip."""
    order = {step.name: place for place, step in enumerate(layout.steps)}
    for step, field, place, rule in _matches(lists):
        if rule.step in order and order[rule.step] > order[step]:
            found = f"{quoted(rule.step)}, a later one"
            yield _warning("L06", "MATCH … FROM an earlier step", found, step, field, place)


def _empty_matches(lists: _Lists) -> Iterator[Lint]:
    """L33: the other list is closed, and none of its rules lets such an artifact through."""
    for step, field, place, rule in _matches(lists):
        other = lists.get((rule.step, f"expected_{rule.destination}"))
        if other is None or not is_closed(other):
            continue
        if not any(_lets_through(each, f"expected_{rule.destination}", rule) for each in other):
            expected = (
                f"{rule.destination} of {quoted(rule.step)} that {quoted(rule.destination_pattern)} matches"
            )
            found = f"expected_{rule.destination} there, which lets none through"
            yield _warning("L33", expected, found, step, field, place)


def _lets_through(other: ArtifactRule, field: str, rule: ArtifactRule) -> bool:
    return takes(other, field) and may_meet(
        other.pattern, other.source_prefix, rule.pattern, rule.destination_prefix
    )


def _unused_keys(layout: Layout) -> Iterator[Lint]:
    """L18."""
    used = {keyid for step in layout.steps for keyid in step.pubkeys}
    for keyid in layout.keys:
        if keyid not in used:
            found = f"key {quoted(keyid[:8])}, which signs none"
            yield _warning("L18", "keys that sign a step", found)


def _one_for_all(layout: Layout) -> Iterator[Lint]:
    """L20: whoever holds this key can make up the whole chain."""
    if len(layout.steps) < 2:
        return
    alone = [set(step.pubkeys) if step.threshold == 1 else set[str]() for step in layout.steps]
    for keyid in sorted(set.intersection(*alone)):
        expected = "different functionaries for the steps that make and the steps that check"
        yield _warning("L20", expected, f"key {quoted(keyid[:8])}, which alone can sign every step")


def _commands(layout: Layout) -> Iterator[Lint]:
    """L25: in-toto specification 4.3.3 has the command as a hint; verifiers only warn."""
    for step in layout.steps:
        if step.expected_command:
            expected = "rules for artifacts to say what must hold"
            found = "expected_command too, which no verifier enforces"
            yield _warning("L25", expected, found, step.name, "expected_command")


def _no_image(lists: _Lists) -> Iterator[Lint]:
    """L29."""
    required = [
        rule
        for (_, field), rules in lists.items()
        for rule in rules
        if field == EXPECTED_PRODUCTS and rule.kind is RuleKind.REQUIRE and repository_of(rule.pattern)
    ]
    if not required:
        expected = "REQUIRE oci:REGISTRY/REPOSITORY in the expected_products of a step (`subject` writes it)"
        yield _warning("L29", expected, "none: nothing binds this layout to an image")


def _any_branch(layout: Layout) -> Iterator[Lint]:
    """L34: whoever may push a branch could make links that count."""
    for inspection in layout.inspect:
        try:
            demand = parse_run(inspection.run, "run")
        except Malformed:
            continue  # phase 10 of the decision refuses it
        if demand is not None and not demand.refs:
            expected = "refs for the inspection source, e.g. refs/heads/main"
            yield _warning("L34", expected, f"none: links of every branch of {demand.repository} count")


def _error(id_: str, expected: str, found: str, step: Step | None = None, field: str = "") -> Lint:
    name = None if step is None else step.name
    return Lint(id=id_, severity=Severity.ERROR, expected=expected, found=found, step=name, field=field)


def _warning(
    id_: str, expected: str, found: str, step: str | None = None, field: str = "", rule: int | None = None
) -> Lint:
    return Lint(
        id=id_, severity=Severity.WARNING, expected=expected, found=found, step=step, field=field, rule=rule
    )
