"""What comes from a registry or a file and has not been decided on yet."""

from __future__ import annotations

import msgspec

from intoto_action.formats.envelope import Envelope


class Attestation(msgspec.Struct, frozen=True):
    """An outer envelope with a Statement in it, and where it was found (a referrer's digest, a file)."""

    envelope: Envelope
    where: str
