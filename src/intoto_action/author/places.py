"""Where in a layout.yaml that has what a finding of the decision is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from intoto_action.author.check import CompiledStep
from intoto_action.author.document import Document
from intoto_action.decide.chain import rule_as_told, rules_as_told
from intoto_action.formats.rule import MATERIALS, PRODUCTS, encode_rule
from intoto_action.formats.yaml import Place
from intoto_action.reason import Finding, Reason

_OF_SIGNERS = frozenset(
    {Reason.LINK_MISSING, Reason.LINK_SIGNATURE, Reason.IDENTITY_MISMATCH, Reason.THRESHOLD}
)


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Places by what stands there: a rule by the list it is in and its words, who signs a step and the step itself by
    its name, a key of the whole file by the reason that speaks of it.
    """

    rules: Mapping[tuple[str, str], Place]
    signers: Mapping[str, Place]
    steps: Mapping[str, Place]
    keys: Mapping[Reason, Place]

    def of(self, finding: Finding) -> Place | None:
        """The place that the author of the file would change or compare first; None for what is not in the file."""
        rule = self.rules.get((finding.where, finding.rule or ""))
        if rule is not None:
            return rule
        if finding.reason in self.keys:
            return self.keys[finding.reason]
        by_step = self.signers if finding.reason in _OF_SIGNERS else self.steps
        return by_step.get(finding.step or "")


def find_places(document: Document, steps: Iterable[CompiledStep]) -> Places:
    """The places of a file that compiled to these steps.

    What was added to a list stands where its reason stands: a REQUIRE at its MATCH, the end of a list at the list, or
    at the step when there is no list. Of the same rule twice in a list it is the first.
    """
    rules: dict[tuple[str, str], Place] = {}
    signers, names = {}, {}
    for each in steps:
        name = each.step.name
        names[name] = each.authored.name.place if each.authored.name else each.authored.place
        signers[name] = each.authored.functionaries[0].place if each.authored.functionaries else names[name]
        for kind, placed in ((MATERIALS, each.materials), (PRODUCTS, each.products)):
            for rule in placed:
                told = rules_as_told(kind, name), rule_as_told(encode_rule(rule.rule))
                rules.setdefault(told, rule.place)
    keys = {}
    if document.expires is not None:
        keys[Reason.LAYOUT_EXPIRED] = document.expires.place
    if document.source is not None:
        keys[Reason.SOURCE_MISMATCH] = document.source.place
    if document.subject is not None:
        keys[Reason.SUBJECT_UNBOUND] = document.subject.artifact.place
    return Places(rules=rules, signers=signers, steps=names, keys=keys)
