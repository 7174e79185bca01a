"""OCI manifests, indexes and descriptors: the shapes of a registry and of an image directory.

Source: OCI image specification 1.1; the referrer manifest is the one that cosign 3 and actions/attest write.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import UNSET, UnsetType

from intoto_action.formats.reference import Platform, parse_digest
from intoto_action.formats.strict_json import MIB, check_size, decode_once, refuse_duplicate_keys
from intoto_action.reason import Malformed

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"
EMPTY_CONFIG_BYTES = b"{}"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle"
PREDICATE_TYPE_ANNOTATION = "dev.sigstore.bundle.predicateType"
MANIFEST_CAP = 4 * MIB
"""The largest manifest or index that is read, in bytes (registries accept no larger ones)."""


class _PlatformField(msgspec.Struct, frozen=True, omit_defaults=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""

    @property
    def name(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What names a blob or a manifest: media type, digest, size in bytes."""

    media_type: str
    digest: str
    size: int
    artifact_type: str = ""
    annotations: dict[str, str] | None = None
    platform: _PlatformField | None = None


class Manifest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An image manifest; other people's fields are left out."""

    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = ""
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An image index (or Docker manifest list)."""

    schema_version: int
    manifests: tuple[Descriptor, ...]
    media_type: str = ""
    artifact_type: str = ""
    annotations: dict[str, str] | None = None


class _Probe(msgspec.Struct, rename="camel"):
    media_type: str = ""
    config: msgspec.Raw | UnsetType = UNSET
    manifests: msgspec.Raw | UnsetType = UNSET
    layers: msgspec.Raw | UnsetType = UNSET


def digest_of(raw: bytes) -> str:
    """`sha256:` and the hex digest of the bytes."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def parse_manifest(raw: bytes, where: str) -> Manifest | Index:
    """A manifest or an index from bytes whose digest has been checked.

    A document that could be read as both is refused (CVE-2021-41190: the media type in the document and the one
    in the HTTP header must not be able to disagree).

    Raises: Malformed.
    """
    check_size(raw, where, MANIFEST_CAP)
    refuse_duplicate_keys(raw, where)
    probe = decode_once(raw, _Probe, where)
    is_index = probe.manifests is not UNSET
    if is_index == (probe.layers is not UNSET or probe.config is not UNSET):
        raise Malformed(
            where,
            "an OCI or Docker manifest or index",
            "a document with fields of both, or of neither",
        )
    if probe.media_type and probe.media_type not in (INDEXES if is_index else MANIFESTS):
        raise Malformed(where, "a media type of an image manifest or index", repr(probe.media_type[:120]))
    parsed: Manifest | Index = (
        decode_once(raw, Index, where) if is_index else decode_once(raw, Manifest, where)
    )
    _check(parsed, where)
    return parsed


def platforms(index: Index) -> tuple[Platform, ...]:
    """The children of an index that are images; buildx's attestation children (unknown/unknown) are not."""
    found = []
    for each in index.manifests:
        name = each.platform.name if each.platform else ""
        if name != "unknown/unknown" and each.media_type in MANIFESTS and not each.artifact_type:
            found.append(Platform(name or "unnamed", each.digest))
    return tuple(found)


def referrer_manifest(subject: Descriptor, bundle: bytes, predicate_type: str, created: str) -> bytes:
    """The manifest that carries one Sigstore bundle for `subject`, byte for byte reproducible.

    `created` is an RFC 3339 instant. Source: cosign 3 WriteReferrer and Sigstore's BUNDLE_SPEC.
    """
    plain = Descriptor(subject.media_type, subject.digest, subject.size)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": BUNDLE,
        "config": Descriptor(EMPTY_CONFIG, digest_of(EMPTY_CONFIG_BYTES), len(EMPTY_CONFIG_BYTES)),
        "layers": [Descriptor(BUNDLE, digest_of(bundle), len(bundle))],
        "subject": plain,
        "annotations": {
            "dev.sigstore.bundle.content": "dsse-envelope",
            PREDICATE_TYPE_ANNOTATION: predicate_type,
            "org.opencontainers.image.created": created,
        },
    }
    return msgspec.json.encode(manifest)


def _check(parsed: Manifest | Index, where: str) -> None:
    if parsed.schema_version != 2:
        raise Malformed(where, "schemaVersion 2", str(parsed.schema_version))
    descriptors = parsed.manifests if isinstance(parsed, Index) else (parsed.config, *parsed.layers)
    if isinstance(parsed, Manifest) and parsed.subject is not None:
        descriptors += (parsed.subject,)
    for each in descriptors:
        parse_digest(each.digest)
        if each.size < 0:
            raise Malformed(where, "sizes of 0 and more", str(each.size))
