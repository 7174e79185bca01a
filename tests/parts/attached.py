"""An image in an image directory, evidence for it, and whatever else somebody puts beside it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from tests.parts.chain import IMAGE_DIGEST, KEYS_ALONE, NOW, Chain, digests_of
from tests.parts.images import SmallImage, add_to_image_directory, sha256, small_image

from intoto_action.deadline import Deadline
from intoto_action.decide.decide import Outcome
from intoto_action.formats.artifact import Artifacts
from intoto_action.formats.evidence import PREDICATE_TYPE
from intoto_action.formats.oci import BUNDLE, EMPTY_CONFIG, EMPTY_CONFIG_BYTES, OCI_MANIFEST, Descriptor
from intoto_action.formats.reference import DirectoryReference, Image
from intoto_action.store.image_directory import ImageDirectory
from intoto_action.store.interface import Referrers, Store
from intoto_action.verify.verify import verify_image


def chain_about(digest: str, **fields: Any) -> Chain:
    """A chain that makes the image of that digest."""
    chain = Chain(statement_digest=digest, **fields)
    for each in chain.links:
        each.change(
            materials=_about(each.link.materials, digest), products=_about(each.link.products, digest)
        )
    return chain


def _about(artifacts: Artifacts, digest: str) -> Artifacts:
    made, wanted = digests_of(IMAGE_DIGEST), digests_of(digest)
    return {name: wanted if each == made else each for name, each in artifacts.items()}


@dataclass
class Shelf:
    """An image directory with one image, and its index when the image is a platform of one."""

    directory: Path
    content: SmallImage = field(default_factory=small_image)

    def __post_init__(self) -> None:
        add_to_image_directory(self.directory, self.content, "1.0")

    @property
    def reference(self) -> DirectoryReference:
        return DirectoryReference(str(self.directory), "1.0")

    @property
    def word(self) -> str:
        """The image as a word of the command line."""
        return str(self.reference)

    @property
    def digest(self) -> str:
        return self.content.digest

    @property
    def image(self) -> Image:
        return self.store().resolve(self.reference)

    def store(self) -> ImageDirectory:
        return ImageDirectory(self.directory, deadline=Deadline(60))

    def chain(self, **fields: Any) -> Chain:
        """A chain that makes this image."""
        return chain_about(self.digest, **fields)

    def attach(self, bundle: bytes) -> str:
        """Put a bundle beside the image as attach does; the referrer's digest."""
        return self.store().attach(self.image, bundle, PREDICATE_TYPE).digest

    def put(self, referrers: Iterable[Mapping[str, object]], blobs: Iterable[bytes] = ()) -> None:
        """Put manifests beside the image with hands of one's own, all at once."""
        place = self.directory / "blobs" / "sha256"
        index = self.directory / "index.json"
        listing = json.loads(index.read_text())
        for content in (EMPTY_CONFIG_BYTES, *blobs):
            (place / sha256(content).removeprefix("sha256:")).write_bytes(content)
        for manifest in referrers:
            raw = msgspec.json.encode(manifest)
            digest = sha256(raw)
            (place / digest.removeprefix("sha256:")).write_bytes(raw)
            entry = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(raw), "artifactType": BUNDLE}
            listing["manifests"].append(entry)
        index.write_text(json.dumps(listing))

    def referrer(self, bundle: bytes, *, size: int | None = None, **fields: object) -> dict[str, object]:
        """The manifest of a referrer of this image; `fields` replace some of it."""
        return {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": BUNDLE,
            "config": Descriptor(EMPTY_CONFIG, sha256(EMPTY_CONFIG_BYTES), len(EMPTY_CONFIG_BYTES)),
            "layers": [Descriptor(BUNDLE, sha256(bundle), len(bundle) if size is None else size)],
            "subject": Descriptor(self.content.media_type, self.digest, len(self.content.document)),
            **fields,
        }

    def verify(self, chain: Chain, *, store: Store | None = None, **changes: Any) -> Outcome:
        """What verify says of the image to whom trusts the chain's root; `changes` are those of the demands."""
        demands = chain.demands(**changes)
        return verify_image(store or self.store(), self.reference, demands, at=NOW, sigstore=KEYS_ALONE)


class Faulty:
    """A store in front of another one; subclasses break one of its methods."""

    def __init__(self, behind: Store) -> None:
        self.behind = behind
        self.done: list[str] = []

    def resolve(self, reference: Any) -> Image:
        return self.behind.resolve(reference)

    def referrers(self, image: Image) -> Referrers:
        return self.behind.referrers(image)

    def read_manifest(self, digest: str, cap: int) -> bytes:
        return self.behind.read_manifest(digest, cap)

    def read_blob(self, descriptor: Descriptor, cap: int) -> bytes:
        self.done.append(f"read {descriptor.digest}")
        return self.behind.read_blob(descriptor, cap)

    def attach(self, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        self.done.append("attach")
        return self.behind.attach(image, bundle, predicate_type)

    def tag(self, image: Image, tag: str) -> None:
        self.done.append(f"tag {tag}")
        self.behind.tag(image, tag)
