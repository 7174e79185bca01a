"""Small real images, and places to put them: image directories and registries."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intoto_action.formats.oci import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from intoto_action.store.registry import Registry


@dataclass(frozen=True)
class SmallImage:
    """The top document (a manifest or an index), the manifests below it, and all blobs."""

    document: bytes
    media_type: str
    manifests: tuple[tuple[bytes, str], ...]
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        return sha256(self.document)


def sha256(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def small_image(words: str = "hello", *, docker: bool = False, architecture: str = "amd64") -> SmallImage:
    """An image with one layer that holds one file with `words`, in OCI's media types or in Docker's."""
    tar = _tar(words)
    layer = gzip.compress(tar, mtime=0)
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [sha256(tar)]},
            "history": [],
        }
    ).encode()
    kinds = _DOCKER if docker else _OCI
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": kinds["manifest"],
            "config": _descriptor(config, kinds["config"]),
            "layers": [_descriptor(layer, kinds["layer"])],
        }
    ).encode()
    return SmallImage(manifest, kinds["manifest"], (), (config, layer))


def small_index(words: str = "hello", *, docker: bool = False) -> SmallImage:
    """An index of two platforms, and an attestation child as buildx adds one."""
    children = {
        f"linux/{name}": small_image(words, docker=docker, architecture=name) for name in ("amd64", "arm64")
    }
    attestation = small_image(f"attestation of {words}")
    manifests = [
        {
            **_descriptor(each.document, each.media_type),
            "platform": {"os": "linux", "architecture": name.partition("/")[2]},
        }
        for name, each in children.items()
    ]
    manifests.append(
        {
            **_descriptor(attestation.document, attestation.media_type),
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        }
    )
    kind = DOCKER_INDEX if docker else OCI_INDEX
    document = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": manifests}).encode()
    below = (*children.values(), attestation)
    return SmallImage(
        document,
        kind,
        tuple((each.document, each.media_type) for each in below),
        tuple(blob for each in below for blob in each.blobs),
    )


def write_image_directory(directory: Path, images: Mapping[str, SmallImage]) -> Path:
    """An OCI image layout directory with these images by tag."""
    for tag, image in images.items():
        add_to_image_directory(directory, image, tag)
    return directory


def add_to_image_directory(directory: Path, image: SmallImage, tag: str | None) -> None:
    """Add an image to an image directory, which is made when there is none."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    for content in (*image.blobs, *(raw for raw, _ in image.manifests), image.document):
        (blobs / hashlib.sha256(content).hexdigest()).write_bytes(content)
    entry = _descriptor(image.document, image.media_type)
    if tag is not None:
        entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
    index = directory / "index.json"
    listing: dict[str, Any] = {"schemaVersion": 2, "manifests": []}
    if index.exists():
        listing = json.loads(index.read_text())
    listing["manifests"].append(entry)
    index.write_text(json.dumps(listing))


def push_image(registry: Registry, image: SmallImage, tag: str) -> None:
    """The image in a repository of a registry, under a tag."""
    for blob in image.blobs:
        registry.distribution.put_blob(blob)
    for raw, media_type in image.manifests:
        registry.distribution.put_manifest(sha256(raw), raw, media_type)
    registry.distribution.put_manifest(tag, image.document, image.media_type)


_OCI = {
    "manifest": OCI_MANIFEST,
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
}
_DOCKER = {
    "manifest": DOCKER_MANIFEST,
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}


def _descriptor(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content)}


def _tar(words: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("hello")
        entry.size = len(words.encode())
        archive.addfile(entry, io.BytesIO(words.encode()))
    return stream.getvalue()
