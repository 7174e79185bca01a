import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.oci import OCI_INDEX, OCI_MANIFEST, Descriptor
from intoto_action.reason import Malformed
from intoto_action.store.listing import empty_listing, entry_of, fallback_tag, parse_listing

digests = st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}")
extras = st.dictionaries(
    st.text(max_size=8).map(lambda key: f"x-{key}"),
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=3),
    max_size=3,
)
descriptors = st.builds(
    lambda digest, size, extra: {"mediaType": OCI_MANIFEST, "digest": digest, "size": size, **extra},
    digests,
    st.integers(0, 2**40),
    extras,
)


@given(st.lists(descriptors, max_size=5, unique_by=lambda each: each["digest"]), extras)
def test_an_index_that_is_read_and_written_is_the_same_document(
    manifests: list[dict[str, object]], extra: dict[str, object]
) -> None:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests, **extra}
    listing = parse_listing(json.dumps(document).encode(), "index")
    assert json.loads(listing.encode()) == document


@given(descriptors)
def test_an_entry_keeps_the_bytes_that_somebody_else_wrote(descriptor: dict[str, object]) -> None:
    raw = json.dumps(descriptor)
    document = f'{{"schemaVersion": 2, "manifests": [{raw}]}}'.encode()
    added = parse_listing(document, "index").adding(
        [entry_of(Descriptor(OCI_MANIFEST, "sha256:" + "f" * 64, 1))]
    )
    assert raw.encode() in added.encode()


def test_an_entry_that_is_there_is_not_added_again() -> None:
    entry = entry_of(Descriptor(OCI_MANIFEST, "sha256:" + "f" * 64, 1))
    assert empty_listing().adding([entry]).adding([entry]).entries == (entry,)


def test_a_new_index_is_an_oci_index() -> None:
    assert json.loads(empty_listing().encode()) == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [],
    }


def test_a_tag_is_one_annotation_among_others() -> None:
    raw = {
        "mediaType": OCI_MANIFEST,
        "digest": "sha256:" + "f" * 64,
        "size": 1,
        "annotations": {"a": "b"},
        "x": [1],
    }
    entry = parse_listing(json.dumps({"schemaVersion": 2, "manifests": [raw]}).encode(), "index").entries[0]
    tagged = entry.tagged("1.0")
    assert tagged.tag == "1.0"
    assert json.loads(tagged.tagged(None).raw) == raw
    assert msgspec.json.decode(tagged.raw)["x"] == [1]


def test_an_image_manifest_is_no_index() -> None:
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": "a/b", "digest": "sha256:" + "f" * 64, "size": 1},
        "layers": [],
    }
    with pytest.raises(Malformed, match="expected an index"):
        parse_listing(json.dumps(manifest).encode(), "fallback tag")


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_anything_else_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_listing(raw, "index")


def test_the_fallback_tag_of_a_long_digest_fits_a_tag() -> None:
    assert fallback_tag("sha256:" + "a" * 64) == "sha256-" + "a" * 64
    assert fallback_tag("sha512:" + "a" * 128) == "sha512-" + "a" * 64
