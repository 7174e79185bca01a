"""What the runner's variables say of the run."""

from __future__ import annotations

from collections.abc import Mapping

_SERVER = "https://github.com"
_VARIABLES = {
    "repository": "GITHUB_REPOSITORY",
    "sha": "GITHUB_SHA",
    "ref": "GITHUB_REF",
    "event": "GITHUB_EVENT_NAME",
    "run_id": "GITHUB_RUN_ID",
    "run_attempt": "GITHUB_RUN_ATTEMPT",
    "job": "GITHUB_JOB",
    "workflow_ref": "GITHUB_WORKFLOW_REF",
}


def on_github(environ: Mapping[str, str]) -> bool:
    """Whether this is a job of GitHub Actions."""
    return environ.get("GITHUB_ACTIONS") == "true"


def link_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """`{"github": {…}}` for a link's environment, nothing elsewhere.

    A repository on another server than github.com is recorded with the server's address, because `octo/app` is
    somebody else's there. Source: GitHub documentation, default environment variables.
    """
    if not on_github(environ):
        return {}
    github = {field: environ.get(variable, "") for field, variable in _VARIABLES.items()}
    server = environ.get("GITHUB_SERVER_URL", _SERVER).rstrip("/")
    if server not in {_SERVER, ""}:
        github["repository"] = f"{server}/{github['repository']}"
    return {"github": github}
