"""`--image-metadata`: what buildx says of the images it built and of those it built on.

Source: buildx documentation of `--metadata-file`; moby/buildkit solver/llbsolver/provenance for the materials.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote

import msgspec

from intoto_action.formats.artifact import IMAGE_SCHEME, OCI_SCHEME, Artifacts, Digests, oci_name
from intoto_action.formats.reference import parse_digest, parse_registry_reference
from intoto_action.formats.spelling import quoted
from intoto_action.formats.strict_json import MIB, decode
from intoto_action.reason import Malformed, NotRecordable
from intoto_action.store.files import read_capped

_CAP = 4 * MIB
_PROVENANCE = "buildx.build.provenance"
_PURL = "pkg:docker/"
_SHORT = "docker.io/library/"
_WHERE = "--image-metadata"
_USER_INFO = re.compile(r"//[^/@]*@")


class BuiltImages(msgspec.Struct, frozen=True):
    """The products and materials that the metadata name.

    `context` is the address of what was built, when BuildKit fetched it itself; empty for a directory of the machine;
    None when the metadata do not say.
    """

    products: Artifacts
    materials: Artifacts
    context: str | None = None


class _Metadata(msgspec.Struct):
    names: str = msgspec.field(name="image.name", default="")
    digest: str = msgspec.field(name="containerimage.digest", default="")
    config_digest: str = msgspec.field(name="containerimage.config.digest", default="")


class _Dependency(msgspec.Struct, frozen=True):
    uri: str = ""
    digest: dict[str, str] = {}


class _Parameters(msgspec.Struct, frozen=True, rename="camel"):
    config_source: _Dependency | None = None


class _BuildDefinition(msgspec.Struct, frozen=True, rename="camel"):
    resolved_dependencies: list[_Dependency] = []
    external_parameters: _Parameters = _Parameters()


class _Provenance(msgspec.Struct, rename="camel"):
    """SLSA provenance 0.2 has materials and an invocation, 1 has a build definition."""

    materials: list[_Dependency] = []
    invocation: _Parameters = _Parameters()
    build_definition: _BuildDefinition = _BuildDefinition()

    @property
    def dependencies(self) -> list[_Dependency]:
        return self.materials or self.build_definition.resolved_dependencies

    @property
    def context(self) -> str | None:
        source = self.invocation.config_source or self.build_definition.external_parameters.config_source
        return source.uri if source else None


def read_image_metadata(word: str, base: str) -> BuiltImages:
    """The images in buildx's metadata; `word` is the JSON itself, or the path of a file, relative to `base`.

    Raises: Misused when it cannot be read, or names no image with a digest.
    """
    text = word.lstrip()
    raw = os.fsencode(word) if text.startswith("{") else read_capped(Path(base) / word, _CAP, _WHERE)
    try:
        return _images(raw)
    except Malformed as error:
        raise NotRecordable(
            f"{_WHERE}: expected the JSON that `docker buildx build --metadata-file` writes; {error.where}: expected "
            f"{error.expected}, found {error.found}"
        ) from error


def check_context(built: BuiltImages, materials: Artifacts) -> None:
    """Refuse files as materials of a build that did not look at them.

    docker/build-push-action builds from a Git address of the event's commit when it is given no context, and a link
    with the files of the workspace would say that they went in.
    Raises: Misused.
    """
    files = [name for name in materials if not name.startswith((OCI_SCHEME, IMAGE_SCHEME))]
    if built.context is None and files:
        raise NotRecordable(
            f"{_WHERE}: expected provenance ({_PROVENANCE}) that says what was built, because files are recorded as "
            f"materials ({len(files)} of them, such as {quoted(files[0])}), found none: nobody can tell whether they "
            "went in. A newer buildx writes it, unless BUILDX_METADATA_PROVENANCE=disabled is set; or record no files "
            "as materials of this step"
        )
    if built.context and files:
        address = _USER_INFO.sub("//", built.context)
        raise NotRecordable(
            f"{_WHERE}: expected a build of the files that are recorded as materials ({len(files)} of them, such as "
            f"{quoted(files[0])}), found one that BuildKit fetched from {quoted(address)} itself, so that what is in "
            "the workspace did not go in: give docker/build-push-action `context: .`, or record no files as materials "
            "of this step"
        )


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
    context = None
    for provenance in _provenances(raw):
        context = context or provenance.context
        for dependency in provenance.dependencies:
            _add_dependency(materials, dependency)
    return BuiltImages(products, materials, context)


def _provenances(raw: bytes) -> Iterator[_Provenance]:
    """Of every platform: with several, each has one of its own (`buildx.build.provenance/linux/arm64`)."""
    for key, value in decode(raw, dict[str, msgspec.Raw], _WHERE, cap=_CAP).items():
        if key == _PROVENANCE or key.startswith(f"{_PROVENANCE}/"):
            yield decode(bytes(value), _Provenance, f"{_WHERE}, {key}")


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
