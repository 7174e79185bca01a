"""Images among materials and products, from files and image directories."""

import json
from pathlib import Path

import pytest
from tests.parts.images import sha256, small_image, small_index, write_image_directory
from tests.parts.recording import Recorder, here

from intoto_action.reason import Misused
from intoto_action.record.images import check_product_words, material_images, merge, product_images

D = "sha256:" + "ab" * 32
E = "sha256:" + "cd" * 32


def test_a_digestfile_gives_the_manifest_and_an_iidfile_the_config(tmp_path: Path) -> None:
    (tmp_path / "digest").write_text(D)
    (tmp_path / "iid").write_text(E + "\n")
    artifacts = product_images(
        ["oci:ghcr.io/o/app@digestfile:digest", "image:app@iidfile:iid"], here(tmp_path)
    )
    assert {name: str(digests) for name, digests in artifacts.items()} == {
        "oci:ghcr.io/o/app": D,
        "image:app": E,
    }


@pytest.mark.parametrize(
    "content", ["", "ab" * 32, "sha256:AB", f"{D} x", f"ghcr.io/o/app@{D}", "x" * 5000, "\xff"]
)
def test_a_file_that_holds_no_digest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "digest").write_text(content)
    with pytest.raises(Misused):
        product_images(["oci:ghcr.io/o/app@digestfile:digest"], here(tmp_path))


def test_a_digestfile_that_was_not_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="no such file"):
        product_images(["oci:ghcr.io/o/app@digestfile:digest"], here(tmp_path))


@pytest.mark.parametrize("word", ["oci:ghcr.io/o/app:1.2", "oci:ghcr.io/o/app"])
def test_a_tag_is_no_product(word: str) -> None:
    with pytest.raises(Misused, match="expected the digest that this build computed"):
        check_product_words([word])


def test_a_tag_as_a_product_is_refused_before_the_command_runs(recorder: Recorder) -> None:
    done = recorder("--products", "oci:ghcr.io/o/app:1", "--", "touch", "ran")
    assert done.returncode == 2
    assert not (recorder.base / "ran").exists()


def test_two_digests_under_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="label"):
        product_images([f"oci:ghcr.io/o/app@{D}", f"oci:ghcr.io/o/app@{E}"], here(tmp_path))
    labelled = product_images(
        [f"oci:ghcr.io/o/app@{D}#linux/amd64", f"oci:ghcr.io/o/app@{E}#linux/arm64"], here(tmp_path)
    )
    assert len(labelled) == 2
    with pytest.raises(Misused, match="--image-metadata"):
        merge(
            labelled,
            {**labelled, "oci:ghcr.io/o/app#linux/amd64": labelled["oci:ghcr.io/o/app#linux/arm64"]},
            "--image-metadata",
        )


def test_a_material_by_digest_is_handed_to_the_command_and_asks_nobody(recorder: Recorder) -> None:
    words = ("--materials", f"oci:ghcr.io/o/base@{D}", "--materials", f"oci:alpine:3@{E}")
    done = recorder(*words, "--", "sh", "-c", "echo $INTOTO_IMAGE_1 $INTOTO_IMAGE_2")
    assert done.stdout == f"ghcr.io/o/base@{D} docker.io/library/alpine@{E}\n"
    link = recorder.link()
    assert set(link["materials"]) == {"oci:ghcr.io/o/base", "oci:docker.io/library/alpine"}
    assert "images" not in link["environment"]["recorded"]


def test_an_image_directory_gives_the_config(tmp_path: Path) -> None:
    image = small_image()
    write_image_directory(tmp_path / "out", {"1": image})
    config = json.loads(image.document)["config"]["digest"]
    artifacts = product_images([f"image:app@oci-layout:{tmp_path}/out:1"], here(tmp_path, {}))
    assert {name: str(digests) for name, digests in artifacts.items()} == {"image:app": config}
    assert sha256(image.document) != config


def test_an_index_gives_the_config_of_the_platform_that_the_label_names(tmp_path: Path) -> None:
    image = small_index()
    write_image_directory(tmp_path / "out", {"1": image})
    manifests = {json.loads(raw)["config"]["digest"] for raw, _ in image.manifests}
    where = f"@oci-layout:{tmp_path}/out:1"
    artifacts = material_images([f"image:app#linux/arm64{where}"], here(tmp_path, {})).artifacts
    assert list(artifacts) == ["image:app#linux/arm64"]
    assert str(artifacts["image:app#linux/arm64"]) in manifests
    with pytest.raises(Misused, match="linux/amd64, linux/arm64;"):
        material_images([f"image:app{where}"], here(tmp_path, {}))


def test_an_image_that_is_not_in_the_directory_is_a_sentence(tmp_path: Path) -> None:
    write_image_directory(tmp_path / "out", {"1": small_image()})
    with pytest.raises(Misused, match="is the image there"):
        material_images([f"image:app@oci-layout:{tmp_path}/out:2"], here(tmp_path, {}))


def test_an_image_that_no_engine_has_is_no_product(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="neither docker nor podman"):
        product_images(["image:app"], here(tmp_path, {"PATH": str(tmp_path)}))


def test_metadata_of_buildx_end_up_in_the_link(recorder: Recorder) -> None:
    metadata = json.dumps(
        {"image.name": "ghcr.io/o/app:1", "containerimage.digest": D, "containerimage.config.digest": E}
    )
    done = recorder("--image-metadata", "meta.json", "--", "sh", "-c", f"echo '{metadata}' >meta.json")
    assert done.returncode == 0, done.stderr
    link = recorder.link()
    assert link["products"] == {
        "oci:ghcr.io/o/app": {"sha256": "ab" * 32},
        "image:ghcr.io/o/app": {"sha256": "cd" * 32},
    }
