"""The WWW-Authenticate header: how a registry wants to be asked.

Source: RFC 9110 section 11.6.1 (challenges), RFC 6750 (Bearer), and the distribution project's token specification.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_LONGEST = 8192
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (RFC 9110's word for a name)
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))\s*(?:,|\Z)')
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?:\s+|,|\Z)")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*\s*(?:,|\Z)")


class Challenge(msgspec.Struct, frozen=True):
    """One way to authenticate: the scheme in lower case, its parameters with names in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """The challenges of a header; what cannot be read ends the list, so that nothing is guessed.

    A parameter that is there twice makes its challenge unreadable too.
    """
    if len(header) > _LONGEST:
        return ()
    challenges: list[Challenge] = []
    place = 0
    while (scheme := _SCHEME.match(header, place)) is not None:
        found = _parameters(header, scheme.end())
        if found is None:
            break
        parameters, place = found
        challenges.append(Challenge(scheme[1].lower(), parameters))
    return tuple(challenges)


def _parameters(header: str, place: int) -> tuple[dict[str, str], int] | None:
    """The parameters from `place` on and where they end; None when one is there twice."""
    parameters: dict[str, str] = {}
    while (match := _PARAMETER.match(header, place)) is not None:
        name = match[1].lower()
        if name in parameters:
            return None
        parameters[name] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        place = match.end()
    if not parameters and (alone := _TOKEN68.match(header, place)) and "=" in alone[0]:
        place = alone.end()
    return parameters, place
