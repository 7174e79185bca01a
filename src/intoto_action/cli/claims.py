"""What the identity provider of this job says of it, for verbs that tell it on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from intoto_action.deadline import Deadline
from intoto_action.reason import Malformed, Misused, WrongIdentity

if TYPE_CHECKING:
    from intoto_action.formats.github_claims import GithubClaims


def github_claims(deadline: Deadline, remedy: str) -> GithubClaims:
    """The claims of this GitHub Actions job, from a token for an audience that nobody accepts.

    Raises: Misused with the remedy when there is no such token; Unavailable when its server does not give one.
    """
    from intoto_action.formats.github_claims import parse_github_claims
    from intoto_action.github.event import from_fork
    from intoto_action.keys.oidc import fetch_claims

    try:
        claims = fetch_claims(os.environ, deadline, from_fork=from_fork(os.environ))
        return parse_github_claims(claims, "the OIDC token")
    except (Misused, Malformed) as error:
        raise WrongIdentity(f"{error}\nWithout the OIDC token of a GitHub Actions job, {remedy}") from error
