"""The words of `--materials` and `--products`, parsed."""

from __future__ import annotations

import os
import posixpath
from enum import Enum

import msgspec

from intoto_action.formats.artifact import DIRECTORY_SCHEME, IMAGE_SCHEME, OCI_SCHEME, SCHEME, name_fault
from intoto_action.reason import NotRecordable
from intoto_action.system import names_fault, slashed

GIT_TRACKED = "git:tracked"
BASE = "."
"""The base itself, as a normalised path."""


class Kind(Enum):
    """What a pattern stands for."""

    FILES = "files"
    TRACKED = "tracked"
    DIRECTORY = "directory"
    IMAGE = "image"


class Pattern(msgspec.Struct, frozen=True):
    """One pattern: `word` as it was given, `path` relative to the base and normalised (empty for the others)."""

    word: str
    kind: Kind
    path: str = ""


def parse_pattern(word: str, base: str) -> Pattern:
    """A pattern from one word; `base` is the absolute path that names of artifacts are relative to.

    Raises: Misused for a path outside the base, or a scheme that record does not know.
    """
    if not word.strip() or "\x00" in word:
        raise NotRecordable(
            "an empty pattern: give a file, a directory, a glob, git:tracked, dir:PATH, oci:… or image:…"
        )
    if word == GIT_TRACKED:
        return Pattern(word, Kind.TRACKED)
    if word.startswith((OCI_SCHEME, IMAGE_SCHEME)):
        return Pattern(word, Kind.IMAGE)
    if word.startswith(DIRECTORY_SCHEME):
        return Pattern(word, Kind.DIRECTORY, _directory(word, base))
    if scheme := SCHEME.match(word):
        raise NotRecordable(
            f"pattern {word!r}: {scheme.group()} is none of git:tracked, dir:, oci:, image:; a file is named by its "
            f"path alone, and a file whose name looks like {scheme.group()}… cannot be recorded"
        )
    return Pattern(word, Kind.FILES, inside(word, base))


def inside(path: str, base: str) -> str:
    """The path relative to `base`, normalised; `.` is the base itself.

    Raises: Misused when the path leads out of the base, or the system would read it otherwise than a link's reader.
    """
    path, base = slashed(path), slashed(base)
    relative = path
    if os.path.isabs(path) or path.startswith("/"):  # noqa: PTH117 - a word, which may be anything
        relative = _relative_to(path, base) or _relative_to(path, slashed(os.path.realpath(base))) or ""
    relative = posixpath.normpath(relative) if relative else ".."
    if relative == ".." or relative.startswith("../"):
        raise NotRecordable(
            f"{path!r} lies outside {base!r}: names of artifacts are relative to the directory in which record runs; "
            "run it in a directory that holds everything to be recorded"
        )
    if fault := names_fault([relative]):
        raise NotRecordable(f"{path!r} cannot be recorded: {fault}; give another name")
    return relative


def _relative_to(path: str, base: str) -> str | None:
    normalised = posixpath.normpath(path)
    if normalised.startswith("//"):
        normalised = normalised[1:]
    if normalised == base:
        return BASE
    front = base.rstrip("/") + "/"
    return normalised.removeprefix(front) if normalised.startswith(front) else None


def _directory(word: str, base: str) -> str:
    path = word.removeprefix(DIRECTORY_SCHEME)
    relative = inside(path, base) if path else BASE
    if relative == BASE:
        raise NotRecordable(
            f"pattern {word!r}: expected a directory below the one in which record runs; found that one"
        )
    if fault := name_fault(relative):
        raise NotRecordable(f"pattern {word!r}: {fault}")
    return relative
