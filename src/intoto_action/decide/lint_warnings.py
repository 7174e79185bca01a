"""The warnings about a layout: what its author should look at again."""

from __future__ import annotations

from collections.abc import Iterator

from intoto_action.decide.lint_fault import (
    EXPECTED_PRODUCTS,
    Lint,
    Lists,
    matches,
    readable_keys,
    source_demands,
    warning,
)
from intoto_action.decide.lint_identities import identity_warnings
from intoto_action.decide.lint_rules import is_closed, list_warnings, of_list
from intoto_action.decide.patterns import may_meet, takes
from intoto_action.formats.artifact import repository_of
from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key
from intoto_action.formats.layout import Layout
from intoto_action.formats.rule import ArtifactRule, RuleKind
from intoto_action.formats.spelling import quoted
from intoto_action.trust.identities import share_a_signer


def layout_warnings(layout: Layout, lists: Lists) -> tuple[Lint, ...]:
    """All of them."""
    return (
        *_unused_keys(layout),
        *_one_for_all(layout),
        *_commands(layout),
        *_lists_warnings(lists),
        *_later_steps(layout, lists),
        *_empty_matches(lists),
        *_no_image(lists),
        *_any_branch(layout),
        *identity_warnings(layout),
    )


def _lists_warnings(lists: Lists) -> Iterator[Lint]:
    """L08 of a product is left out when another step cannot do without it."""
    demanded = set(_demanded_elsewhere(lists))
    for (step, field), rules in lists.items():
        for fault in list_warnings(rules, field):
            name = rules[fault.rule].source_pattern if fault.rule is not None else ""
            if fault.id != "L08" or (step, field, name) not in demanded:
                yield of_list(fault, step, field)


def _demanded_elsewhere(lists: Lists) -> Iterator[tuple[str, str, str]]:
    """Step, field and name of what a REQUIRE and a MATCH of another list demand together."""
    for (step, field), rules in lists.items():
        required = {rule.pattern for rule in rules if rule.kind is RuleKind.REQUIRE}
        for rule in rules:
            if rule.kind is RuleKind.MATCH and rule.is_literal and rule.source_pattern in required:
                other = (rule.step, f"expected_{rule.destination}")
                if other != (step, field):
                    yield *other, rule.destination_pattern


def _later_steps(layout: Layout, lists: Lists) -> Iterator[Lint]:
    """L06: order is not enforced by in-toto, but a MATCH from a later step is mostly a slip."""
    order = {step.name: place for place, step in enumerate(layout.steps)}
    for step, field, place, rule in matches(lists):
        if rule.step in order and order[rule.step] > order[step]:
            found = f"{quoted(rule.step)}, a later one"
            yield warning("L06", "MATCH … FROM an earlier step", found, step, field, place)


def _empty_matches(lists: Lists) -> Iterator[Lint]:
    """L33: the other list is closed, and none of its rules lets such an artifact through."""
    for step, field, place, rule in matches(lists):
        other = lists.get((rule.step, f"expected_{rule.destination}"))
        if other is None or not is_closed(other):
            continue
        if not any(_lets_through(each, f"expected_{rule.destination}", rule) for each in other):
            expected = (
                f"{rule.destination} of {quoted(rule.step)} that {quoted(rule.destination_pattern)} matches"
            )
            found = f"expected_{rule.destination} there, which lets none through"
            yield warning("L33", expected, found, step, field, place)


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
            yield warning("L18", "keys that sign a step", found)


def _one_for_all(layout: Layout) -> Iterator[Lint]:
    """L20: whoever holds this key, or is this identity, can make up the whole chain."""
    if len(layout.steps) < 2:
        return
    alone = [readable_keys(layout, step) if step.threshold == 1 else [] for step in layout.steps]
    for key in sorted(alone[0], key=lambda each: each.keyid):
        if all(any(_same_signer(key, other) for other in others) for others in alone[1:]):
            expected = "different functionaries for the steps that make and the steps that check"
            who = key.identity if isinstance(key, Identity) else f"key {quoted(key.keyid[:8])}"
            yield warning("L20", expected, f"{who}, which alone can sign every step")


def _same_signer(one: Key, other: Key) -> bool:
    if isinstance(one, Identity) and isinstance(other, Identity):
        return share_a_signer(one, other)
    return one.fingerprint == other.fingerprint


def _commands(layout: Layout) -> Iterator[Lint]:
    """L25: in-toto specification 4.3.3 has the command as a hint; verifiers only warn."""
    for step in layout.steps:
        if step.expected_command:
            expected = "rules for artifacts to say what must hold"
            found = "expected_command too, which no verifier enforces"
            yield warning("L25", expected, found, step.name, "expected_command")


def _no_image(lists: Lists) -> Iterator[Lint]:
    """L29."""
    required = [
        rule
        for (_, field), rules in lists.items()
        for rule in rules
        if field == EXPECTED_PRODUCTS and rule.kind is RuleKind.REQUIRE and repository_of(rule.pattern)
    ]
    if not required:
        expected = "REQUIRE oci:REGISTRY/REPOSITORY in the expected_products of a step (`subject` writes it)"
        yield warning("L29", expected, "none: nothing binds this layout to an image")


def _any_branch(layout: Layout) -> Iterator[Lint]:
    """L34: whoever may push a branch could make links that count."""
    for demand in source_demands(layout):
        if not demand.refs:
            expected = "refs for the inspection source, e.g. refs/heads/main"
            yield warning("L34", expected, f"none: links of every branch of {demand.repository} count")
