"""What Windows does with these names is Microsoft's word; that the rules know them is tested everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.system.windows_rules import leads_elsewhere, name_fault, path_fault

_DIRECTORY, _ARCHIVE, _REPARSE_POINT = 0x10, 0x20, 0x400
_SYMLINK, _JUNCTION, _WSL_SYMLINK, _DEDUPLICATED, _CLOUD = (
    0xA000000C,
    0xA0000003,
    0xA000001D,
    0x80000013,
    0x9000001A,
)


@pytest.mark.parametrize(
    "name", ["app.", "app ", "app. .", "src./app", "src /app", "a/.../b", "dist\\app.", "..."]
)
def test_a_name_whose_end_windows_drops_is_refused(name: str) -> None:
    assert "drops the dots and spaces" in (name_fault(name) or "")


@pytest.mark.parametrize("name", ["app:hidden", "app::$DATA", "C:app", "c:", "src/app:x", "dir\\a:b/c"])
def test_a_stream_behind_a_file_and_a_drive_are_refused(name: str) -> None:
    assert "stream" in (name_fault(name) or "")


@pytest.mark.parametrize(
    "name",
    [
        "NUL",
        "nul",
        "nul.txt",
        "src/Con/app",
        "COM1",
        "com1.tar.gz",
        "lpt9",
        "COM¹",
        "AUX",
        "prn.",
        "conin$",
        "nul .txt",
    ],
)
def test_a_device_is_refused_in_every_directory_with_every_ending(name: str) -> None:
    assert name_fault(name)


@pytest.mark.parametrize(
    "name",
    [
        "app",
        ".",
        "..",
        "./a",
        "../a",
        ".git",
        "src/a.b",
        "console",
        "com10",
        "nully.txt",
        "a/b c/d",
        "",
        "null",
    ],
)
def test_a_plain_name_stays(name: str) -> None:
    assert name_fault(name) is None


@pytest.mark.parametrize("path", [r"C:\a\b", "D:/a/b.txt", r"\a", "/a", r"a\b", "Z:/", r"C:\a\..\b"])
def test_a_path_on_a_drive_stays(path: str) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize(
    "path",
    [
        r"\\server\share\a",
        "//server/share/a",
        r"\\.\pipe\a",
        r"\\?\C:\a",
        r"\??\C:\a",
        "/\\server/a",
        "//./nul",
        r"C:a",
    ],
)
def test_a_path_to_another_machine_or_past_the_rules_is_refused(path: str) -> None:
    assert path_fault(path)


@pytest.mark.parametrize("path", [r"C:\a\nul", r"C:\a:b", "C:/a./b"])
def test_behind_the_drive_the_rules_for_names_hold(path: str) -> None:
    assert path_fault(path)


@pytest.mark.parametrize("tag", [_SYMLINK, _JUNCTION, _WSL_SYMLINK])
def test_symlinks_and_junctions_lead_elsewhere(tag: int) -> None:
    assert leads_elsewhere(_REPARSE_POINT | _DIRECTORY, tag)
    assert leads_elsewhere(_REPARSE_POINT | _ARCHIVE, tag)


@pytest.mark.parametrize("tag", [_DEDUPLICATED, _CLOUD])
def test_a_file_that_is_only_stored_otherwise_does_not(tag: int) -> None:
    assert not leads_elsewhere(_REPARSE_POINT | _ARCHIVE, tag)


def test_a_tag_without_the_attribute_says_nothing() -> None:
    assert not leads_elsewhere(_ARCHIVE, _SYMLINK)


@given(st.lists(st.text(alphabet="abcnul .:\\/$1", min_size=0, max_size=6), min_size=1, max_size=4))
def test_what_is_refused_of_one_part_is_refused_wherever_it_stands(parts: list[str]) -> None:
    assert bool(name_fault("/".join(parts))) == any(name_fault(part) for part in parts)
