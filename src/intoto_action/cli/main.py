"""The command line: one table of verbs, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click

from intoto_action import __version__
from intoto_action.reason import (
    Denied,
    ExitCode,
    Malformed,
    Misused,
    Reason,
    Topic,
    Trouble,
    Unavailable,
)
from intoto_action.system import write_plainly

VERBS: Mapping[str, str] = {
    "keygen": "Make a key pair.",
    "layout": "Sign, show or check a layout.",
    "record": "Run a step and record what went in and came out.",
    "sign": "Sign the link that `record --unsigned` left.",
    "attach": "Put links and layout on an image.",
    "provenance": "Write SLSA provenance for an image.",
    "verify": "Check an image against a layout, and explain.",
    "evidence": "Take the evidence of an image apart.",
    "inspect": "Run a built-in inspection on a directory of links.",
    "demo": "See the whole chain pass, and six attacks denied.",
}
"""Verb to its line in --help; `intoto_action.cli.VERB` holds the command VERB, imported when it is called."""

DEBUG = "INTOTO_ACTION_DEBUG"
INTERRUPTED = 130
"""128 and the number of SIGINT, as shells report it."""
BROKEN_PIPE = 141
"""128 and the number of SIGPIPE: whoever read our output went away, so nobody has seen a verdict."""

_ERROR = "error: "
_NO_COMPLETION = "="
"""No environment variable can have this name.

click prints a completion script and ends with 0 when a variable in the environment asks for it. An earlier
step of a job can set variables, and a `verify` that ends with 0 has passed.
"""

_LONGEST = 4000
"""Characters of one line, or of an annotation, that are shown."""

_NO_WORD = re.compile("[\x00\ud800-\udc7f\udd00-\udfff]")
"""What no system hands over in a word: Python has U+DC80 to U+DCFF for bytes that are no UTF-8, no other surrogates."""


class Verbs(click.Group):
    """Verbs that are imported when they are called, and errors told in one place."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of the table."""
        return [verb for verb in VERBS if find_spec(_module(verb))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of that name, imported now; None when there is none."""
        if cmd_name not in VERBS or not find_spec(_module(cmd_name)):
            return None
        command = getattr(import_module(_module(cmd_name)), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their lines, none of them imported for it."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, VERBS[verb]) for verb in self.list_commands(ctx)])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,  # noqa: ANN401 - handed to click as it came
    ) -> NoReturn:
        """Run the verb and end the process; what a verb returns, if it is a number, is the exit code."""
        _open_closed_streams()
        if args is None:
            _take_termination_for_an_interrupt()
        sys.exit(self._exit_code(args, prog_name or "intoto-action", extra))

    def _exit_code(self, args: Sequence[str] | None, prog_name: str, extra: Mapping[str, Any]) -> int:
        say = _tell
        if _is_for_runner(sys.argv[1:] if args is None else args):
            say = _annotate
            if os.environ.get("RUNNER_DEBUG"):
                from intoto_action.cli.details import tell_details

                tell_details(os.environ)
        if any(_NO_WORD.search(word) for word in (sys.argv[1:] if args is None else args)):
            said = "error: expected words without NUL characters and lone surrogates"
            return say(Answer(said, ExitCode.USAGE, Trouble.INPUT))
        # Of a stranger's certificate; it would be told on stderr, in words that are not for its reader.
        warnings.filterwarnings("ignore", message="Parsed a serial number")
        try:
            # On Windows click would put files for globs, and values for $NAME, in our words: patterns are read by us.
            options = {**extra, "standalone_mode": False, "windows_expand_args": False}
            result = super().main(args, prog_name, _NO_COMPLETION, **options)
            sys.stdout.flush()
        except BrokenPipeError:
            return _leave_the_pipe()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                return say(_internal(error))
            said = "error: there is no space left to write to, so what was said may be incomplete"
            return say(Answer(said, ExitCode.INFRASTRUCTURE, Trouble.FILE))
        except Exception as error:  # noqa: BLE001 - the outermost door: nobody gets a traceback unasked
            return say(next(answer(error) for kind, answer in _ANSWERS if isinstance(error, kind)))
        return int(result) if isinstance(result, int) else ExitCode.PASS

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's own
    ) -> click.Context:
        """Read the words of the command line; --help and --version print here."""
        with _reader():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb."""
        with _reader():
            return super().invoke(ctx)


@contextmanager
def _reader() -> Iterator[None]:
    """Tell a reader of our output who went away from a denial: click makes exit code 1 of both."""
    try:
        yield
    except BrokenPipeError as error:
        raise click.exceptions.Exit(_leave_the_pipe()) from error


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="intoto-action", message="%(prog)s %(version)s")
def main() -> None:
    """A chain of custody for container images: record steps, attach the evidence, verify it.

    `intoto-action VERB --help` shows an example of each verb.
    """


