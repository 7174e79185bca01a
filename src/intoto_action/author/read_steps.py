"""The steps of layout.yaml."""

from __future__ import annotations

import shlex

from intoto_action.author.document import AuthoredRule, AuthoredRules, AuthoredStep
from intoto_action.author.faults import Faults
from intoto_action.author.fields import read_fields, read_word, read_words
from intoto_action.formats import yaml
from intoto_action.formats.link import step_name_fault
from intoto_action.formats.rule import RuleKind, parse_rule, split_rule
from intoto_action.formats.spelling import quoted
from intoto_action.formats.yaml import Node, Place

STEP_KEYS = (
    "name",
    "functionaries",
    "threshold",
    "expected_command",
    "expected_materials",
    "expected_products",
    "open",
)


def read_steps(node: Node | None, faults: Faults) -> tuple[AuthoredStep, ...]:
    """Every step that is a mapping, in the order of the file."""
    if node is None:
        return ()
    steps: list[AuthoredStep] = []
    with faults.kept(node.place):
        nodes = yaml.items(node, "a list of steps")
        if not nodes:
            faults.add(node.place, "at least one step: without steps nothing is demanded", "none")
        for each in nodes:
            with faults.kept(each.place):
                steps.append(_step(each, faults))
    return tuple(steps)


def _step(node: Node, faults: Faults) -> AuthoredStep:
    fields = read_fields(node, "a step: a mapping with name and functionaries", STEP_KEYS, faults)
    for key in ("name", "functionaries"):
        if key not in fields:
            faults.add(node.place, f"the key {key} of the step", "a step without it")
    name = read_word(fields.get("name"), "the name of a step", faults)
    if name and (fault := step_name_fault(name.text)):
        faults.add(name.place, "a step name", f"{quoted(name.text)}: {fault}")
    functionaries = read_words(
        fields.get("functionaries"), "a list of names", "the name of a functionary", faults
    )
    listed = fields.get("functionaries")
    if isinstance(listed, yaml.Sequence) and not listed.items:
        faults.add(listed.place, "at least one functionary: somebody must sign the step's link", "none")
    threshold = 1
    if (given := fields.get("threshold")) is not None:
        with faults.kept(given.place):
            threshold = _threshold(given)
    is_open = False
    if (given := fields.get("open")) is not None:
        with faults.kept(given.place):
            is_open = yaml.boolean(given, "true or false")
    return AuthoredStep(
        name=name,
        functionaries=functionaries,
        threshold=threshold,
        threshold_place=fields["threshold"].place if "threshold" in fields else node.place,
        command=_command(fields.get("expected_command"), faults),
        materials=_rules(fields.get("expected_materials"), node.place, faults),
        products=_rules(fields.get("expected_products"), node.place, faults),
        open=is_open,
        place=node.place,
    )


def _threshold(node: Node) -> int:
    what = "a whole number from 1 to the number of functionaries"
    threshold = yaml.integer(node, what)
    if threshold < 1:
        raise yaml.Misplaced(node.place, what, str(threshold))
    return threshold


def _command(node: Node | None, faults: Faults) -> tuple[str, ...]:
    """A list of words, or one text that is split as a shell does."""
    if node is None:
        return ()
    with faults.kept(node.place):
        if isinstance(node, yaml.Scalar):
            return _split_command(yaml.text(node, "a command"), node.place)
        words = []
        for each in yaml.items(node, "a list of words, or a command as one text"):
            if not isinstance(each, yaml.Scalar):
                raise yaml.Misplaced(each.place, "a word of the command", yaml.describe(each))
            words.append(each.text)
        return tuple(words)
    return ()


def _split_command(text: str, place: Place) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise yaml.Misplaced(place, "a command whose quotes are closed", quoted(text)) from error


def _rules(node: Node | None, step: Place, faults: Faults) -> AuthoredRules:
    if node is None:
        return AuthoredRules((), step)
    before = len(faults)
    rules = []
    with faults.kept(node.place):
        for each in yaml.items(node, "a list of rules, e.g. - CREATE out/*"):
            with faults.kept(each.place):
                rules.append(_rule(each, faults))
    return AuthoredRules(tuple(rules), node.place, sound=len(faults) == before)


def _rule(node: Node, faults: Faults) -> AuthoredRule:
    what = "a rule as text, or {rule: MATCH …, optional: true}"
    line, optional = node, False
    if isinstance(node, yaml.Mapping):
        fields = read_fields(node, what, ("rule", "optional"), faults)
        if "rule" not in fields:
            raise yaml.Misplaced(node.place, what, "a mapping without rule")
        line = fields["rule"]
        optional = "optional" in fields and yaml.boolean(fields["optional"], "true or false")
    words = split_rule(yaml.text(line, what), str(line.place))
    rule = parse_rule(words, str(line.place))
    if optional and rule.kind is not RuleKind.MATCH:
        raise yaml.Misplaced(node.place, "optional for a MATCH only", f"it for a {rule.kind.value}")
    return AuthoredRule(rule, optional, line.place)
