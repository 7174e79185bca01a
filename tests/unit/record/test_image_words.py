"""`oci:…` and `image:…`: one image has three digests, and a word says which one it gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.artifact import name_fault
from intoto_action.reason import Misused
from intoto_action.record.image_words import Source, parse_image_word

D = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("word", "artifact", "source"),
    [
        (f"oci:ghcr.io/octo/app@{D}", "oci:ghcr.io/octo/app", Source.DIGEST),
        (f"oci:ghcr.io/octo/app:1.2@{D}", "oci:ghcr.io/octo/app", Source.DIGEST),
        (f"oci:ghcr.io/octo/app@{D}#linux/arm64", "oci:ghcr.io/octo/app#linux/arm64", Source.DIGEST),
        (f"oci:ghcr.io/octo/app#linux/arm64@{D}", "oci:ghcr.io/octo/app#linux/arm64", Source.DIGEST),
        (f"oci:alpine@{D}", "oci:docker.io/library/alpine", Source.DIGEST),
        ("oci:localhost:5000/app:latest", "oci:localhost:5000/app", Source.NAME),
        ("oci:alpine", "oci:docker.io/library/alpine", Source.NAME),
        ("oci:ghcr.io/octo/app@digestfile:out/a#b", "oci:ghcr.io/octo/app", Source.DIGEST_FILE),
        ("oci:ghcr.io/octo/app#x@digestfile:out/a", "oci:ghcr.io/octo/app#x", Source.DIGEST_FILE),
        ("image:app@iidfile:out/iid", "image:app", Source.IIDFILE),
        ("image:app:1.2", "image:app", Source.NAME),
        ("image:ghcr.io/octo/app:1", "image:ghcr.io/octo/app", Source.NAME),
        ("image:ghcr.io/octo/app#linux/amd64", "image:ghcr.io/octo/app#linux/amd64", Source.NAME),
        ("image:oci-layout:out/image:1", "image:oci-layout:out/image", Source.DIRECTORY),
        ("image:app@oci-layout:out/image", "image:app", Source.DIRECTORY),
    ],
)
def test_a_word_names_the_artifact_and_where_its_digest_is(word: str, artifact: str, source: Source) -> None:
    parsed = parse_image_word(word)
    assert (parsed.artifact, parsed.source) == (artifact, source)
    assert name_fault(parsed.artifact) is None


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("oci:app@iidfile:iid", "an iidfile holds the digest of the image's config"),
        ("image:app@digestfile:d", "a digestfile holds the digest of the manifest"),
        ("oci:oci-layout:out", "has no repository"),
        ("oci:app@oci-layout:out", "has no repository"),
        ("oci:App/Upper", "lower-case"),
        ("oci:app@sha256:short", "64 hex digits"),
        ("oci:", "a name"),
        ("image:app@iidfile:", "a path after iidfile:"),
        (f"oci:app@{D}#", "a label"),
        (f"oci:app@{D}#a b", "a label"),
        ("image:oci-layout:", "a directory after"),
    ],
)
def test_a_word_that_cannot_be_right_says_what_would_be(word: str, why: str) -> None:
    with pytest.raises(Misused, match=why):
        parse_image_word(word)


@given(
    st.sampled_from(["oci:", "image:"]),
    st.text(max_size=30) | st.text(alphabet="ab/:@#.oci-layout", max_size=30),
)
def test_any_word_is_an_image_or_a_sentence(scheme: str, rest: str) -> None:
    try:
        parsed = parse_image_word(scheme + rest)
    except Misused:
        return
    assert parsed.artifact.startswith(scheme)
