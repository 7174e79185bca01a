"""What git, engines and credential helpers get to see."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.parts.hostile_registry import HostileRegistry, Reply
from tests.parts.images import small_image
from tests.parts.loopback import Asked
from tests.parts.recording import Recorder


@pytest.fixture
def hostile() -> Iterator[HostileRegistry]:
    with HostileRegistry() as registry:
        yield registry


SECRETS = {
    "SIGNING": "the key",
    "UNLOCK": "the password",
    "INTOTO_ACTION_X": "1",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.example",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "the token",
}


def plant(recorder: Recorder, name: str, *, says: str) -> Path:
    """A program on the PATH before every other; the file to which it writes its environment."""
    programs = recorder.base.parent / "programs"
    programs.mkdir(exist_ok=True)
    seen = recorder.base.parent / f"seen-by-{name}"
    (programs / name).write_text(f"#!/bin/sh\nenv >>{seen}\n{says}\n")
    (programs / name).chmod(0o755)
    recorder.environ["PATH"] = f"{programs}:{recorder.environ['PATH']}"
    return seen


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("git", ("--products", "git:tracked")),
        ("docker", ("--products", "image:app")),
        ("podman", ("--products", "image:app")),
        ("docker-credential-planted", ("--materials", "oci:REGISTRY/octo/app:1")),
    ],
)
def test_a_program_that_record_asks_sees_no_key(
    recorder: Recorder, hostile: HostileRegistry, program: str, words: tuple[str, str]
) -> None:
    hostile.script = lambda asked: Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    seen = plant(recorder, program, says="echo no such image >&2; exit 1")
    recorder.write(".docker/config.json", json.dumps({"credHelpers": {hostile.address: "planted"}}))
    pem = recorder.key.read_text()
    (recorder.base / ".git").mkdir()
    recorder.write(".git/HEAD", "ref: refs/heads/main\n")
    recorder(
        *(word.replace("REGISTRY", hostile.address) for word in words),
        "--password-env",
        "UNLOCK",
        "--",
        "true",
        key="env:SIGNING",
        environ={**SECRETS, "SIGNING": pem, "KEPT": "1", "DOCKER_CONFIG": str(recorder.base / ".docker")},
    )
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert "KEPT" in names
    assert names.isdisjoint(SECRETS)


@pytest.mark.parametrize(("program", "word"), [("git", "git:tracked"), ("docker", "image:app")])
def test_a_daemon_that_a_program_in_the_place_of_git_leaves_is_ended(
    recorder: Recorder, program: str, word: str
) -> None:
    daemon = (
        "setsid sh -c 'echo $$ >daemon; exec sleep 60' >&- 2>&- & while [ ! -s daemon ]; do sleep 0.01; done"
    )
    plant(recorder, program, says=f"cd {recorder.base.parent}\n{daemon}\nexit 1")
    recorder.write(".git/HEAD", "ref: refs/heads/main\n")
    recorder("--products", word, "--", "true")
    with pytest.raises(ProcessLookupError):
        os.kill(int((recorder.base.parent / "daemon").read_text()), 0)


@pytest.mark.parametrize("option", ["--token-realm", None])
def test_credentials_go_to_the_token_server_that_was_named(
    recorder: Recorder, hostile: HostileRegistry, option: str | None
) -> None:
    image = small_image()
    hostile.put(image, "1")
    recorder.write(
        ".docker/config.json",
        json.dumps({"auths": {hostile.address: {"auth": base64.b64encode(b"robot:secret").decode()}}}),
    )
    with HostileRegistry() as tokens:
        address = tokens.address.replace("127.0.0.1", "localhost")
        tokens.script = lambda asked: Reply(body=b'{"token": "good", "expires_in": 300}')

        def script(asked: Asked) -> Reply | None:
            if asked.headers.get("authorization") == "Bearer good":
                return None
            realm = f'Bearer realm="http://{address}/token",service="s"'
            return Reply(401, headers={"WWW-Authenticate": realm})

        hostile.script = script
        done = recorder(
            *([option, f"{hostile.address}={address}"] if option else []),
            *("--materials", f"oci:{hostile.address}/octo/app:1", "--", "true"),
            environ={"DOCKER_CONFIG": str(recorder.base / ".docker")},
        )
        seen = [asked.headers.get("authorization", "") for asked in tokens.asked]
    assert any(each.startswith("Basic ") for each in seen) is bool(option)
    assert (done.returncode == 0) is bool(option), done.stderr
