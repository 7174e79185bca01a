"""A script of a workflow step, run as GitHub runs it.

Source: GitHub documentation, workflow syntax, `jobs.<job_id>.steps[*].shell`.
"""

from __future__ import annotations

import shlex

from intoto_action.reason import Misused

DEFAULT_SHELL = "bash"
_TEMPLATES = {
    "bash": "bash --noprofile --norc -eo pipefail {0}",
    "sh": "sh -e {0}",
    "python": "python {0}",
    "pwsh": "pwsh -command \". '{0}'\"",
}
_ENDINGS = {"bash": ".sh", "sh": ".sh", "python": ".py", "pwsh": ".ps1"}
_PLACE = "{0}"


def file_ending(shell: str) -> str:
    """What the name of the script's file ends in; PowerShell looks at it."""
    return _ENDINGS.get(shell, "")


def script_command(shell: str, path: str) -> tuple[str, ...]:
    """The command that runs the script at `path`; `shell` is a name that GitHub knows, or a template with {0}.

    Raises: Misused for another shell.
    """
    template = _TEMPLATES.get(shell, shell)
    if _PLACE not in template:
        raise Misused(
            f"shell: expected one of {', '.join(_TEMPLATES)}, or a command with {_PLACE}, found {shell[:100]!r}"
        )
    try:
        words = shlex.split(template)
    except ValueError as error:
        raise Misused(f"shell: {shell[:100]!r} cannot be split into words: {error}") from error
    return tuple(word.replace(_PLACE, path) for word in words)
