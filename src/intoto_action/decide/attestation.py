"""What comes from a registry or a file and has not been decided on yet."""

from __future__ import annotations

import msgspec

from intoto_action.formats.envelope import Envelope


class Attestation(msgspec.Struct, frozen=True):
    """An outer envelope with a Statement in it, and where it was found, in words.

    `referrer` is the digest of the manifest that carried it, empty when it came from a file.
    """

    envelope: Envelope
    where: str
    referrer: str = ""
