"""The runner's file of outputs: `name=value` lines and heredocs.

Source: GitHub documentation, workflow commands, multiline strings; actions/runner FileCommandManager for what is
refused.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping

from intoto_action.reason import Malformed, WrongPlace
from intoto_action.system import open_to_append

VARIABLE = "GITHUB_OUTPUT"
STATE_VARIABLE = "GITHUB_STATE"


def append_outputs(environ: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Append outputs to the file that the runner named, each in a heredoc with a delimiter that nobody can guess.

    Raises: Misused when the runner named no file, or it cannot be written.
    """
    path = environ.get(VARIABLE, "")
    if not path:
        raise WrongPlace(
            f"--github: expected the path of a file in {VARIABLE}, found none; is this a job of GitHub Actions?"
        )
    text = "".join(_heredoc(name, value) for name, value in outputs.items())
    try:
        descriptor = open_to_append(path)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise WrongPlace(f"--github: {VARIABLE} {path} cannot be written: {error.strerror}") from error


def parse_outputs(raw: bytes, where: str) -> dict[str, str]:
    """What a step wrote to its file of outputs; the last value of a name counts, as for the runner.

    Raises: Malformed for what the runner would refuse.
    """
    try:
        lines = iter(raw.decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n").split("\n"))
    except UnicodeDecodeError as error:
        raise Malformed(where, "text in UTF-8", "something else") from error
    found: dict[str, str] = {}
    for line in lines:
        if not line:
            continue
        name, equals, value = line.partition("=")
        heredoc, marker, delimiter = line.partition("<<")
        if marker and (not equals or len(heredoc) < len(name)):
            name, value = heredoc, _until(lines, delimiter, where)
        elif not equals:
            raise Malformed(where, "lines name=value, or name<<DELIMITER", repr(line[:100]))
        if not name:
            raise Malformed(where, "a name before = or <<", repr(line[:100]))
        found[name] = value
    return found


def _until(lines: Iterator[str], delimiter: str, where: str) -> str:
    if not delimiter:
        raise Malformed(where, "a delimiter after <<", "none")
    value: list[str] = []
    for line in lines:
        if line == delimiter:
            return "\n".join(value)
        value.append(line)
    raise Malformed(where, f"a line {delimiter[:100]!r} after the value", "the end")


def _heredoc(name: str, value: str) -> str:
    delimiter = f"ghadelimiter_{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
