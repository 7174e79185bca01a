"""`--image-metadata`: what buildx says of the images it built and of those it built on.

Source: buildx documentation of `--metadata-file`; moby/buildkit solver/llbsolver/provenance for the materials.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote

import msgspec

from intoto_action.formats.artifact import IMAGE_SCHEME, Artifacts, Digests, oci_name
from intoto_action.formats.reference import parse_digest, parse_registry_reference
from intoto_action.formats.strict_json import MIB, decode
from intoto_action.reason import Malformed, Misused
from intoto_action.store.files import read_capped

_CAP = 4 * MIB
_PROVENANCE = "buildx.build.provenance"
_PURL = "pkg:docker/"
_SHORT = "docker.io/library/"
_WHERE = "--image-metadata"


class BuiltImages(msgspec.Struct, frozen=True):
    """The products and materials that the metadata name."""

    products: Artifacts
    materials: Artifacts


class _Metadata(msgspec.Struct):
    names: str = msgspec.field(name="image.name", default="")
    digest: str = msgspec.field(name="containerimage.digest", default="")
    config_digest: str = msgspec.field(name="containerimage.config.digest", default="")


class _Dependency(msgspec.Struct):
    uri: str = ""
    digest: dict[str, str] = {}


class _BuildDefinition(msgspec.Struct, rename="camel"):
    resolved_dependencies: list[_Dependency] = []


class _Provenance(msgspec.Struct, rename="camel"):
    """SLSA provenance 0.2 has materials, 1 has a build definition."""

    materials: list[_Dependency] = []
    build_definition: _BuildDefinition | None = None

    @property
    def dependencies(self) -> list[_Dependency]:
        return self.materials or (
            self.build_definition.resolved_dependencies if self.build_definition else []
        )


def read_image_metadata(word: str, base: str) -> BuiltImages:
    """The images in buildx's metadata; `word` is the JSON itself, or the path of a file, relative to `base`.

    Raises: Misused when it cannot be read, or names no image with a digest.
    """
    text = word.lstrip()
    raw = os.fsencode(word) if text.startswith("{") else read_capped(Path(base) / word, _CAP, _WHERE)
    try:
        return _images(raw)
    except Malformed as error:
        raise Misused(
            f"{_WHERE}: expected the JSON that `docker buildx build --metadata-file` writes; {error.where}: expected "
            f"{error.expected}, found {error.found}"
        ) from error


def _images(raw: bytes) -> BuiltImages:
    metadata = decode(raw, _Metadata, _WHERE, cap=_CAP)
    names = [
        parse_registry_reference(name.strip()).name for name in metadata.names.split(",") if name.strip()
    ]
    products: Artifacts = {}
    for name in names:
        # Docker's own store knows no manifest before the push, and then gives the digest of the config for both.
        if metadata.digest and metadata.digest != metadata.config_digest:
            products[oci_name(name)] = _digests(metadata.digest)
        if metadata.config_digest:
            # buildx writes `--tag app` in full, and nobody but Docker pushes to library/.
            products[f"{IMAGE_SCHEME}{name.removeprefix(_SHORT)}"] = _digests(metadata.config_digest)
    if not products:
        raise Malformed(
            _WHERE, "image.name, and containerimage.digest or containerimage.config.digest", "neither"
        )
    materials: Artifacts = {}
    for dependency in _dependencies(raw):
        _add_dependency(materials, dependency)
    return BuiltImages(products, materials)


def _dependencies(raw: bytes) -> Iterator[_Dependency]:
    """Of every platform: with several, each has a provenance of its own (`buildx.build.provenance/linux/arm64`)."""
    for key, value in decode(raw, dict[str, msgspec.Raw], _WHERE, cap=_CAP).items():
        if key == _PROVENANCE or key.startswith(f"{_PROVENANCE}/"):
            yield from decode(bytes(value), _Provenance, f"{_WHERE}, {key}").dependencies


def _add_dependency(materials: Artifacts, dependency: _Dependency) -> None:
    """Add an image that the build used; other sources (git, http) are no images.

    Source: package-url specification, type docker: `pkg:docker/NAME@TAG?digest=sha256:…&platform=linux%2Famd64`.
    """
    if not dependency.uri.startswith(_PURL) or "sha256" not in dependency.digest:
        return
    path, _, query = dependency.uri.removeprefix(_PURL).partition("?")
    name, _, version = unquote(path).partition("@")
    digests = _digests(f"sha256:{dependency.digest['sha256']}")
    artifact = oci_name(parse_registry_reference(name).name)
    platform = "".join(parse_qs(query).get("platform", [])[:1])
    for label in ("", version.removeprefix("sha256:"), platform):
        labelled = artifact + (f"#{label}" if label else "")
        if materials.setdefault(labelled, digests) == digests:
            return
    raise Malformed(_WHERE, f"one digest for each tag of {artifact}", "several")


def _digests(text: str) -> Digests:
    kind, _, value = parse_digest(text).partition(":")
    return Digests(sha256=value) if kind == "sha256" else Digests(sha512=value)
