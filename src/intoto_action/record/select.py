"""From patterns to the names of the artifacts that a link will hold."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import msgspec

from intoto_action.formats.artifact import SCHEME, name_fault
from intoto_action.reason import NotRecordable
from intoto_action.record.excludes import Excludes
from intoto_action.record.patterns import Kind, Pattern, parse_pattern
from intoto_action.record.task import Here
from intoto_action.record.walk import MOST_FILES, Walker, too_many
from intoto_action.system import names_fault, slashed

_ANY_SCHEME = re.compile(SCHEME.pattern, re.MULTILINE)


class Selection(msgspec.Struct, frozen=True):
    """What patterns stand for: names of files, for each `dir:` path the files in it, and the words of images.

    `without` are the words that matched nothing.
    """

    files: tuple[str, ...]
    directories: dict[str, tuple[str, ...]]
    images: tuple[str, ...]
    without: tuple[str, ...]


def select(words: Iterable[str], excludes: Excludes, here: Here) -> Selection:
    """Find what the patterns stand for now.

    Raises: Misused for what cannot be recorded under a name of its own.
    """
    _check_encoding()
    walker = Walker(here.root, excludes)
    files: dict[str, None] = {}
    directories: dict[str, tuple[str, ...]] = {}
    images: list[str] = []
    without: list[str] = []
    for pattern in [parse_pattern(word, here.base) for word in words]:
        match pattern.kind:
            case Kind.IMAGE:
                images.append(pattern.word)
            case Kind.DIRECTORY if walker.is_directory(pattern.path):
                inner = walker.below(pattern.path)
                _check_clean(inner, f"a file in {pattern.word}")
                directories[pattern.path] = tuple(inner)
            case _:
                found = _files(pattern, walker, excludes, here)
                files.update(dict.fromkeys(found))
                if not found:
                    without.append(pattern.word)
    if len(files) + sum(map(len, directories.values())) > MOST_FILES:
        raise too_many()
    check_file_names(list(files))
    return Selection(tuple(files), directories, tuple(dict.fromkeys(images)), tuple(without))


def would_select(words: Iterable[str], excludes: Sequence[str], file: Path) -> bool:
    """Whether a file would be among the artifacts of the patterns if it were there, as far as names tell.

    git:tracked is passed over: the file is not tracked.
    """
    base = str(Path.cwd())
    try:
        name = slashed(os.path.relpath(file, base))
    except ValueError:  # Windows: it lies on another drive
        return False
    if name.startswith("../"):
        return False
    ways = [name, *(str(parent) for parent in PurePosixPath(name).parents)]
    patterns = [pattern for word in words if (pattern := parse_pattern(word, base)).path]
    return any(
        way == pattern.path or (pattern.kind is Kind.FILES and fnmatchcase(way, pattern.path))
        for way in ways
        for pattern in patterns
    ) and not Excludes(excludes).file(name)


def _check_encoding() -> None:
    """Raises: Misused where names of files are not read as UTF-8: the link would hold other names than there are."""
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        raise NotRecordable(
            f"names of files are read as {encoding} here, and a link holds UTF-8; set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
        )


def check_file_names(names: Sequence[str]) -> None:
    """Raises: Misused when a file's name cannot be the name of an artifact, or looks like a scheme.

    Source: design of this project: a file called `oci:ghcr.io/octo/app` could pose as an image.
    """
    _check_clean(names, "a file")
    joined = "\n".join(names)
    if ":" in joined and _ANY_SCHEME.search(joined):
        name = next(name for name in names if SCHEME.match(name))
        raise NotRecordable(
            f"the file {name!r} has a name that looks like a scheme, and could pose as an image; rename it, or leave "
            "it out with --exclude"
        )


def _files(pattern: Pattern, walker: Walker, excludes: Excludes, here: Here) -> list[str]:
    if pattern.kind is Kind.TRACKED:
        from intoto_action.record.git import tracked_files

        return tracked_files(here.base, here.environ_of_tools, excludes.file)
    return walker.files(pattern.path) if pattern.kind is Kind.FILES else []


def _check_clean(names: Sequence[str], what: str) -> None:
    """Names come normalised from the walk, so only their characters can be wrong: the usual ones are cheap to see.

    Where the system reads a name as that of another file, its content would not be what the link says it is.
    """
    if fault := names_fault(names):
        raise NotRecordable(
            f"{what} cannot be recorded under its name: {fault}; rename it, or leave it out with --exclude"
        )
    joined = "".join(names)
    if joined.isprintable() and "\\" not in joined:
        return
    for name in names:
        if name_fault(name):
            raise NotRecordable(
                f"{what}: expected a name in UTF-8 without '\\' and control characters, which every verifier reads "
                f"alike; found {name!r}; rename it, or leave it out with --exclude"
            )
