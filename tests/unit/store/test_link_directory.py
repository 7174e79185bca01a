import os
from pathlib import Path

import pytest

from intoto_action.formats.evidence import MOST_LINKS
from intoto_action.reason import Malformed, Misused
from intoto_action.store.link_directory import (
    each_unsigned_link,
    link_file_name,
    read_links,
    unsigned_file_name,
    write_link,
)

NAME = "build.12345678.link"


def test_a_link_is_written_and_read_back(tmp_path: Path) -> None:
    path = write_link(tmp_path / "links" / "deep", NAME, b"document", force=False)
    assert path == tmp_path / "links" / "deep" / NAME
    assert read_links(path.parent) == {NAME: b"document"}


def test_links_are_named_by_step_and_eight_of_the_keyid() -> None:
    assert link_file_name("build", "0123456789abcdef") == "build.01234567.link"


def test_an_unsigned_link_is_not_taken_for_a_link(tmp_path: Path) -> None:
    (tmp_path / unsigned_file_name("build")).write_bytes(b"{}")
    assert read_links(tmp_path) == {}


def test_unsigned_links_are_read_by_who_asks_for_them_and_nothing_else_with_them(tmp_path: Path) -> None:
    (tmp_path / unsigned_file_name("build")).write_bytes(b"{}")
    (tmp_path / NAME).write_bytes(b"signed")
    (tmp_path / "README.link-unsigned.md").write_bytes(b"")
    assert list(each_unsigned_link(tmp_path)) == [("build.link-unsigned", b"{}")]


def test_a_symlink_that_is_called_like_an_unsigned_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "build.link-unsigned").symlink_to("/etc/hostname")
    with pytest.raises(Misused, match="symlink"):
        list(each_unsigned_link(tmp_path))


def test_a_step_s_name_leads_nowhere_else() -> None:
    with pytest.raises(Malformed):
        unsigned_file_name("../build")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\x00b"])
def test_a_file_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misused, match="no file name"):
        write_link(tmp_path, name, b"", force=False)


def test_the_same_link_again_is_no_conflict(tmp_path: Path) -> None:
    write_link(tmp_path, NAME, b"document", force=False)
    write_link(tmp_path, NAME, b"document", force=False)


def test_another_link_under_the_same_name_is_not_overwritten_silently(tmp_path: Path) -> None:
    write_link(tmp_path, NAME, b"old", force=False)
    with pytest.raises(Misused, match=r"holds another link.*step names"):
        write_link(tmp_path, NAME, b"new", force=False)
    assert read_links(tmp_path) == {NAME: b"old"}
    write_link(tmp_path, NAME, b"new", force=True)
    assert read_links(tmp_path) == {NAME: b"new"}


def test_other_files_and_directories_are_left_alone(tmp_path: Path) -> None:
    for name in ("root.layout", "report.json", ".intoto-action-0.tmp", ".build.12345678.link-unfinished"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / NAME).write_bytes(b"")
    assert read_links(tmp_path) == {}


def test_links_come_sorted(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write_link(tmp_path, f"{name}.12345678.link", b"", force=False)
    assert list(read_links(tmp_path)) == ["a.12345678.link", "b.12345678.link", "c.12345678.link"]


def test_a_directory_that_is_missing_is_named_with_the_flag(tmp_path: Path) -> None:
    with pytest.raises(Misused, match=r"does not exist.*--link-dir"):
        read_links(tmp_path / "missing")


def test_a_file_in_place_of_the_directory_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Misused, match="cannot be read"):
        read_links(tmp_path / "file")
    with pytest.raises(Misused, match="cannot be made"):
        write_link(tmp_path / "file", NAME, b"", force=False)


def test_a_symlink_called_like_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"of this machine")
    (tmp_path / NAME).symlink_to("secret")
    with pytest.raises(Misused, match="symlink"):
        read_links(tmp_path)


def test_a_pipe_called_like_a_link_is_refused_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(Misused, match="not a regular file"):
        read_links(tmp_path)


def test_more_links_than_evidence_holds_are_refused(tmp_path: Path) -> None:
    for number in range(MOST_LINKS + 1):
        (tmp_path / f"{number}.12345678.link").touch()
    with pytest.raises(Misused, match=f"more than {MOST_LINKS}"):
        read_links(tmp_path)


def test_a_link_of_more_than_sixteen_megabytes_is_refused(tmp_path: Path) -> None:
    with (tmp_path / NAME).open("wb") as stream:
        stream.truncate((16 << 20) + 1)
    with pytest.raises(Misused, match="at most"):
        read_links(tmp_path)
