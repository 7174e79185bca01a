"""What a verifier wants: the one struct that verify's flags and a policy's rule become."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from intoto_action.formats.certificate import Certificate
from intoto_action.formats.envelope import Envelope
from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key
from intoto_action.reason import Misused
from intoto_action.trust.identities import differences
from intoto_action.trust.signature import SignedBy

_HEX64 = re.compile(r"[0-9a-f]{64}\Z")


class Trust(msgspec.Struct, frozen=True):
    """Who may sign, and how many different of them must, which is never none.

    Raises: Misused.
    """

    keys: tuple[Key, ...]
    threshold: int = 1

    def __post_init__(self) -> None:
        if self.threshold < 1:
            raise Misused(f"expected a threshold of at least 1 signature, found {self.threshold}")


class SameAs(msgspec.Struct, frozen=True):
    """Images of repository `mirror` are those of repository `origin`; both exact, or both ending in `/**`.

    Raises: Misused.
    """

    mirror: str
    origin: str

    def __post_init__(self) -> None:
        if self.mirror.endswith("/**") != self.origin.endswith("/**"):
            raise Misused(
                "expected two repositories, or two prefixes that both end in /**, "
                f"found {self.mirror!r} and {self.origin!r}"
            )

    def origin_of(self, repository: str) -> str | None:
        """The repository that `repository` mirrors, or None when this pair does not speak of it."""
        if not self.mirror.endswith("/**"):
            return self.origin if repository == self.mirror else None
        prefix = self.mirror.removesuffix("**")
        if not repository.startswith(prefix):
            return None
        return self.origin.removesuffix("**") + repository.removeprefix(prefix)


class ProvenanceDemand(msgspec.Struct, frozen=True, kw_only=True):
    """What provenance must say: the repository and the ref that were built, and who built them. Empty: whatever it is.

    `source_ref`, and the ref at the end of `builder_id`, may end in one `*`, as the ref of an identity may.
    Raises: Misused.
    """

    source_repository: str = ""
    source_ref: str = ""
    builder_id: str = ""

    def __post_init__(self) -> None:
        for what, pattern in (("source ref", self.source_ref), ("builder id", self.builder_id)):
            place = pattern.find("*")
            ref = pattern if what == "source ref" else pattern.partition("@")[2]
            if place >= 0 and (place != len(pattern) - 1 or not ref.startswith("refs/")):
                raise Misused(
                    f"expected a {what} that is exact, or has one * at the end of its refs/…, found {pattern[:200]!r}"
                )

    def __str__(self) -> str:
        said = (
            f"built by {self.builder_id}" if self.builder_id else "",
            f"from {self.source_repository}" if self.source_repository else "",
            f"at {self.source_ref}" if self.source_ref else "",
        )
        return " ".join(each for each in said if each) or "by whoever may vouch for it"


class Revoked(msgspec.Struct, frozen=True):
    """What no longer counts: keyids of roots and functionaries, whoever signs as one of these identities, and sha256
    hex digests of layouts' payloads.
    """

    keyids: frozenset[str] = frozenset()
    layouts: frozenset[str] = frozenset()
    identities: tuple[Identity, ...] = ()

    @property
    def number(self) -> int:
        """How many things are revoked."""
        return len(self.keyids) + len(self.layouts) + len(self.identities)

    def knowing(self, keys: Iterable[Key]) -> Revoked:
        """The same, with those of the identities among `keys` that are revoked by keyid: a certificate has none, so it
        fits whatever else names its holder, until somebody says who was meant.
        """
        meant = tuple(key for key in keys if isinstance(key, Identity) and self.key(key))
        return msgspec.structs.replace(self, identities=(*self.identities, *meant)) if meant else self

    def key(self, key: Key) -> bool:
        """Whether the key is revoked, under whichever of its names, those under other schemes included."""
        return bool(self.keyids) and not self.keyids.isdisjoint(key.names)

    def signature(self, signed_by: SignedBy) -> bool:
        """Whether a signature counts no more: its key is revoked, or its certificate is one of a revoked identity."""
        if self.key(signed_by.key):
            return True
        return signed_by.certificate is not None and self.certificate(signed_by.certificate)

    def certificate(self, certificate: Certificate) -> bool:
        """Whether the certificate is one of a revoked identity."""
        return any(next(differences(each, certificate), None) is None for each in self.identities)


class Demands(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides, apart from the evidence, the image and the time.

    `layout_trust` is None only where somebody packs evidence for others to verify: then everything but the
    layout's root is checked. A `layout` given here beats the evidence's. `attesters` empty means that a root or a
    functionary of the layout must have signed the outer attestation. `layout_expires_after` is a floor: a layout
    that ends before it is an old one. `provenance` None: whether there is any does not matter.
    """

    layout_trust: Trust | None
    layout: Envelope | None = None
    attesters: tuple[Key, ...] = ()
    revoked: Revoked = Revoked()
    layout_expires_after: datetime | None = None
    same_as: tuple[SameAs, ...] = ()
    subject_step: str | None = None
    same_run: bool = False
    provenance: ProvenanceDemand | None = None

    def origin_of(self, repository: str) -> str:
        """The repository that an image's repository stands for."""
        origins = (each.origin_of(repository) for each in self.same_as)
        return next((origin for origin in origins if origin is not None), repository)


def is_hex_digest(text: str) -> bool:
    """Whether the text is 64 lower-case hex digits: a keyid, or the digest of a layout."""
    return bool(_HEX64.match(text))
