"""Where in a layout.yaml that has what a finding of the decision is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from intoto_action.author.check import CompiledStep
from intoto_action.author.document import Document
from intoto_action.author.expand import PlacedRule
from intoto_action.decide.chain import rule_as_told, rules_as_told
from intoto_action.decide.patterns import may_take
from intoto_action.formats.rule import MATERIALS, PRODUCTS, RuleKind, encode_rule
from intoto_action.formats.yaml import Place
from intoto_action.reason import Finding, Reason

_OF_SIGNERS = frozenset(
    {Reason.LINK_MISSING, Reason.LINK_SIGNATURE, Reason.IDENTITY_MISMATCH, Reason.THRESHOLD}
)


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Places by what stands there: the rules of each list, who signs a step and the step itself by its name, a key of
    the whole file by the reason that speaks of it.
    """

    rules: Mapping[str, tuple[PlacedRule, ...]]
    signers: Mapping[str, Place]
    steps: Mapping[str, Place]
    keys: Mapping[Reason, Place]

    def of(self, finding: Finding) -> Place | None:
        """The place that the author of the file would change or compare first; None for what is not in the file."""
        if (rule := self._rule(finding)) is not None:
            return rule
        if finding.reason in self.keys:
            return self.keys[finding.reason]
        by_step = self.signers if finding.reason in _OF_SIGNERS else self.steps
        return by_step.get(finding.step or "")

    def _rule(self, finding: Finding) -> Place | None:
        """The rule that failed. A DISALLOW fails for what the rules before it did not take: when one of these names the
        artifact, as a MATCH does whose digest is another one, it is that one.
        """
        before = None
        for each in self.rules.get(finding.where, ()):
            if rule_as_told(encode_rule(each.rule)) == finding.rule:
                return before if before is not None and each.rule.kind is RuleKind.DISALLOW else each.place
            names = each.rule.kind is not RuleKind.REQUIRE and finding.artifacts
            if names and before is None and may_take(each.rule, finding.artifacts[0]):
                before = each.place
        return None


def find_places(document: Document, steps: Iterable[CompiledStep]) -> Places:
    """The places of a file that compiled to these steps.

    What was added to a list stands where its reason stands: a REQUIRE at its MATCH, the end of a list at the list, or
    at the step when there is no list.
    """
    rules = {}
    signers, names = {}, {}
    for each in steps:
        name = each.step.name
        names[name] = each.authored.name.place if each.authored.name else each.authored.place
        signers[name] = each.authored.functionaries[0].place if each.authored.functionaries else names[name]
        for kind, placed in ((MATERIALS, each.materials), (PRODUCTS, each.products)):
            rules[rules_as_told(kind, name)] = placed
    keys = {}
    if document.expires is not None:
        keys[Reason.LAYOUT_EXPIRED] = document.expires.place
    if document.source is not None:
        keys[Reason.SOURCE_MISMATCH] = document.source.place
    if document.subject is not None:
        keys[Reason.SUBJECT_UNBOUND] = document.subject.artifact.place
    return Places(rules=rules, signers=signers, steps=names, keys=keys)
