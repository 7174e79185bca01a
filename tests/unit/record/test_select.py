"""From patterns to names, on real directories."""

import os
import socket
from pathlib import Path

import pytest
from tests.parts.recording import here

from intoto_action.reason import Misused
from intoto_action.record import walk
from intoto_action.record.excludes import Excludes
from intoto_action.record.select import Selection, select


def choose(base: Path, *words: str, exclude: tuple[str, ...] = ()) -> Selection:
    return select(words, Excludes(exclude), here(base))


def tree(base: Path, *names: str) -> None:
    for name in names:
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_a_directory_stands_for_everything_below_it(tmp_path: Path) -> None:
    tree(tmp_path, "src/a", "src/b/c", "src/.hidden", "other")
    assert set(choose(tmp_path, "src").files) == {"src/a", "src/b/c", "src/.hidden"}


def test_names_with_spaces_and_other_letters_stay_as_they_are(tmp_path: Path) -> None:
    tree(tmp_path, "ein Maß.txt", "日本/語", "it's")
    assert set(choose(tmp_path, ".").files) == {"ein Maß.txt", "日本/語", "it's"}


def test_a_file_named_twice_is_recorded_once(tmp_path: Path) -> None:
    tree(tmp_path, "src/a")
    assert choose(tmp_path, "src", "src/a", "./src/*").files == ("src/a",)


def test_only_the_repository_of_git_is_left_out_by_default(tmp_path: Path) -> None:
    tree(tmp_path, ".git/HEAD", ".gitignore", "sub/.git/HEAD", "a.pyc", "b~", "x.link", ".github/w.yml")
    expected = {".gitignore", "sub/.git/HEAD", "a.pyc", "b~", "x.link", ".github/w.yml"}
    assert set(choose(tmp_path, ".").files) == expected


def test_the_git_file_of_a_worktree_is_no_directory_and_is_recorded(tmp_path: Path) -> None:
    tree(tmp_path, ".git")
    assert choose(tmp_path, ".").files == (".git",)


def test_the_repository_of_git_is_left_out_even_when_it_is_named(tmp_path: Path) -> None:
    tree(tmp_path, ".git/HEAD")
    assert choose(tmp_path, ".git/HEAD", ".git").without == (".git/HEAD", ".git")


def test_excludes_are_added_to_the_default_and_can_take_it_back(tmp_path: Path) -> None:
    tree(tmp_path, ".git/HEAD", "a.log", "a.txt", "build/x")
    assert set(choose(tmp_path, ".", exclude=("*.log", "build/")).files) == {"a.txt"}
    assert set(choose(tmp_path, ".", exclude=("!.git/**", "build", "*.log")).files) == {"a.txt", ".git/HEAD"}


def test_a_pattern_that_matches_nothing_is_told(tmp_path: Path) -> None:
    tree(tmp_path, "a")
    (tmp_path / "empty").mkdir()
    words = ("b", "*.c", "empty", "dir:none", "a/b")
    assert choose(tmp_path, "a", *words).without == words


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("*.c", {"a.c"}),
        ("src/*.c", {"src/b.c"}),
        ("**/*.c", {"a.c", "src/b.c", "src/deep/er/c.c"}),
        ("src/**/*.c", {"src/b.c", "src/deep/er/c.c"}),
        ("src/**", {"src/b.c", "src/deep/er/c.c", "src/d.h"}),
        ("src/?.[ch]", {"src/b.c", "src/d.h"}),
        ("s*", {"src/b.c", "src/deep/er/c.c", "src/d.h"}),
        ("**", {"a.c", "src/b.c", "src/deep/er/c.c", "src/d.h"}),
        ("src/deep/**/c.c", {"src/deep/er/c.c"}),
    ],
)
def test_globs_match_within_a_segment_and_two_stars_across(
    tmp_path: Path, word: str, names: set[str]
) -> None:
    tree(tmp_path, "a.c", "src/b.c", "src/deep/er/c.c", "src/d.h")
    assert set(choose(tmp_path, word).files) == names


def test_a_file_called_like_a_glob_hides_nothing(tmp_path: Path) -> None:
    tree(tmp_path, "dist/*.whl", "dist/a.whl", "x[1]", "x1")
    assert set(choose(tmp_path, "dist/*.whl").files) == {"dist/*.whl", "dist/a.whl"}
    assert set(choose(tmp_path, "x[1]").files) == {"x[1]", "x1"}


def test_a_file_called_like_an_image_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "a", "oci:ghcr.io/octo/app", "b")
    with pytest.raises(Misused, match=r"looks like a scheme"):
        choose(tmp_path, ".")
    with pytest.raises(Misused, match=r"looks like a scheme"):
        choose(tmp_path, "./oci:ghcr.io/octo/app")


def test_a_file_called_like_an_image_can_be_left_out(tmp_path: Path) -> None:
    tree(tmp_path, "a", "oci:app")
    assert choose(tmp_path, ".", exclude=("oci:app",)).files == ("a",)


