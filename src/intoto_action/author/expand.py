"""The short forms of layout.yaml, written out as the rules of a classic layout."""

from __future__ import annotations

import msgspec

from intoto_action.author.document import AuthoredRule, AuthoredRules, AuthoredStep, Subject
from intoto_action.decide.patterns import may_take, takes
from intoto_action.formats.inspection import SOURCE, SourceDemand, encode_source
from intoto_action.formats.layout import Inspection
from intoto_action.formats.rule import ArtifactRule, RuleKind
from intoto_action.formats.yaml import Place

EVERYTHING = "*"
_CLOSED = ArtifactRule(RuleKind.DISALLOW, EVERYTHING)
_OPEN = ArtifactRule(RuleKind.ALLOW, EVERYTHING)


class PlacedRule(msgspec.Struct, frozen=True):
    """A rule of the layout, and what in layout.yaml it comes from. `optional`: a MATCH that may find nothing."""

    rule: ArtifactRule
    place: Place
    optional: bool = False


def expand_materials(step: AuthoredStep) -> list[PlacedRule]:
    """The whole list `expected_materials` of a step."""
    return _whole(step.materials, [], step.open)


def expand_products(step: AuthoredStep, subject: Subject | None) -> list[PlacedRule]:
    """The whole list `expected_products` of a step; `subject` when the image is this step's product.

    The subject is demanded. It also needs a rule that takes it, or the `DISALLOW *` at the end would refuse what
    is demanded: when no rule of the list could, `CREATE` does.
    """
    if subject is None:
        return _whole(step.products, [], step.open)
    image = subject.artifact
    demanded = PlacedRule(ArtifactRule(RuleKind.REQUIRE, image.text), image.place)
    created = PlacedRule(ArtifactRule(RuleKind.CREATE, image.text), image.place)
    written = [each.rule for each in step.products.rules]
    taken = any(takes(rule, "expected_products") and may_take(rule, image.text) for rule in written)
    return _whole(step.products, [demanded], step.open, [] if taken or step.open else [created])


def source_inspection(demand: SourceDemand) -> Inspection:
    """The built-in inspection `source`.

    A stock verifier records its whole working directory before and after it runs an inspection, so the rules of
    this one hold for whatever lies there.
    """
    everything = [[RuleKind.ALLOW.value, EVERYTHING]]
    return Inspection(SOURCE, everything, everything, encode_source(demand))


def _whole(
    written: AuthoredRules, demanded: list[PlacedRule], is_open: bool, more: list[PlacedRule] | None = None
) -> list[PlacedRule]:
    """REQUIREs of short forms, the rules as they were written, rules of short forms, the end.

    A MATCH passes when the artifact is not there at all (in_toto.verifylib), so one that names a single artifact
    demands it too. REQUIRE looks among the artifacts that no rule has taken yet, so these stand in front. A list
    of which a rule could not be read stays open, so that lint says nothing of what that rule may have allowed.
    """
    required = [*demanded, *(_demanded(each.rule, each.place) for each in written.rules if _demands(each))]
    already = {each.rule for each in written.rules if each.rule.kind is RuleKind.REQUIRE}
    first: dict[ArtifactRule, PlacedRule] = {}
    for placed in required:
        if placed.rule not in already:
            first.setdefault(placed.rule, placed)
    rules = [
        *first.values(),
        *(PlacedRule(each.rule, each.place, each.optional) for each in written.rules),
        *(more or []),
    ]
    end = _CLOSED if written.sound and not is_open else _OPEN
    if written.sound and rules and rules[-1].rule == end:
        return rules
    return [*rules, PlacedRule(end, written.place)]


def _demands(each: AuthoredRule) -> bool:
    return each.rule.kind is RuleKind.MATCH and each.rule.is_literal and not each.optional


def _demanded(rule: ArtifactRule, place: Place) -> PlacedRule:
    return PlacedRule(ArtifactRule(RuleKind.REQUIRE, rule.source_pattern), place)
