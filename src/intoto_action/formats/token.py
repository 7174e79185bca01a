"""OIDC tokens: what one says of a job or a person. Whether it is true is for Fulcio to check, not for us.

Source: RFC 7519 (JWT), OpenID Connect Core 1.0, section 2 (ID Token). Sigstore's clients hand a token on as it is.
A token is a secret: no message here holds a part of one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed

T = TypeVar("T")

TOKEN_CAP = 64 << 10
"""Characters of the longest token that is read."""

_PART = re.compile(r"[A-Za-z0-9_-]+\Z")
_JSON_IN_BASE64 = re.compile(r"eyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){0,2}")
_HIDDEN = "(a token, not shown)"
_LATEST = 253_402_300_799.0
"""The last second of the year 9999: a later one is no instant to Python."""

_EXPECTED = "an OIDC token (three parts of base64url with dots between them)"
_VISIBILITY = ("repository_visibility", "project_visibility")
"""GitHub's and GitLab's claim of who can see the repository."""


class Token(msgspec.Struct, frozen=True):
    """What a token says, unchecked: `claims` are all of them, and the token itself is not kept here.

    Instants are seconds of Unix time; `not_before` and `issued_at` are None when nothing was said.
    """

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    expires: float
    not_before: float | None
    issued_at: float | None
    claims: Mapping[str, object]

    @property
    def visibility(self) -> str:
        """Who can see the repository, as its host says it: `public`, `private`, `internal`; empty when nobody says."""
        return next((str(self.claims[name]) for name in _VISIBILITY if self.claims.get(name)), "")


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    nbf: float | None = None
    iat: float | None = None


def parse_token(text: str, where: str) -> Token:
    """Read a token; `where` says in messages where it came from.

    Raises: Malformed, which holds no part of it.
    """
    if len(text) > TOKEN_CAP:
        raise Malformed(where, f"a token of at most {TOKEN_CAP} characters", f"{len(text)}")
    parts = text.split(".")
    if len(parts) != 3 or not all(_PART.match(part) for part in parts):
        raise Malformed(where, _EXPECTED, "something else (not shown: it may be a secret)")
    payload = _decoded(parts[1], where)
    known = _read(payload, _Claims, where)
    instants = [each for each in (known.exp, known.nbf, known.iat) if each is not None]
    if not all(0 <= each <= _LATEST for each in instants):
        raise Malformed(where, "instants of this age in the token", "others")
    audiences = (known.aud,) if isinstance(known.aud, str) else tuple(known.aud)
    return Token(
        known.iss,
        known.sub,
        audiences,
        known.exp,
        known.nbf,
        known.iat,
        _read(payload, dict[str, object], where),
    )


def instant(seconds: float) -> str:
    """Unix time as a person reads it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def without_tokens(text: str, secrets: Iterable[str] = ()) -> str:
    """`text`, which a service or a library wrote, without any token and without these other secrets."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN) if secret else text
    return _JSON_IN_BASE64.sub(_HIDDEN, text)


def _decoded(part: str, where: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise Malformed(where, _EXPECTED, "base64url that is broken off") from None


def _read(payload: bytes, type_: type[T], where: str) -> T:
    """The errors of the reader may quote what they read, and are not handed on."""
    try:
        return decode(payload, type_, where, cap=TOKEN_CAP)
    except Malformed:
        expected = "a JSON object with the claims iss, sub, aud and exp in the token"
        raise Malformed(where, expected, "another document") from None
