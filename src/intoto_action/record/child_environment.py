"""The environment of the wrapped command: ours, without what would let it sign or ask for a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

OWN_PREFIX = "INTOTO_ACTION_"
"""Every variable of ours: some hold keys or passwords, and the flags of this record are not those of a nested one."""
OIDC_VARIABLES = frozenset(
    {"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SIGSTORE_ID_TOKEN"}
)
SAME_TOKEN = "ACTIONS_RUNTIME_TOKEN"  # noqa: S105 - the name of a variable
"""The token that OIDC tokens are asked for with, under another name. Workflows that use GitHub's cache from a script
put it into GITHUB_ENV. Source: actions/runner, ContainerActionHandler.
"""


def child_environment(
    environ: Mapping[str, str], *, private: Iterable[str] = (), pass_oidc: bool = False
) -> dict[str, str]:
    """The variables that the command gets; `private` are more names it must not see: of the key, of its password.

    A job that may not ask for OIDC tokens keeps the token for its caches.
    """
    dropped = set(private) if pass_oidc else {*private, *OIDC_VARIABLES}
    if not pass_oidc and not OIDC_VARIABLES.isdisjoint(environ):
        dropped.add(SAME_TOKEN)
    return {
        name: value
        for name, value in environ.items()
        if name not in dropped and not name.startswith(OWN_PREFIX)
    }


def could_ask_for_oidc(environ: Mapping[str, str], *, pass_oidc: bool) -> bool:
    """Whether a command with that environment has a token, or where to ask for one."""
    return pass_oidc and not OIDC_VARIABLES.isdisjoint(environ)
