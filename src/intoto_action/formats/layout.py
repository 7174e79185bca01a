"""The layout: in-toto's own document, typed.

Source: in-toto specification 1.0, section 4.3.1; in_toto.models.layout for the field names. The reference drops
fields it does not know, so that `treshold: 5` means a threshold of 1; here an unknown field is an error.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from intoto_action.formats.key import Key, key_from_entry
from intoto_action.formats.key_entry import KeyEntry
from intoto_action.formats.link import check_step_name
from intoto_action.formats.strict_json import MIB, Typed, decode, decode_once
from intoto_action.reason import Malformed

LAYOUT_CAP = 4 * MIB
INSTANT = "%Y-%m-%dT%H:%M:%SZ"
Rule = list[str]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="_type", tag="step"):
    """One step: who may sign its link (`pubkeys` are keyids), how many must, and the rules for its artifacts."""

    name: str
    expected_materials: list[Rule]
    expected_products: list[Rule]
    pubkeys: list[str]
    expected_command: list[str]
    threshold: int


class Inspection(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="_type", tag="inspection"
):
    """One inspection: a command that a stock verifier runs, and that only our built-in ones stand for here."""

    name: str
    expected_materials: list[Rule]
    expected_products: list[Rule]
    run: list[str]


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="_type", tag="layout"):
    """What must happen, by whom, until when. `expires` is an instant as in-toto writes it, in UTC."""

    steps: list[Step]
    inspect: list[Inspection]
    keys: dict[str, KeyEntry]
    expires: str
    readme: str = ""

    @property
    def expires_at(self) -> datetime:
        """The end of the layout's life; `parse_layout` has made sure that it can be read."""
        return parse_instant(self.expires, "layout, expires")

    def step(self, name: str) -> Step | None:
        """The step of that name, or None."""
        return next((step for step in self.steps if step.name == name), None)

    def functionaries(self, step: Step) -> list[Key]:
        """The keys and identities that may sign links of the step, in the layout's order.

        Raises: Malformed for a key that cannot be read.
        """
        where = f"layout, step {step.name!r}"
        return [
            key_from_entry(keyid, self.keys[keyid], f"{where}, key {keyid[:8]}") for keyid in step.pubkeys
        ]

    def all_functionaries(self) -> list[Key]:
        """Every key in the layout. Raises: Malformed."""
        return [
            key_from_entry(keyid, entry, f"layout, key {keyid[:8]}") for keyid, entry in self.keys.items()
        ]


class _TypedLayout(Typed):
    steps: list[Typed]
    inspect: list[Typed]


def parse_layout(payload: bytes, where: str) -> Layout:
    """A layout from the payload of an envelope, its names, thresholds and expiry checked for their form.

    Raises: Malformed.
    """
    layout = decode(payload, Layout, where, cap=LAYOUT_CAP)
    decode_once(payload, _TypedLayout, where)
    parse_instant(layout.expires, f"{where}, expires")
    names = [*(step.name for step in layout.steps), *(each.name for each in layout.inspect)]
    if len(names) != len(set(names)):
        raise Malformed(where, "a name of its own for every step and inspection", "one name twice")
    for step in layout.steps:
        check_step_name(step.name, where)
        if missing := [keyid for keyid in step.pubkeys if keyid not in layout.keys]:
            raise Malformed(
                f"{where}, step {step.name!r}", "pubkeys that are in the layout's keys", missing[0][:64]
            )
        if not 1 <= step.threshold <= max(1, len(step.pubkeys)):
            found = f"{step.threshold} with {len(step.pubkeys)} functionaries"
            raise Malformed(
                f"{where}, step {step.name!r}", "a threshold from 1 to the number of functionaries", found
            )
    return layout


def encode_layout(layout: Layout) -> bytes:
    """The payload of a layout, the same bytes for the same layout."""
    return msgspec.json.encode(layout, order="sorted")


def parse_instant(text: str, where: str) -> datetime:
    """An instant `YYYY-MM-DDTHH:MM:SSZ`.

    Raises: Malformed.
    """
    # Not strptime: it imports a module and asks for the locale when it is first called.
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed(where, "an instant such as 2030-01-31T12:00:00Z", repr(text[:80])) from error
    if parsed.tzinfo != UTC or f"{parsed.replace(tzinfo=None).isoformat()}Z" != text:
        raise Malformed(where, "an instant such as 2030-01-31T12:00:00Z", repr(text[:80]))
    return parsed
