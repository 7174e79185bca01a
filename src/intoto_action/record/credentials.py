"""Who is to sign, as far as it can be known before the command runs: the key itself is read after it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from intoto_action.formats.key import Key
from intoto_action.github.event import is_pull_request
from intoto_action.keys.words import KEYLESS, VARIABLE_SCHEME, open_public_key
from intoto_action.reason import Misused


class Credentials(msgspec.Struct, frozen=True):
    """KEY as a word. `variables` are the names of variables that hold the key or its password."""

    word: str
    variables: tuple[str, ...] = ()

    def missing(self, environ: Mapping[str, str]) -> bool:
        """Whether the variable that should hold the key is empty, as it is where a secret is not given."""
        name = self.word.removeprefix(VARIABLE_SCHEME)
        return name != self.word and not environ.get(name, "").strip()

    def check(self, environ: Mapping[str, str]) -> None:
        """Refuse what cannot become a signer, without reading a key.

        Raises: Misused.
        """
        if self.word.startswith(KEYLESS):
            raise Misused(
                "expected a key, found keyless: this version signs with keys: a PEM file, or env:NAME"
            )
        if self.missing(environ):
            name = self.word.removeprefix(VARIABLE_SCHEME)
            raise Misused(
                f"--key: the environment variable {name} is empty or not set. In CI this is mostly a secret that is "
                "not there: pull requests from forks get none, and the name of the secret must be right; set it, or "
                "say --if-no-credentials unsigned"
            )
        if not self.word.startswith(VARIABLE_SCHEME) and not os.access(self.word, os.R_OK):
            raise Misused(f"--key: {self.word!r} cannot be read; expected a PEM file, or env:NAME")

    def public_key(self, environ: Mapping[str, str]) -> Key | None:
        """The public key beside the private one, when there is one: `keygen` puts it there."""
        beside = Path(f"{self.word}.pub")
        if self.word.startswith(VARIABLE_SCHEME) or not beside.is_file():
            return None
        return open_public_key(str(beside), environ=environ)


def credentials(word: str, password_env: str | None) -> Credentials:
    """From KEY and `--password-env`."""
    names = [word.removeprefix(VARIABLE_SCHEME)] if word.startswith(VARIABLE_SCHEME) else []
    return Credentials(word, tuple([*names, password_env] if password_env else names))


def unsigned_because(
    given: Credentials, environ: Mapping[str, str], *, without: bool, pull_requests: bool
) -> str | None:
    """Why nothing is signed although a key was named, in words, or None.

    `without` allows an unsigned link where the key is missing; `pull_requests` signing in pull requests, which are
    looked at on GitHub only (otherwise it is true).
    """
    if not pull_requests and is_pull_request(environ):
        return (
            f"a pull request started this run ({environ['GITHUB_EVENT_NAME']}), so the link is not signed; "
            "--sign-pull-requests signs it, and pull requests from forks have no secrets to sign with"
        )
    if without and given.missing(environ):
        return f"the variable {given.variables[0]} is empty, so the link is not signed (--if-no-credentials unsigned)"
    return None
