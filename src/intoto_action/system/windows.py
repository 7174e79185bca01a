"""Windows. What each function is for: the docstring of the room.

Files are opened by CreateFileW itself: the C runtime's open follows every reparse point, turns CRLF into LF unless it
is told not to, and has no say in who else may write meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TextIO

from intoto_action.system import windows_rules
from intoto_action.system.windows_rules import name_fault

if sys.platform != "win32":
    raise ImportError("this is the module of Windows")

import msvcrt
from ctypes import wintypes

__all__ = [
    "FOLLOWS_LINKS",
    "MODE_SAYS_WHO_READS",
    "RUNS_PROGRAMS",
    "cache",
    "fork",
    "give_name",
    "home",
    "is_link",
    "is_private",
    "lock_alone",
    "names_fault",
    "open_new",
    "open_to_append",
    "open_to_read",
    "path_fault",
    "place_fault",
    "slashed",
    "sync_directory",
    "user_id",
    "write_plainly",
]

FOLLOWS_LINKS: Final[bool] = False
"""A link can lead to another machine, which then is told who asks; a junction is a directory to most of Python."""
RUNS_PROGRAMS: Final[bool] = False
"""A program's name is looked for in the working directory first, and what it starts is nobody's group."""
MODE_SAYS_WHO_READS: Final[bool] = False

fork: Callable[[], int] | None = None

_GENERIC_READ = 0x80000000
_GENERIC_WRITE = 0x40000000
_FILE_SHARE_READ, _FILE_SHARE_DELETE = 1, 4
_CREATE_NEW, _OPEN_EXISTING = 1, 3
_FILE_ATTRIBUTE_NORMAL = 0x80
_FILE_FLAG_BACKUP_SEMANTICS = 0x02000000
"""Lets a directory be opened, so that it can be told from a file that may not be read."""
_FILE_FLAG_OPEN_REPARSE_POINT = 0x00200000
_SECURITY_ANONYMOUS_ONLY = 0x00100000
"""SECURITY_SQOS_PRESENT with SECURITY_ANONYMOUS: a server at the end of a pipe cannot act in our name."""
_INVALID_HANDLE = wintypes.HANDLE(-1).value
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL})
"""EINVAL is what Windows says of a name that no file can have."""
_SDDL_REVISION_1 = 1
_OWNER_SYSTEM_AND_ADMINISTRATORS = "D:P(A;;FA;;;OW)(A;;FA;;;SY)(A;;FA;;;BA)"
"""Nothing inherited; the owner, and who can take a file from its owner anyway."""
_ERROR_LOCK_VIOLATION = 33
_LOCKED_BYTE = 0xFFFFFFF0
"""Far behind any content: a lock on Windows keeps others from the bytes that it is on."""


class _SecurityAttributes(ctypes.Structure):
    _fields_ = (
        ("length", wintypes.DWORD),
        ("descriptor", wintypes.LPVOID),
        ("inherit", wintypes.BOOL),
    )


_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
_advapi32 = ctypes.WinDLL("advapi32", use_last_error=True)
_kernel32.CreateFileW.argtypes = (
    wintypes.LPCWSTR,
    wintypes.DWORD,
    wintypes.DWORD,
    ctypes.POINTER(_SecurityAttributes),
    wintypes.DWORD,
    wintypes.DWORD,
    wintypes.HANDLE,
)
_kernel32.CreateFileW.restype = wintypes.HANDLE
_kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)
_kernel32.LockFile.argtypes = (wintypes.HANDLE, *(wintypes.DWORD,) * 4)
_kernel32.LocalFree.argtypes = (wintypes.LPVOID,)
_kernel32.LocalFree.restype = wintypes.LPVOID
_advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW.argtypes = (
    wintypes.LPCWSTR,
    wintypes.DWORD,
    ctypes.POINTER(wintypes.LPVOID),
    wintypes.LPVOID,
)


def open_to_read(path: str | Path, *, follow: bool = True) -> int:
    """Open a file to read it; nobody can write to it as long as it is open. Raises: OSError, ValueError."""
    flags = _FILE_FLAG_BACKUP_SEMANTICS | _SECURITY_ANONYMOUS_ONLY
    if not follow:
        flags |= _FILE_FLAG_OPEN_REPARSE_POINT
    handle = _create(path, _GENERIC_READ, _FILE_SHARE_READ | _FILE_SHARE_DELETE, None, _OPEN_EXISTING, flags)
    descriptor = _descriptor(handle, os.O_RDONLY)
    if not follow and os.fstat(descriptor).st_file_attributes & windows_rules.REPARSE_POINT:
        os.close(descriptor)
        raise OSError(errno.ELOOP, "it is a symlink, a junction or another reparse point", str(path))
    return descriptor


def open_new(path: str | Path, mode: int) -> int:
    """Make a file to write it; one with a `mode` for its owner alone inherits nobody else. Raises: OSError."""
    flags = _FILE_ATTRIBUTE_NORMAL | _FILE_FLAG_OPEN_REPARSE_POINT | _SECURITY_ANONYMOUS_ONLY
    if mode & 0o077:
        return _descriptor(_create(path, _GENERIC_WRITE, 0, None, _CREATE_NEW, flags), os.O_WRONLY)
    descriptor = wintypes.LPVOID()
    if not _advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW(
        _OWNER_SYSTEM_AND_ADMINISTRATORS, _SDDL_REVISION_1, ctypes.byref(descriptor), None
    ):
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        attributes = _SecurityAttributes(ctypes.sizeof(_SecurityAttributes), descriptor, False)
        handle = _create(path, _GENERIC_WRITE, 0, attributes, _CREATE_NEW, flags)
    finally:
        _kernel32.LocalFree(descriptor)
    return _descriptor(handle, os.O_WRONLY)


def open_to_append(path: str | Path) -> int:
    """Open a file to add to it. Raises: OSError, ValueError."""
    _check(path)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_BINARY | os.O_NOINHERIT, 0o600)


def give_name(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Rename the file, which Windows refuses when the name is taken and nothing else is said. Raises: OSError."""
    _check(path)
    (os.replace if overwrite else os.rename)(temporary, path)


