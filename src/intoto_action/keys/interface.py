"""What the rest of the house knows of somebody who can sign."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from intoto_action.formats.envelope import Signature
from intoto_action.formats.key import Key

SIGNING_SECONDS = 120.0
"""How long a service, a device or gpg may take for one signature, in which a person may have to type or to touch."""


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


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to sign with a key that is somewhere else, besides the URI that names it.

    `environ` is the environment as the person set it; `public` the key of `--public-key`, if it was given; `secret`
    asks for a password or a PIN, by a question, and raises Misused when there is nobody to ask; `seconds` bounds one
    signature.
    """

    environ: Mapping[str, str]
    public: Key | None
    secret: Callable[[str], str]
    seconds: float = SIGNING_SECONDS


class Elsewhere(Protocol):
    """A kind of keys that a URI names. They are not read: whoever has them is asked to sign."""

    @property
    def private(self) -> tuple[str, ...]:
        """Environment variables that let whoever has them sign, so that a recorded command must not get them."""
        ...

    @property
    def needs_public_key(self) -> bool:
        """Whether `--public-key` must be given, because the public part cannot be had with the URI alone."""
        ...

    def check(self, word: str, environ: Mapping[str, str]) -> None:
        """Refuse what cannot sign, before there is anything to sign; no key is asked for.

        Raises: Misused.
        """
        ...

    def open(self, word: str, access: Access) -> Signer:
        """The signer that the URI names.

        Raises: Misused, Unavailable; Malformed for a public part that is refused.
        """
        ...
