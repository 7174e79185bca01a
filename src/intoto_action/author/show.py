"""A layout as lines for a person. Names and patterns are as they stand there: whoever prints escapes them."""

from __future__ import annotations

from collections.abc import Iterator

from intoto_action.formats.envelope import Envelope, Signature
from intoto_action.formats.key_entry import KeyEntry
from intoto_action.formats.layout import Inspection, Layout, Rule, Step
from intoto_action.formats.rule import join_rule
from intoto_action.reason import Malformed
from intoto_action.trust.keyless import claimed_certificate


def layout_lines(layout: Layout) -> list[str]:
    """What the layout demands, by whom, until when."""
    return [
        f"expires      {layout.expires}",
        *(f"readme       {line}" for line in layout.readme.splitlines()),
        "",
        "keys",
        *(line for keyid, entry in layout.keys.items() for line in _key_lines(keyid, entry)),
        *(line for step in layout.steps for line in _step_lines(step)),
        *(line for inspection in layout.inspect for line in _inspection_lines(inspection)),
    ]


def signature_lines(envelope: Envelope, where: str) -> list[str]:
    """What the signatures say of whose they are; nothing of it is checked here."""
    lines = []
    for place, signature in enumerate(envelope.signatures or (None,)):
        who = _claimed(envelope, signature, where) if signature is not None else "nobody"
        lines.append(f"{'signatures' if place == 0 else '':<12} {who}")
    if envelope.signatures:
        lines.append(f"{'':<12} (hints, not checked here)")
    return lines


def _claimed(envelope: Envelope, signature: Signature, where: str) -> str:
    keyid = signature.keyid[:8] or "no keyid"
    try:
        certificate = claimed_certificate(envelope, signature, where)
    except Malformed as error:
        return f"{keyid}, expected {error.expected}, found {error.found}"
    return keyid if certificate is None else f"{keyid}, {certificate}"


def _key_lines(keyid: str, entry: KeyEntry) -> Iterator[str]:
    if not entry.keyval.is_identity:
        yield f"  {keyid[:8]}   {entry.keytype}, {entry.scheme}"
        return
    yield f"  {keyid[:8]}   identity {entry.keyval.identity}"
    yield f"  {'':<8}   issuer {entry.keyval.issuer}"
    for name, value in sorted(entry.keyval.claims.items()):
        yield f"  {'':<8}   {name} {value}"


def _step_lines(step: Step) -> Iterator[str]:
    yield ""
    yield f"step {step.name}"
    signers = ", ".join(keyid[:8] for keyid in step.pubkeys) or "nobody"
    yield f"  signed by    {step.threshold} of {signers}"
    if step.expected_command:
        yield f"  command      {join_rule(step.expected_command)}"
    yield from _rule_lines("materials", step.expected_materials)
    yield from _rule_lines("products", step.expected_products)


def _inspection_lines(inspection: Inspection) -> Iterator[str]:
    yield ""
    yield f"inspection {inspection.name}"
    yield f"  run          {join_rule(inspection.run)}"
    yield from _rule_lines("materials", inspection.expected_materials)
    yield from _rule_lines("products", inspection.expected_products)


def _rule_lines(name: str, rules: list[Rule]) -> Iterator[str]:
    for place, rule in enumerate(rules or [["(no rule: everything is allowed)"]]):
        yield f"  {name if place == 0 else '':<12} {join_rule(rule) if rules else rule[0]}"
