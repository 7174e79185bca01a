"""What a verb hands to the runner of a GitHub job under `--github`: annotations, a summary, files of the job."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from intoto_action.cli.options import tell
from intoto_action.reason import IntotoActionError, WrongPlace

if TYPE_CHECKING:
    from intoto_action.store.job_token import JobToken

P = ParamSpec("P")
R = TypeVar("R")
_GITHUB = "https://github.com"


def notice(text: str) -> None:
    """Annotate the run with a fact that fails nothing."""
    from intoto_action.render.annotations import annotation

    click.echo(annotation("notice", text), nl=False, err=True)


def take_job_token(verb: str) -> JobToken | None:
    """The input `github-token` of a verb's action, taken out of the environment; None when it is empty.

    None too on another server: what GitHub Enterprise gives its jobs is no business of github.com's registry.
    Neither the programs that are started later nor other processes of this user can read it.
    """
    from intoto_action.keys.memory import clear_dumpable, withdraw
    from intoto_action.store import job_token

    variable = f"INTOTO_ACTION_{verb.upper()}_GITHUB_TOKEN"
    token = os.environ.get(variable, "").strip()
    if token:
        clear_dumpable()
    withdraw((variable,))
    is_ours = os.environ.get("GITHUB_SERVER_URL", "").rstrip("/") == _GITHUB
    return job_token.JobToken(token, job_token.REGISTRY) if token and is_ours else None


def summarise(markdown: str) -> None:
    """Add Markdown to the summary of the job; where that cannot be done, a note says so and nothing fails."""
    from intoto_action.github.summary import append_summary

    if fault := append_summary(os.environ, markdown):
        tell(f"there is no summary of this step: {fault}")


def failure_in_summary(heading: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """For a verb that has `github`: what keeps it from its work is in the summary of the job too, below `heading`."""

    def around(verb: Callable[P, R]) -> Callable[P, R]:
        @wraps(verb)
        def told(*args: P.args, **given: P.kwargs) -> R:
            try:
                return verb(*args, **given)
            except IntotoActionError as error:
                if given["github"]:
                    from intoto_action.render.failed import failed

                    summarise(failed(heading, error))
                raise

        return told

    return around


def job_file(name: str) -> Path:
    """A path for a file that later steps of the job read: new, in a directory of its own, outside the workspace.

    Raises: Misused when the runner named no directory for such files.
    """
    temporary = os.environ.get("RUNNER_TEMP", "")
    if not temporary:
        raise WrongPlace(
            "--github: expected the path of a directory in RUNNER_TEMP, found none; is this a job of GitHub Actions?"
        )
    try:
        parent = Path(temporary, "in-toto")
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=parent)).absolute() / name
    except OSError as error:
        raise WrongPlace(
            f"--github: no file can be made in RUNNER_TEMP {temporary}: {error.strerror}"
        ) from error
