"""The token of a GitHub job, for GitHub's registry where nobody logged in.

Every job has one, so that it is there says nothing about what the job is for. It goes to that registry alone, after the
files and helpers of docker and podman had no login for it; and where it opens nothing, everybody's door is tried too.
"""

from __future__ import annotations

import json

import msgspec

from intoto_action.store.credentials import Credentials

REGISTRY = "ghcr.io"
"""GitHub's own. No variable and no word of the command line names another."""
_USER = "x-access-token"
"""GitHub's name for whoever has a token; its registry looks at the token only."""
_REMEDY = (
    "give the job the permission `packages: read`, or `write` where it attaches, and the repository access in the "
    "settings of the package; or log in with docker/login-action"
)


class JobToken(msgspec.Struct, frozen=True):
    """A token and the one registry (host and port) that may see it. No secret in the repr."""

    token: str
    registry: str

    def __repr__(self) -> str:
        return f"JobToken(…, {self.registry!r})"

    def credentials(self) -> Credentials:
        """Who one is with it."""
        return Credentials("the input github-token", _USER, self.token, offered=True, remedy=_REMEDY)


def docker_config(registry: str, credentials: Credentials) -> bytes:
    """A config.json of docker in which this is the login for the registry, and there is no other.

    Source: docker/cli, cli/config/configfile.
    """
    auth = credentials.basic.removeprefix("Basic ")
    return json.dumps({"auths": {registry: {"auth": auth}}}).encode()
