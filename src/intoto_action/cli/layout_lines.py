"""Which line of the workspace's layout.yaml an annotation is put on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intoto_action.author.places import Places
    from intoto_action.formats.verdict import LayoutReport, Verdict
    from intoto_action.reason import Finding
    from intoto_action.render.annotations import Line

_NAMES = ("layout.yaml", "layout.yml")
_FOLDERS = ("", "in-toto", ".in-toto")


def lines_in(workspace: str, layout: Path | None) -> Callable[[Verdict, Finding], Line | None]:
    """Takes a verdict and a finding of it, and says the line: of a file beside the signed layout, when it was given as
    a file, or at the usual places of `workspace`. Nothing decides by it.
    """

    @cache
    def places(report: LayoutReport) -> Places | None:
        from intoto_action.author.original import places_of

        return places_of(report, _files(_real(workspace), layout), at=datetime.now(UTC))

    def line_of(verdict: Verdict, finding: Finding) -> Line | None:
        from intoto_action.render.annotations import Line

        if not workspace or verdict.layout is None:
            return None
        found = places(verdict.layout)
        place = found.of(finding) if found is not None else None
        if place is None:
            return None
        return Line(Path(place.file).relative_to(_real(workspace)).as_posix(), place.line)

    return line_of


def _files(workspace: Path, layout: Path | None) -> Iterator[Path]:
    """Files of the workspace that could be it; what a symlink leads to somewhere else is none of its files."""
    folders = [layout.absolute().parent] if layout is not None else []
    for folder in (*folders, *(workspace / each for each in _FOLDERS)):
        for name in _NAMES:
            path = _real(folder / name)
            if os.path.isfile(path) and path.is_relative_to(workspace):  # noqa: PTH113 - which never raises
                yield path


def _real(path: str | Path) -> Path:
    """Without symlinks. Path.resolve raises for those that lead in a circle."""
    return Path(os.path.realpath(path))
