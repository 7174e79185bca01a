"""A real image from a source tree to a verified deployment, over every kind of registry."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.parts.desk import Ended
from tests.parts.pipeline import Pipeline, environ_for
from tests.parts.registries import RunningRegistry
from tests.parts.tools import tool

pytestmark = pytest.mark.needs("buildah", "cosign", "crane", "registry", "docker-registry", "htpasswd")

REGISTRIES = ("ghcr_like_registry", "referrers_registry", "password_registry", "token_registry")


@dataclass(frozen=True)
class Place:
    """A registry with an image and its evidence, and the pipeline that made it."""

    registry: RunningRegistry
    pipeline: Pipeline
    attached: Ended

    @property
    def name(self) -> str:
        return f"{self.registry.address}/octo/app"


@pytest.fixture(scope="module")
def built(container_environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Keys, and an image that is built and not pushed yet."""
    nowhere = RunningRegistry("127.0.0.1:9")
    home = tmp_path_factory.mktemp("home")
    pipeline = Pipeline(tmp_path_factory.mktemp("pipeline"), environ_for(nowhere, container_environ, home))
    pipeline.keys(owner="ed25519", builder="ecdsa", scanner="ed25519")
    pipeline.build()
    return pipeline


@pytest.fixture(scope="module", params=REGISTRIES)
def place(
    request: pytest.FixtureRequest,
    built: Pipeline,
    container_environ: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Place:
    """The image pushed, and its evidence attached with cosign."""
    registry: RunningRegistry = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("place")
    environ = environ_for(registry, container_environ, folder / "home", tool("cosign"))
    pipeline = built.copy_to(folder / "work", environ)
    pipeline.push(f"{registry.address}/octo/app")
    return Place(registry, pipeline, pipeline.attach("--tag", "1.0", "--output", "bundle.json"))


def reason(ended: Ended) -> str:
    return str(json.loads(ended.out)["reason"])


def test_evidence_that_cosign_attached_passes_by_tag_and_by_digest(place: Place) -> None:
    assert place.attached.code == 0, place.attached
    assert place.attached.out.startswith("attached sha256:")
    for image in (f"{place.name}:1.0", place.pipeline.image):
        verified = place.pipeline.verify(image)
        assert verified.code == 0, verified
        assert verified.out.startswith(f"PASS · {place.pipeline.image}")


def test_evidence_that_is_attached_natively_joins_what_is_there(place: Place) -> None:
    added = place.pipeline.attach("--push-with", "native", "--file", "report.json=report.json")
    assert added.code == 0, added
    listed = place.pipeline.command(
        tool("cosign"), "download", "attestation", "--allow-http-registry", place.pipeline.image
    )
    assert len([line for line in listed.splitlines() if line.startswith("{")]) >= 2
    assert place.pipeline.verify(place.pipeline.image).code == 0


def test_the_layouts_owner_is_the_verifiers_word(place: Place) -> None:
    words = ("--format", "json", f"{place.name}:1.0")
    assert reason(place.pipeline.run("verify", "--layout-key", "scanner.pub", *words)) == "layout-signature"


def test_a_repository_that_has_the_same_bytes_is_not_the_one_that_was_built(place: Place) -> None:
    """The image and its evidence, copied: every digest is right, the name is not."""
    copy = f"{place.registry.address}/evil/app"
    digest = place.pipeline.image.partition("@")[2]
    push = ("buildah", "push", "--quiet", "--tls-verify=false", "app", f"docker://{copy}:1.0")
    place.pipeline.command(*push)
    native = ("--push-with", "native", "--no-verify", "--layout", "root.layout", "--link-dir", "links")
    copied = place.pipeline.run("attach", f"{copy}@{digest}", *native, "--key", "builder.pem")
    assert copied.code == 0, copied
    denied = place.pipeline.verify(f"{copy}:1.0", "--format", "json")
    assert reason(denied) == "subject-unbound"
    named = place.pipeline.verify(f"{copy}:1.0", "--same-as", f"{copy}={place.name}")
    assert named.code == 0, named


def test_another_image_under_the_tag_has_no_attestation(place: Place) -> None:
    pipeline = place.pipeline
    work = pipeline.directory / "evil"
    work.mkdir()
    (work / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
    (work / "app").write_text("evil")
    pipeline.command("buildah", "build", "--quiet", "--tag", "evil", "evil")
    pipeline.command(
        "buildah", "push", "--quiet", "--tls-verify=false", "evil", f"docker://{place.name}:moved"
    )
    assert reason(pipeline.verify(f"{place.name}:moved", "--format", "json")) == "no-attestation"


def test_a_tag_that_is_not_there_is_an_invalid_reference(place: Place) -> None:
    assert reason(place.pipeline.verify(f"{place.name}:9.9", "--format", "json")) == "invalid-reference"


def test_evidence_for_an_air_gap_needs_no_registry(place: Place) -> None:
    words = ("verify", "--layout-key", "owner.pub", "--bundle", "bundle.json")
    away = Pipeline(place.pipeline.directory, {**place.pipeline.environ, "DOCKER_CONFIG": "/nowhere"})
    assert away.run(*words, place.pipeline.image).code == 0
    digest = place.pipeline.image.partition("@")[2]
    assert away.run(*words, "--digest", digest).code == 0


@pytest.mark.parametrize("registry", ["password_registry", "token_registry"])
def test_who_has_no_password_gets_an_error_and_no_denial(
    registry: str, request: pytest.FixtureRequest, built: Pipeline, tmp_path: Path
) -> None:
    running: RunningRegistry = request.getfixturevalue(registry)
    anonymous = Pipeline(
        built.directory, environ_for(RunningRegistry(running.address), built.environ, tmp_path)
    )
    ended = anonymous.verify(f"{running.address}/octo/app:1.0", "--format", "json")
    assert (ended.code, json.loads(ended.out)["verdict"]) == (3, "error")
