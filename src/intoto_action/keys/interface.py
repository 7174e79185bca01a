"""What the rest of the house knows of somebody who can sign."""

from __future__ import annotations

from typing import Protocol

from intoto_action.formats.envelope import Signature
from intoto_action.formats.key import Key


class Signer(Protocol):
    """A key or an identity that signs; its private part never leaves it."""

    @property
    def key(self) -> Key:
        """The public part: what a layout lists, and a signature is checked with.

        Of an identity it is known only when it has been vouched for.
        Raises: Unavailable, Misused.
        """
        ...

    def signature(self, data: bytes) -> Signature:
        """The signature over `data` as it goes into an envelope, under no keyid yet.

        Raises: Unavailable, Misused.
        """
        ...

    def bundle(self, payload_type: str, payload: bytes) -> bytes:
        """A Sigstore bundle 0.3 with one DSSE signature over `payload`, as cosign reads it.

        Raises: Unavailable, Misused.
        """
        ...
