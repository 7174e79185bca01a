"""SHA-256 of many files."""

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intoto_action.reason import Misused
from intoto_action.record import digest
from intoto_action.record.digest import digest_file, digest_files


def said(done: int, size: int) -> None:
    """No progress to be shown."""


@pytest.fixture(params=["processes", "threads"])
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways to use all cores; pytest has threads of its own under pytest-xdist, so the choice is made here."""
    monkeypatch.setattr(digest, "_ALONE_FILES", 0)
    monkeypatch.setattr(digest, "_has_threads", lambda: request.param == "threads")
    if request.param == "processes" and threading.active_count() > 1 and sys.version_info >= (3, 12):
        with pytest.warns(DeprecationWarning, match="fork"):
            yield request.param
    else:
        yield request.param


def files(directory: Path, sizes: list[int]) -> tuple[list[str], list[str]]:
    paths, digests = [], []
    for number, size in enumerate(sizes):
        content = os.urandom(size)
        path = directory / f"file{number}"
        path.write_bytes(content)
        paths.append(str(path))
        digests.append(hashlib.sha256(content).hexdigest())
    return paths, digests


def test_digests_are_those_of_the_contents_in_order(tmp_path: Path, many: str) -> None:
    sizes = [0, 1, 2047, 2048, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 3_000_000, *range(300)]
    paths, digests = files(tmp_path, sizes)
    assert digest_files(paths) == digests


def test_a_few_small_files_are_digested_alike(tmp_path: Path) -> None:
    paths, digests = files(tmp_path, [0, 10, 5000])
    assert digest_files(paths) == digests
    assert digest_files([]) == []


def test_progress_counts_every_file_and_byte(tmp_path: Path, many: str) -> None:
    paths, _ = files(tmp_path, [100] * 50 + [2_000_000])
    seen: list[tuple[int, int]] = []
    digest_files(paths, lambda done, size: seen.append((done, size)))
    assert sum(done for done, _ in seen) == 51
    assert sum(size for _, size in seen) == 50 * 100 + 2_000_000


def test_a_file_that_vanished_is_told(tmp_path: Path, many: str) -> None:
    paths, _ = files(tmp_path, [10] * 200)
    os.unlink(paths[150])
    with pytest.raises(Misused, match=r"file150.*vanished"):
        digest_files(paths)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="cannot be read"):
        digest_files([str(tmp_path)[:3] + "x" * 300])


def test_a_named_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Misused, match="no regular file"):
        digest_file(str(tmp_path / "pipe"), said)


def test_a_directory_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misused):
        digest_file(str(tmp_path), said)


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_a_file_that_grows_while_it_is_digested_is_told(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"x" * size)
    monkeypatch.setattr(os, "fstat", _after_first(lambda: path.write_bytes(b"x" * (size + 4))))
    with pytest.raises(Misused, match="changed while it was recorded"):
        digest_file(str(path), said)


def test_a_file_that_is_rewritten_at_the_same_length_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    os.utime(path, ns=(0, time.time_ns() - 10**10))
    monkeypatch.setattr(os, "fstat", _after_first(lambda: path.write_bytes(b"two")))
    with pytest.raises(Misused, match="changed while it was recorded"):
        digest_file(str(path), said)


def test_a_file_that_is_rewritten_and_dated_back_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = path.stat()
    while time.time_ns() - before.st_ctime_ns < 20_000_000:  # the clock of a file system ticks slowly
        time.sleep(0.005)

    def rewrite() -> None:
        path.write_bytes(b"two")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    monkeypatch.setattr(os, "fstat", _after_first(rewrite))
    with pytest.raises(Misused, match="changed while it was recorded"):
        digest_file(str(path), said)


def test_a_file_that_is_replaced_by_another_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"one")
    other.write_bytes(b"two")
    monkeypatch.setattr(os, "fstat", _after_first(lambda: other.replace(path)))
    with pytest.raises(Misused, match="changed while it was recorded"):
        digest_file(str(path), said)


def _after_first(change: Callable[[], object]) -> Callable[[int], os.stat_result]:
    """os.fstat that lets something happen to the file after its first call."""
    real = os.fstat
    calls: list[int] = []

    def fstat(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        if not calls:
            calls.append(1)
            change()
        return status

    return fstat


def test_no_descriptor_and_no_process_is_left_behind(tmp_path: Path, many: str) -> None:
    paths, _ = files(tmp_path, [10] * 200)
    before = len(os.listdir("/proc/self/fd")), _children()
    digest_files(paths)
    os.unlink(paths[0])
    with pytest.raises(Misused):
        digest_files(paths)
    assert (len(os.listdir("/proc/self/fd")), _children()) == before


def _children() -> str:
    """Other tests' helpers may run; one that has ended and was not waited for is listed too."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()
