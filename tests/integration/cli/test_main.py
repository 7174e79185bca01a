from __future__ import annotations

import errno
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from intoto_action import __version__
from intoto_action.cli import main as module
from intoto_action.cli.main import main
from intoto_action.keys.keygen import generate
from intoto_action.reason import (
    Denied,
    Finding,
    IntotoActionError,
    Malformed,
    Misused,
    Reason,
    Unavailable,
    WrongKey,
)

LATE = Finding(reason=Reason.RULE_VIOLATION, expected="no evil", found="evil\x1b[2J", step="build")
EARLY = Finding(reason=Reason.LINK_MISSING, expected="a link", found="none", step="scan")


GITHUB: list[click.Parameter] = [click.Option(["--github"], is_flag=True)]


def told(
    error: BaseException | None,
    monkeypatch: pytest.MonkeyPatch,
    result: object = None,
    words: Sequence[str] = ("verb",),
) -> tuple[int, str]:
    """Exit code and stderr of a verb that raises this error, or returns this result."""

    def fail(**_: bool) -> object:
        if error is not None:
            raise error
        return result

    monkeypatch.setattr(
        module.Verbs, "get_command", lambda *_: click.Command("verb", callback=fail, params=GITHUB)
    )
    ended = CliRunner().invoke(main, words)
    assert ended.stdout == ""
    return ended.exit_code, ended.stderr


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Misused("give a key"), 2, "error: give a key (docs/reason-codes.md#wrong-input)\n"),
        (WrongKey("one\ntwo"), 2, "error: one\ntwo\n  docs: docs/reason-codes.md#wrong-key\n"),
        (
            Malformed("x.json", "an object", "a list"),
            2,
            "error: x.json: expected an object, found a list (docs/reason-codes.md#wrong-document)\n",
        ),
        (
            Unavailable("no answer"),
            3,
            "error: registry-error: no answer (docs/reason-codes.md#registry-error)\n",
        ),
        (
            Unavailable("no answer", Reason.SIGSTORE_UNAVAILABLE),
            3,
            "error: sigstore-unavailable: no answer (docs/reason-codes.md#sigstore-unavailable)\n",
        ),
        (
            click.UsageError("no such thing"),
            2,
            "Usage: main verb [OPTIONS]\nerror: no such thing (docs/reason-codes.md#wrong-input)\n",
        ),
        (
            click.ClickException("no such thing"),
            2,
            "error: no such thing (docs/reason-codes.md#wrong-input)\n",
        ),
        (
            OSError(errno.ENOSPC, "full"),
            3,
            "error: there is no space left to write to, so what was said may be incomplete "
            "(docs/reason-codes.md#wrong-file)\n",
        ),
        (KeyboardInterrupt(), 130, "\ninterrupted: nothing more was done\n"),
        (click.Abort(), 130, "interrupted: nothing more was done\n"),
        (SystemExit(7), 7, ""),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_code(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(error, monkeypatch) == (code, message)


@pytest.mark.parametrize(
    ("findings", "code", "first"),
    [
        ((LATE, EARLY), 1, 'denied: link-missing · step "scan"'),
        ((LATE,), 1, 'denied: rule-violation · step "build"'),
        (
            (Finding(reason=Reason.REGISTRY_ERROR, expected="an answer", found="none"),),
            3,
            "error: registry-error",
        ),
    ],
)
def test_a_denial_is_told_with_its_facts(
    findings: tuple[Finding, ...], code: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, message = told(Denied(*findings), monkeypatch)
    assert ended == code
    assert message.splitlines()[0] == first
    assert "\x1b" not in message


@pytest.mark.parametrize("length", [1, 480])
def test_a_denial_in_a_job_says_once_where_it_is_explained_however_long_its_names_are(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(f"{'a' * length}{number}" for number in range(10))
    finding = Finding(reason=Reason.RULE_VIOLATION, expected="one", found="another", artifacts=names)
    code, message = told(Denied(finding), monkeypatch, words=("verb", "--github"))
    (line,) = message.splitlines()
    assert (code, line.startswith("::error ")) == (1, True)
    assert line.count("docs/reason-codes.md#rule-violation") == 1


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (1, 1), (4, 4), ("words", 0)])
def test_a_number_that_a_verb_returns_is_the_exit_code(
    result: object, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(None, monkeypatch, result) == (code, "")


def test_an_error_cannot_write_to_the_terminal_or_start_a_workflow_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, message = told(Misused("a\x1b[2Jb\n::add-mask::x"), monkeypatch)
    assert message == "error: a\\x1b[2Jb\n\\x3a:add-mask::x\n  docs: docs/reason-codes.md#wrong-input\n"


@pytest.mark.parametrize(
    "error", [Misused("a" * 100_000), Unavailable("a" * 100_000), Malformed("a" * 9999, "", "")]
)
@pytest.mark.parametrize("words", [["verb"], ["verb", "--github"]])
def test_however_much_others_wrote_it_is_said_where_that_is_explained(
    error: IntotoActionError, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, message = told(error, monkeypatch, words=words)
    assert message.endswith(f" (docs/reason-codes.md#{error.topic.value})\n")
    assert message.count("\n") == 1 and len(message) < 5000


def test_an_unexpected_exception_is_an_internal_error_without_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, message = told(ZeroDivisionError("a secret"), monkeypatch)
    assert code == 1
    assert message.startswith("internal-error: ZeroDivisionError where none was expected.")
    assert "INTOTO_ACTION_DEBUG=1" in message
    assert message.endswith(" (docs/reason-codes.md#internal-error)\n")
    assert "Traceback" not in message
    assert "a secret" not in message


def test_a_traceback_is_there_for_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTOTO_ACTION_DEBUG", "1")
    _, message = told(
        ZeroDivisionError("a\x1b[2J\n::add-mask::x\n ##[error]y\r::stop-commands::z"), monkeypatch
    )
    assert message.startswith("Traceback (most recent call last):\n  File ")
    assert message.splitlines()[-4:-1] == [
        "ZeroDivisionError: a\\x1b[2J",
        "\\x3a:add-mask::x",
        " #\\x23[error]y\\r\\x3a:stop-commands::z",
    ]


def test_a_verb_that_nobody_knows_is_a_usage_error() -> None:
    ended = CliRunner().invoke(main, ["no-such-verb"])
    assert ended.exit_code == 2
    assert "No such command 'no-such-verb'" in ended.stderr


@pytest.mark.parametrize("word", ["a\x00b", "\ud800", "\udfff"])
def test_a_word_that_no_system_hands_over_is_a_usage_error(word: str) -> None:
    result = CliRunner().invoke(main, ["evidence", "extract", "oci-layout:x", word])
    assert result.exit_code == 2
    assert "internal-error" not in result.output


def test_without_a_verb_the_help_is_shown_and_nothing_passes() -> None:
    ended = CliRunner().invoke(main, [])
    assert ended.exit_code == 2
    assert "Verbs:" in ended.stderr


def test_the_help_lists_the_verbs_in_order_and_imports_none() -> None:
    ended = run(
        "--help",
        prelude=at_exit("'intoto_action.cli.sign' in sys.modules"),
    )
    assert ended.returncode == 0
    assert ended.stdout.index("\n  keygen") < ended.stdout.index("\n  sign")
    assert ended.stdout.endswith("False\n")


@pytest.mark.parametrize("verb", main.list_commands(click.Context(main)))
def test_every_verb_is_a_command_of_its_name_with_an_example_in_its_help(verb: str) -> None:
    command = main.get_command(click.Context(main), verb)
    assert command is not None
    assert command.name == verb
    shown = command.get_help(click.Context(command, info_name=verb))
    if not isinstance(command, click.Group):
        assert "Example:" in shown


def at_exit(expression: str) -> str:
    """Code that prints what `expression` is when the process ends."""
    return f"import atexit; atexit.register(lambda: print({expression}))"


def run(*words: str, prelude: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    script = f"import sys\n{prelude}\nfrom intoto_action.cli.main import main\nmain({list(words)!r})"
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )


def test_the_version_is_printed_without_heavy_imports() -> None:
    heavy = "rich", "requests", "yaml", "cryptography", "securesystemslib", "in_toto", "ctypes", "pathspec"
    ended = run("--version", prelude=at_exit(f"[each for each in {heavy!r} if each in sys.modules]"))
    assert ended.stdout == f"intoto-action {__version__}\n[]\n"


@pytest.mark.parametrize(
    "variable",
    [
        "_INTOTO_ACTION_COMPLETE",
        "_PYTHON_C_COMPLETE",
        "_PYTHON_M_INTOTO_ACTION_COMPLETE",
        "_COMPLETE",
        "COMPLETE",
    ],
)
@pytest.mark.parametrize("words", [["no-such-verb"], ["sign"]])
def test_no_variable_makes_a_verb_print_a_completion_script_and_pass(words: list[str], variable: str) -> None:
    ended = run(*words, **{variable: "bash_source", "COMP_WORDS": "", "COMP_CWORD": "0"})
    assert ended.returncode == 2
    assert ended.stdout == ""


def test_a_reader_that_goes_away_is_no_pass_and_no_noise() -> None:
    script = "from intoto_action.cli.main import main; main(['--help'])"
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_the_module_runs_as_the_command_does(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "intoto_action", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert ended.stdout == f"intoto-action {__version__}\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_fault_of_ours(closed: str, tmp_path: Path) -> None:
    script = Path(sysconfig.get_path("scripts")) / "intoto-action"
    words = f"'{script}' verify --layout-key missing.pub --digest sha256:00 --bundle missing {closed}"
    done = subprocess.run(["sh", "-c", words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "internal-error" not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
@pytest.mark.parametrize(
    "words",
    [
        ("layout", "lint", "FILE"),
        ("layout", "sign", "--key", "FILE", "FILE"),
        ("layout", "show", "PEM"),
        ("layout", "show", "env:PEM"),
        ("record", "PEM", "--", "true"),
    ],
)
def test_a_private_key_that_was_given_for_something_else_is_not_shown(
    tmp_path: Path, words: tuple[str, ...], kind: str
) -> None:
    pem = generate(kind, None).private_pem.decode()
    path = tmp_path / "owner"
    path.write_text(pem)
    given = [word.replace("PEM", pem).replace("FILE", str(path)) for word in words]
    ended = CliRunner().invoke(main, given)
    assert ended.exit_code != 0
    assert not any(line in ended.output for line in pem.split("\n")[1:-2])
    assert "(a private key, not shown)" in ended.output
