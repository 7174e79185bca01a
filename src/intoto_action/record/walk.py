"""Files below a directory, and what a glob names: everything that record could leave out is an error."""

# A Path for each of many thousand files would cost more than its hashing.
# ruff: noqa: PTH112, PTH114, PTH116

from __future__ import annotations

import errno
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from fnmatch import translate

from intoto_action.reason import Misused, NotRecordable
from intoto_action.record.excludes import Excludes
from intoto_action.record.patterns import BASE
from intoto_action.system import FOLLOWS_LINKS, is_link, names_fault, path_fault

MOST_FILES = 1_000_000
"""Files that all patterns together may name: what symlinked directories could multiply ends here."""

_Identities = frozenset[tuple[int, int]]
_GLOB = re.compile(r"[*?[]")
_KINDS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Walker:
    """Finds files below `base`, and returns their names relative to it.

    Symlinks to files are recorded under the link's name, as in-toto does. Symlinks to directories are followed, but
    not into a directory that the way there has already passed through: everything in it has a name already, and
    in-toto does not end there. Where the system does not let links be followed safely, one is an error.
    """

    def __init__(self, base: str, excludes: Excludes) -> None:
        self._prefix = base.rstrip("/") + "/" if base else ""
        self._excludes = excludes

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

    def below(self, directory: str) -> list[str]:
        """The names of all files below a directory, relative to it, as in-toto's `dir:` resolver sees them.

        Excludes are relative to the base for all patterns; in-toto's own are relative to the directory here.
        """
        self._exists(directory)  # and is called so
        inner = Walker(self._prefix + directory, self._excludes.below(directory))
        found: dict[str, None] = {}
        inner._walk(BASE, found)
        return list(found)

    def is_directory(self, path: str) -> bool:
        """Whether the path is a directory, or a symlink to one."""
        return os.path.isdir(self._prefix + path)

    def _exists(self, path: str) -> bool:
        try:
            # First: to ask for a file behind a link would be to follow the link.
            fault = path_fault(self._prefix, path)
            if fault is None:
                os.lstat(self._prefix + path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno == errno.EINVAL:  # Windows, of a name with * or ? in it
                return False
            raise unreadable(path, error) from error
        if fault:
            raise _misread(path, fault)
        return True

    def _collect(self, path: str, found: dict[str, None]) -> None:
        if path in found or self._excludes.file(path):
            return
        mode = self._mode(path)
        if not stat.S_ISDIR(mode):
            require_regular(path, mode)
            found[path] = None
        elif not self._excludes.directory(path):
            self._walk(path, found)

    def _walk(self, top: str, found: dict[str, None]) -> None:
        """Add every file below `top`.

        Directories that no symlink leads to cannot be met twice, so their identity is not looked at: None.
        """
        start = frozenset({self._identity(top)}) if os.path.islink(self._prefix + top) else None
        stack: list[tuple[str, _Identities | None]] = [(top, start)]
        while stack:
            directory, passed = stack.pop()
            front = "" if directory == BASE else f"{directory}/"
            files, others = [], []
            for entry in self._entries(directory):
                if entry.is_file(follow_symlinks=False):
                    files.append(front + entry.name)
                else:
                    others.append(entry)
            found.update(dict.fromkeys(self._excludes.kept(files)))
            for entry in others:
                path = front + entry.name
                if self._is_file(entry, path):
                    found[path] = None
                elif (way := self._way_into(entry, path, top, passed)) is not _SKIPPED:
                    stack.append((path, way))
            if len(found) > MOST_FILES:
                raise too_many()

    def _is_file(self, entry: os.DirEntry[str], path: str) -> bool:
        """Whether an entry that is no plain file is a symlink to one, which is not left out."""
        if self._excludes.file(path):
            return False
        self._check_entry(entry, path)
        if entry.is_dir(follow_symlinks=False):
            return False
        mode = self._mode(path)
        if stat.S_ISDIR(mode):
            return False
        require_regular(path, mode)
        return True

    def _check_entry(self, entry: os.DirEntry[str], path: str) -> None:
        """Raises: Misused for what is not left out and leads elsewhere on this system: a link, or by its name.

        A directory `dist.` has to be known before it is opened: Windows opens `dist`, and when that is empty, what
        lies in the other one would be left out in silence.
        """
        fault = names_fault([entry.name])
        if fault is None and not FOLLOWS_LINKS and is_link(entry):
            fault = "it is a symlink or a junction, and those are not followed on this system"
        if fault and not self._excludes.file(path) and not self._excludes.directory(path):
            raise _misread(path, fault)

    def _way_into(
        self, entry: os.DirEntry[str], path: str, top: str, passed: _Identities | None
    ) -> _Identities | None:
        """The directories passed on the way into a directory, or `_SKIPPED` when it is not to be looked at."""
        if self._excludes.file(path) or self._excludes.directory(path):
            return _SKIPPED
        if passed is None and not entry.is_symlink():
            return None
        way = self._way(top, posixpath.dirname(path) or BASE) if passed is None else passed
        identity = self._identity(path)
        return _SKIPPED if identity in way else way | {identity}

    def _way(self, top: str, directory: str) -> _Identities:
        """The identities of all directories from `top` down to `directory`."""
        way = {self._identity(top), self._identity(directory)}
        while directory not in {top, BASE}:
            directory = posixpath.dirname(directory) or BASE
            way.add(self._identity(directory))
        return frozenset(way)

    def _entries(self, directory: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._prefix + directory) as entries:
                return list(entries)
        except OSError as error:
            raise unreadable(directory, error) from error

    def _identity(self, path: str) -> tuple[int, int]:
        status = self._status(path)
        return status.st_dev, status.st_ino

    def _mode(self, path: str) -> int:
        return self._status(path).st_mode

    def _status(self, path: str) -> os.stat_result:
        return status_of(self._prefix + path, path)

    def _expand(self, head: str, segments: list[str]) -> Iterator[str]:
        """The paths that the segments of a glob stand for below `head`; `**` is any number of directories."""
        segment, rest = segments[0], segments[1:]
        if segment == "**":
            yield from self._expand_any(head, rest)
            return
        if _GLOB.search(segment):
            name = re.compile(translate(segment))
            entries = [entry for entry in self._entries(head or BASE) if name.match(entry.name)]
            for entry in entries:
                self._check_entry(entry, _join(head, entry.name))
            matches = [entry.name for entry in entries]
        else:
            matches = [segment] if self._exists(_join(head, segment)) else []
        for match in matches:
            path = _join(head, match)
            if not rest:
                yield path
            elif self.is_directory(path) and not self._excludes.directory(path):
                yield from self._expand(path, rest)

    def _expand_any(self, head: str, rest: list[str]) -> Iterator[str]:
        if not rest:
            yield head or BASE
            return
        yield from self._expand(head, rest)
        for entry in self._entries(head or BASE):
            path = _join(head, entry.name)
            if is_link(entry) or not entry.is_dir(follow_symlinks=False) or self._excludes.directory(path):
                continue
            self._check_entry(entry, path)
            yield from self._expand_any(path, rest)


_SKIPPED: _Identities = frozenset()


def _misread(path: str, fault: str) -> Misused:
    return NotRecordable(
        f"{path!r} cannot be recorded under that name: {fault}; name it as it is, or leave it out with --exclude"
    )


def too_many() -> Misused:
    """What to say when there are more than `MOST_FILES` files."""
    return NotRecordable(
        f"more than {MOST_FILES} files; a link cannot hold them: name fewer, leave some out with --exclude, or record "
        "a whole directory as dir:PATH"
    )


def _join(head: str, name: str) -> str:
    return f"{head}/{name}" if head else name


def status_of(path: str, name: str) -> os.stat_result:
    """What a path leads to, through symlinks; `name` is what a person calls it. Raises: Misused."""
    try:
        return os.stat(path)
    except FileNotFoundError as error:
        raise NotRecordable(
            f"{name!r} is a symlink to nothing, or vanished while it was looked at: it cannot be recorded; "
            "remove it, or leave it out with --exclude"
        ) from error
    except OSError as error:
        raise unreadable(name, error) from error


def require_regular(path: str, mode: int) -> None:
    """Raises: Misused when the mode is not that of a regular file."""
    if stat.S_ISREG(mode):
        return
    kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
    raise NotRecordable(
        f"{path!r} is {kind}, which has no content that could be recorded; remove it, or leave it out with --exclude"
    )


def unreadable(path: str, error: OSError) -> Misused:
    """What to say of a file or directory that cannot be read."""
    return NotRecordable(
        f"{path!r} cannot be read ({error.strerror}), so it cannot be recorded; run as a user who may read it, or "
        "leave it out with --exclude"
    )
