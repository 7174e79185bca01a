"""The OIDC token that says who signs without a key: given, or asked for where the job runs.

A token is a secret that lives minutes: it is asked for at the moment of signing, kept in memory, and in no message.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

import msgspec

from intoto_action.deadline import Deadline
from intoto_action.formats.token import Token, instant, parse_token
from intoto_action.keys.attempts import Attempts
from intoto_action.reason import Malformed, WrongIdentity

AUDIENCE = "sigstore"
"""For whom Fulcio's tokens are. Source: Sigstore client specification, "Authentication"."""
NOBODY = "nobody"
"""An audience that no service takes, for a token that is asked for to read what it says, as actions/attest does."""
TOKEN_VARIABLE = "SIGSTORE_ID_TOKEN"  # noqa: S105 (a name)
TOKEN_FLAG = "--identity-token"  # noqa: S105

_SKEW = 5.0
"""Seconds by which clocks may differ. Source: sigstore-python 4.5, `IdentityToken`."""


class IdentityToken(msgspec.Struct, frozen=True):
    """A token, and what it says."""

    secret: str
    said: Token

    def __repr__(self) -> str:
        return f"IdentityToken({self.said.issuer})"


class TokenSource(Protocol):
    """Somewhere a token can come from."""

    @property
    def where(self) -> str:
        """What its token is called in messages."""
        ...

    def missing(self) -> str | None:
        """Why no token can be had, and what to change, as far as it can be told without asking anybody; or None."""
        ...

    def check(self, audience: str) -> None:
        """Refuse at once, without asking anybody, what would be refused when something is to be signed.

        Raises: Misused.
        """
        ...

    def visibility(self) -> str:
        """Who can see the repository, as far as the token says it already; empty when that is not known yet."""
        ...

    def fetch(self, audience: str, attempts: Attempts) -> IdentityToken:
        """A token for that audience, which nobody has checked yet.

        Raises: Misused when none can be had here; Unavailable when its server does not give one.
        """
        ...


def token_source(
    environ: Mapping[str, str], *, given: str | None = None, from_fork: bool = False
) -> TokenSource:
    """Where the token comes from: `given` on the command line, else SIGSTORE_ID_TOKEN, else from where the job runs.

    An empty variable is an unset one. `from_fork` says that a pull request from a fork started the run, for the
    message. Nothing is asked yet.
    """
    from intoto_action.keys.oidc_ambient import AmbientTokens
    from intoto_action.keys.oidc_github import GithubTokens, is_github

    if given:
        return GivenToken(f"the token given with {TOKEN_FLAG}", given)
    if environ.get(TOKEN_VARIABLE):
        return GivenToken(f"the token in the environment variable {TOKEN_VARIABLE}", environ[TOKEN_VARIABLE])
    if is_github(environ):
        return GithubTokens(environ, from_fork=from_fork)
    return AmbientTokens(environ)


def fetch_claims(
    environ: Mapping[str, str], deadline: Deadline, *, given: str | None = None, from_fork: bool = False
) -> Mapping[str, object]:
    """What the identity provider says of this job: the claims of a token for an audience that nobody accepts.

    They come from the provider over TLS; nobody has checked the token's signature, and a token that was given may say
    anything. What binds is the certificate that Fulcio makes of such a token.
    Raises: Misused when no token can be had here, Unavailable when its server does not give one.
    """
    source = token_source(environ, given=given, from_fork=from_fork)
    return source.fetch(NOBODY, Attempts(deadline)).said.claims


class GivenToken:
    """A token that a person or a CI system put here; it cannot be had again for another audience, or later."""

    def __init__(self, where: str, text: str) -> None:
        self.where = where
        self._text = text.strip()

    def missing(self) -> str | None:
        """None: it is here."""
        return None

    def check(self, audience: str) -> None:
        """Refuse what is no token, or one that is for somebody else or over already. Raises: Misused."""
        check_token(self._read(audience), audience, self.where)

    def visibility(self) -> str:
        """As the token says it. Raises: Misused when it is none."""
        return self._read(AUDIENCE).said.visibility

    def fetch(self, audience: str, attempts: Attempts) -> IdentityToken:
        """The token as it is. Raises: Misused when it is none."""
        return self._read(audience)

    def _read(self, audience: str) -> IdentityToken:
        try:
            return IdentityToken(self._text, parse_token(self._text, self.where))
        except Malformed as error:
            raise WrongIdentity(
                f"{error}; give a token for the audience {audience} as its issuer made it"
            ) from None


def check_token(token: IdentityToken, audience: str, where: str, *, now: float | None = None) -> None:
    """Refuse a token that Fulcio would refuse, with what to change.

    Raises: Misused for another audience, and for one that is over or not yet good by this machine's clock.
    """
    said, now = token.said, time.time() if now is None else now
    if audience not in said.audiences:
        raise WrongIdentity(
            f"{where}: expected a token for the audience {audience!r}, found one for {_listed(said.audiences)}: ask "
            f"{said.issuer[:200]} for {audience!r} (on GitLab: id_tokens: {{{TOKEN_VARIABLE}: {{aud: {audience}}}}})"
        )
    if now >= said.expires:
        raise WrongIdentity(
            f"{where} was good until {instant(said.expires)}, and by the clock of this machine it is {instant(now)}: "
            "tokens live minutes, so ask for one right before signing (in GitHub Actions give none, it is asked for "
            "then); if it is fresh, set the clock"
        )
    begins = max(said.not_before or 0.0, (said.issued_at or 0.0) - _SKEW)
    if now < begins:
        raise WrongIdentity(
            f"{where} is good from {instant(begins)}, and by the clock of this machine it is {instant(now)}: the clock "
            f"is {begins - now:.0f} seconds slow; set it (NTP)"
        )


def _listed(audiences: tuple[str, ...]) -> str:
    return ", ".join(repr(each[:200]) for each in audiences[:5]) or "nobody"
