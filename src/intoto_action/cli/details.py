"""Details for the log of a job whose owner asked for them: GitHub sets RUNNER_DEBUG for the secret ACTIONS_STEP_DEBUG.

They are told by `logging`, under our own name, so that libraries that log what they send are not heard.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import click

from intoto_action.render.escape import annotation_message

VARIABLE = "RUNNER_DEBUG"
MOST = 1000
"""Lines of one verb: a registry must not fill the log."""
_NAME = "intoto_action"


def tell_details(environ: Mapping[str, str]) -> None:
    """From here on print details as `::debug::` on stderr, when the job was asked to debug."""
    if environ.get(VARIABLE) == "1":
        ours = logging.getLogger(_NAME)
        ours.propagate = False
        ours.setLevel(logging.DEBUG)
        ours.handlers = [_WorkflowCommands()]


class _WorkflowCommands(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._told = 0

    def emit(self, record: logging.LogRecord) -> None:
        self._told += 1
        if self._told <= MOST:
            click.echo(f"::debug::{annotation_message(record.getMessage(), limit=1000)}", err=True)
        elif self._told == MOST + 1:
            click.echo("::debug::more is not told", err=True)
