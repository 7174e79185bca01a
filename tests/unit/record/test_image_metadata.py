"""What buildx says of the images it built."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.artifact import Digests
from intoto_action.reason import Misused
from intoto_action.record.image_metadata import check_context, read_image_metadata

MANIFEST, CONFIG, BASE = ("sha256:" + each * 32 for each in ("aa", "bb", "cc"))


def text(**fields: object) -> str:
    whole = {
        "image.name": "ghcr.io/octo/app:1,docker.io/library/app:latest",
        "containerimage.digest": MANIFEST,
        "containerimage.config.digest": CONFIG,
        "containerimage.descriptor": {"mediaType": "application/vnd.oci.image.index.v1+json", "size": 1},
        "buildx.build.ref": "b/b0/x",
    }
    return json.dumps({name: value for name, value in (whole | fields).items() if value is not None})


def found(text: str) -> tuple[dict[str, str], dict[str, str]]:
    images = read_image_metadata(text, "/")
    return (
        {name: str(digests) for name, digests in images.products.items()},
        {name: str(digests) for name, digests in images.materials.items()},
    )


def test_every_name_is_a_product_by_manifest_and_by_config() -> None:
    assert found(text()) == (
        {
            "oci:ghcr.io/octo/app": MANIFEST,
            "image:ghcr.io/octo/app": CONFIG,
            "oci:docker.io/library/app": MANIFEST,
            "image:app": CONFIG,
        },
        {},
    )


def test_an_index_has_no_config_of_its_own() -> None:
    products, _ = found(text(**{"containerimage.config.digest": None, "image.name": "ghcr.io/octo/app"}))
    assert products == {"oci:ghcr.io/octo/app": MANIFEST}


def test_a_config_that_stands_for_a_manifest_is_no_image_of_a_registry() -> None:
    products, _ = found(text(**{"containerimage.digest": CONFIG, "image.name": "ghcr.io/octo/app"}))
    assert products == {"image:ghcr.io/octo/app": CONFIG}


PURL = "pkg:docker/alpine@3.20?platform=linux%2Famd64"
DEPENDENCY = {"uri": PURL, "digest": {"sha256": "cc" * 32}}


@pytest.mark.parametrize(
    "provenance",
    [
        {"buildx.build.provenance": {"materials": [DEPENDENCY]}},
        {"buildx.build.provenance": {"buildDefinition": {"resolvedDependencies": [DEPENDENCY]}}},
        {
            "buildx.build.provenance/linux/amd64": {"materials": [DEPENDENCY]},
            "buildx.build.provenance/linux/arm64": {"materials": [DEPENDENCY]},
        },
    ],
)
def test_images_that_it_was_built_on_are_materials(provenance: dict[str, object]) -> None:
    assert found(text(**provenance))[1] == {"oci:docker.io/library/alpine": BASE}


GIT = {"uri": "https://x:secret@github.com/octo/app.git#refs/heads/main", "digest": {"sha1": "ee" * 20}}


@pytest.mark.parametrize(
    "provenance",
    [
        {"invocation": {"configSource": GIT}},
        {"buildDefinition": {"externalParameters": {"configSource": GIT}}},
    ],
    ids=["0.2", "1"],
)
def test_files_are_no_materials_of_a_build_that_fetched_its_own(provenance: dict[str, object]) -> None:
    built = read_image_metadata(text(**{"buildx.build.provenance": provenance}), "/")
    check_context(built, {"oci:ghcr.io/octo/base": Digests(sha256="aa" * 32)})
    with pytest.raises(Misused) as caught:
        check_context(built, {"src/app.py": Digests(sha256="aa" * 32)})
    assert "'src/app.py'" in str(caught.value)
    assert "'https://github.com/octo/app.git#refs/heads/main'" in str(caught.value)
    assert "`context: .`" in str(caught.value)


def test_files_are_materials_of_a_build_of_a_directory() -> None:
    local = {"invocation": {"configSource": {"entryPoint": "Dockerfile"}}}
    built = read_image_metadata(text(**{"buildx.build.provenance": local}), "/")
    check_context(built, {"src/app.py": Digests(sha256="aa" * 32)})


@pytest.mark.parametrize(
    "fields",
    [{}, {"buildx.build.provenance": {}}, {"buildx.build.provenance": {"materials": [DEPENDENCY]}}],
    ids=["no provenance", "an empty one", "one of another form"],
)
def test_files_are_no_materials_of_a_build_that_does_not_say_what_it_built(fields: dict[str, object]) -> None:
    built = read_image_metadata(text(**fields), "/")
    check_context(built, {"oci:ghcr.io/octo/base": Digests(sha256="aa" * 32)})
    with pytest.raises(Misused, match="BUILDX_METADATA_PROVENANCE"):
        check_context(built, {"src/app.py": Digests(sha256="aa" * 32)})


def test_two_tags_of_one_base_image_are_two_materials() -> None:
    other = {"uri": "pkg:docker/alpine@3.21", "digest": {"sha256": "dd" * 32}}
    source = {"uri": "https://github.com/octo/app.git", "digest": {"sha1": "ee" * 20}}
    _, materials = found(text(**{"buildx.build.provenance": {"materials": [DEPENDENCY, other, source]}}))
    assert materials == {
        "oci:docker.io/library/alpine": BASE,
        "oci:docker.io/library/alpine#3.21": "sha256:" + "dd" * 32,
    }


def test_the_metadata_can_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(text())
    assert read_image_metadata("m.json", str(tmp_path)) == read_image_metadata(text(), "/")


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "{}",
        text(**{"image.name": None}),
        text(**{"containerimage.digest": None, "containerimage.config.digest": None}),
        text(**{"containerimage.digest": "sha256:x"}),
        text(**{"containerimage.digest": 1}),
        text(**{"image.name": "Upper/Case"}),
        text(**{"buildx.build.provenance": []}),
        text()[:-1] + ', "image.name": "ghcr.io/evil/app"}',
        "no-such-file.json",
        "{\udcff",
        "no-such-file-\udcff.json",
    ],
)
def test_what_is_no_metadata_is_a_sentence(bad: str, tmp_path: Path) -> None:
    with pytest.raises(Misused):
        read_image_metadata(bad, str(tmp_path))


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_document_is_metadata_or_a_sentence(value: object) -> None:
    for fields in (
        {"image.name": value},
        {"buildx.build.provenance": value},
        {"containerimage.digest": value},
    ):
        try:
            read_image_metadata(text(**fields), "/")
        except Misused:
            continue
