"""How verdicts leave a verb: printed in a form, written to a report, told by an exit code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from intoto_action.formats.verdict import DENY, ERROR, PASS, Verdict, encode_verdict
from intoto_action.reason import ExitCode

_PINNED = re.compile(r"(?:\A|@)sha256:[0-9a-f]{64}\Z")


def print_verdicts(verdicts: Sequence[Verdict], form: str, *, for_runner: bool = False) -> None:
    """Print to stdout as text, as Markdown, or as one JSON object a line; text for the log of a job is folded."""
    if for_runner and form == "text":
        _print_folded(verdicts)
        return
    from intoto_action.render.text import wants_colour

    colour = form == "text" and wants_colour(is_terminal=sys.stdout.isatty(), environ=os.environ)
    click.echo(shown(verdicts, form, colour=colour), nl=False, color=colour)


def _print_folded(verdicts: Sequence[Verdict]) -> None:
    """What did not pass, then one line for what did, with all of it folded below.

    Only the lines that fold are read as commands: everything in the others is escaped for a terminal.
    """
    from intoto_action.render.text import headline

    passed = [each for each in verdicts if each.verdict == PASS]
    others = [each for each in verdicts if each.verdict != PASS]
    if others or not passed:
        click.echo(shown(others, "text"), nl=False)
    if passed:
        folded = f"::group::What was verified\n{shown(passed, 'text')}::endgroup::"
        click.echo(f"{headline(passed)}\n{folded}")


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


NOTHING = Verdict(verdict=DENY)
"""What is told where there was nothing to decide on: never a pass."""


def hand_over(verdicts: Sequence[Verdict], report: Path, on_deny: str, layout: Path | None = None) -> None:
    """Hand verdicts to the runner of a GitHub job: outputs, annotations, the summary.

    `layout` is the file of the layout, when there is one.
    Raises: Misused when the runner has no file for outputs.
    """
    from intoto_action.cli.runner import summarise
    from intoto_action.github.outputs import append_outputs
    from intoto_action.render.markdown import markdown

    append_outputs(os.environ, outputs(verdicts) | {"report-path": str(report.absolute())})
    only_warns = on_deny == "warn" and exit_code(verdicts, on_deny) is ExitCode.PASS
    annotate(verdicts, layout, level="warning" if only_warns else "error")
    summarise(markdown(verdicts))


def annotate(
    verdicts: Sequence[Verdict], layout: Path | None, level: Literal["error", "warning"] = "error"
) -> None:
    """Annotate the run of a GitHub job with what was denied, on the lines of layout.yaml where they are known."""
    from intoto_action.cli.layout_lines import lines_in
    from intoto_action.render.annotations import workflow_commands

    line_of = lines_in(os.environ.get("GITHUB_WORKSPACE", ""), layout)
    click.echo(workflow_commands(verdicts, level=level, line_of=line_of), nl=False, err=True)


def outputs(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """What a later step can ask for: of several verdicts, what the first says that did not pass.

    `image` is for deploying: only what a digest names, one a line (of an image directory, the digest).
    """
    first = next((each for each in verdicts if each.verdict != PASS), verdicts[0] if verdicts else NOTHING)
    steps = [each.name for each in first.steps if each.verdict == DENY]
    steps += [each.step for each in first.explanation if each.step is not None]
    return {
        "verdict": first.verdict,
        "reason": first.reason.value if first.reason else "",
        "failed-step": steps[0] if steps else "",
        "image": "\n".join(each.image for each in verdicts if _PINNED.search(each.image)),
    }


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