@pytest.mark.parametrize(
    "name", [b"a\\b", b"a\nb", b"a\x1b[31m", b"\xff\xfe", "a\u2028b".encode(), b"\xc2\x85"]
)
def test_a_name_that_verifiers_read_differently_is_refused(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "src").mkdir()
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/src/" + name))).write_text("x")
    for word in ("src", "dir:src"):
        with pytest.raises(Misused, match="expected a name in UTF-8"):
            choose(tmp_path, word)


def test_symlinks_to_files_are_recorded_under_their_own_name(tmp_path: Path) -> None:
    tree(tmp_path, "real")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "out").symlink_to("/etc/hostname")
    assert set(choose(tmp_path, ".").files) == {"real", "link", "out"}


def test_symlinks_to_directories_are_followed(tmp_path: Path) -> None:
    tree(tmp_path, "v1/a", "v1/b/c")
    (tmp_path / "latest").symlink_to("v1")
    assert set(choose(tmp_path, ".").files) == {"v1/a", "v1/b/c", "latest/a", "latest/b/c"}


def test_many_symlinks_to_parents_end_and_lose_nothing(tmp_path: Path) -> None:
    tree(tmp_path, "src/a", "src/b/c")
    for number in range(6):
        (tmp_path / f"src/b/up{number}").symlink_to("..")
        (tmp_path / f"src/self{number}").symlink_to(".")
    assert set(choose(tmp_path, "src").files) == {"src/a", "src/b/c"}


def test_a_symlink_out_of_the_walked_directory_is_followed_but_not_back_into_it(tmp_path: Path) -> None:
    tree(tmp_path, "src/a", "top")
    (tmp_path / "src/up").symlink_to("..")
    assert set(choose(tmp_path, "src").files) == {"src/a", "src/up/top"}


def test_symlinks_that_multiply_end_at_a_number_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "MOST_FILES", 1000)
    for number in range(8):
        tree(tmp_path, f"d{number}/f")
        for other in range(8):
            (tmp_path / f"d{number}/to{other}").symlink_to(f"../d{other}")
    with pytest.raises(Misused, match="more than 1000 files"):
        choose(tmp_path, ".")


def test_a_symlink_to_nothing_is_refused_unless_left_out(tmp_path: Path) -> None:
    tree(tmp_path, "a")
    (tmp_path / "broken").symlink_to("nowhere")
    with pytest.raises(Misused, match="symlink to nothing"):
        choose(tmp_path, ".")
    with pytest.raises(Misused, match="symlink to nothing"):
        choose(tmp_path, "broken")
    assert choose(tmp_path, ".", exclude=("broken",)).files == ("a",)


def test_a_symlink_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Misused, match="cannot be read"):
        choose(tmp_path, ".")


def test_a_socket_and_a_named_pipe_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Misused, match="named pipe"):
        choose(tmp_path, ".")
    with pytest.raises(Misused, match="named pipe"):
        choose(tmp_path, "pipe")
    (tmp_path / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        server.bind("socket")
        with pytest.raises(Misused, match="socket"):
            choose(tmp_path, ".")


def test_a_directory_digest_lists_the_files_in_it(tmp_path: Path) -> None:
    tree(tmp_path, "src/a", "src/oci:x", "src/.git/y", "src/b/c")
    assert set(choose(tmp_path, "dir:src").directories["src"]) == {"a", "oci:x", "b/c"}


@pytest.mark.parametrize("exclude", ["src/tmp/**", "src/tmp", "/src/tmp/", "tmp", "src/**/x", "src/tmp/*"])
def test_what_is_left_out_of_a_directory_digest_is_named_from_the_base(tmp_path: Path, exclude: str) -> None:
    tree(tmp_path, "src/a", "src/tmp/x", "src/.git/y")
    assert choose(tmp_path, "dir:src", exclude=(exclude,)).directories["src"] == ("a",)
    assert "src/tmp/x" not in choose(tmp_path, "src", exclude=(exclude,)).files


@pytest.mark.parametrize("exclude", ["tmp/**", "/tmp", "src/src/tmp"])
def test_a_name_from_within_a_directory_leaves_nothing_out_of_its_digest(
    tmp_path: Path, exclude: str
) -> None:
    tree(tmp_path, "src/a", "src/tmp/x")
    assert set(choose(tmp_path, "dir:src", exclude=(exclude,)).directories["src"]) == {"a", "tmp/x"}


def test_the_repository_in_a_directory_can_be_taken_back_into_its_digest(tmp_path: Path) -> None:
    tree(tmp_path, "src/a", "src/.git/y")
    assert set(choose(tmp_path, "dir:src", exclude=("!.git/**",)).directories["src"]) == {"a", ".git/y"}
    assert set(choose(tmp_path, "dir:src", exclude=("!b",)).directories["src"]) == {"a"}


def test_words_of_images_are_handed_on(tmp_path: Path) -> None:
    assert choose(tmp_path, "oci:x", "image:y", "oci:x").images == ("oci:x", "image:y")


def test_an_absolute_path_through_a_symlinked_base_is_inside(tmp_path: Path) -> None:
    tree(tmp_path, "real/a")
    (tmp_path / "base").symlink_to("real")
    assert choose(tmp_path / "base", str(tmp_path / "real/a")).files == ("a",)
