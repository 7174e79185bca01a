"""The environment of the wrapped command: ours, without what would let it sign or ask for a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

OWN_PREFIX = "INTOTO_ACTION_"
"""Every variable of ours: some hold keys or passwords, and the flags of this record are not those of a nested one."""
OIDC_VARIABLES = frozenset(
    {"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SIGSTORE_ID_TOKEN"}
)


def child_environment(
    environ: Mapping[str, str], *, private: Iterable[str] = (), pass_oidc: bool = False
) -> dict[str, str]:
    """The variables that the command gets; `private` are more names it must not see: of the key, of its password."""
    dropped = set(private) if pass_oidc else {*private, *OIDC_VARIABLES}
    return {
        name: value
        for name, value in environ.items()
        if name not in dropped and not name.startswith(OWN_PREFIX)
    }


def could_ask_for_oidc(environ: Mapping[str, str], *, pass_oidc: bool) -> bool:
    """Whether a command with that environment has a token, or where to ask for one."""
    return pass_oidc and not OIDC_VARIABLES.isdisjoint(environ)
