"""`git:tracked`: the files of HEAD, when the work tree holds exactly them."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.parts.recording import here

from intoto_action.reason import Misused
from intoto_action.record.excludes import Excludes
from intoto_action.record.select import select

pytestmark = pytest.mark.needs("git")

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}


def git(base: Path, *words: str) -> str:
    identity = ("-c", "user.name=u", "-c", "user.email=u@example.com", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *identity, *words], cwd=base, env=ENVIRON, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, and a file that it does not track."""
    base = tmp_path / "repository"
    (base / "src").mkdir(parents=True)
    git(base, "init", "--quiet", ".")
    for name in ("README", "src/a b.c", "src/ü"):
        (base / name).write_text(name)
    (base / "link").symlink_to("README")
    git(base, "add", ".")
    git(base, "commit", "--quiet", "--message", "one")
    (base / "untracked").write_text("x")
    return base


def tracked(base: Path, *exclude: str, environ: dict[str, str] | None = None) -> set[str]:
    return set(select(["git:tracked"], Excludes(exclude), here(base, ENVIRON | (environ or {}))).files)


def test_the_tracked_files_are_those_of_head(repository: Path) -> None:
    assert tracked(repository) == {"README", "src/a b.c", "src/ü", "link"}
    assert tracked(repository, "src/ü") == {"README", "src/a b.c", "link"}
    assert tracked(repository / "src") == {"a b.c", "ü"}


def test_a_file_that_differs_from_head_is_refused(repository: Path) -> None:
    (repository / "README").write_text("other")
    with pytest.raises(Misused, match=r"'README' differ from HEAD in the work tree"):
        tracked(repository)


def test_a_missing_file_is_refused(repository: Path) -> None:
    (repository / "README").unlink()
    with pytest.raises(Misused, match="differ from HEAD"):
        tracked(repository)


def test_a_staged_file_is_refused(repository: Path) -> None:
    git(repository, "add", "untracked")
    with pytest.raises(Misused, match="in the index"):
        tracked(repository)


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_the_index_calls_unchanged_is_looked_at(repository: Path, flag: str) -> None:
    git(repository, "update-index", flag, "README")
    (repository / "README").write_text("other")
    with pytest.raises(Misused, match="differ from HEAD"):
        tracked(repository)


def test_a_change_of_the_same_size_and_time_is_seen(repository: Path) -> None:
    path = repository / "README"
    status = path.stat()
    path.write_text("EMDAER")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(Misused, match="differ from HEAD"):
        tracked(repository)


def test_head_must_be_the_commit_of_the_event(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    assert tracked(repository, environ={"GITHUB_SHA": head})
    with pytest.raises(Misused, match="the event's commit"):
        tracked(repository, environ={"GITHUB_SHA": "0" * 40})


def test_the_environment_cannot_name_another_repository(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet", ".")
    environ = {
        "GIT_DIR": str(other / ".git"),
        "GIT_INDEX_FILE": str(other / "index"),
        "GIT_WORK_TREE": str(other),
    }
    assert tracked(repository, environ=environ) == {"README", "src/a b.c", "src/ü", "link"}


def test_the_index_of_the_repository_is_left_as_it_is(repository: Path) -> None:
    os.utime(repository / "README")
    before = (repository / ".git/index").read_bytes()
    tracked(repository)
    assert (repository / ".git/index").read_bytes() == before


def test_a_submodule_is_refused_unless_it_is_left_out(repository: Path, tmp_path: Path) -> None:
    git(repository, "submodule", "--quiet", "add", str(repository), "sub")
    git(repository, "commit", "--quiet", "--message", "two")
    with pytest.raises(Misused, match="'sub' is a submodule"):
        tracked(repository)
    assert "README" in tracked(repository, "sub")


def test_a_directory_that_is_no_repository_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="failed: fatal"):
        tracked(tmp_path)


def test_a_repository_without_a_commit_is_a_sentence(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", ".")
    with pytest.raises(Misused, match="git:tracked"):
        tracked(tmp_path)


def test_a_machine_without_git_is_a_sentence(repository: Path) -> None:
    with pytest.raises(Misused, match="is it installed"):
        tracked(repository, environ={"PATH": "/nonexistent"})
