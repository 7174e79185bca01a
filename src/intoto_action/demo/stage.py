"""What the audience sees: lines for a terminal, with colour and no wider than it is, or plain ones for a pipe."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Callable, Iterable, Sequence

import msgspec

from intoto_action.formats.verdict import Verdict
from intoto_action.render.escape import terminal
from intoto_action.render.text import text

BOLD, DIM, CYAN, GREEN, RED, PLAIN = "1", "2", "36", "1;32", "1;31", ""
"""Colours and weights. Source: ECMA-48, SGR."""
_SGR = re.compile(r"\x1b\[[0-9;]*m")
_LABELLED = re.compile(r" *(?:\S+)? {2,}(?=\S)")
_NARROWEST = 40
_READABLE = 98
"""Columns of prose where there is no terminal."""


class Stage:
    """Where the demo is played. `write` takes whole lines; `width` in columns, None for lines of any length."""

    def __init__(self, write: Callable[[str], None], *, colour: bool, width: int | None) -> None:
        self._write = write
        self._colour = colour
        self._width = max(width, _NARROWEST) if width else None

    def gap(self) -> None:
        """An empty line."""
        self._write("\n")

    def headline(self, words: str) -> None:
        """The beginning of an act."""
        self.gap()
        self._put(words, BOLD)

    def say(self, words: str) -> None:
        """The narrator."""
        for line in textwrap.wrap(words, (self._width or _READABLE) - 2):
            self._put(line, PLAIN, indent="  ")

    def command(self, words: Sequence[str]) -> None:
        """A command line that is run, as it can be copied to a shell; broken in front of flags if it must be."""
        lines = ["  $"]
        for flag in _flags(words):
            together = " ".join(flag)
            for part in [together] if self._fits(together) else flag:
                if not self._fits(f"{lines[-1]} {part}") and lines[-1].strip():
                    lines.append("   ")
                lines[-1] += f" {part}"
        for line in lines[:-1]:
            self._line(f"{line} \\", CYAN)
        self._line(lines[-1], CYAN)

    def output(self, lines: Iterable[str]) -> None:
        """What a command had to say."""
        for line in lines:
            self._put(terminal(line), DIM, indent="    ")

    def document(self, content: str) -> None:
        """A file, shown whole."""
        for line in content.splitlines():
            self._put(terminal(line), DIM if line.lstrip().startswith("#") else PLAIN, indent="    | ")

    def verdict(self, verdict: Verdict) -> None:
        """A verdict, as `verify` prints it."""
        self._rendered(verdict)

    def denial(self, verdict: Verdict) -> None:
        """Of a verdict the outcome and why: the layout and the steps are those that have been seen before."""
        self._rendered(msgspec.structs.replace(verdict, layout=None, steps=(), criteria=(), subject=""))

    def table(self, rows: Sequence[tuple[str, ...]], style: str = DIM) -> None:
        """Rows of cells in columns."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
            self._put("  ".join(cells).rstrip(), style, indent="    ")

    def good(self, words: str) -> None:
        """An outcome as it should be."""
        self._put(words, GREEN, indent="  ")

    def bad(self, words: str) -> None:
        """An outcome as it should not be."""
        self._put(words, RED, indent="  ")

    def _rendered(self, verdict: Verdict) -> None:
        for line in text([verdict], colour=self._colour).splitlines():
            style = _SGR.match(line)
            self._put(_SGR.sub("", line), style.group()[2:-1] if style else PLAIN)

    def _fits(self, line: str) -> bool:
        """Whether there is room for it and a continuation."""
        return self._width is None or len(line) + len("    \\") <= self._width

    def _put(self, line: str, style: str, *, indent: str = "") -> None:
        for each in self._wrapped(line, indent):
            self._line(each, style)

    def _line(self, line: str, style: str) -> None:
        self._write(f"\x1b[{style}m{line}\x1b[0m\n" if self._colour and style else f"{line}\n")

    def _wrapped(self, line: str, indent: str) -> list[str]:
        """The line in pieces that fit, each later one under the value when the line has a label in front."""
        if self._width is None or len(indent) + len(line) <= self._width:
            return [(indent + line).rstrip()]
        label = _LABELLED.match(line)
        under = indent + " " * (label.end() if label else len(line) - len(line.lstrip()))
        return textwrap.wrap(indent + line, self._width, subsequent_indent=under, break_on_hyphens=False)


def _flags(words: Sequence[str]) -> list[list[str]]:
    """The words, quoted, each flag with its values; what stands after `--` stays together."""
    flags: list[list[str]] = [[]]
    for word in map(shlex.quote, words):
        if word.startswith("--") and flags[-1][:1] != ["--"]:
            flags.append([])
        flags[-1].append(word)
    return [flag for flag in flags if flag]
