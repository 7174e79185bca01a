"""SHA-256 of many files, fast: one open, few reads, on every core; memory does not grow with the files."""

# A Path for each of many thousand files would cost more than its hashing.
# ruff: noqa: PTH116, PTH208

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from intoto_action.reason import Misused, NotRecordable
from intoto_action.system import fork, open_to_read

Progress = Callable[[int, int], None]
"""Takes the files and the bytes that were hashed since the last call."""

_BUFFER = 1 << 18
_SMALL = 1 << 18
_ALONE_FILES = 64
_ALONE_BYTES = 4 << 20
_MOST_WORKERS = 16
_LARGEST_CHUNK = 120
"""Digests of one chunk and their header fit into PIPE_BUF (4096 bytes on Linux), so that writes do not mix."""
_JOB = struct.Struct("<I")
_RESULT = struct.Struct("<BIIQ")
_DONE, _FAULT, _BYTES = range(3)
_SAID_EVERY = 32 << 20


def digest_files(paths: Sequence[str], progress: Progress | None = None) -> list[str]:
    """The hex SHA-256 digests of the files, in their order; `progress` is called now and then.

    A few small files are hashed here, more by processes of our own: forked, because the interpreter's lock costs as
    much as the hashing of small files; by threads where there is no forking, or it is not safe, that is when there are
    threads already.

    Raises: Misused for a file that cannot be read, or that vanished or changed meanwhile.
    """
    tell = progress or (lambda files, size: None)
    if len(paths) <= 1 or (len(paths) <= _ALONE_FILES and _size(paths) <= _ALONE_BYTES):
        return [digest_file(path, tell).hex() for path in paths]
    workers = min(_MOST_WORKERS, len(paths), _cores())
    if fork is None or _has_threads():
        return _by_threads(paths, workers, tell)
    return _by_processes(paths, workers, tell, fork)


def digest_file(path: str, progress: Progress) -> bytes:
    """The SHA-256 digest of one regular file.

    Size and times of the file, and whether it still has a name, are compared before and after: who writes can put the
    time of the last write back, but not that of the last change to the inode. A named pipe that took the place of the
    file does not hang us.

    Raises: Misused.
    """
    try:
        descriptor = open_to_read(path)
        try:
            before = os.fstat(descriptor)
            size = before.st_size
            if size > _SMALL or not stat.S_ISREG(before.st_mode):
                digest, length = _large(descriptor, path, before, progress)
            else:
                data = os.read(descriptor, size + 1)
                digest, length = hashlib.sha256(data).digest(), len(data)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(path, error) from error
    if (
        length != size
        or after.st_size != size
        or (after.st_mtime_ns, after.st_ctime_ns) != (before.st_mtime_ns, before.st_ctime_ns)
        or not after.st_nlink
    ):
        raise NotRecordable(
            f"{path!r} changed while it was recorded; what else writes there? Stop it, and record again"
        )
    progress(1, length)
    return digest


def _large(descriptor: int, path: str, status: os.stat_result, progress: Progress) -> tuple[bytes, int]:
    if not stat.S_ISREG(status.st_mode):
        raise NotRecordable(
            f"{path!r} is no regular file any more: it changed while it was recorded; try again"
        )
    sha256 = hashlib.sha256()
    buffer = memoryview(bytearray(_BUFFER))
    length = unsaid = 0
    file = io.FileIO(descriptor, closefd=False)
    while count := file.readinto(buffer):
        sha256.update(buffer[:count])
        length += count
        unsaid += count
        if unsaid >= _SAID_EVERY:
            progress(0, unsaid)
            unsaid = 0
    return sha256.digest(), length


def _size(paths: Sequence[str]) -> int:
    total = 0
    for path in paths:
        try:
            total += os.stat(path).st_size
        except OSError as error:
            raise _unreadable(path, error) from error
    return total


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _has_threads() -> bool:
    if sys.platform == "linux":
        return len(os.listdir("/proc/self/task")) > 1
    import threading

    return threading.active_count() > 1


def _by_threads(paths: Sequence[str], workers: int, progress: Progress) -> list[str]:
    from concurrent.futures import ThreadPoolExecutor

    def chunk(numbers: range) -> list[str]:
        return [digest_file(paths[number], progress).hex() for number in numbers]

    with ThreadPoolExecutor(workers) as pool:
        return [digest for digests in pool.map(chunk, _chunks(len(paths))) for digest in digests]


