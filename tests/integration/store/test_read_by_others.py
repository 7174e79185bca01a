"""What was attached is what other people's tools read."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.parts.bundles import PREDICATE_TYPE, bundle_for, public_pem
from tests.parts.images import push_image, small_image, small_index, write_image_directory
from tests.parts.registries import RunningRegistry
from tests.parts.tools import tool

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import DirectoryReference, Image, Reference
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry


def run(argv: list[str], environ: Mapping[str, str]) -> str:
    ended = subprocess.run(
        argv, env=dict(environ), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.needs("cosign", "crane", "registry", "docker-registry")
@pytest.mark.parametrize("push_with", ["native", "cosign"])
@pytest.mark.parametrize(
    "name", ["ghcr_like_registry", "referrers_registry", "docker_registry", "token_registry"]
)
def test_cosign_verifies_and_downloads_what_was_attached(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, push_with: str
) -> None:
    registry: RunningRegistry = request.getfixturevalue(name)
    path = f"{tool('cosign').parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, **registry.environ(tmp_path), "PATH": path}
    reference = Reference(registry.address, f"octo/read-by-cosign-{push_with}", "1.0")
    store = open_store(reference, deadline=Deadline(60), environ=environ, push_with=push_with)
    assert isinstance(store, Registry)
    push_image(store, small_index(), "1.0")
    image = store.resolve(reference)
    bundle = bundle_for(image.digest)
    store.attach(image, bundle, PREDICATE_TYPE)
    (tmp_path / "key.pub").write_text(public_pem())
    argv = ["cosign", "verify-attestation", "--allow-http-registry", "--insecure-ignore-tlog"]
    argv += ["--key", str(tmp_path / "key.pub"), "--type", PREDICATE_TYPE, str(image)]
    assert json.loads(run(argv, environ).splitlines()[0])["payload"]
    downloaded = run(["cosign", "download", "attestation", "--allow-http-registry", str(image)], environ)
    assert json.loads(downloaded)["dsseEnvelope"] == json.loads(bundle)["dsseEnvelope"]


@pytest.mark.needs("skopeo")
def test_skopeo_reads_an_image_directory_with_attestations_in_it(
    container_environ: Mapping[str, str], tmp_path: Path
) -> None:
    directory = write_image_directory(tmp_path / "images", {"1.0": small_image()})
    reference = DirectoryReference(str(directory), "1.0")
    store = open_store(reference, deadline=Deadline(30), environ={})
    store.attach(store.resolve(reference), bundle_for(small_image().digest), PREDICATE_TYPE)
    shown = json.loads(run(["skopeo", "inspect", f"oci:{directory}:1.0"], container_environ))
    assert shown["Digest"] == small_image().digest


@pytest.mark.needs("skopeo", "docker-registry")
def test_what_skopeo_copies_from_an_image_directory_is_the_same_image_in_the_registry(
    container_environ: Mapping[str, str], docker_registry: RunningRegistry, tmp_path: Path
) -> None:
    directory = write_image_directory(tmp_path / "images", {"1.0": small_image("copied")})
    name = f"{docker_registry.address}/octo/copied:1.0"
    argv = ["skopeo", "copy", "--dest-tls-verify=false", f"oci:{directory}:1.0", f"docker://{name}"]
    run([*argv, "--insecure-policy"], container_environ)
    reference = Reference(docker_registry.address, "octo/copied", "1.0")
    found = open_store(reference, deadline=Deadline(30), environ={}).resolve(reference)
    own = DirectoryReference(str(directory), "1.0")
    ours: Image = open_store(own, deadline=Deadline(30), environ={}).resolve(own)
    assert (found.digest, found.media_type, found.size) == (ours.digest, ours.media_type, ours.size)


@pytest.mark.needs("skopeo")
def test_an_image_directory_that_skopeo_wrote_is_read_and_attached_to(
    container_environ: Mapping[str, str], tmp_path: Path
) -> None:
    source = write_image_directory(tmp_path / "source", {"1.0": small_image()})
    run(
        ["skopeo", "copy", "--insecure-policy", f"oci:{source}:1.0", f"oci:{tmp_path / 'copy'}:2.0"],
        container_environ,
    )
    reference = DirectoryReference(str(tmp_path / "copy"), "2.0")
    store = open_store(reference, deadline=Deadline(30), environ={})
    image = store.resolve(reference)
    own = store.attach(image, bundle_for(image.digest), PREDICATE_TYPE)
    assert image.digest == small_image().digest
    assert [each.digest for each in store.referrers(image).descriptors] == [own.digest]
