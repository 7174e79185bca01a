"""Files below a directory, and what a glob names: everything that record could leave out is an error."""

# A Path for each of many thousand files would cost more than its hashing.
# ruff: noqa: PTH112, PTH114, PTH116, PTH208

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Callable, Iterator
from fnmatch import translate

from intoto_action.reason import Misused
from intoto_action.record.patterns import BASE

MOST_FILES = 1_000_000
"""Files that one pattern may name: what symlinked directories could multiply ends here."""

Excluded = Callable[[str], bool]
_Seen = frozenset[tuple[int, int]]
_GLOB = re.compile(r"[*?[]")


class Walker:
    """Finds files below `base`, and returns their names relative to it.

    Symlinks to files are recorded under the link's name, as in-toto does. Symlinks to directories are followed, but
    not into a directory that the way there has already passed through: everything in it has a name already, and
    in-toto does not end there. `excluded` says of a name whether it is left out.
    """

    def __init__(self, base: str, excluded: Excluded) -> None:
        self._prefix = base.rstrip("/") + "/" if base else ""
        self._excluded = excluded

    def files(self, pattern: str) -> list[str]:
        """The names of all files that a path or glob stands for, directories with everything below them.

        Raises: Misused for what cannot be recorded: an unreadable directory, a socket, a broken symlink.
        """
        found: dict[str, None] = {}
        if self._exists(pattern):
            self._collect(pattern, found)
        if _GLOB.search(pattern):
            for path in self._expand("", pattern.split("/")):
                self._collect(path, found)
        return list(found)

    def below(self, directory: str, excluded: Excluded) -> list[str]:
        """The names of all files below a directory, relative to it, as in-toto's `dir:` resolver sees them."""
        inner = Walker(self._prefix + directory, excluded)
        found: dict[str, None] = {}
        inner._walk(BASE, found)
        return list(found)

    def is_directory(self, path: str) -> bool:
        """Whether the path is a directory, or a symlink to one."""
        return os.path.isdir(self._prefix + path)

    def _exists(self, path: str) -> bool:
        try:
            os.lstat(self._prefix + path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise _unreadable(path, error) from error
        return True

    def _collect(self, path: str, found: dict[str, None]) -> None:
        if self._excluded(path):
            return
        mode = self._mode(path)
        if stat.S_ISDIR(mode):
            self._walk(path, found)
        else:
            _require_regular(path, mode)
            found[path] = None
        _limit(found)

    def _walk(self, top: str, found: dict[str, None]) -> None:
        """Add every file below `top`. Directories reached through no symlink need no look at their identity."""
        start = self._identity(top)
        stack: list[tuple[str, _Seen | None]] = [(top, frozenset({start}) if self._is_link(top) else None)]
        while stack:
            directory, passed = stack.pop()
            for entry in self._entries(directory):
                path = entry.name if directory == BASE else f"{directory}/{entry.name}"
                if self._excluded(path):
                    continue
                if entry.is_symlink():
                    mode = self._mode(path)
                elif entry.is_dir(follow_symlinks=False):
                    mode = stat.S_IFDIR
                elif entry.is_file(follow_symlinks=False):
                    found[path] = None
                    continue
                else:
                    mode = self._mode(path)
                if not stat.S_ISDIR(mode):
                    _require_regular(path, mode)
                    found[path] = None
                elif passed is None and not entry.is_symlink():
                    stack.append((path, None))
                else:
                    seen = passed if passed is not None else self._way(top, directory)
                    identity = self._identity(path)
                    if identity not in seen:
                        stack.append((path, seen | {identity}))
            _limit(found)

    def _way(self, top: str, directory: str) -> _Seen:
        """The identities of all directories from `top` down to `directory`."""
        way = {self._identity(top), self._identity(directory)}
        while directory not in {top, ""}:
            directory = posixpath.dirname(directory)
            way.add(self._identity(directory or BASE))
        return frozenset(way)

    def _entries(self, directory: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._prefix + directory) as entries:
                return list(entries)
        except OSError as error:
            raise _unreadable(directory, error) from error

    def _identity(self, path: str) -> tuple[int, int]:
        try:
            status = os.stat(self._prefix + path)
        except OSError as error:
            raise _unreadable(path, error) from error
        return status.st_dev, status.st_ino

    def _is_link(self, path: str) -> bool:
        return os.path.islink(self._prefix + path)

    def _mode(self, path: str) -> int:
        try:
            return os.stat(self._prefix + path).st_mode
        except FileNotFoundError as error:
            raise Misused(
                f"{path!r} is a symlink to nothing, or vanished while it was looked at: it cannot be recorded; "
                "remove it, or leave it out with --exclude"
            ) from error
        except OSError as error:
            raise _unreadable(path, error) from error

    def _expand(self, head: str, segments: list[str]) -> Iterator[str]:
        """The paths that the segments of a glob stand for below `head`; `**` is any number of directories."""
        segment, rest = segments[0], segments[1:]
        if segment == "**":
            yield from self._expand_any(head, rest)
            return
        if not _GLOB.search(segment):
            matches = [segment] if self._exists(_join(head, segment)) else []
        else:
            matches = self._matching(head, re.compile(translate(segment)))
        for name in matches:
            path = _join(head, name)
            if not rest:
                yield path
            elif self.is_directory(path) and not self._excluded(path):
                yield from self._expand(path, rest)

    def _expand_any(self, head: str, rest: list[str]) -> Iterator[str]:
        if not rest:
            yield head or BASE
            return
        yield from self._expand(head, rest)
        for entry in self._entries(head or BASE):
            path = _join(head, entry.name)
            if entry.is_dir(follow_symlinks=False) and not self._excluded(path):
                yield from self._expand_any(path, rest)

    def _matching(self, head: str, name: re.Pattern[str]) -> list[str]:
        return [entry.name for entry in self._entries(head or BASE) if name.match(entry.name)]


def _join(head: str, name: str) -> str:
    return f"{head}/{name}" if head else name


def _limit(found: dict[str, None]) -> None:
    if len(found) > MOST_FILES:
        raise Misused(
            f"more than {MOST_FILES} files for one pattern; a link cannot hold them: name fewer, leave some out with "
            "--exclude, or record a whole directory as dir:PATH"
        )


def _require_regular(path: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFSOCK: "a socket",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    kind = kinds.get(stat.S_IFMT(mode), "no regular file")
    raise Misused(
        f"{path!r} is {kind}, which has no content that could be recorded; remove it, or leave it out with --exclude"
    )


def _unreadable(path: str, error: OSError) -> Misused:
    return Misused(
        f"{path!r} cannot be read ({error.strerror}), so it cannot be recorded; run as a user who may read it, "
        "or leave it out with --exclude"
    )
