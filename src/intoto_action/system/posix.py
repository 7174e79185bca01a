"""Linux and macOS. What each function is for: the docstring of the room."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TextIO

if sys.platform == "win32":
    raise ImportError("this is the module of other systems")

FOLLOWS_LINKS: Final[bool] = True
RUNS_PROGRAMS: Final[bool] = True
MODE_SAYS_WHO_READS: Final[bool] = True

fork: Callable[[], int] | None = os.fork

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


def open_to_read(path: str | Path, *, follow: bool = True) -> int:
    """Open a file to read it. Raises: OSError, ValueError."""
    return os.open(path, _READ if follow else _READ | os.O_NOFOLLOW)


def open_new(path: str | Path, mode: int) -> int:
    """Make a file to write it; `mode` is narrowed by the umask. Raises: OSError, ValueError."""
    return os.open(path, _NEW, mode)


def open_to_append(path: str | Path) -> int:
    """Open a file to add to it. Raises: OSError, ValueError."""
    return os.open(path, _APPEND, 0o600)


def give_name(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Give the file its name; link(2) fails when it is taken, so that no race can overwrite. Raises: OSError."""
    if overwrite:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # A file system without hard links (FAT, some network ones): who creates the name has it.
        os.close(open_new(path, 0o600))
        temporary.replace(path)


def sync_directory(directory: Path) -> None:
    """Put the names of a directory on the disk, where the file system can do that. Raises: OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def lock_alone(descriptor: int) -> None:
    """Hold flock(2) on an open file. Raises: BlockingIOError, OSError."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_link(entry: os.DirEntry[str] | Path) -> bool:
    """Whether it is a symlink."""
    return entry.is_symlink()


def is_private(directory: Path) -> bool:
    """Whether it is a directory of this user's own that nobody else can enter. Raises: OSError."""
    status = directory.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def names_fault(names: Iterable[str]) -> str | None:
    """None: every name stands for itself."""
    return None


def path_fault(front: str, path: str) -> str | None:
    """None: every path is spelled as it is."""
    return None


def place_fault(path: str) -> str | None:
    """None: what may be opened, its kind says when it is open."""
    return None


def slashed(word: str) -> str:
    """The word itself: a backslash is part of a name here."""
    return word


def home(environ: Mapping[str, str]) -> Path | None:
    """HOME."""
    found = environ.get("HOME", "")
    return Path(found) if found else None


def cache(environ: Mapping[str, str]) -> Path | None:
    """Source: XDG base directory specification (a relative path is ignored)."""
    bases = Path(environ.get("XDG_CACHE_HOME", "")), Path(environ.get("HOME", ""), ".cache")
    return next((base for base in bases if base.is_absolute()), None)


def user_id() -> int | None:
    """The real user id."""
    return os.getuid()


def write_plainly(stream: TextIO) -> None:
    """Nothing: the locale says what a terminal takes, and line feeds are bare."""
