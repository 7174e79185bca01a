"""What the rest of the house knows of somebody who can sign."""

from __future__ import annotations

from typing import Protocol

from intoto_action.formats.key import Key


class Signer(Protocol):
    """A key, or later an identity, that signs; its private part never leaves it."""

    @property
    def key(self) -> Key:
        """The public part: what a layout lists and a signature is checked with."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data` in `key.scheme`, as in-toto and securesystemslib check it."""
        ...

    def sign_for_bundle(self, data: bytes) -> bytes:
        """The raw signature over `data` as cosign checks one by a key: SHA-256 always, RSA with PKCS #1 v1.5."""
        ...
