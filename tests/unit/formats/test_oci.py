from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from tests.parts.hostile_json import mutated, read_or_malformed

from intoto_action.formats.oci import (
    BUNDLE,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    EMPTY_CONFIG,
    MANIFEST_CAP,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    digest_of,
    parse_manifest,
    platforms,
    referrer_manifest,
)
from intoto_action.formats.reference import Platform
from intoto_action.reason import Malformed

WHERE = "a manifest"
DIGEST = "sha256:" + "1a" * 32
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 7}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 32654}
MANIFEST: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": OCI_MANIFEST,
    "config": CONFIG,
    "layers": [LAYER],
    "subject": {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 100},
    "annotations": {"a": "b"},
}
INDEX: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": OCI_INDEX,
    "manifests": [
        {
            "mediaType": OCI_MANIFEST,
            "digest": DIGEST,
            "size": 7143,
            "platform": {"architecture": "arm64", "os": "linux", "variant": "v8", "os.version": "1"},
        }
    ],
}


def parsed(document: Any) -> Manifest | Index:
    return parse_manifest(msgspec.json.encode(document), WHERE)


def changed(document: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {name: value for name, value in {**document, **fields}.items() if value is not ...}


def test_a_manifest_is_read_with_its_subject() -> None:
    manifest = parsed(MANIFEST)
    assert isinstance(manifest, Manifest)
    assert manifest.subject == Descriptor(OCI_MANIFEST, DIGEST, 100)
    assert manifest.layers[0].size == 32654


def test_an_index_is_read_with_its_platforms() -> None:
    index = parsed(INDEX)
    assert isinstance(index, Index)
    assert platforms(index) == (Platform("linux/arm64/v8", DIGEST),)


@pytest.mark.parametrize(
    ("document", "media_type"),
    [(MANIFEST, DOCKER_MANIFEST), (MANIFEST, ...), (MANIFEST, ""), (INDEX, DOCKER_INDEX), (INDEX, ...)],
)
def test_docker_media_types_and_none_at_all_are_read(document: dict[str, Any], media_type: Any) -> None:
    assert parsed(changed(document, mediaType=media_type))


@pytest.mark.parametrize(
    "document",
    [
        changed(MANIFEST, manifests=INDEX["manifests"]),
        changed(MANIFEST, manifests=[]),
        changed(MANIFEST, manifests=None),
        changed(INDEX, layers=[]),
        changed(INDEX, layers=None),
        changed(INDEX, config=CONFIG),
        changed(INDEX, config=CONFIG, layers=[LAYER]),
        changed(MANIFEST, layers=..., manifests=INDEX["manifests"]),
    ],
)
def test_a_document_that_is_both_manifest_and_index_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="fields of both"):
        parsed(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"schemaVersion": 2},
        {"schemaVersion": 1, "fsLayers": [], "history": []},
        changed(MANIFEST, mediaType=OCI_INDEX),
        changed(MANIFEST, mediaType=DOCKER_INDEX),
        changed(MANIFEST, mediaType="application/json"),
        changed(INDEX, mediaType=OCI_MANIFEST),
        changed(INDEX, mediaType=DOCKER_MANIFEST),
        changed(MANIFEST, schemaVersion=1),
        changed(MANIFEST, schemaVersion="2"),
        changed(MANIFEST, schemaVersion=...),
        changed(MANIFEST, config=...),
        changed(MANIFEST, layers=...),
        changed(MANIFEST, config={**CONFIG, "size": -1}),
        changed(MANIFEST, layers=[{**LAYER, "size": -1}]),
        changed(MANIFEST, layers=[{**LAYER, "size": 1.5}]),
        changed(MANIFEST, layers=[{**LAYER, "size": "7"}]),
        changed(MANIFEST, layers=[{**LAYER, "size": True}]),
        changed(MANIFEST, layers=[{**LAYER, "digest": "sha256:../../x"}]),
        changed(MANIFEST, layers=[{**LAYER, "digest": "md5:" + "a" * 32}]),
        changed(MANIFEST, config={**CONFIG, "digest": DIGEST.upper()}),
        changed(MANIFEST, subject={**CONFIG, "size": -1}),
        changed(MANIFEST, subject={**CONFIG, "digest": "sha256:"}),
        changed(INDEX, manifests=[{**INDEX["manifests"][0], "digest": DIGEST[:-1]}]),
        changed(INDEX, manifests=[{**INDEX["manifests"][0], "size": -7}]),
        changed(INDEX, manifests={}),
        changed(INDEX, manifests=None),
        [],
        None,
        "manifest",
    ],
)
def test_what_is_no_manifest_is_malformed(document: Any) -> None:
    with pytest.raises(Malformed):
        parsed(document)


def test_a_media_type_twice_is_refused() -> None:
    raw = msgspec.json.encode(MANIFEST).replace(b'"layers":', b'"layers":[],"layers":')
    with pytest.raises(Malformed, match="'layers' twice"):
        parse_manifest(raw, WHERE)


def test_a_manifest_over_the_cap_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="at most"):
        parse_manifest(b" " * (MANIFEST_CAP + 1), WHERE)


@given(mutated(msgspec.json.encode(MANIFEST)) | mutated(msgspec.json.encode(INDEX)))
def test_any_bytes_are_a_manifest_an_index_or_malformed(raw: bytes) -> None:
    read_or_malformed(lambda document: parse_manifest(document, WHERE), raw)


@given(mutated(msgspec.json.encode(INDEX)))
def test_what_was_read_is_read_the_same_when_encoded_again(raw: bytes) -> None:
    try:
        first = parse_manifest(raw, WHERE)
    except Malformed:
        return
    assert parse_manifest(msgspec.json.encode(first), WHERE) == first


def test_children_that_are_no_images_are_no_platforms() -> None:
    child = INDEX["manifests"][0]
    unknown = {**child, "platform": {"architecture": "unknown", "os": "unknown"}}
    artifact = {**child, "artifactType": BUNDLE}
    nested = {**child, "mediaType": OCI_INDEX}
    bare = {key: value for key, value in child.items() if key != "platform"}
    index = parsed(changed(INDEX, manifests=[child, unknown, artifact, nested, bare]))
    assert isinstance(index, Index)
    assert [each.name for each in platforms(index)] == ["linux/arm64/v8", "unnamed"]


def test_the_manifest_of_a_referrer_is_what_cosign_writes() -> None:
    subject = Descriptor(OCI_MANIFEST, DIGEST, 100, annotations={"secret": "x"})
    raw = referrer_manifest(subject, b"a bundle", "https://example.com/predicate", "2031-05-01T12:00:00Z")
    manifest = parse_manifest(raw, WHERE)
    assert isinstance(manifest, Manifest)
    assert (manifest.media_type, manifest.artifact_type) == (OCI_MANIFEST, BUNDLE)
    assert manifest.config == Descriptor(EMPTY_CONFIG, "sha256:" + hashlib.sha256(b"{}").hexdigest(), 2)
    assert manifest.layers == (Descriptor(BUNDLE, digest_of(b"a bundle"), 8),)
    assert manifest.subject == Descriptor(OCI_MANIFEST, DIGEST, 100), (
        "nothing else of the descriptor is repeated"
    )
    assert manifest.annotations == {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": "https://example.com/predicate",
        "org.opencontainers.image.created": "2031-05-01T12:00:00Z",
    }
    assert raw == referrer_manifest(
        subject, b"a bundle", "https://example.com/predicate", "2031-05-01T12:00:00Z"
    )
