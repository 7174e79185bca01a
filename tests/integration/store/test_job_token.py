"""A job's token at a registry that wants one, with the real cosign; and what lies on the disk meanwhile."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.parts.bundles import PREDICATE_TYPE, bundle_for
from tests.parts.hostile_registry import HostileRegistry, hostile_reference, log_in
from tests.parts.images import push_image, small_image
from tests.parts.registries import RunningRegistry
from tests.parts.token_server import JOB_TOKEN, TokenServer
from tests.parts.tools import tool

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import Image, Reference
from intoto_action.reason import Unavailable
from intoto_action.store.job_token import JobToken
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The variables of a job in which nobody logged in."""
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    return {
        "HOME": str(tmp_path / "home"),
        "RUNNER_TEMP": str(tmp_path / "temporary"),
        "PATH": "/usr/bin:/bin",
    }


def left_behind(job: dict[str, str]) -> list[str]:
    return [*os.listdir(job["RUNNER_TEMP"]), *os.listdir(job["HOME"])]


@pytest.fixture
def server(token_registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch) -> TokenServer:
    server = token_registry.token_server
    assert server is not None
    monkeypatch.setattr(server, "asked", [])
    monkeypatch.setattr(server, "job_may", server.job_may)
    return server


def opened(address: str, repository: str, job: dict[str, str], push_with: str) -> Registry:
    reference = Reference(address, repository)
    token = JobToken(JOB_TOKEN, address)
    store = open_store(reference, deadline=Deadline(60), environ=job, push_with=push_with, job_token=token)
    assert isinstance(store, Registry)
    return store


@pytest.mark.needs("docker-registry", "cosign")
@pytest.mark.parametrize("push_with", ["cosign", "native"])
def test_it_is_enough_to_push_to_attach_and_to_read(
    token_registry: RunningRegistry, server: TokenServer, job: dict[str, str], push_with: str
) -> None:
    job["PATH"] = f"{tool('cosign').parent}:{job['PATH']}"
    store = opened(token_registry.address, f"octo/{push_with}", job, push_with)
    push_image(store, small_image(), "1.0")
    image = store.resolve(Reference(token_registry.address, f"octo/{push_with}", "1.0"))
    attached = store.attach(image, bundle_for(image.digest), PREDICATE_TYPE)
    assert attached.digest in {each.digest for each in store.referrers(image).descriptors}
    assert server.asked
    assert left_behind(job) == []


@pytest.mark.needs("docker-registry", "cosign")
@pytest.mark.parametrize("push_with", ["cosign", "native"])
def test_one_that_may_only_read_reads_and_attaches_nothing(
    token_registry: RunningRegistry, server: TokenServer, job: dict[str, str], push_with: str
) -> None:
    """As that of a pull request from a fork."""
    job["PATH"] = f"{tool('cosign').parent}:{job['PATH']}"
    name = f"octo/readonly-{push_with}"
    push_image(opened(token_registry.address, name, job, "native"), small_image(), "1.0")
    server.job_may = frozenset({"pull"})
    store = opened(token_registry.address, name, job, push_with)
    image = store.resolve(Reference(token_registry.address, name, "1.0"))
    with pytest.raises(Unavailable) as caught:
        store.attach(image, bundle_for(image.digest), PREDICATE_TYPE)
    assert "`packages: read`, or `write`" in str(caught.value)
    assert JOB_TOKEN not in str(caught.value)
    assert left_behind(job) == []


LOOK = """
{ env; echo "argv: $*"; stat -c '%a %n' "$DOCKER_CONFIG" "$DOCKER_CONFIG"/config.json; } > "$HOME/../seen" 2>&1
cat "$DOCKER_CONFIG/config.json" > "$HOME/../config" 2>&1
"""


def put_cosign(tmp_path: Path, job: dict[str, str], script: str) -> None:
    path = tmp_path / "cosign"
    answer = json.dumps({"gitVersion": "v3.1.2"})
    path.write_text(f"#!/bin/sh\nif [ \"$1\" = version ]; then echo '{answer}'; exit 0; fi\n{script}\n")
    path.chmod(0o755)
    job["PATH"] = f"{tmp_path}:{job['PATH']}"


def attach(hostile: HostileRegistry, job: dict[str, str]) -> None:
    """To a registry that lets everybody do everything."""
    small = small_image()
    hostile.put(small, "1.0")
    reference = hostile_reference(hostile)
    image = Image(reference.name, small.digest, small.media_type, len(small.document))
    opened(hostile.address, reference.repository, job, "cosign").attach(
        image, bundle_for(image.digest), PREDICATE_TYPE
    )


def test_cosign_finds_it_in_a_file_of_its_own_that_is_gone_afterwards(
    hostile: HostileRegistry, job: dict[str, str], tmp_path: Path
) -> None:
    put_cosign(tmp_path, job, LOOK + "exit 1")
    with pytest.raises(Unavailable, match="exit code 1"):
        attach(hostile, job)
    seen = (tmp_path / "seen").read_text()
    own = next(line for line in seen.splitlines() if line.startswith("DOCKER_CONFIG="))
    place = Path(own.partition("=")[2])
    assert place.parent == Path(job["RUNNER_TEMP"])
    assert f"700 {place}\n600 {place}/config.json" in seen
    auth = base64.b64encode(f"x-access-token:{JOB_TOKEN}".encode()).decode()
    assert json.loads((tmp_path / "config").read_text()) == {"auths": {hostile.address: {"auth": auth}}}
    assert JOB_TOKEN not in seen and auth not in seen, "it is in the file, and in no variable and no argument"
    assert left_behind(job) == []


def test_whoever_logged_in_is_who_cosign_finds(
    hostile: HostileRegistry, job: dict[str, str], tmp_path: Path
) -> None:
    put_cosign(tmp_path, job, LOOK + "exit 1")
    job["DOCKER_CONFIG"] = log_in(tmp_path / "own", hostile.address)["DOCKER_CONFIG"]
    with pytest.raises(Unavailable, match="exit code 1"):
        attach(hostile, job)
    assert f"DOCKER_CONFIG={tmp_path / 'own'}\n" in (tmp_path / "seen").read_text()
    assert JOB_TOKEN not in (tmp_path / "config").read_text()


ATTACH = """
import json, sys
from intoto_action.deadline import Deadline
from intoto_action.formats.reference import Image, parse_reference
from intoto_action.store.job_token import JobToken
from intoto_action.store.open import open_store
reference, digest, media_type, size, environ, bundle = json.loads(sys.argv[1])
at = parse_reference(reference)
token = JobToken(sys.stdin.readline().strip(), at.registry)
store = open_store(at, deadline=Deadline(60), environ=environ, job_token=token)
store.attach(Image(at.name, digest, media_type, size), bundle.encode(), "https://example.com")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_leaves_nothing_of_it_behind(
    hostile: HostileRegistry, job: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    put_cosign(tmp_path, job, f'{LOOK}touch "$HOME/../running"; exec sleep 30')
    small = small_image()
    hostile.put(small, "1.0")
    words = [
        str(hostile_reference(hostile)),
        small.digest,
        small.media_type,
        len(small.document),
        job,
        bundle_for(small.digest).decode(),
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", ATTACH, json.dumps(words)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(f"{JOB_TOKEN}\n")
    process.stdin.flush()
    until = time.monotonic() + 20
    while not (tmp_path / "running").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert len(left_behind(job)) == 1
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert process.returncode != 0 and "KeyboardInterrupt" in said
    assert left_behind(job) == []
