"""An index as it lies in a store, changed without touching what other people wrote into it.

`formats.oci.Index` reads what this project knows; here every descriptor keeps its own bytes, with all fields,
annotations and artifact types that some other tool gave it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from intoto_action.formats.oci import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    digest_of,
    parse_manifest,
)
from intoto_action.formats.reference import parse_digest, parse_free_tag
from intoto_action.reason import Malformed, WrongImage

TAG_ANNOTATION = "org.opencontainers.image.ref.name"
"""Where an image directory keeps tags. Source: OCI image specification, annotations and image layout."""


class Entry(msgspec.Struct, frozen=True):
    """One descriptor of a listing: as it is read, and its own bytes."""

    descriptor: Descriptor
    raw: bytes

    @property
    def tag(self) -> str | None:
        """The tag that an image directory's index gives it."""
        return (self.descriptor.annotations or {}).get(TAG_ANNOTATION)

    def tagged(self, tag: str | None) -> Entry:
        """The same descriptor with another tag, or with none."""
        fields = msgspec.json.decode(self.raw, type=dict[str, msgspec.Raw])
        annotations = (
            msgspec.json.decode(fields.get("annotations", b"null"), type=dict[str, str] | None) or {}
        )
        annotations.pop(TAG_ANNOTATION, None)
        if tag is not None:
            annotations[TAG_ANNOTATION] = tag
        fields.pop("annotations", None)
        if annotations:
            fields["annotations"] = msgspec.Raw(msgspec.json.encode(annotations))
        raw = msgspec.json.encode(fields)
        return Entry(msgspec.json.decode(raw, type=Descriptor), raw)


class Listing(msgspec.Struct, frozen=True):
    """An index: its entries, and its other fields as they are."""

    entries: tuple[Entry, ...]
    fields: Mapping[str, bytes]

    def digests(self) -> set[str]:
        """The digests of all entries."""
        return {each.descriptor.digest for each in self.entries}

    def with_entries(self, entries: Iterable[Entry]) -> Listing:
        """The same index with other entries."""
        return Listing(tuple(entries), self.fields)

    def adding(self, entries: Iterable[Entry]) -> Listing:
        """The same index with those of `entries` that it lacks, at the end."""
        new = {each.descriptor.digest: each for each in entries}
        known = self.digests()
        return self.with_entries((*self.entries, *(each for key, each in new.items() if key not in known)))

    def encode(self) -> bytes:
        """The document."""
        fields = {name: msgspec.Raw(value) for name, value in self.fields.items()}
        manifests = [msgspec.Raw(each.raw) for each in self.entries]
        return msgspec.json.encode({**fields, "manifests": manifests})


def entry_of(descriptor: Descriptor) -> Entry:
    """An entry for a descriptor of our own."""
    return Entry(descriptor, msgspec.json.encode(descriptor))


def fallback_tag(digest: str) -> str:
    """The tag under which registries without the referrers API keep what is attached to a digest.

    Source: OCI distribution specification 1.1, referrers tag schema (the hex part is cut at 64 characters).
    """
    algorithm, _, hexadecimal = parse_digest(digest).partition(":")
    return f"{algorithm[:32]}-{hexadecimal[:64]}"


def check_free_tag(tag: str) -> None:
    """Every store looks at a tag with this before it writes it for an image.

    Raises: Misused when it is no tag, or one under which lists of attestations and signatures are kept: an image
    in their place would lose them.
    """
    try:
        parse_free_tag(tag)
    except Malformed as error:
        raise WrongImage(f"{error}; choose another tag") from error


def referrer_descriptor(manifest: bytes) -> Descriptor:
    """The descriptor of a manifest with a subject, as the referrers API lists it: with its type and annotations.

    Raises: Malformed when it is no image manifest.
    """
    parsed = parse_manifest(manifest, "referrer")
    if not isinstance(parsed, Manifest):
        raise Malformed("referrer", "an image manifest", "an index")
    kind = parsed.artifact_type or parsed.config.media_type
    media_type = parsed.media_type or OCI_MANIFEST
    return Descriptor(media_type, digest_of(manifest), len(manifest), kind, parsed.annotations)


def empty_listing() -> Listing:
    """An index with nothing in it."""
    return Listing((), {"schemaVersion": b"2", "mediaType": msgspec.json.encode(OCI_INDEX)})


def parse_listing(raw: bytes, where: str) -> Listing:
    """An index from its document.

    Raises: Malformed when it is none (an image manifest, for example).
    """
    index = parse_manifest(raw, where)
    if not isinstance(index, Index):
        raise Malformed(where, "an index", "an image manifest")
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    raws = msgspec.json.decode(fields.pop("manifests"), type=list[msgspec.Raw])
    entries = tuple(Entry(each, bytes(own)) for each, own in zip(index.manifests, raws, strict=True))
    return Listing(entries, {name: bytes(value) for name, value in fields.items()})
