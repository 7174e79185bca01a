"""Jobs with `container:`, run by act in containers of podman: what GitHub gives them, and nothing of this machine.

A container has the workspace, $RUNNER_TEMP and the actions, HOME is /github/home, and Python, git or a CA bundle are
only what its image has. Different from GitHub: node is not there (no action here needs it), and a composite's inputs
are in its steps' environment as INPUT_*, which the host's runner (tests/parts/runner.py) withholds.

The variables by which this machine reaches an index are given to the job, and the files and directories that they
name are mounted, with a cache for pip: what a company's runner would have in its image.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from make.cache import cache_directory
from tests.parts.containers import container_storage
from tests.parts.debian_trees import debian_image, debian_images
from tests.parts.registries import running
from tests.parts.runner import COMPANY, Place, Runner
from tests.parts.tools import debian_command

HOME = "/github/home"
RUNNER_TEMP = "/__w/_temp"
DEBIANS = ((), ("python3-venv",), ("python3", "python3-venv", "ca-certificates"))
"""The packages of each image that is there."""
_PIP_CACHE = "/var/cache/pip"


@dataclass(frozen=True)
class ContainerDaemon:
    """podman's service, which speaks Docker's API at `socket`; `environ` is for podman and the docker client."""

    socket: Path
    environ: Mapping[str, str]

    @property
    def docker_environ(self) -> Mapping[str, str]:
        """What makes act and the docker client use it."""
        return {"DOCKER_HOST": f"unix://{self.socket}"}

    def podman(self, *words: str | Path) -> str:
        """Run podman on the same storage; what it prints."""
        done = subprocess.run(
            ["podman", *map(str, words)],
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def debian(self, *packages: str) -> str:
        """The name of an image with a bare Debian and these packages, which are one of DEBIANS."""
        assert packages in DEBIANS, packages
        return debian_image(*packages)


@contextmanager
def container_daemon(environ: Mapping[str, str]) -> Iterator[ContainerDaemon]:
    """Run podman's service on the storage of `environ` until the block ends."""
    # A socket's path ends at 108 bytes, and pytest's folders are long.
    with TemporaryDirectory(prefix="podman-") as folder:
        socket = Path(folder) / "podman.sock"
        argv: Sequence[str | Path] = (
            debian_command("podman"),
            "system",
            "service",
            "--time=0",
            f"unix://{socket}",
        )
        # For each answer about itself podman asks dpkg whose its programs are, which takes a second of all the packages
        # of the machine, and act asks often. Of no packages it takes none.
        packages = Path(folder) / "dpkg"
        packages.mkdir()
        of_service = {**environ, "DPKG_ADMINDIR": str(packages)}
        with running(argv, Path(folder) / "log", socket.is_socket, of_service):
            yield ContainerDaemon(socket, environ)


def in_container(
    runner: Runner, daemon: ContainerDaemon, image: str, *, mounts: Mapping[Path, str] | None = None
) -> Runner:
    """The same repository, whose jobs run in `image`. `mounts`: more files, read-only, and where they appear."""
    company = {name: value for name, value in os.environ.items() if COMPANY.fullmatch(name)}
    volumes = [f"{path}:{where}:ro" for path, where in (mounts or {}).items()]
    seen = {*company.values(), "/etc/pip.conf"}
    volumes += [f"{path}:{path}:ro" for path in sorted(seen) if path.startswith("/") and Path(path).exists()]
    folders = {runner.kept: str(runner.kept), runner.artifacts: str(runner.artifacts)}
    folders |= {runner.home / "container-home": HOME, runner.home / "container-temp": RUNNER_TEMP}
    folders[cache_directory() / "pip"] = _PIP_CACHE
    for folder, where in folders.items():
        folder.mkdir(exist_ok=True)
        volumes.append(f"{folder}:{where}")
    options = " ".join(f"--volume={each}" for each in volumes)
    place = Place(
        (
            *("--platform", f"ubuntu-latest={image}", "--pull=false", "--bind", "--rm", "--network", "host"),
            *("--container-options", options, "--container-daemon-socket", "-"),
        ),
        {**daemon.docker_environ},
    )
    given = {"HOME": HOME, "RUNNER_TEMP": RUNNER_TEMP, "PIP_CACHE_DIR": _PIP_CACHE}
    variables = {**company, **given, **runner.variables}
    return replace(runner, place=place, variables=variables)


@pytest.fixture(scope="session")
def podman_daemon() -> Iterator[ContainerDaemon]:
    """Needs podman, runc, debootstrap."""
    with container_storage(_debians) as environ, container_daemon(environ) as daemon:
        yield daemon


def _debians(driver: str) -> Path:
    return debian_images(driver, *DEBIANS)
