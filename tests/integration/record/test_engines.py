"""One image has three digests: real builders and engines, and what each of them is taken for."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.parts.recording import Recorder

NAME = "localhost/octo/app"


class Workshop:
    """Builders and engines with a storage of their own, in the base directory of a recorder."""

    def __init__(self, recorder: Recorder, environ: Mapping[str, str]) -> None:
        self.recorder = recorder
        self.environ = dict(environ)
        recorder.environ.update(environ)

    def run(self, *words: str) -> str:
        done = subprocess.run(
            words,
            cwd=self.recorder.base,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout.strip()

    def build(self, content: str = "content", name: str = NAME) -> None:
        self.recorder.write("Dockerfile", "FROM scratch\nCOPY file /file\n")
        self.recorder.write("file", content)
        self.run("buildah", "bud", "--quiet", "--iidfile", "iid", "--tag", f"{name}:1", ".")

    def push_to_directory(self) -> None:
        self.run("buildah", "push", "--quiet", "--digestfile", "digest", f"{NAME}:1", "oci:image:1")

    def record(self, *words: str) -> dict[str, str]:
        """Record products, and give them back as `sha256:…` by name."""
        done = self.recorder("--phase", "after", "--force", *words)
        assert done.returncode == 0, done.stderr
        products = self.recorder.link()["products"]
        return {name: f"sha256:{digests['sha256']}" for name, digests in products.items()}

    def manifest_and_config(self) -> tuple[str, str]:
        """The digests in the image directory, which is the judge of what the tools print."""
        index = json.loads((self.recorder.base / "image/index.json").read_text())
        manifest = index["manifests"][0]["digest"]
        document = json.loads(
            (self.recorder.base / "image/blobs/sha256" / manifest.partition(":")[2]).read_text()
        )
        return manifest, document["config"]["digest"]


@pytest.fixture
def workshop(recorder: Recorder, container_environ: Mapping[str, str]) -> Workshop:
    return Workshop(recorder, container_environ)


@pytest.fixture
def podman_socket(workshop: Workshop, tmp_path: Path) -> Iterator[str]:
    """podman's API for the docker client."""
    socket = tmp_path / "podman.sock"
    with (tmp_path / "podman.log").open("wb") as log:
        service = subprocess.Popen(
            ["podman", "system", "service", "--time", "0", f"unix://{socket}"],
            env=workshop.environ,
            stdout=log,
            stderr=log,
        )
        try:
            end = time.monotonic() + 30
            while not socket.exists():
                assert service.poll() is None and time.monotonic() < end, (
                    tmp_path / "podman.log"
                ).read_text()
                time.sleep(0.05)
            yield f"unix://{socket}"
        finally:
            service.terminate()
            service.wait(timeout=30)


@pytest.mark.needs("buildah", "runc")
def test_buildahs_files_are_the_manifest_and_the_config(workshop: Workshop) -> None:
    workshop.build()
    workshop.push_to_directory()
    manifest, config = workshop.manifest_and_config()
    assert manifest != config
    found = workshop.record(
        "--products", "oci:ghcr.io/octo/app@digestfile:digest", "--products", f"image:{NAME}@iidfile:iid"
    )
    assert found == {"oci:ghcr.io/octo/app": manifest, f"image:{NAME}": config}


@pytest.mark.needs("buildah", "runc")
def test_an_image_directory_gives_the_config_that_the_build_named(workshop: Workshop) -> None:
    workshop.build()
    workshop.push_to_directory()
    assert workshop.record("--products", f"image:{NAME}@oci-layout:image:1") == {
        f"image:{NAME}": (workshop.recorder.base / "iid").read_text().strip()
    }


@pytest.mark.needs("buildah", "podman", "runc")
def test_podman_names_the_same_config(workshop: Workshop) -> None:
    workshop.build()
    iid = (workshop.recorder.base / "iid").read_text().strip()
    workshop.recorder.environ["DOCKER_HOST"] = "unix:///nonexistent/docker.sock"
    assert workshop.record("--products", f"image:{NAME}:1") == {f"image:{NAME}": iid}


@pytest.mark.needs("buildah", "podman", "runc")
def test_podman_build_and_push_write_the_same_files(workshop: Workshop) -> None:
    workshop.recorder.write("Dockerfile", "FROM scratch\nCOPY file /file\n")
    workshop.recorder.write("file", "podman")
    workshop.run(
        "podman", "build", "--quiet", "--network=host", "--iidfile", "iid", "--tag", f"{NAME}:1", "."
    )
    workshop.run("podman", "push", "--quiet", "--digestfile", "digest", f"{NAME}:1", "oci:image:1")
    manifest, config = workshop.manifest_and_config()
    found = workshop.record(
        "--products", f"oci:{NAME}@digestfile:digest", "--products", f"image:{NAME}@iidfile:iid"
    )
    assert found == {f"oci:{NAME}": manifest, f"image:{NAME}": config}


@pytest.mark.needs("buildah", "podman", "runc", "docker")
def test_the_docker_client_on_podmans_socket_names_the_same_config(
    workshop: Workshop, podman_socket: str
) -> None:
    workshop.build()
    iid = (workshop.recorder.base / "iid").read_text().strip()
    workshop.recorder.environ["DOCKER_HOST"] = podman_socket
    workshop.recorder.environ["PATH"] = _path_without("podman", workshop)
    assert workshop.record("--products", f"image:{NAME}:1") == {f"image:{NAME}": iid}


@pytest.mark.needs("buildah", "podman", "runc", "docker")
def test_what_docker_saves_holds_the_config_that_an_image_id_may_not_be(
    workshop: Workshop, podman_socket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docker's containerd store calls an image by its manifest; then the saved image is looked into."""
    from intoto_action.record import engines

    workshop.build()
    iid = (workshop.recorder.base / "iid").read_text().strip()
    monkeypatch.setattr(engines, "_containerd_store", lambda environ: True)
    environ = {**workshop.environ, "DOCKER_HOST": podman_socket, "PATH": _path_without("podman", workshop)}
    assert engines.config_digest_in_engines(f"{NAME}:1", environ) == (iid, [])


@pytest.mark.needs("buildah", "podman", "runc")
def test_an_image_that_nobody_built_is_a_sentence(workshop: Workshop) -> None:
    done = workshop.recorder("--phase", "after", "--products", "image:localhost/never/built")
    assert done.returncode == 2
    assert "neither docker nor podman has this image" in done.stderr


def _path_without(command: str, workshop: Workshop) -> str:
    """A PATH on which everything is but `command`."""
    folder = workshop.recorder.base.parent / "bin"
    folder.mkdir(exist_ok=True)
    for directory in os.environ["PATH"].split(":"):
        if not os.path.isdir(directory):
            continue
        for entry in os.scandir(directory):
            if entry.name != command and not (folder / entry.name).is_symlink():
                (folder / entry.name).symlink_to(entry.path)
    return str(folder)