def sync_directory(directory: Path) -> None:
    """Nothing: Windows has no such call for users, and NTFS keeps its names in a journal."""


def lock_alone(descriptor: int) -> None:
    """Lock a byte of an open file. Raises: BlockingIOError, OSError."""
    if not _kernel32.LockFile(msvcrt.get_osfhandle(descriptor), _LOCKED_BYTE, 0, 1, 0):
        error = ctypes.WinError(ctypes.get_last_error())
        if error.winerror == _ERROR_LOCK_VIOLATION:
            raise BlockingIOError(errno.EAGAIN, "another process holds the lock") from error
        raise error


def is_link(entry: os.DirEntry[str] | Path) -> bool:
    """Whether it is a symlink, a junction, or another reparse point that stands for something else."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise
    return windows_rules.leads_elsewhere(status.st_file_attributes, status.st_reparse_tag)


def is_private(directory: Path) -> bool:
    """Whether it is a directory, and not one elsewhere. Who may enter, its place in the profile says.

    Raises: OSError.
    """
    return stat.S_ISDIR(directory.lstat().st_mode) and not is_link(directory)


def names_fault(names: Iterable[str]) -> str | None:
    """What is wrong with the first of them that Windows reads as something else."""
    return next((fault for name in names if (fault := name_fault(name))), None)


def path_fault(front: str, path: str) -> str | None:
    """Why a path is not the name of what it leads to: each part must be listed so, and be no link.

    Raises: OSError, which is FileNotFoundError when there is nothing by another spelling either.
    """
    if fault := name_fault(path):
        return fault
    where = front
    for part in path.split("/"):
        if part == ".":
            continue
        with os.scandir(where or ".") as entries:
            found = next((entry for entry in entries if entry.name == part), None)
        if found is None:
            Path(f"{where.rstrip('/')}/{part}" if where else part).lstat()
            return f"nothing there is called {part!r}, in these letters: Windows takes other spellings for the same"
        if is_link(found):
            return f"{part!r} is a symlink or a junction, and those are not followed on Windows"
        where = f"{where.rstrip('/')}/{part}" if where else part
    return None


def place_fault(path: str) -> str | None:
    """Why Windows would open something else than a file of this machine under that path."""
    return windows_rules.path_fault(path)


def slashed(word: str) -> str:
    """The word with slashes: a backslash is never part of a name here."""
    return word.replace("\\", "/")


def home(environ: Mapping[str, str]) -> Path | None:
    """USERPROFILE."""
    return _absolute(environ, "USERPROFILE")


def cache(environ: Mapping[str, str]) -> Path | None:
    """LOCALAPPDATA, which only the user can enter."""
    return _absolute(environ, "LOCALAPPDATA")


def user_id() -> int | None:
    """None: users have no numbers."""
    return None


def write_plainly(stream: TextIO) -> None:
    """A pipe gets the code page of the machine and CRLF, unless it is told."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors=stream.errors, newline="\n")


def _absolute(environ: Mapping[str, str], variable: str) -> Path | None:
    found = Path(environ.get(variable, ""))
    return found if found.is_absolute() else None


def _check(path: str | Path) -> None:
    """Raises: OSError for a path that Windows would rewrite before it opens it; ValueError for one with NUL."""
    word = str(path)
    if "\0" in word:
        raise ValueError("embedded null character")
    if fault := windows_rules.path_fault(word):
        raise OSError(errno.EINVAL, fault, word)


def _create(
    path: str | Path, access: int, share: int, security: _SecurityAttributes | None, how: int, flags: int
) -> int:
    _check(path)
    attributes = None if security is None else ctypes.byref(security)
    handle = _kernel32.CreateFileW(str(path), access, share, attributes, how, flags, None)
    if handle == _INVALID_HANDLE:
        code = ctypes.get_last_error()
        error = ctypes.WinError(code)
        raise OSError(error.errno, error.strerror, str(path), code)
    return int(handle)


def _descriptor(handle: int, flags: int) -> int:
    try:
        return msvcrt.open_osfhandle(handle, flags | os.O_BINARY | os.O_NOINHERIT)
    except OSError:
        _kernel32.CloseHandle(handle)
        raise
