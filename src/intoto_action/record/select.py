"""From patterns to the names of the artifacts that a link will hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from intoto_action.formats.artifact import SCHEME, Digests, check_artifacts, name_fault
from intoto_action.reason import Malformed, Misused
from intoto_action.record.patterns import Kind, Pattern, parse_pattern
from intoto_action.record.walk import Excluded, Walker

DEFAULT_EXCLUDES = (".git/**",)
"""All that is left out without being asked; in-toto also drops *.pyc, *~ and *.link*, which can be code."""

_SCHEME_OF_ANY = re.compile(SCHEME.pattern, re.MULTILINE)
_ANY_DIGEST = Digests(sha256="0" * 64)


class Selection(msgspec.Struct, frozen=True):
    """What patterns stand for: names of files, for each `dir:` path the files in it, and the words of images.

    `without` are the words that matched nothing.
    """

    files: tuple[str, ...]
    directories: dict[str, tuple[str, ...]]
    images: tuple[str, ...]
    without: tuple[str, ...]


def select(words: Iterable[str], excludes: Sequence[str], base: str, environ: Mapping[str, str]) -> Selection:
    """Find what the patterns stand for below `base`; `environ` is for git (`git:tracked`).

    Raises: Misused for what cannot be recorded under a name of its own.
    """
    excluded = excluder(excludes)
    walker = Walker(base, excluded)
    files: dict[str, None] = {}
    directories: dict[str, tuple[str, ...]] = {}
    images: list[str] = []
    without: list[str] = []
    for pattern in [parse_pattern(word, base) for word in words]:
        match pattern.kind:
            case Kind.IMAGE:
                images.append(pattern.word)
            case Kind.DIRECTORY if walker.is_directory(pattern.path):
                inner = walker.below(pattern.path, excluder(excludes))
                _check_clean(inner, f"{pattern.word}, a file in it")
                directories[pattern.path] = tuple(inner)
            case _:
                found = _files(pattern, walker, excluded, base, environ)
                files |= dict.fromkeys(found)
                if not found:
                    without.append(pattern.word)
    check_file_names(list(files))
    return Selection(tuple(files), directories, tuple(dict.fromkeys(images)), tuple(without))


def _files(
    pattern: Pattern, walker: Walker, excluded: Excluded, base: str, environ: Mapping[str, str]
) -> list[str]:
    if pattern.kind is Kind.TRACKED:
        from intoto_action.record.git import tracked_files

        return [name for name in tracked_files(base, environ, excluded) if not excluded(name)]
    return walker.files(pattern.path) if pattern.kind is Kind.FILES else []


def excluder(excludes: Sequence[str]) -> Callable[[str], bool]:
    """Whether a name is excluded, by the syntax of .gitignore; the defaults come first, so `!` takes them back.

    Raises: Misused for a pattern that .gitignore's syntax does not know.
    """
    if not excludes:
        # What `.git/**` means, without the cost of the library and of a look at everything in .git.
        return lambda name: name == ".git/" or name.startswith(".git/")
    from pathspec import GitIgnoreSpec

    try:
        match_file = GitIgnoreSpec.from_lines([*DEFAULT_EXCLUDES, *excludes]).match_file
    except ValueError as error:
        raise Misused(f"--exclude: expected patterns as in .gitignore; {error}") from error
    return match_file


def check_file_names(names: Sequence[str]) -> None:
    """Raises: Misused when a file's name cannot be the name of an artifact, or looks like a scheme.

    Source: design of this project: a file called `oci:ghcr.io/octo/app` could pose as an image.
    """
    _check_clean(names, "a file")
    if _SCHEME_OF_ANY.search("\n".join(names)):
        name = next(name for name in names if SCHEME.match(name))
        raise Misused(
            f"the file {name!r} has a name that looks like a scheme, and could pose as an image; rename it, or "
            "leave it out with --exclude"
        )


def _check_clean(names: Sequence[str], what: str) -> None:
    try:
        check_artifacts(dict.fromkeys(names, _ANY_DIGEST), what)
    except Malformed as error:
        name = next(name for name in names if name_fault(name))
        raise Misused(
            f"{what}: expected a name in UTF-8 without '\\' and control characters, which every verifier reads alike; "
            f"found {name!r}; rename it, or leave it out with --exclude"
        ) from error
