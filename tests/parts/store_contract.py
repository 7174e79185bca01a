"""What holds for every store: one class of tests, run over image directories and all registries.

A subclass has a fixture `place`.
"""

import json
from typing import Protocol

import msgspec
import pytest
from tests.parts.bundles import PREDICATE_TYPE, bundle_for
from tests.parts.images import SmallImage, sha256, small_image, small_index

from intoto_action.formats.oci import BUNDLE, Descriptor, Manifest
from intoto_action.formats.reference import DirectoryReference, Image, Reference
from intoto_action.reason import Denied, Misused, Reason, Unavailable
from intoto_action.store.interface import Store

MISSING = "sha256:" + "0" * 64
MIB = 1 << 20


class Place(Protocol):
    """Somewhere with room for images; empty at the beginning of a test."""

    def put(self, image: SmallImage, tag: str) -> None: ...

    def reference(
        self, tag: str | None = None, digest: str | None = None
    ) -> Reference | DirectoryReference: ...

    def store(self) -> Store: ...


class StoreContract:
    @pytest.fixture(
        params=[
            pytest.param((small_image, False), id="oci-manifest"),
            pytest.param((small_image, True), id="docker-manifest"),
            pytest.param((small_index, False), id="oci-index"),
            pytest.param((small_index, True), id="docker-index"),
        ]
    )
    def any_image(self, request: pytest.FixtureRequest) -> SmallImage:
        make, docker = request.param
        image: SmallImage = make("any", docker=docker)
        return image

    def test_a_tag_is_resolved_to_the_digest_of_the_bytes_under_it(
        self, place: Place, any_image: SmallImage
    ) -> None:
        place.put(any_image, "1.0")
        image = place.store().resolve(place.reference("1.0"))
        assert (image.digest, image.media_type, image.size) == (
            any_image.digest,
            any_image.media_type,
            len(any_image.document),
        )

    def test_the_platforms_of_an_index_are_its_images_without_attestations(self, place: Place) -> None:
        index = small_index()
        place.put(index, "1.0")
        image = place.store().resolve(place.reference("1.0"))
        assert [each.name for each in image.platforms] == ["linux/amd64", "linux/arm64"]
        assert [each.digest for each in image.platforms] == [sha256(raw) for raw, _ in index.manifests[:2]]

    def test_the_digest_counts_when_there_is_a_tag_too(self, place: Place) -> None:
        old, new = small_image("old"), small_image("new")
        place.put(old, "old")
        place.put(new, "1.0")
        assert place.store().resolve(place.reference("1.0", old.digest)).digest == old.digest

    def test_a_platform_of_an_index_is_resolved_by_its_digest(self, place: Place) -> None:
        index = small_index()
        place.put(index, "1.0")
        raw, media_type = index.manifests[1]
        image = place.store().resolve(place.reference(digest=sha256(raw)))
        assert (image.digest, image.media_type, image.platforms) == (sha256(raw), media_type, ())

    def test_a_tag_that_is_not_there_is_an_invalid_reference(self, place: Place) -> None:
        place.put(small_image(), "1.0")
        with pytest.raises(Denied) as caught:
            place.store().resolve(place.reference("2.0"))
        assert caught.value.reason is Reason.INVALID_REFERENCE

    def test_a_digest_that_is_not_there_is_an_invalid_reference(self, place: Place) -> None:
        place.put(small_image(), "1.0")
        with pytest.raises(Denied) as caught:
            place.store().resolve(place.reference(digest=MISSING))
        assert caught.value.reason is Reason.INVALID_REFERENCE

    def test_nothing_is_attached_to_a_new_image(self, place: Place) -> None:
        store, image = _resolved(place, small_image())
        referrers = store.referrers(image)
        assert (referrers.descriptors, referrers.complete) == ((), True)

    def test_what_is_attached_is_listed_and_read_back(self, place: Place, any_image: SmallImage) -> None:
        store, image = _resolved(place, any_image)
        bundle = bundle_for(image.digest)
        own = store.attach(image, bundle, PREDICATE_TYPE)
        assert [each.digest for each in store.referrers(image).descriptors] == [own.digest]
        raw = store.read_manifest(own.digest, MIB)
        assert (sha256(raw), len(raw)) == (own.digest, own.size)
        assert json.loads(store.read_blob(_parsed(raw).layers[0], MIB)) == json.loads(bundle)

    def test_the_manifest_of_an_attestation_is_the_one_that_everybody_reads(self, place: Place) -> None:
        store, image = _resolved(place, small_image())
        own = store.attach(image, bundle_for(image.digest), PREDICATE_TYPE)
        manifest = _parsed(store.read_manifest(own.digest, MIB))
        assert manifest.artifact_type == own.artifact_type == BUNDLE
        assert manifest.subject == Descriptor(image.media_type, image.digest, image.size)
        assert [each.media_type for each in manifest.layers] == [BUNDLE]
        assert manifest.config.media_type == "application/vnd.oci.empty.v1+json"
        assert manifest.annotations is not None
        assert manifest.annotations["dev.sigstore.bundle.predicateType"] == PREDICATE_TYPE

    def test_a_second_attestation_leaves_the_first(self, place: Place) -> None:
        store, image = _resolved(place, small_image())
        first = store.attach(image, bundle_for(image.digest, "first"), PREDICATE_TYPE)
        second = store.attach(image, bundle_for(image.digest, "second"), PREDICATE_TYPE)
        listed = {each.digest for each in place.store().referrers(image).descriptors}
        assert listed == {first.digest, second.digest}

    def test_what_is_attached_to_one_image_is_not_listed_for_another(self, place: Place) -> None:
        store, image = _resolved(place, small_image("one"))
        place.put(small_image("other"), "other")
        store.attach(image, bundle_for(image.digest), PREDICATE_TYPE)
        other = store.resolve(place.reference("other"))
        assert store.referrers(other).descriptors == ()

    def test_evidence_of_nine_megabytes_arrives_whole(self, place: Place) -> None:
        store, image = _resolved(place, small_image())
        bundle = bundle_for(image.digest, "x" * (6 * MIB + MIB // 2))
        own = store.attach(image, bundle, PREDICATE_TYPE)
        layer = _parsed(store.read_manifest(own.digest, MIB)).layers[0]
        assert layer.size > 8 * MIB
        assert json.loads(store.read_blob(layer, 10 * MIB)) == json.loads(bundle)

    def test_a_tag_is_put_on_the_same_bytes(self, place: Place) -> None:
        store, image = _resolved(place, small_index())
        store.tag(image, "released")
        assert place.store().resolve(place.reference("released")) == image
        assert place.store().resolve(place.reference("1.0")) == image

    def test_a_tag_moves_from_one_image_to_another(self, place: Place) -> None:
        place.put(small_image("old"), "latest")
        store, image = _resolved(place, small_image("new"))
        store.tag(image, "latest")
        assert place.store().resolve(place.reference("latest")).digest == image.digest

    @pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
    def test_no_image_is_put_where_attestations_are_listed(self, place: Place, suffix: str) -> None:
        store, image = _resolved(place, small_image())
        own = store.attach(image, bundle_for(image.digest), PREDICATE_TYPE)
        tag = image.digest.replace(":", "-") + suffix
        with pytest.raises(Misused, match="choose another tag"):
            store.tag(image, tag)
        assert [each.digest for each in store.referrers(image).descriptors] == [own.digest]

    def test_a_word_that_is_no_tag_is_misuse(self, place: Place) -> None:
        store, image = _resolved(place, small_image())
        with pytest.raises(Misused, match="tag: expected letters"):
            store.tag(image, "a/b")

    def test_a_manifest_that_is_not_there_is_an_error_of_the_store(self, place: Place) -> None:
        store, _ = _resolved(place, small_image())
        with pytest.raises(Unavailable, match="0000"):
            store.read_manifest(MISSING, MIB)

    def test_a_blob_is_not_read_beyond_the_cap(self, place: Place) -> None:
        store, image = _resolved(place, small_image())
        layer = _layer(store, image)
        with pytest.raises(Unavailable, match=f"at most {layer.size - 1} bytes"):
            store.read_blob(layer, layer.size - 1)

    @pytest.mark.parametrize("lie", [-1, 1])
    def test_a_blob_of_another_size_than_its_descriptor_says_is_refused(self, place: Place, lie: int) -> None:
        store, image = _resolved(place, small_image())
        layer = _layer(store, image)
        with pytest.raises(Unavailable, match="bytes"):
            store.read_blob(msgspec.structs.replace(layer, size=layer.size + lie), MIB)

    def test_a_manifest_is_not_read_beyond_the_cap(self, place: Place) -> None:
        store, image = _resolved(place, small_image())
        with pytest.raises(Unavailable, match=str(image.size - 1)):
            store.read_manifest(image.digest, image.size - 1)


def _resolved(place: Place, small: SmallImage) -> tuple[Store, Image]:
    place.put(small, "1.0")
    store = place.store()
    return store, store.resolve(place.reference("1.0"))


def _layer(store: Store, image: Image) -> Descriptor:
    return _parsed(store.read_manifest(image.digest, MIB)).layers[0]


def _parsed(raw: bytes) -> Manifest:
    return msgspec.json.decode(raw, type=Manifest)
