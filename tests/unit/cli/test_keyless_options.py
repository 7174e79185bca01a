"""The flags of signing without a key: where they may come from, and what is told of a signer."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from intoto_action.cli.keyless_options import KeylessOptions, keyless_options
from intoto_action.cli.options import SigstoreOptions, sigstore_options
from intoto_action.reason import Misused

IDENTITY = "https://github.com/octo/app/.github/workflows/build.yml@refs/heads/main"
PRODUCTION = SigstoreOptions("production", None, False)


def variables(verb: str) -> dict[str | None, object]:
    """The environment variable of each flag."""
    command = click.command()(keyless_options(verb)(sigstore_options(verb)(lambda **_: None)))
    return {param.name: param.envvar for param in command.params}


def parse(*words: str) -> KeylessOptions:
    seen: list[KeylessOptions] = []

    @click.command()
    @keyless_options("sign")
    def verb(keyless: KeylessOptions) -> None:
        seen.append(keyless)

    result = CliRunner().invoke(verb, words)
    if result.exception:
        raise result.exception
    return seen[0]


def test_attach_takes_none_from_the_environment() -> None:
    assert set(variables("attach").values()) == {None}


@pytest.mark.parametrize("verb", ["record", "sign", "layout"])
def test_what_loosens_comes_from_the_command_line_only(verb: str) -> None:
    found = variables(verb)
    assert found.pop("allow_public_log") is None
    assert found == {
        name: f"INTOTO_ACTION_{verb}_{name}".upper() for name in found if name != "sigstore_word"
    } | {"sigstore_word": f"INTOTO_ACTION_{verb.upper()}_SIGSTORE"}


def test_an_empty_word_is_none() -> None:
    assert parse("--identity-token", "", "--expected-identity", "") == KeylessOptions()


def test_an_identity_that_nobody_can_have_is_refused_at_once() -> None:
    with pytest.raises(Misused, match="--expected-identity: expected an identity"):
        parse("--expected-identity", "https://github.com/*")


def test_a_token_is_in_no_representation() -> None:
    assert "s3cr3t" not in repr(parse("--identity-token", "s3cr3t"))


def test_a_given_token_that_says_private_is_refused_before_anything_is_done() -> None:
    claims = {"iss": "https://gitlab.com", "sub": "x", "aud": "sigstore", "exp": time.time() + 300}
    private = unsigned_token(claims | {"project_visibility": "private"})
    with pytest.raises(Misused, match="this repository is private"):
        KeylessOptions(identity_token=private).check(PRODUCTION, {})
    with pytest.raises(Misused, match="this repository is private"):
        KeylessOptions().check(PRODUCTION, {"SIGSTORE_ID_TOKEN": private})
    KeylessOptions(identity_token=private, allow_public_log=True).check(PRODUCTION, {})
    KeylessOptions(identity_token=unsigned_token(claims | {"project_visibility": "public"})).check(
        PRODUCTION, {}
    )


def unsigned_token(claims: Mapping[str, object]) -> str:
    """A token whose signature nobody could have made."""
    parts = (json.dumps(each).encode() for each in ({"alg": "RS256"}, claims))
    return ".".join([*(urlsafe_b64encode(each).decode().rstrip("=") for each in parts), "c2ln"])


def test_what_we_start_gets_the_environment_without_the_variable_that_holds_the_token() -> None:
    environ = {"MY_TOKEN": "s3cr3t", "PATH": "/bin"}
    assert parse("--identity-token", "s3cr3t").public_environ(environ) == {"PATH": "/bin"}
    assert parse().public_environ({"EMPTY": "", **environ}) == {"EMPTY": "", **environ}


def test_help_says_that_a_token_on_the_command_line_is_no_secret() -> None:
    command = click.command()(keyless_options("sign")(lambda **_: None))
    shown = " ".join(CliRunner().invoke(command, ["--help"]).stdout.split())
    assert "Everybody on this machine can read it" in shown
    assert "SIGSTORE_ID_TOKEN" in shown


def test_the_words_to_sign_later_are_those_that_were_said_without_the_token(tmp_path: Path) -> None:
    said = KeylessOptions(
        identity_token="s3cr3t", seconds=7, allow_public_log=True, expected_identity=IDENTITY
    )
    sigstore = SigstoreOptions("https://tuf.example", tmp_path / "root.json", True)
    assert said.words(sigstore) == [
        *("--keyless", "--sigstore", "https://tuf.example", "--sigstore-root", f"{tmp_path}/root.json"),
        *("--offline", "--allow-public-log", "--expected-identity", IDENTITY),
    ]
    assert KeylessOptions().words(PRODUCTION) == ["--keyless"]
