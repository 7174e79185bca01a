"""How verdicts leave a verb: printed in a form, written to a report, told by an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from intoto_action.formats.verdict import DENY, ERROR, PASS, Verdict, encode_verdict
from intoto_action.reason import ExitCode


def print_verdicts(verdicts: Sequence[Verdict], form: str) -> None:
    """Print to stdout as text, as Markdown, or as one JSON object a line."""
    from intoto_action.render.text import wants_colour

    colour = form == "text" and wants_colour(is_terminal=sys.stdout.isatty(), environ=os.environ)
    click.echo(shown(verdicts, form, colour=colour), nl=False, color=colour)


def shown(verdicts: Sequence[Verdict], form: str, *, colour: bool = False) -> str:
    """The verdicts in one of the forms, with a last newline."""
    if form == "json":
        return "".join(encode_verdict(each).decode() + "\n" for each in verdicts)
    if form == "markdown":
        from intoto_action.render.markdown import markdown

        rendered = markdown(verdicts)
    else:
        from intoto_action.render.text import text

        rendered = text(verdicts, colour=colour)
    return rendered if rendered.endswith("\n") else rendered + "\n"


def write_report(verdicts: Sequence[Verdict], path: Path) -> None:
    """Write the verdicts to a file: JSON or Markdown by its suffix, text otherwise.

    Raises: Misused when it cannot be written.
    """
    from intoto_action.store.files import write_whole

    form = {".json": "json", ".jsonl": "json", ".md": "markdown"}.get(path.suffix, "text")
    write_whole(path, shown(verdicts, form).encode(), overwrite=True)


def exit_code(verdicts: Sequence[Verdict], on_deny: str, let_through: ExitCode = ExitCode.PASS) -> ExitCode:
    """The worst of them: a denial before an error of the infrastructure; `warn` lets denials through, errors not.

    `let_through` is the code for denials that `warn` lets through: that of a rehearsal is no pass either. Nothing at
    all is a denial, and what is neither a pass nor let through keeps its own code.
    """
    if not verdicts or (on_deny != "warn" and any(each.verdict == DENY for each in verdicts)):
        return ExitCode.DENIED
    if any(each.verdict == ERROR for each in verdicts):
        return ExitCode.INFRASTRUCTURE
    others = (each.exit_code for each in verdicts if each.verdict not in {DENY, PASS})
    return next(others, let_through if any(each.verdict == DENY for each in verdicts) else ExitCode.PASS)
