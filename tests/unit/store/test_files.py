import os
import stat
import threading
from pathlib import Path

import pytest

from intoto_action.reason import Misused
from intoto_action.store.files import Exists, read_capped, read_plain, write_whole


def test_a_file_is_written_with_its_mode_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", b"content", mode=0o600, overwrite=False)
    assert (tmp_path / "key").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["key"]


def test_a_file_that_is_there_stays_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"old")
    with pytest.raises(Exists, match="exists already"):
        write_whole(tmp_path / "key", b"new", overwrite=False)
    assert (tmp_path / "key").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["key"]
    write_whole(tmp_path / "key", b"new", overwrite=True)
    assert (tmp_path / "key").read_bytes() == b"new"


def test_of_many_who_write_one_name_at_once_one_wins_whole(tmp_path: Path) -> None:
    won: list[bytes] = []
    barrier = threading.Barrier(8)

    def write(content: bytes) -> None:
        barrier.wait()
        try:
            write_whole(tmp_path / "key", content, overwrite=False)
        except Exists:
            return
        won.append(content)

    threads = [threading.Thread(target=write, args=(bytes([65 + n]) * 100_000,)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [(tmp_path / "key").read_bytes()] == won


def test_without_hard_links_a_file_that_is_there_stays_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    write_whole(tmp_path / "key", b"first", overwrite=False)
    with pytest.raises(Exists):
        write_whole(tmp_path / "key", b"second", overwrite=False)
    assert (tmp_path / "key").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["key"]


def test_a_symlink_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "key").symlink_to("target")
    with pytest.raises(Exists):
        write_whole(tmp_path / "key", b"new", overwrite=False)
    write_whole(tmp_path / "key", b"new", overwrite=True)
    assert (tmp_path / "target").read_bytes() == b"old"
    assert not (tmp_path / "key").is_symlink()


def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Misused, match="No space left"):
        write_whole(tmp_path / "key", b"new", overwrite=True)
    assert (tmp_path / "key").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["key"]


def test_a_directory_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="missing/key cannot be written: No such file"):
        write_whole(tmp_path / "missing" / "key", b"", overwrite=False)


def test_a_file_is_read_up_to_its_cap(tmp_path: Path) -> None:
    (tmp_path / "layout").write_bytes(b"12345")
    assert read_capped(tmp_path / "layout", 5, "layout") == b"12345"
    with pytest.raises(Misused, match="has 5 bytes, and at most 4"):
        read_capped(tmp_path / "layout", 4, "layout")


def test_a_file_that_grows_while_it_is_read_is_cut_off() -> None:
    with pytest.raises(Misused, match="layout"):
        read_capped(Path("/proc/self/environ"), 1, "layout")


@pytest.mark.parametrize("read", [read_capped, read_plain])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, read: object) -> None:
    assert callable(read)
    os.mkfifo(tmp_path / "pipe")
    for path, words in [
        (tmp_path, "is a directory"),
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path / "missing", "no such file"),
        (Path("/dev/zero"), "not a regular file"),
        (Path("a\x00b"), "null"),
    ]:
        with pytest.raises(Misused, match=words):
            read(path, 100, "layout")


def test_a_symlink_is_followed_for_a_person_and_not_in_a_directory_of_others(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"x")
    (tmp_path / "name").symlink_to("target")
    assert read_capped(tmp_path / "name", 10, "layout") == b"x"
    with pytest.raises(Misused, match="symlink"):
        read_plain(tmp_path / "name", 10, "link")
