"""Registries on loopback, as session fixtures: without the referrers API (as GHCR), with it, with passwords, tokens.

Import nothing: `pytest_plugins` of tests/conftest.py brings the fixtures. A test asks for one by name and says what
it needs (`@pytest.mark.needs("crane")` and the like, named at each fixture).
"""

import base64
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.parts.token_server import TokenServer
from tests.parts.tools import debian_command, tool

USERNAME = "robot"
PASSWORD = "correct horse"
_READY_SECONDS = 20.0


@dataclass(frozen=True)
class RunningRegistry:
    """A registry that answers at `address` (host:port); with a user when it wants one."""

    address: str
    username: str = ""
    password: str = ""
    token_server: TokenServer | None = None

    def environ(self, home: Path) -> Mapping[str, str]:
        """The variables that make docker, cosign and this project that user; `home` is filled and used as HOME."""
        docker = home / ".docker"
        docker.mkdir(parents=True, exist_ok=True)
        auth = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        auths = {self.address: {"auth": auth}} if self.username else {}
        (docker / "config.json").write_text(json.dumps({"auths": auths}))
        return {"HOME": str(home), "DOCKER_CONFIG": str(docker)}


class DidNotStart(RuntimeError):
    """A part ended, or did not answer in time; the message has its log."""


@contextmanager
def running(
    argv: Sequence[str | Path],
    log: Path,
    is_ready: Callable[[], bool],
    environ: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a server until the block ends; it is stopped by its process id."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(each) for each in argv], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ
        )
    try:
        end = time.monotonic() + _READY_SECONDS
        while not is_ready():
            if process.poll() is not None or time.monotonic() > end:
                raise DidNotStart(f"{argv[0]} is not ready:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(address: str) -> bool:
    """Whether a registry answers there, be it that it wants to know who asks."""
    try:
        with urllib.request.urlopen(f"http://{address}/v2/", timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 401
    except OSError:
        return False


@contextmanager
def crane_registry(folder: Path) -> Iterator[RunningRegistry]:
    """`crane registry serve`: no referrers API, as GHCR."""
    address = f"127.0.0.1:{free_port()}"
    argv: list[str | Path] = [tool("crane"), "registry", "serve", "--address", address]
    with running(argv, folder / "log", lambda: answers(address)):
        yield RunningRegistry(address)


@contextmanager
def api_registry(folder: Path) -> Iterator[RunningRegistry]:
    """go-containerregistry's registry with the referrers API."""
    address = f"127.0.0.1:{free_port()}"
    argv: list[str | Path] = [tool("registry"), "--address", address]
    with running(argv, folder / "log", lambda: answers(address)):
        yield RunningRegistry(address)


@contextmanager
def debian_registry(
    folder: Path, auth: str = "", host: str = "127.0.0.1", **user: object
) -> Iterator[RunningRegistry]:
    """Debian's docker-registry 2.8, which accepts subjects, has no referrers API and ignores If-Match."""
    port = free_port()
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: warn}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{auth}"
    )
    address = f"{host}:{port}"
    argv: list[str | Path] = [debian_command("docker-registry"), "serve", config]
    with running(argv, folder / "log", lambda: answers(address)):
        yield RunningRegistry(address, **user)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def ghcr_like_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """Needs crane."""
    with crane_registry(tmp_path_factory.mktemp("crane")) as registry:
        yield registry


@pytest.fixture(scope="session")
def referrers_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """Needs registry."""
    with api_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """Needs docker-registry."""
    with debian_registry(tmp_path_factory.mktemp("docker-registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def password_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """Needs docker-registry, htpasswd."""
    folder = tmp_path_factory.mktemp("password-registry")
    argv: list[str | Path] = [debian_command("htpasswd"), "-Bbn", USERNAME, PASSWORD]
    users = subprocess.run(argv, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    (folder / "users").write_bytes(users.stdout)
    auth = f"auth: {{htpasswd: {{realm: tests, path: {folder / 'users'}}}}}\n"
    with debian_registry(folder, auth, username=USERNAME, password=PASSWORD) as registry:
        yield registry


@pytest.fixture(scope="session")
def token_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """Needs docker-registry. Its tokens come from another port of the same host, `localhost`."""
    folder = tmp_path_factory.mktemp("token-registry")
    with TokenServer(USERNAME, PASSWORD) as server:
        (folder / "root.pem").write_bytes(server.certificate)
        auth = (
            f"auth: {{token: {{realm: '{server.realm}', service: '{server.service}', "
            f"issuer: '{server.issuer}', rootcertbundle: {folder / 'root.pem'}}}}}\n"
        )
        user = {"username": USERNAME, "password": PASSWORD, "token_server": server}
        with debian_registry(folder, auth, "localhost", **user) as registry:
            yield registry
