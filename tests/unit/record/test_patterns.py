"""The words of --materials and --products."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.artifact import name_fault
from intoto_action.reason import Misused
from intoto_action.record.patterns import Kind, parse_pattern

BASE = "/home/u/project"


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("src", "src"),
        ("./src/", "src"),
        ("src//a/../b", "src/b"),
        (".", "."),
        (f"{BASE}/src/a", "src/a"),
        (BASE, "."),
        ("src/**/*.c", "src/**/*.c"),
        ("name with spaces", "name with spaces"),
    ],
)
def test_a_path_is_normalised_and_relative_to_the_base(word: str, path: str) -> None:
    parsed = parse_pattern(word, BASE)
    assert (parsed.kind, parsed.path) == (Kind.FILES, path)


@pytest.mark.parametrize("word", ["..", "../x", "src/../../x", "/etc/passwd", "/home/u/project2/x", "/"])
def test_a_path_outside_the_base_is_refused(word: str) -> None:
    with pytest.raises(Misused, match="outside"):
        parse_pattern(word, BASE)


@pytest.mark.parametrize("word", ["file:src/a", "ostree:x", "git:tree", "http://x"])
def test_a_scheme_that_record_does_not_know_is_refused(word: str) -> None:
    with pytest.raises(Misused, match="none of git:tracked"):
        parse_pattern(word, BASE)


@pytest.mark.parametrize("word", ["", "  ", "a\0b"])
def test_an_empty_pattern_is_refused(word: str) -> None:
    with pytest.raises(Misused, match="empty pattern"):
        parse_pattern(word, BASE)


@pytest.mark.parametrize("word", ["dir:.", "dir:", "dir:src/.."])
def test_the_base_itself_cannot_be_one_artifact(word: str) -> None:
    with pytest.raises(Misused, match="below the one"):
        parse_pattern(word, BASE)


def test_images_and_git_are_told_from_paths() -> None:
    kinds = [parse_pattern(word, BASE).kind for word in ("oci:x@y", "image:x", "git:tracked", "dir:src/")]
    assert kinds == [Kind.IMAGE, Kind.IMAGE, Kind.TRACKED, Kind.DIRECTORY]


@given(st.text(max_size=40) | st.text(alphabet="./*[]ab:\\-", max_size=20))
def test_any_word_is_a_pattern_inside_the_base_or_a_sentence(word: str) -> None:
    try:
        parsed = parse_pattern(word, BASE)
    except Misused:
        return
    if parsed.kind is Kind.DIRECTORY:
        assert name_fault(f"dir:{parsed.path}") is None
    if parsed.kind is Kind.FILES:
        assert not parsed.path.startswith(("/", "../")) and parsed.path != ".."
        assert parse_pattern(f"./{parsed.path}", BASE).path == parsed.path
