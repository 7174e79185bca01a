"""Who is to sign, as far as it can be known before the command runs: the key itself is read after it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from intoto_action.formats.key import Key
from intoto_action.github.event import from_fork, is_pull_request
from intoto_action.keys.words import (
    ACTION_KEY,
    EMPTY_INPUT,
    check_private_word,
    elsewhere,
    open_public_key,
    parse_key_word,
    password_from,
)
from intoto_action.reason import WrongKey

if TYPE_CHECKING:
    from intoto_action.record.expected import ExpectedStep  # a layout is seldom given, and costs a start


class WhoSigns(Protocol):
    """What can be known of who is to sign before there is anything to sign."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables that the command must not see because of it."""
        ...

    def lack(self, environ: Mapping[str, str]) -> str | None:
        """Why nobody can sign where the run has been given nothing to sign with, in words; or None."""
        ...

    def check(self, environ: Mapping[str, str]) -> None:
        """Refuse what cannot become a signer. Raises: Misused."""
        ...

    def check_expected(self, expected: ExpectedStep, environ: Mapping[str, str]) -> None:
        """Refuse who is known to be no functionary of the step. Raises: Misused."""
        ...


class Credentials(msgspec.Struct, frozen=True):
    """Who signs: the file of the key, or else the variable, or else the URI, and `where` that is in words.

    `public` is the word for its public part, where that is known; `password_env` the variable with its password;
    `variables` are the names of all those that let somebody sign: with the key, its password, access to a service.
    """

    where: str
    path: str = ""
    variable: str = ""
    uri: str = ""
    public: str = ""
    password_env: str = ""
    variables: tuple[str, ...] = ()

    def missing(self, environ: Mapping[str, str]) -> bool:
        """Whether the variable that should hold the key is empty, as it is where a secret is not given."""
        return bool(self.variable) and not environ.get(self.variable, "").strip()

    def lack(self, environ: Mapping[str, str]) -> str | None:
        """That it is missing, or the PIN for it, and why it may be, in words."""
        if self.missing(environ):
            return self._why_missing(environ)
        if self.uri and self.password_env and not environ.get(self.password_env):
            return f"the variable {self.password_env} for {self.where} is empty"
        return None

    def _why_missing(self, environ: Mapping[str, str]) -> str:
        if from_fork(environ):
            return f"{self.where} is empty, because a pull request from a fork gets no secrets"
        if self.variable == ACTION_KEY:
            return EMPTY_INPUT
        return (
            f"{self.where} is empty or not set. In CI this is mostly a secret that is not there: pull requests from "
            "forks get none, and the name of the secret must be right; set it"
        )

    def check_expected(self, expected: ExpectedStep, environ: Mapping[str, str]) -> None:
        """Refuse a key that is no functionary of the step, when it is known. Raises: Misused."""
        key = self.public_key(environ)
        if key is not None:
            expected.check_key(key)

    def check(self, environ: Mapping[str, str]) -> None:
        """Refuse what cannot become a signer, without reading a key.

        Raises: Misused.
        """
        if self.missing(environ):
            raise WrongKey(f"--key: {self._why_missing(environ)}; or say --if-no-credentials unsigned")
        if kind := elsewhere(self.uri):
            kind.check(self.uri, environ)
            if kind.needs_public_key and not self.public:
                raise WrongKey(f"--key: {self.where} needs its public key beside it: give --public-key PUB")
            if self.password_env:
                password_from(self.password_env, environ)
        if self.public:
            open_public_key(self.public, environ=environ)
        if not self.path:
            return
        if not os.access(self.path, os.R_OK):
            raise WrongKey(f"--key: {self.where} cannot be read; expected a PEM file, or env:NAME")
        if Path(self.path).is_dir():
            raise WrongKey(f"--key: {self.where} is a directory; expected a PEM file, or env:NAME")
        if self.path.endswith(".pub"):
            raise WrongKey(
                f"--key: {self.where} is a public key; give the private one, the file without .pub beside it"
            )

    def public_key(self, environ: Mapping[str, str]) -> Key | None:
        """The public key, if it is known: as it was given, of the keyring, or beside the private one (`keygen`)."""
        if self.public:
            return open_public_key(self.public, environ=environ)
        beside = Path(f"{self.path}.pub")
        if not self.path or not beside.is_file():
            return None
        return open_public_key(str(beside), environ=environ)


def credentials(
    word: str, password_env: str | None, environ: Mapping[str, str], public_key: str | None = None
) -> Credentials:
    """From KEY, which may not be empty, `--password-env` and `--public-key`.

    Raises: Misused for a word that names no private key; it is not repeated where it could be one.
    """
    check_private_word(word)
    password, public = password_env or "", public_key or ""
    if kind := elsewhere(word):
        names = [name for name in (password, *kind.private) if name]
        known = public or ("" if kind.needs_public_key else word)
        return Credentials(
            f"the key {word}", uri=word, public=known, password_env=password, variables=tuple(names)
        )
    named = parse_key_word(word, "private key", environ)
    names = [name for name in (named.variable, password) if name]
    return Credentials(
        named.where,
        named.path,
        named.variable,
        public=public,
        password_env=password,
        variables=tuple(names),
    )


def unsigned_because(
    given: WhoSigns | None, environ: Mapping[str, str], *, without: bool, pull_requests: bool
) -> str | None:
    """Why nothing is signed although a key was named, in words, or None.

    `without` allows an unsigned link where the key is missing; `pull_requests` signing in pull requests, which are
    looked at on GitHub only (otherwise it is true).
    """
    if not pull_requests and is_pull_request(environ):
        return (
            f"this run is for what is proposed ({environ['GITHUB_EVENT_NAME']}) and not merged, so the link is not "
            "signed; --sign-pull-requests (an input of the action too) signs it, and pull requests from forks have no "
            "secrets to sign with"
        )
    if without and given and (lack := given.lack(environ)):
        # Asked for, it is no mistake: what could be one, and what to do, is for those who did not.
        return f"{lack.partition('. ')[0]}, so the link is not signed (--if-no-credentials unsigned)"
    return None
