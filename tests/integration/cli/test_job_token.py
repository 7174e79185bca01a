"""The input `github-token` as `attach --github` and `verify --github` take it, at a registry that is not ghcr.io."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.parts.desk import Desk, Ended
from tests.parts.hostile_registry import HostileRegistry, Reply, docker_config
from tests.parts.loopback import Asked

TOKEN = "ghs_TokenOfTheJob"
BASIC = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
AT_ANOTHER_REGISTRY = """
import sys
from intoto_action.cli.main import main
from intoto_action.store import job_token
job_token.REGISTRY = sys.argv.pop(1)
main(sys.argv[1:])
"""
"""Nothing outside of the program says which registry it is, so this says it inside."""
WATCHED = """
import ctypes, sys
libc = ctypes.CDLL(None)
def watch(event, arguments):
    if event == "subprocess.Popen":
        print("started", libc.prctl(3, 0, 0, 0, 0), flush=True)
sys.addaudithook(watch)
"""
"""Root reads every process, so the flag is looked at: prctl(PR_GET_DUMPABLE) is 3."""
LOOK = """#!/bin/sh
{ env; cat /proc/$PPID/environ; } >> "$SEEN"
echo "credentials not found in native keychain"
exit 1
"""


@pytest.fixture
def registry(desk: Desk) -> Iterator[HostileRegistry]:
    """One that opens to the token of the job, and has the image."""
    with HostileRegistry() as registry:
        registry.put(desk.shelf.content, "1.0")

        def script(asked: Asked) -> Reply | None:
            if asked.path.startswith("/token"):
                good = asked.headers.get("authorization") == BASIC
                return Reply(body=json.dumps({"token": "opened"}).encode()) if good else Reply(401)
            if asked.headers.get("authorization") == "Bearer opened":
                return None
            challenge = f'Bearer realm="http://{registry.address}/token",service="s"'
            return Reply(401, headers={"WWW-Authenticate": challenge})

        registry.script = script
        yield registry


@pytest.fixture
def job(desk: Desk, tmp_path: Path) -> dict[str, str]:
    """The variables of the job that made the links, with a credential helper that looks around."""
    github = desk.chain.link("build").link.environment["github"]
    assert isinstance(github, dict)
    (tmp_path / "runner").mkdir()
    config = docker_config(tmp_path / "docker", {"credsStore": "look"})
    helper = tmp_path / "docker/docker-credential-look"
    helper.write_text(LOOK)
    helper.chmod(0o755)
    return {
        **config,
        "PATH": f"{config['PATH']}:/usr/bin:/bin",
        "SEEN": str(tmp_path / "seen"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "runner/outputs"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "runner/summary"),
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": github["repository"],
        "GITHUB_SHA": github["sha"],
        "GITHUB_RUN_ID": github["run_id"],
        "RUNNER_TEMP": str(tmp_path / "runner"),
    }


def run(desk: Desk, registry: HostileRegistry, job: Mapping[str, str], verb: str, *words: str) -> Ended:
    image = f"{registry.address}/octo/app:1.0"
    same = f"{registry.address}/octo/app=ghcr.io/octo/app"
    given = [verb, image, "--layout-key", "owner.pub", "--same-as", same, *words]
    if verb == "attach":
        given += [
            "--layout",
            "root.layout",
            "--link-dir",
            "links",
            "--key",
            "owner.pem",
            "--push-with",
            "native",
        ]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + AT_ANOTHER_REGISTRY, registry.address, *given],
        cwd=desk.directory,
        env={
            "PYTHONPATH": os.pathsep.join(sys.path[1:]),
            f"INTOTO_ACTION_{verb.upper()}_GITHUB_TOKEN": TOKEN,
            **job,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_it_attaches_and_verifies_and_is_seen_by_nobody_else(
    desk: Desk, registry: HostileRegistry, job: dict[str, str], tmp_path: Path
) -> None:
    for verb in ("attach", "verify"):
        ended = run(desk, registry, job, verb, "--github")
        assert ended.code == 0, ended
        assert TOKEN not in ended.out + ended.err
    assert "INTOTO_ACTION" in (tmp_path / "seen").read_text(errors="replace"), "the helper did look"
    encoded = BASIC.removeprefix("Basic ").encode()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
            assert encoded not in path.read_bytes(), path
    told = [asked.path for asked in registry.asked if asked.headers.get("authorization") == BASIC]
    assert told and all(path.startswith("/token?") for path in told)


@pytest.mark.parametrize("token", [TOKEN, ""], ids=["with a token", "without one"])
def test_a_process_that_attaches_is_closed_before_it_starts_anything(
    desk: Desk, registry: HostileRegistry, job: dict[str, str], token: str
) -> None:
    """Its environment may hold a key, whether it holds a token or not."""
    ended = run(desk, registry, job | {"INTOTO_ACTION_ATTACH_GITHUB_TOKEN": token}, "attach", "--github")
    started = [line for line in ended.out.splitlines() if line.startswith("started ")]
    assert started, ended
    assert set(started) == {"started 0"}


@pytest.mark.parametrize(
    ("verb", "words", "more"),
    [
        ("attach", (), {}),
        ("verify", (), {}),
        ("verify", ("--github",), {"INTOTO_ACTION_VERIFY_GITHUB_TOKEN": ""}),
        ("verify", ("--github",), {"GITHUB_SERVER_URL": "https://github.example.com"}),
        ("verify", ("--github",), {"GITHUB_SERVER_URL": "https://octo.ghe.com"}),
        ("verify", ("--github",), {"GITHUB_SERVER_URL": ""}),
    ],
)
def test_it_is_for_jobs_of_github_com_only(
    desk: Desk,
    registry: HostileRegistry,
    job: dict[str, str],
    verb: str,
    words: tuple[str, ...],
    more: dict[str, str],
) -> None:
    ended = run(desk, registry, job | more, verb, *words)
    assert ended.code == 3, ended
    assert registry.asked
    assert BASIC not in [asked.headers.get("authorization") for asked in registry.asked]


def test_another_registry_sees_nothing_of_it(
    desk: Desk, registry: HostileRegistry, job: dict[str, str]
) -> None:
    with HostileRegistry() as another:
        another.put(desk.shelf.content, "1.0")
        another.script = registry.script
        image = f"{another.address}/octo/app:1.0"
        ended = run(desk, registry, job, "verify", "--github", image)
        assert ended.code in {1, 3}
        assert another.asked
        assert BASIC not in [asked.headers.get("authorization") for asked in another.asked]