def _by_processes(
    paths: Sequence[str], workers: int, progress: Progress, fork: Callable[[], int]
) -> list[str]:
    """Workers take numbers of chunks from one pipe and write digests into another, until the first is empty."""
    chunks = _chunks(len(paths))
    jobs, give = os.pipe()
    take, results = os.pipe()
    children: list[int] = []
    try:
        for _ in range(workers):
            child = fork()
            if child == 0:
                os.close(give)
                os.close(take)
                _work(paths, chunks, jobs, results)
            children.append(child)
    finally:
        os.close(jobs)
        os.close(results)
        if len(children) < workers:
            os.close(give)
            os.close(take)
            _end(children)
    return _gather(chunks, children, give, take, progress)


def _gather(
    chunks: Sequence[range], children: Sequence[int], give: int, take: int, progress: Progress
) -> list[str]:
    found: list[str] = [""] * (chunks[-1].stop if chunks else 0)
    missing = len(found)
    try:
        _give_all(give, len(chunks))
        with open(take, "rb", closefd=False) as results:
            for kind, number, size, body in _records(results.read1):
                if kind == _FAULT:
                    raise NotRecordable(body.decode(errors="replace"))
                if kind == _DONE:
                    digests = body.hex()
                    places = chunks[number]
                    found[places.start : places.stop] = [
                        digests[at : at + 64] for at in range(0, len(digests), 64)
                    ]
                    missing -= len(places)
                progress(len(chunks[number]) if kind == _DONE else 0, size)
    finally:
        os.close(take)
        _end(children)
    if missing:
        raise NotRecordable(
            "a process that hashed files was ended from outside; is there memory enough? Record again"
        )
    return found


def _give_all(give: int, count: int) -> None:
    """Fill the pipe of jobs; all of them fit into it (64 KiB), because `select` limits how many files there are."""
    with suppress(BrokenPipeError), open(give, "wb", buffering=0) as jobs:  # they have all met a fault
        jobs.write(b"".join(map(_JOB.pack, range(count))))


def _records(read: Callable[[int], bytes]) -> Iterator[tuple[int, int, int, bytes]]:
    rest = b""
    while piece := read(1 << 16):
        rest += piece
        at = 0
        while len(rest) - at >= _RESULT.size:
            kind, number, length, size = _RESULT.unpack_from(rest, at)
            if len(rest) - at < _RESULT.size + length:
                break
            at += _RESULT.size
            yield kind, number, size, rest[at : at + length]
            at += length
        rest = rest[at:]


def _work(paths: Sequence[str], chunks: Sequence[range], jobs: int, results: int) -> None:
    """The life of a worker; it never returns."""
    code = 1
    try:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        size = 0

        def tell(_: int, more: int) -> None:
            nonlocal size
            size += more
            if size >= _SAID_EVERY:
                os.write(results, _RESULT.pack(_BYTES, 0, 0, size))
                size = 0

        try:
            while job := os.read(jobs, _JOB.size):
                (number,) = _JOB.unpack(job)
                body = b"".join([digest_file(paths[place], tell) for place in chunks[number]])
                os.write(results, _RESULT.pack(_DONE, number, len(body), size) + body)
                size = 0
        except Misused as fault:
            text = str(fault).encode(errors="backslashreplace")[:3000]
            os.write(results, _RESULT.pack(_FAULT, 0, len(text), 0) + text)
        code = 0
    finally:
        os._exit(code)


def _end(children: Sequence[int]) -> None:
    """Wait for the workers: they end when nobody gives them jobs or reads what they write."""
    for child in children:
        os.waitpid(child, 0)


def _chunks(count: int) -> list[range]:
    step = max(1, min(_LARGEST_CHUNK, count // 512))
    return [range(start, min(start + step, count)) for start in range(0, count, step)]


def _unreadable(path: str, error: OSError) -> Misused:
    if isinstance(error, FileNotFoundError):
        return NotRecordable(
            f"{path!r} vanished while it was recorded; what else works there? Stop it, and record again"
        )
    return NotRecordable(
        f"{path!r} cannot be read ({error.strerror}), so it cannot be recorded; run as a user who may read it, "
        "or leave it out with --exclude"
    )
