"""What is wrong with one list of artifact rules, looked at by itself.

Source: in_toto.verifylib 3.1. A list works on a queue of artifacts: MATCH, CREATE, DELETE, MODIFY and ALLOW take
some out, only DISALLOW and REQUIRE can fail, and what is left at the end is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from intoto_action.decide.lint_fault import EXPECTED_MATERIALS, EXPECTED_PRODUCTS, Lint, Severity
from intoto_action.decide.patterns import matches_everything, may_take, takes
from intoto_action.formats.rule import ArtifactRule, RuleKind, encode_rule, join_rule
from intoto_action.formats.spelling import quoted

_NEVER_MATCHES = re.compile(r"\A\Z|\A/|//|/\Z|(?:\A|[/:])\.\.?(?:/|\Z)|[\\\x00-\x1f\x7f-\x9f]")
_GLOB = re.compile(r"[*?]")


class ListFault(msgspec.Struct, frozen=True):
    """A fault of a list; `rule` is the place of the rule it is about, from 0, or None for the whole list."""

    id: str
    severity: Severity
    rule: int | None
    expected: str
    found: str


def of_list(fault: ListFault, step: str, field: str) -> Lint:
    """The fault as one of a layout."""
    return Lint(
        id=fault.id,
        severity=fault.severity,
        expected=fault.expected,
        found=fault.found,
        step=step,
        field=field,
        rule=fault.rule,
    )


def is_open(rules: Sequence[ArtifactRule]) -> bool:
    """Whether the list ends with `ALLOW *`."""
    return bool(rules) and rules[-1].kind is RuleKind.ALLOW and rules[-1].pattern == "*"


def is_closed(rules: Sequence[ArtifactRule]) -> bool:
    """Whether the list ends with `DISALLOW *`."""
    return bool(rules) and rules[-1].kind is RuleKind.DISALLOW and rules[-1].pattern == "*"


def list_errors(rules: Sequence[ArtifactRule], field: str, step: str) -> Iterator[ListFault]:
    """What makes a layout with this list refused. `field` says which list of the step `step` it is."""
    yield from _ending(rules)
    yield from _dead_rules(rules)
    for place, rule in enumerate(rules):
        yield from _no_op(place, rule, field)
        yield from _tautology(place, rule, field, step)
        yield from _unmatchable(place, rule)
        yield from _bad_prefix(place, rule)
    yield from _requirements(rules, field, Severity.ERROR)


def list_warnings(rules: Sequence[ArtifactRule], field: str) -> Iterator[ListFault]:
    """What the author of this list should look at again."""
    yield from _requirements(rules, field, Severity.WARNING)
    required = {rule.pattern for rule in rules if rule.kind is RuleKind.REQUIRE}
    for place, rule in enumerate(rules):
        yield from _may_be_absent(place, rule, field, required)
        yield from _lenient(place, rule, field)
        yield from _odd_pattern(place, rule)


def _ending(rules: Sequence[ArtifactRule]) -> Iterator[ListFault]:
    """L01, L02: in-toto allows what no rule has taken, so that a list without an end checks nothing."""
    expected = "DISALLOW * (or ALLOW *, said openly) as the last rule"
    if not rules:
        yield _error("L02", None, expected, "an empty list, which allows everything")
    elif not is_open(rules) and not is_closed(rules):
        yield _error("L01", None, expected, f"{_line(rules[-1])}: all other artifacts are allowed")


def _dead_rules(rules: Sequence[ArtifactRule]) -> Iterator[ListFault]:
    """L03, L10."""
    for place, rule in enumerate(rules[:-1]):
        if not matches_everything(rule.pattern):
            continue
        if rule.kind is RuleKind.DISALLOW:
            yield _error("L03", place, f"{_line(rule)} as the last rule only", "rules after it")
        if rule.kind is RuleKind.ALLOW:
            yield _error(
                "L10", place, f"{_line(rule)} as the last rule only", "rules after it, without effect"
            )


def _no_op(place: int, rule: ArtifactRule, field: str) -> Iterator[ListFault]:
    """L09."""
    if rule.kind is RuleKind.CREATE and field == EXPECTED_MATERIALS:
        expected = "CREATE in expected_products only: no material is created by its own step"
        yield _error("L09", place, expected, _line(rule))
    if rule.kind is RuleKind.DELETE and field == EXPECTED_PRODUCTS:
        expected = "DELETE in expected_materials only: what was deleted is no product"
        yield _error("L09", place, expected, _line(rule))


def _tautology(place: int, rule: ArtifactRule, field: str, step: str) -> Iterator[ListFault]:
    """L05."""
    own = rule.kind is RuleKind.MATCH and rule.step == step and f"expected_{rule.destination}" == field
    if own and rule.source_pattern == rule.destination_pattern:
        yield _error("L05", place, "a MATCH with another list", f"{_line(rule)}, which everything meets")


def _unmatchable(place: int, rule: ArtifactRule) -> Iterator[ListFault]:
    """L12: names in links are relative and normalised."""
    if _NEVER_MATCHES.search(rule.pattern):
        expected = "a pattern of a relative path without ., .., // or \\, as names in links are"
        yield _error("L12", place, expected, f"{quoted(rule.pattern)}, which no name matches")


def _bad_prefix(place: int, rule: ArtifactRule) -> Iterator[ListFault]:
    """L15: prefixes are literal."""
    for prefix in (rule.source_prefix, rule.destination_prefix):
        if prefix and (_GLOB.search(prefix) or _NEVER_MATCHES.search(prefix.removesuffix("/"))):
            expected = "IN with a relative directory, taken literally"
            yield _error("L15", place, expected, quoted(prefix))


def _requirements(rules: Sequence[ArtifactRule], field: str, severity: Severity) -> Iterator[ListFault]:
    """L07: a REQUIRE that cannot be met, or that something in front of it can take the artifact from."""
    concerned = _Concerned(rules, field)
    for place, rule in enumerate(rules):
        if rule.kind is not RuleKind.REQUIRE:
            continue
        if severity is Severity.WARNING:
            yield from _taken_before(place, rule, concerned, Severity.WARNING)
            continue
        if _GLOB.search(rule.pattern):
            yield _error("L07", place, "REQUIRE with one name: it knows no patterns", _line(rule))
            continue
        yield from _taken_before(place, rule, concerned, Severity.ERROR)
        yield from _refused_after(place, rule, concerned, closed=is_closed(rules))


class _Concerned:
    """The rules of a list that say something of a name, found without asking every rule about every name."""

    def __init__(self, rules: Sequence[ArtifactRule], field: str) -> None:
        self._by_name: dict[str, list[tuple[int, ArtifactRule]]] = {}
        self._globs: list[tuple[int, ArtifactRule]] = []
        for place, rule in enumerate(rules):
            if not takes(rule, field) and rule.kind is not RuleKind.DISALLOW:
                continue
            if rule.is_literal:
                self._by_name.setdefault(rule.source_pattern, []).append((place, rule))
            else:
                self._globs.append((place, rule))

    def rules(self, name: str) -> list[tuple[int, ArtifactRule]]:
        """Place and rule, in order, of every DISALLOW that matches the name and every rule that may take it."""
        globs = [(place, rule) for place, rule in self._globs if may_take(rule, name)]
        return sorted([*self._by_name.get(name, []), *globs], key=lambda each: each[0])


def _taken_before(
    place: int, rule: ArtifactRule, concerned: _Concerned, severity: Severity
) -> Iterator[ListFault]:
    """A pattern in front may be meant (`MATCH *` of what is unchanged, then REQUIRE of a change): a warning."""
    before = [each for at, each in concerned.rules(rule.pattern) if at < place]
    for each in before:
        certain = each.is_literal or each.kind is RuleKind.ALLOW
        if each.kind is not RuleKind.DISALLOW and certain is (severity is Severity.ERROR):
            expected = f"{_line(rule)} in front of the rule that takes it"
            yield ListFault("L07", severity, place, expected, f"it after {_line(each)}")
            return


def _refused_after(
    place: int, rule: ArtifactRule, concerned: _Concerned, *, closed: bool
) -> Iterator[ListFault]:
    after = [each for at, each in concerned.rules(rule.pattern) if at > place]
    if not closed or (after and after[0].kind is not RuleKind.DISALLOW):
        return
    refusing = _line(after[0]) if after else "DISALLOW *"
    expected = f"a rule after {_line(rule)} that takes it (CREATE, MODIFY, MATCH or ALLOW)"
    yield _error("L07", place, expected, f"{refusing}, which refuses what is required")


def _may_be_absent(place: int, rule: ArtifactRule, field: str, required: set[str]) -> Iterator[ListFault]:
    """L08."""
    demanding = rule.kind in {RuleKind.CREATE, RuleKind.MODIFY, RuleKind.MATCH} and takes(rule, field)
    if demanding and rule.is_literal and rule.source_pattern not in required:
        expected = f"REQUIRE {rule.source_pattern} in front, if it must be there"
        yield _warning("L08", place, expected, f"{_line(rule)}, which passes without it")


def _lenient(place: int, rule: ArtifactRule, field: str) -> Iterator[ListFault]:
    """L11."""
    if (
        rule.kind is RuleKind.ALLOW
        and field == EXPECTED_PRODUCTS
        and not rule.is_literal
        and rule.pattern != "*"
    ):
        yield _warning(
            "L11", place, "CREATE, MODIFY or MATCH", f"{_line(rule)}, which passes whatever was done"
        )


def _odd_pattern(place: int, rule: ArtifactRule) -> Iterator[ListFault]:
    """L13, L28: `[` begins a class, `**` is `*`, `{}` is what in-toto's substitution parameters look like."""
    if rule.kind is RuleKind.REQUIRE:
        return
    if any(sign in rule.pattern for sign in ("[", "]", "?", "**")):
        expected = "* (which crosses /) as the only sign; a literal [ is written [[]"
        yield _warning("L13", place, expected, quoted(rule.pattern))
    if "{" in rule.pattern or "}" in rule.pattern:
        expected = "no { or }: there are no alternatives, and substitution parameters are signed by nobody"
        yield _warning("L28", place, expected, quoted(rule.pattern))


def _line(rule: ArtifactRule) -> str:
    return join_rule(encode_rule(rule))


def _error(id_: str, place: int | None, expected: str, found: str) -> ListFault:
    return ListFault(id_, Severity.ERROR, place, expected, found)


def _warning(id_: str, place: int, expected: str, found: str) -> ListFault:
    return ListFault(id_, Severity.WARNING, place, expected, found)