def _module(verb: str) -> str:
    return f"intoto_action.cli.{verb}"


class Answer(NamedTuple):
    """What is said of an error, and what the process ends with.

    `topic` is where the documentation explains it, None when it needs none; `has_docs` when what is said ends with that
    already; `usage` are lines for the log.
    """

    said: str
    code: int
    topic: Topic | None = None
    usage: str = ""
    has_docs: bool = False


def _aborted(_: click.Abort) -> Answer:
    return Answer("interrupted: nothing more was done", INTERRUPTED)


def _misused(error: click.ClickException) -> Answer:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return Answer(error.format_message(), ExitCode.USAGE)
    usage = error.ctx.get_usage() if isinstance(error, click.UsageError) and error.ctx else ""
    return Answer(f"{_ERROR}{error.format_message()}", ExitCode.USAGE, Trouble.INPUT, usage)


def _wrong(error: Misused | Malformed) -> Answer:
    return Answer(f"{_ERROR}{error}", ExitCode.USAGE, error.topic)


def _unavailable(error: Unavailable) -> Answer:
    return Answer(f"{_ERROR}{error.reason.value}: {error}", ExitCode.INFRASTRUCTURE, error.topic)


def _denied(error: Denied) -> Answer:
    from intoto_action.render.text import findings

    return Answer(findings(error.findings), error.reason.exit_code, error.reason, has_docs=True)


def _internal(error: Exception) -> Answer:
    if os.environ.get(DEBUG):
        import traceback

        for line in _lines("".join(traceback.format_exception(error)).rstrip("\n")):
            click.echo(line, err=True)
    said = (
        f"{Reason.INTERNAL_ERROR.value}: {type(error).__name__} where none was expected. This is a fault of "
        f"intoto-action, not of yours: run it again with {DEBUG}=1 for a traceback, and report that"
    )
    return Answer(said, Reason.INTERNAL_ERROR.exit_code, Reason.INTERNAL_ERROR)


def _is_for_runner(words: Sequence[str]) -> bool:
    """Whether a runner reads what is said: `--github` among our own words. It is for the looks of an error only."""
    return "--github" in words[: words.index("--") if "--" in words else None]


def _annotate(answer: Answer) -> int:
    """Say an error as the runner takes it for an annotation of the run; usage stays in the log."""
    from intoto_action.render.annotations import annotation

    for line in _lines(answer.usage):
        click.echo(line, err=True)
    said = answer.said.removeprefix(_ERROR)
    has_docs = answer.has_docs and len(said) <= _LONGEST  # what is cut has them no more
    topic = None if has_docs else answer.topic
    click.echo(annotation("error", said, limit=_LONGEST, topic=topic), nl=False, err=True)
    return answer.code


def _tell(answer: Answer) -> int:
    from intoto_action.render.sentences import anchor

    lines = _lines(answer.said)
    topic = None if answer.has_docs else answer.topic
    if topic is not None and len(lines) == 1:
        lines = [f"{lines[0]} ({anchor(topic)})"]
    elif topic is not None:  # as a denial has it: behind the last of several it would seem to be of that one
        lines.append(f"  docs: {anchor(topic)}")
    for line in (*_lines(answer.usage), *lines):
        click.echo(line, err=True)
    return answer.code


def _lines(text: str) -> list[str]:
    """What may hold others' words, a line at a time, as a terminal or a log may have it."""
    from intoto_action.render.escape import terminal, without_private_key

    return [terminal(line, limit=_LONGEST) for line in without_private_key(text).split("\n")] if text else []


def _open_closed_streams() -> None:
    """Give a process that was started without stdout, stderr or stdin (`>&-`) ones that lead nowhere.

    Python has None in their place, and whatever writes first would end as a fault of ours.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for the whole process
        elif mode == "w":
            write_plainly(getattr(sys, name))


def _take_termination_for_an_interrupt() -> None:
    """Have SIGTERM raise what SIGINT raises: CI systems cancel a job with either, and both leave no file half-made.

    One that whoever started us ignores stays ignored.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, interrupt)


def _leave_the_pipe() -> int:
    """Point stdout at nothing, so that the interpreter's last flush fails no more."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    return BROKEN_PIPE


_ANSWERS: tuple[tuple[type[Exception], Callable[[Any], Answer]], ...] = (
    (click.Abort, _aborted),
    (click.ClickException, _misused),
    (Denied, _denied),
    (Misused, _wrong),
    (Malformed, _wrong),
    (Unavailable, _unavailable),
    (Exception, _internal),
)
"""Exception to what is said and returned; the first that fits."""
