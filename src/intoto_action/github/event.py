"""What started the run."""

from __future__ import annotations

from collections.abc import Mapping


def is_pull_request(environ: Mapping[str, str]) -> bool:
    """Whether a pull request started this run (its review and its comments on code included).

    Source: GitHub documentation, events that trigger workflows: all their names begin with `pull_request`.
    """
    return environ.get("GITHUB_EVENT_NAME", "").startswith("pull_request")
