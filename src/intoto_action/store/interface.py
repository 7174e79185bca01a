"""What the rest of the house knows of a place where images and evidence lie."""

from __future__ import annotations

from typing import Protocol

import msgspec

from intoto_action.formats.oci import Descriptor
from intoto_action.formats.reference import DirectoryReference, Image, Reference

MOST_REFERRERS = 2000
"""How many descriptors are listed for one image; what is beyond makes a listing incomplete."""


class Referrers(msgspec.Struct, frozen=True):
    """What is attached to an image: descriptors of manifests, newest knowledge first.

    `complete` is False when some of them could not be listed or were too many: then nothing may be concluded
    from what is missing. `why` says so in words.
    """

    descriptors: tuple[Descriptor, ...]
    complete: bool = True
    why: str = ""


class Store(Protocol):
    """One repository of a registry, or one image directory.

    Every byte that comes out has been compared with its digest. All methods raise Unavailable (exit 3) when
    the place does not answer as it should, and Denied with `invalid-reference` for an image that is not there
    or is none.
    """

    def resolve(self, reference: Reference | DirectoryReference) -> Image:
        """The image that a reference names now; a tag is resolved once, here. Reads manifest or index."""
        ...

    def referrers(self, image: Image) -> Referrers:
        """What is attached to the image, of any artifact type: referrers API, fallback tag, union of both."""
        ...

    def read_manifest(self, digest: str, cap: int) -> bytes:
        """The bytes of a manifest or an index of at most `cap` bytes, by digest."""
        ...

    def read_blob(self, descriptor: Descriptor, cap: int) -> bytes:
        """The bytes of a blob, of the size that the descriptor says, which is at most `cap`."""
        ...

    def attach(self, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        """Attach a Sigstore bundle, lose nothing that was there, read back; returns the referrer's descriptor."""
        ...

    def tag(self, image: Image, tag: str) -> None:
        """Put the image's own manifest under a tag of the same place.

        Raises: Misused when lists of attestations or signatures are kept under such a tag (`sha256-<hex>`, `….sig`).
        """
        ...
