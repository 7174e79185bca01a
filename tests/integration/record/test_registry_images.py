"""Images of a registry among the materials."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.parts.images import push_image, small_image, small_index
from tests.parts.recording import Recorder
from tests.parts.registries import RunningRegistry

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import parse_registry_reference
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry

pytestmark = pytest.mark.needs("crane")


def repository(registry: RunningRegistry, name: str) -> Registry:
    reference = parse_registry_reference(f"{registry.address}/{name}")
    store = open_store(reference, deadline=Deadline(60), environ={})
    assert isinstance(store, Registry)
    return store


def test_a_tag_is_resolved_once_said_and_handed_to_the_command(
    recorder: Recorder, ghcr_like_registry: RunningRegistry
) -> None:
    image = small_image("the base image of a tag")
    push_image(repository(ghcr_like_registry, "record/base"), image, "1")
    name = f"{ghcr_like_registry.address}/record/base"
    done = recorder("--materials", f"oci:{name}:1", "--", "sh", "-c", "echo $INTOTO_IMAGE_1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{name}@{image.digest}\n"
    link = recorder.link()
    assert link["materials"] == {f"oci:{name}": {"sha256": image.digest.partition(":")[2]}}
    assert link["environment"]["recorded"]["images"] == {f"oci:{name}:1": f"{name}@{image.digest}"}


def test_the_config_of_an_image_in_a_registry_is_an_image_material(
    recorder: Recorder, ghcr_like_registry: RunningRegistry
) -> None:
    image = small_index("an index in a registry")
    push_image(repository(ghcr_like_registry, "record/index"), image, "1")
    name = f"{ghcr_like_registry.address}/record/index"
    words = ("--materials", f"image:{name}:1#linux/arm64", "--", "true")
    done = recorder(*words, environ={"PATH": str(_shell_only(recorder))})
    assert done.returncode == 0, done.stderr
    (digests,) = recorder.link()["materials"].values()
    assert f"sha256:{digests['sha256']}" in {
        json.loads(raw)["config"]["digest"] for raw, _ in image.manifests
    }


def test_a_tag_that_is_not_there_is_a_sentence(
    recorder: Recorder, ghcr_like_registry: RunningRegistry
) -> None:
    done = recorder("--materials", f"oci:{ghcr_like_registry.address}/record/none:1", "--", "touch", "ran")
    assert done.returncode in {2, 3}
    assert "Traceback" not in done.stderr
    assert not (recorder.base / "ran").exists()


def test_a_registry_that_does_not_answer_is_a_matter_of_infrastructure(recorder: Recorder) -> None:
    done = recorder("--materials", "oci:127.0.0.1:9/record/none:1", "--", "touch", "ran")
    assert done.returncode == 3
    assert not (recorder.base / "ran").exists()


def _shell_only(recorder: Recorder) -> Path:
    """A PATH without container engines."""
    folder = recorder.base.parent / "bin"
    folder.mkdir()
    for command in ("true", "sh"):
        where = subprocess.run(["which", command], capture_output=True, text=True, check=True).stdout.strip()
        (folder / command).symlink_to(where)
    return folder
