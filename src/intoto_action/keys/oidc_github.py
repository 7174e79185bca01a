"""Tokens of a job of GitHub Actions, from the server that the runner names.

Source: GitHub documentation, OpenID Connect reference: GET $ACTIONS_ID_TOKEN_REQUEST_URL with `&audience=`, and
`Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN`. The `id` library asks in the same way, without retries, and
answers every failure with one sentence about permissions.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import msgspec

from intoto_action.formats.identity import issuer_fault
from intoto_action.formats.strict_json import decode
from intoto_action.formats.token import TOKEN_CAP, parse_token, without_tokens
from intoto_action.keys.attempts import PASSING, Attempts, Passing
from intoto_action.keys.http_get import Answer, get
from intoto_action.keys.oidc import IdentityToken
from intoto_action.reason import Malformed, Reason, Unavailable, WrongIdentity

REQUEST_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 (a name)

_FORK = (
    "this run is for a pull request from a fork, and GitHub gives such runs no OIDC token, whatever `permissions` say; "
    "sign in a run for a push, after the merge"
)
_PERMISSION = (
    "this job may not ask for an OIDC token: add `id-token: write` to the `permissions:` of the job, beside what it "
    "needs already (`contents: read` mostly; in the job that calls a reusable workflow, too)"
)


class _Value(msgspec.Struct):
    value: str

    def __repr__(self) -> str:
        return "_Value(…)"


def is_github(environ: Mapping[str, str]) -> bool:
    """Whether tokens are to be had as a job of GitHub Actions has them."""
    return bool(environ.get("GITHUB_ACTIONS") or environ.get(REQUEST_URL))


class GithubTokens:
    """The token server of this job's runner. `from_fork` says that a pull request from a fork started the run."""

    where = "the OIDC token of this GitHub Actions job"

    def __init__(self, environ: Mapping[str, str], *, from_fork: bool) -> None:
        self._environ = environ
        self._from_fork = from_fork

    def missing(self) -> str | None:
        """Why the runner gives this job no token."""
        if self._environ.get(REQUEST_URL) and self._environ.get(REQUEST_TOKEN):
            return None
        return _FORK if self._from_fork else _PERMISSION

    def check(self, audience: str) -> None:
        """Refuse an address to which the right to ask would go without TLS. Raises: Misused."""
        url = self._environ.get(REQUEST_URL, "").partition("?")[0]
        if url and (fault := issuer_fault(url)):
            raise WrongIdentity(
                f"{REQUEST_URL}: expected an https URL, found {fault}: the runner sets it, so who changed it?"
            )

    def visibility(self) -> str:
        """Not known before the token is asked for."""
        return ""

    def fetch(self, audience: str, attempts: Attempts) -> IdentityToken:
        """A token for that audience.

        Raises: Misused when the runner gives none to this job; Unavailable when the server has none.
        """
        if why := self.missing():
            raise WrongIdentity(why)
        self.check(audience)
        base = self._environ[REQUEST_URL]
        url = f"{base}{'&' if '?' in base else '?'}audience={quote(audience, safe='')}"
        service = f"GitHub's token server {urlsplit(base).netloc}"
        headers = {
            "Authorization": f"bearer {self._environ[REQUEST_TOKEN]}",
            "Accept": "application/json",
        }
        answer = attempts.make(
            service, lambda: _passing(get(url, headers, TOKEN_CAP, self._environ), self._secrets)
        )
        return self._read(answer, service)

    @property
    def _secrets(self) -> tuple[str, ...]:
        return (self._environ[REQUEST_TOKEN],)

    def _read(self, answer: Answer, service: str) -> IdentityToken:
        if answer.status != 200:
            raise _unavailable(
                f"{service} refused to give a token (HTTP {answer.status}{_words(answer, self._secrets)}): the job's "
                "right to ask may be over, or its permissions were changed; run the job again"
            )
        try:
            secret = decode(answer.body, _Value, service).value
        except Malformed:
            raise _unavailable(
                f"{service}: expected JSON with a token in `value`, found another answer of {len(answer.body)} bytes: "
                "is a proxy in between that answers in its place?"
            ) from None
        try:
            return IdentityToken(secret, parse_token(secret, self.where))
        except Malformed as error:
            raise _unavailable(f"{service}: {error}") from None


def _passing(answer: Answer, secrets: tuple[str, ...]) -> Answer:
    """Raises: Passing when another attempt may bring another answer."""
    if answer.status in PASSING:
        raise Passing(f"HTTP {answer.status}{_words(answer, secrets)}", answer.retry_after)
    return answer


def _words(answer: Answer, secrets: tuple[str, ...]) -> str:
    words = " ".join(answer.body.decode(errors="replace").split())
    return f": {without_tokens(words, secrets)[:200]}" if words else ""


def _unavailable(said: str) -> Unavailable:
    return Unavailable(said, Reason.SIGSTORE_UNAVAILABLE)
