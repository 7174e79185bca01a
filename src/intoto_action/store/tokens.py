"""Authorization for one registry: none, Basic, or a Bearer token for exactly the scope that is needed.

Source: the distribution project's token authentication specification (GET with Basic, POST with a refresh token).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import urlencode

import msgspec

from intoto_action.formats.reference import DOCKER_HUB
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed, Unavailable
from intoto_action.store.address import Origin, is_loopback, origin_of
from intoto_action.store.challenge import Challenge, parse_challenges
from intoto_action.store.credentials import Credentials
from intoto_action.store.http import Answer, Request, Transport

KNOWN_REALMS = {DOCKER_HUB: "auth.docker.io", "registry.gitlab.com": "gitlab.com"}
"""Registries whose tokens come from another host, which everybody knows."""
_ANSWER_CAP = 1 << 18
_LONGEST_TOKEN = 1 << 16
_DEFAULT_LIFETIME = 60.0
_MARGIN = 10.0
_CLIENT = "intoto-action"


class _TokenAnswer(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    expires_in: float | None = None

    def __repr__(self) -> str:
        return "_TokenAnswer(…)"


class _NoToken(Unavailable):
    """The token server gives this person none."""


class Authorizer:
    """Makes the Authorization header of one registry's requests, and remembers it per scope while it is good.

    `realms` says per registry, as `--token-realm` does, which HOST or HOST:PORT may see its credentials beside its
    own; HOST alone is its port 443.
    """

    def __init__(
        self,
        registry: str,
        credentials: Callable[[], Credentials | None],
        transport: Transport,
        *,
        realms: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._find_credentials = credentials
        self._transport = transport
        self._realms = realms
        self._clock = clock
        self._looked = False
        self._credentials: Credentials | None = None
        self._challenge: Challenge | None = None
        self._cache: dict[str, tuple[str, float]] = {}

    @property
    def who(self) -> str:
        """In whose name requests are sent, for errors."""
        found = self._known()
        if found is None:
            return "no credentials"
        user = f"of {found.username!r} " if found.username else ""
        return f"the credentials {user}from {found.source}"

    @property
    def remedy(self) -> str:
        """What to do when that is refused, for errors."""
        found = self._known()
        return (found.remedy if found else "") or (
            f"log in with `docker login {self._registry}`, and look whether the repository exists and the account "
            "may do this"
        )

    def header(self, scope: str) -> str | None:
        """The header for a scope as far as it is known without asking: None before the first challenge."""
        value, until = self._cache.get(scope, (None, 0.0))
        if value is not None and self._clock() < until:
            return value
        return None if self._challenge is None else self._answer(self._challenge, scope)

    def challenged(self, answer: Answer, scope: str) -> str | None:
        """The header for a request that was answered with 401; None when there is nothing (new) to offer.

        Raises: Unavailable when the token's realm is not to be trusted or gives none.
        """
        challenges = parse_challenges(answer.headers.get("www-authenticate", ""))
        by_scheme = {each.scheme: each for each in reversed(challenges)}
        challenge = by_scheme.get("bearer") or by_scheme.get("basic")
        if challenge is None:
            return None
        self._challenge = challenge
        return self._answer(challenge, scope)

    def as_nobody(self, scope: str) -> str | None:
        """The header with which anybody reads, after a refusal to credentials that nobody logged in with.

        None when there are no such credentials, when it is no reading, or when the registry wants to know who asks.
        """
        challenge = self._challenge
        if challenge is None or challenge.scheme != "bearer" or not self._may_be_nobody(scope):
            return None
        with suppress(_NoToken):
            return self._remembered(scope, self._token(challenge, scope, None))
        return None

    def _may_be_nobody(self, scope: str) -> bool:
        found = self._known()
        return found is not None and found.offered and scope.endswith(":pull")

    def _answer(self, challenge: Challenge, scope: str) -> str | None:
        if challenge.scheme == "basic":
            found = self._known()
            return found.basic if found is not None and not found.identity_token else None
        try:
            return self._remembered(scope, self._token(challenge, scope, self._known()))
        except _NoToken:
            if (header := self.as_nobody(scope)) is not None:
                return header
            raise

    def _remembered(self, scope: str, token: tuple[str, float]) -> str:
        value, lifetime = token
        self._cache[scope] = (value, self._clock() + max(0.0, lifetime - _MARGIN))
        return value

    def _token(self, challenge: Challenge, scope: str, found: Credentials | None) -> tuple[str, float]:
        realm = self._realm(challenge)
        fields = {"service": challenge.parameters.get("service", ""), "scope": scope}
        request = self._token_request(realm, {k: v for k, v in fields.items() if v}, found)
        answer = self._transport.send(request)
        host = origin_of(realm)
        if answer.status in {400, 401, 403}:
            raise _NoToken(
                f"{self._registry}: {host} gives no token for {scope} with {self.who} (status {answer.status}); "
                f"{self.remedy}"
            )
        if answer.status != 200:
            raise Unavailable(f"{self._registry}: {host} answered {answer.status} when asked for a token")
        try:
            parsed = decode(answer.body, _TokenAnswer, f"token of {host}", cap=_ANSWER_CAP)
        except Malformed as error:
            raise Unavailable(f"{self._registry}: {host} answered with no token") from error
        token = parsed.token or parsed.access_token
        if not 0 < len(token) <= _LONGEST_TOKEN or not all("!" <= each <= "~" for each in token):
            raise Unavailable(f"{self._registry}: {host} answered with no token that can be sent")
        lifetime = parsed.expires_in if parsed.expires_in and parsed.expires_in > 0 else _DEFAULT_LIFETIME
        return f"Bearer {token}", lifetime

    def _token_request(self, realm: str, fields: dict[str, str], found: Credentials | None) -> Request:
        what = f"token for {self._registry}"
        if found is not None and found.identity_token:
            form = {
                "grant_type": "refresh_token",
                "client_id": _CLIENT,
                "refresh_token": found.identity_token,
            }
            return Request(
                method="POST",
                url=realm,
                what=what,
                cap=_ANSWER_CAP,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode({**form, **fields}).encode(),
            )
        query = urlencode({"client_id": _CLIENT, **fields} if found else fields)
        return Request(
            method="GET",
            url=f"{realm}{'&' if '?' in realm else '?'}{query}",
            what=what,
            cap=_ANSWER_CAP,
            authorization=found.basic if found else None,
        )

    def _realm(self, challenge: Challenge) -> str:
        """The URL that gives tokens, when it may see the credentials.

        Raises: Unavailable: a registry could otherwise have them sent to anybody.
        """
        text = challenge.parameters.get("realm", "")
        plain = 0 < len(text) <= 2048 and all("!" <= each <= "~" for each in text) and "\\" not in text
        origin = origin_of(text) if plain and "#" not in text else None
        if origin is None:
            raise Unavailable(f"{self._registry} asks for a token without a realm that is an http URL")
        if not self._may_see_credentials(origin):
            raise Unavailable(
                f"{self._registry} asks for tokens from {origin}, which is not its own host and port; nothing was "
                f"sent there. If that is where this registry's tokens come from, say --token-realm {self._registry}="
                f"{_host_and_port(origin)}"
            )
        return text

    def _may_see_credentials(self, realm: Origin) -> bool:
        """Whether a realm is the registry's own host and port, its known other host, or the one that was allowed.

        Another port may be another person's, but for a registry on loopback: there a token server of the same host
        has a port of its own and is this machine too. What was allowed was allowed to a login that
        somebody chose, and not to credentials that are only offered.
        """
        own = origin_of(f"https://{self._registry}")
        if own is None or (realm.scheme != "https" and not self._may_be_plain(realm, own)):
            return False
        if realm.host == own.host and is_loopback(own.host):
            return True
        found = self._known()
        told = None if found is not None and found.offered else self._realms.get(self._registry)
        others = (KNOWN_REALMS.get(self._registry), told)
        allowed = (own, *(origin_of(f"https://{each}") for each in others if each))
        return (realm.host, realm.port) in {(each.host, each.port) for each in allowed if each}

    def _may_be_plain(self, realm: Origin, own: Origin) -> bool:
        return is_loopback(realm.host) and is_loopback(own.host)

    def _known(self) -> Credentials | None:
        if not self._looked:
            self._credentials, self._looked = self._find_credentials(), True
        return self._credentials


def _host_and_port(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == 443 else f"{host}:{origin.port}"
