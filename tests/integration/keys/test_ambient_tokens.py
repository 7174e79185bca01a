"""Tokens of CI systems whose own command has them, as the `id` library asks for them."""

from pathlib import Path

import pytest
from tests.parts.github_job import GitHubJob
from tests.parts.oidc_issuer import OidcIssuer, Terms

from intoto_action.deadline import Deadline
from intoto_action.keys.attempts import Attempts
from intoto_action.keys.oidc import AUDIENCE, token_source
from intoto_action.reason import Unavailable

AGENTS = {"BUILDKITE": "buildkite-agent", "CIRCLECI": "circleci"}


@pytest.fixture(params=AGENTS)
def agent(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command of a CI system that this process is in; a test writes what it does."""
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "SIGSTORE_ID_TOKEN", "GOOGLE_SERVICE_ACCOUNT_NAME", *AGENTS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(request.param, "true")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    path = tmp_path / AGENTS[request.param]
    path.touch(mode=0o755)
    return path


def environ(agent: Path) -> dict[str, str]:
    (variable,) = [name for name, command in AGENTS.items() if command == agent.name]
    return {variable: "true", "PATH": f"{agent.parent}:/usr/bin:/bin"}


def test_the_command_gives_the_token(agent: Path) -> None:
    with OidcIssuer() as provider:
        token = provider.token(Terms(GitHubJob(), {}, AUDIENCE))
    agent.write_text(f'#!/bin/sh\necho "$*" > {agent.parent}/asked\necho {token}\n')
    found = token_source(environ(agent)).fetch(AUDIENCE, Attempts(Deadline(20)))
    assert found.secret == token
    assert AUDIENCE in (agent.parent / "asked").read_text()


def test_a_command_that_fails_is_told(agent: Path) -> None:
    agent.write_text("#!/bin/sh\necho it is closed | tee /dev/stderr\nexit 1\n")
    with pytest.raises(Unavailable, match=r"no OIDC token: .*encountered an error: it is closed"):
        token_source(environ(agent)).fetch(AUDIENCE, Attempts(Deadline(20)))


def test_a_command_that_hangs_is_left_behind(agent: Path) -> None:
    agent.write_text("#!/bin/sh\nexec sleep 5\n")
    with pytest.raises(Unavailable, match="the provider of OIDC tokens: no answer within 1 seconds"):
        token_source(environ(agent)).fetch(AUDIENCE, Attempts(Deadline(1)))
