"""layout.yaml to the classic layout that is signed."""

from __future__ import annotations

from datetime import datetime

import msgspec

from intoto_action.author.check import CompiledStep, check_lint, check_names
from intoto_action.author.document import AuthoredStep, Document, Word
from intoto_action.author.expand import PlacedRule, expand_materials, expand_products, source_inspection
from intoto_action.author.expiry import expiry, is_length
from intoto_action.author.faults import Faults
from intoto_action.author.functionaries import Functionaries, KeyReader, find_functionaries
from intoto_action.author.places import Places, find_places
from intoto_action.author.read import read_document
from intoto_action.formats.layout import INSTANT, Layout, Step
from intoto_action.formats.rule import encode_rule


class Compiled(msgspec.Struct, frozen=True):
    """A layout, and what its author should look at again.

    `lives_for` is what `expires` said when it was a length of time: the layout's `expires` then depends on `at`.
    `places` says where in the file things stand.
    """

    layout: Layout
    lives_for: str | None
    warnings: tuple[str, ...]
    places: Places


def compile_layout(raw: bytes, file: str, *, read_key: KeyReader, at: datetime) -> Compiled:
    """The layout that a layout.yaml means; `file` names it in errors, `at` is now.

    Raises: BadLayout, with everything that is wrong.
    """
    faults = Faults()
    document = read_document(raw, file, faults)
    functionaries = find_functionaries(document, read_key, faults)
    check_names(document, faults)
    expires = _expires(document.expires, at, faults)
    named: dict[str, CompiledStep] = {}
    for step in document.steps:
        if step.name is not None and step.name.text not in named:
            named[step.name.text] = _compiled(step, step.name, document, functionaries)
    steps = list(named.values())
    layout = Layout(
        steps=[each.step for each in steps],
        inspect=[] if document.source is None else [source_inspection(document.source.demand)],
        keys={key.keyid: key.entry for key in functionaries.everybody()},
        expires=expires or at.strftime(INSTANT),
        readme=document.readme,
    )
    warnings = check_lint(
        layout,
        steps,
        document,
        functionaries,
        expires_is_sound=expires is not None,
        at=at,
        faults=faults,
    )
    faults.raise_any()
    written = document.expires.text if document.expires is not None else ""
    lives_for = written if is_length(written) else None
    return Compiled(layout, lives_for, warnings, find_places(document, steps))


def _expires(word: Word | None, at: datetime, faults: Faults) -> str | None:
    if word is not None:
        with faults.kept(word.place):
            return expiry(word.text, at, str(word.place)).strftime(INSTANT)
    return None


def _compiled(
    step: AuthoredStep, name: Word, document: Document, functionaries: Functionaries
) -> CompiledStep:
    subject = document.subject if document.subject and document.subject.step.text == name.text else None
    materials = expand_materials(step)
    products = expand_products(step, subject)
    return CompiledStep(
        Step(
            name=name.text,
            expected_materials=_words(materials),
            expected_products=_words(products),
            pubkeys=[key.keyid for key in functionaries.of(step)],
            expected_command=list(step.command),
            threshold=step.threshold,
        ),
        tuple(materials),
        tuple(products),
        step,
    )


def _words(rules: list[PlacedRule]) -> list[list[str]]:
    return [encode_rule(each.rule) for each in rules]
