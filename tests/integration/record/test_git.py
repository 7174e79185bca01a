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


def test_an_attribute_and_a_filter_do_not_hide_a_change(repository: Path) -> None:
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/attributes").write_text("* filter=x\n")
    git(repository, "config", "filter.x.clean", "git show HEAD:README")
    (repository / "README").write_text("other")
    assert git(repository, "diff-files", "--name-only", "README") in {"", "README"}
    with pytest.raises(Misused, match=r"'README' differ from HEAD in the work tree"):
        tracked(repository)


def test_a_file_that_git_converts_is_refused_with_the_reason(repository: Path) -> None:
    (repository / ".gitattributes").write_text("text eol=crlf\n")
    (repository / "text").write_text("a\r\n")
    git(repository, "add", ".gitattributes", "text")
    git(repository, "commit", "--quiet", "--message", "two")
    assert git(repository, "status", "--porcelain", "--untracked-files=no") == ""
    with pytest.raises(
        Misused, match=r"'text' differ .* converts when it is checked out \(line ends, Git LFS"
    ):
        tracked(repository)


def test_a_file_that_became_executable_is_refused(repository: Path) -> None:
    (repository / "README").chmod(0o755)
    with pytest.raises(Misused, match="'README' differ"):
        tracked(repository)


def test_a_directory_that_became_a_symlink_to_a_copy_is_refused(repository: Path, tmp_path: Path) -> None:
    (repository / "src").rename(tmp_path / "copy")
    (repository / "src").symlink_to(tmp_path / "copy")
    with pytest.raises(Misused, match="'src' differ"):
        tracked(repository)


def test_a_symlink_that_leads_elsewhere_is_refused(repository: Path) -> None:
    (repository / "link").unlink()
    (repository / "link").symlink_to("untracked")
    with pytest.raises(Misused, match="'link' differ"):
        tracked(repository)


def test_a_file_in_place_of_a_symlink_with_its_content_is_refused(repository: Path) -> None:
    (repository / "link").unlink()
    (repository / "link").write_text("README")
    with pytest.raises(Misused, match="'link' differ"):
        tracked(repository)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [("src", "'dl' is a symlink to a directory"), ("none", "'dl' is a symlink to nothing")],
)
def test_a_symlink_to_no_file_is_said_unless_it_is_left_out(
    repository: Path, target: str, sentence: str
) -> None:
    (repository / "dl").symlink_to(target)
    git(repository, "add", "dl")
    git(repository, "commit", "--quiet", "--message", "two")
    with pytest.raises(Misused, match=sentence):
        tracked(repository)
    assert "README" in tracked(repository, "dl")


def plant_code(repository: Path, ran: Path) -> None:
    """Put a program wherever git would look for one."""
    program = repository.parent / "program"
    program.write_text(f"#!/bin/sh\nenv >>{ran}\ncat\n")
    program.chmod(0o755)
    hooks = repository / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "reference-transaction", "fsmonitor-watchman", "post-checkout"):
        (hooks / hook).symlink_to(program)
    for name in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.alternateRefsCommand",
        "filter.x.clean",
    ):
        git(repository, "config", name, str(program))
    for name in (
        "filter.x.process",
        "diff.x.textconv",
        "diff.external",
        "alias.ls-files",
        "remote.o.uploadpack",
    ):
        git(repository, "config", name, str(program))
    git(repository, "config", "core.hooksPath", str(hooks))
    git(repository, "config", "remote.o.promisor", "true")
    git(repository, "config", "remote.o.url", "ssh://registry.example/x")
    git(repository, "config", "core.repositoryFormatVersion", "1")
    git(repository, "config", "extensions.partialClone", "o")
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/attributes").write_text("* filter=x diff=x\n")
    ran.unlink(missing_ok=True)


def test_nothing_that_lies_in_a_repository_is_run(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    plant_code(repository, ran)
    for file in ("README", "src/ü"):
        os.utime(repository / file)
    assert tracked(repository) == {"README", "src/a b.c", "src/ü", "link"}
    assert not ran.exists()
    git(repository, "-c", "core.fsmonitor=false", "read-tree", "HEAD")
    assert ran.exists(), "the hook is where git finds it"


def test_a_missing_object_is_fetched_from_nobody(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    tree = git(repository, "rev-parse", "HEAD:src")
    plant_code(repository, ran)
    (repository / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(Misused, match="is it whole"):
        tracked(repository)
    assert not ran.exists()


def test_a_replaced_commit_is_not_taken_for_head(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "add", "untracked")
    git(repository, "commit", "--quiet", "--message", "two")
    git(repository, "replace", "HEAD", first)
    assert tracked(repository) == {"README", "src/a b.c", "src/ü", "link", "untracked"}


def test_an_object_with_other_content_than_its_name_says_is_refused(repository: Path) -> None:
    tree, other = git(repository, "rev-parse", "HEAD:src"), git(repository, "rev-parse", "HEAD^{tree}")
    path, forged = (repository / ".git/objects" / each[:2] / each[2:] for each in (tree, other))
    path.unlink()
    path.write_bytes(forged.read_bytes())
    with pytest.raises(Misused, match="somebody forged it"):
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


def test_a_linked_work_tree_is_read(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    assert tracked(tmp_path / "linked") == {"README", "src/a b.c", "src/ü", "link"}
    git(tmp_path / "linked", "rm", "--quiet", "--cached", "README")
    with pytest.raises(Misused, match="in the index"):
        tracked(tmp_path / "linked")


def test_a_packed_repository_and_a_split_index_are_read(repository: Path) -> None:
    git(repository, "gc", "--quiet")
    git(repository, "update-index", "--split-index")
    assert tracked(repository) == {"README", "src/a b.c", "src/ü", "link"}
    git(repository, "checkout", "--quiet", "--detach")
    assert tracked(repository / "src") == {"a b.c", "ü"}


def test_a_repository_with_sha256_is_read(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--object-format=sha256", ".")
    (tmp_path / "a").write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    assert tracked(tmp_path) == {"a"}
    (tmp_path / "a").write_text("b")
    with pytest.raises(Misused, match="'a' differ"):
        tracked(tmp_path)


def test_a_deep_tree_is_read(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", ".")
    name = "d/" * 1500 + "f"
    blob = git(tmp_path, "hash-object", "-w", "-t", "blob", "/dev/null")
    git(tmp_path, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    subprocess.run(["sh", "-c", 'mkdir -p "${1%/f}" && : >"$1"', "sh", name], cwd=tmp_path, check=True)
    try:
        assert tracked(tmp_path) == {name}
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


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
    with pytest.raises(Misused, match="is in no git repository"):
        tracked(tmp_path)


def test_a_repository_without_a_commit_is_a_sentence(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", ".")
    with pytest.raises(Misused, match="git:tracked"):
        tracked(tmp_path)


def test_a_machine_without_git_is_a_sentence(repository: Path) -> None:
    with pytest.raises(Misused, match="is it installed"):
        tracked(repository, environ={"PATH": "/nonexistent"})
