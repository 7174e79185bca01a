"""An identity provider that behaves like GitHub's: a job asks with its request token, and gets an RS256 token back.

Source: GitHub documentation, OpenID Connect reference ($ACTIONS_ID_TOKEN_REQUEST_URL with `&audience=`, an
Authorization of `bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN`, `{"value": TOKEN}`), and OpenID Connect discovery.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from tests.parts.github_job import GitHubJob
from tests.parts.loopback import Asked, Reply, Serving, json_reply, refusal

AUDIENCE = "sigstore"
LIFETIME = 300
"""Seconds that GitHub's tokens live."""

_KEY_ID = "tests"
_REQUESTS = "/token"
_SKEW = 5


@dataclass(frozen=True)
class Terms:
    """How the tokens of a job are made. In `claims`, None leaves a claim out; `born` seconds ago, or to come."""

    job: GitHubJob
    claims: Mapping[str, object]
    audience: str | None = None
    lifetime: int = LIFETIME
    born: int = 0


@dataclass(frozen=True)
class _Grant:
    """Who may ask with a request token, and what is said before the truth."""

    terms: Terms
    replies: Iterator[Reply]


class OidcIssuer(Serving):
    """The provider. `asked` holds the audience of every token that was asked for and given."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._grants: dict[str, _Grant] = {}
        self._lock = threading.Lock()

    def environ(self, terms: Terms, replies: Iterable[Reply] = ()) -> dict[str, str]:
        """The variables by which a job asks for its token; the replies come first, then the token, always."""
        request_token = secrets.token_hex(16)
        with self._lock:
            self._grants[request_token] = _Grant(terms, iter(replies))
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}{_REQUESTS}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request_token,
        }

    def token(self, terms: Terms, audience: str = AUDIENCE) -> str:
        """A token for an audience, if the terms do not name another."""
        now = int(time.time()) + terms.born
        claims = {
            **terms.job.token_claims,
            "iss": self.url,
            "aud": terms.audience or audience,
            "iat": now,
            "nbf": now - _SKEW,
            "exp": now + terms.lifetime,
            "jti": secrets.token_hex(8),
            **terms.claims,
        }
        said = {name: value for name, value in claims.items() if value is not None}
        # not jwt.encode, which makes claims right: some tests want them wrong
        payload = json.dumps(said).encode()
        return jwt.api_jws.encode(payload, self._key, "RS256", headers={"kid": _KEY_ID})

    def answer(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.path)
        match parts.path:
            case "/.well-known/openid-configuration":
                return json_reply(self._discovery())
            case "/jwks":
                key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
                return json_reply({"keys": [{**key, "kid": _KEY_ID, "alg": "RS256", "use": "sig"}]})
            case path if path == _REQUESTS and asked.method == "GET":
                return self._token_reply(asked, parse_qs(parts.query))
        return refusal(404, "not found")

    def _token_reply(self, asked: Asked, query: Mapping[str, list[str]]) -> Reply:
        scheme, _, request_token = asked.headers.get("authorization", "").partition(" ")
        with self._lock:
            grant = self._grants.get(request_token) if scheme.lower() == "bearer" else None
            reply = next(grant.replies, None) if grant else None
        if grant is None:
            return refusal(401, "the request token is not one of ours")
        if reply is not None:
            return reply
        audience = query.get("audience", [f"https://github.com/{grant.terms.job.owner}"])[0]
        self.asked.append(audience)
        return json_reply({"count": 1, "value": self.token(grant.terms, audience)})

    def _discovery(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public", "pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
        }
