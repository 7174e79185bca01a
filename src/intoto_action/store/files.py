"""Files that appear whole or not at all, and files that are read within bounds."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from intoto_action.reason import WrongFile
from intoto_action.system import give_name, open_new, open_to_read, place_fault, sync_directory

_TEMPORARY_PREFIX = ".intoto-action-"


class Exists(WrongFile):
    """There is a file of that name already, and nothing was said about replacing it."""


def write_whole(path: Path, content: bytes, *, mode: int = 0o644, overwrite: bool) -> None:
    """Write a file so that a reader, a crash or a full disk never leaves half of it under its name.

    The content goes to a temporary file of the same directory, and on to the disk, before it gets the name.
    With `overwrite` False the name is given by a call that fails when it is taken: no race can overwrite.
    `mode` is narrowed by the umask. A symlink at `path` is replaced or refused, never followed.

    Raises: Exists when the name is taken and `overwrite` is False; Misused when the file cannot be written.
    """
    temporary = path.parent / f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}.tmp"
    try:
        _write_new(temporary, content, mode)
        try:
            give_name(temporary, path, overwrite=overwrite)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        sync_directory(path.parent)
    except FileExistsError as error:
        raise Exists(
            f"{path} exists already and is not overwritten; remove it, choose another name, or say --force"
        ) from error
    except OSError as error:
        raise WrongFile(f"{path} cannot be written: {error.strerror or error}") from error


def check_place(path: Path, what: str) -> None:
    """Refuse a place on another machine before anything there is asked for; `what` names it in the error.

    Raises: Misused.
    """
    if fault := place_fault(str(path)):
        raise WrongFile(f"{what}: {path} is not taken: {fault}")


def read_capped(path: Path, cap: int, what: str) -> bytes:
    """The content of a regular file of at most `cap` bytes; `what` names it in the error (`the layout`).

    A named pipe or a device is refused instead of waited for.

    Raises: Misused.
    """
    try:
        descriptor = open_to_read(path)
    except (OSError, ValueError) as error:
        raise WrongFile(f"{what}: {path} cannot be read: {why(error)}") from error
    return _read_open(descriptor, path, cap, what)


def read_plain(path: Path, cap: int, what: str) -> bytes:
    """Like `read_capped`, but a symlink in the last place is refused: for directories that others fill.

    Raises: Misused.
    """
    try:
        descriptor = open_to_read(path, follow=False)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            raise WrongFile(f"{what}: {path} is a symlink, and only regular files are read there") from error
        raise WrongFile(f"{what}: {path} cannot be read: {why(error)}") from error
    return _read_open(descriptor, path, cap, what)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = open_new(path, mode)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as stream:
            rest = memoryview(content)
            while rest:
                rest = rest[stream.write(rest) or 0 :]
            os.fsync(stream.fileno())
    except OSError:
        path.unlink()
        raise


def _read_open(descriptor: int, path: Path, cap: int, what: str) -> bytes:
    try:
        return _read_regular(descriptor, path, cap, what)
    except OSError as error:
        raise WrongFile(f"{what}: {path} cannot be read: {why(error)}") from error
    finally:
        os.close(descriptor)


def _read_regular(descriptor: int, path: Path, cap: int, what: str) -> bytes:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise WrongFile(f"{what}: {path} is a directory, and a file is needed")
    if not stat.S_ISREG(status.st_mode):
        raise WrongFile(f"{what}: {path} is not a regular file")
    if status.st_size > cap:
        raise WrongFile(f"{what}: {path} has {status.st_size} bytes, and at most {cap} are read")
    chunks, total = [], 0
    while chunk := os.read(descriptor, 1 << 20):
        chunks.append(chunk)
        total += len(chunk)
        if total > cap:
            raise WrongFile(f"{what}: {path} has more than {cap} bytes, and at most {cap} are read")
    return b"".join(chunks)


def why(error: OSError | ValueError) -> str:
    """What the system says, without the path; a path with NUL in it is a ValueError."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
