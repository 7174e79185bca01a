"""`git:tracked`: the files of HEAD, when the work tree holds exactly them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from intoto_action.reason import Misused
from intoto_action.record.child_environment import child_environment

_SUBMODULE = "160000"
_EVENT_COMMIT = "GITHUB_SHA"
_ELSEWHERE = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)
"""What would make git look at another repository than the one in which record runs."""


def tracked_files(base: str, environ: Mapping[str, str], excluded: Callable[[str], bool]) -> list[str]:
    """The names, relative to `base`, of all files below it that HEAD tracks.

    HEAD is read into an index of our own, and the work tree is compared with that: the repository's index could say
    of a file that it is unchanged (`--assume-unchanged`, `--skip-worktree`, a forged timestamp), ours has never seen
    one. Submodules are refused unless excluded, because their files are not files of this repository.

    Raises: Misused when a tracked file differs from HEAD, HEAD is not the event's commit, or there is no repository.
    """
    with tempfile.TemporaryDirectory(prefix="intoto-action-") as directory:
        git = _Git(base, environ, Path(directory) / "index")
        head = git.text("rev-parse", "--verify", "HEAD^{commit}").strip()
        wanted = environ.get(_EVENT_COMMIT, "")
        if wanted and head != wanted:
            raise Misused(
                f"git:tracked: HEAD is {head}, and the event's commit ({_EVENT_COMMIT}) is {wanted}: what is checked "
                "out is not what the run is about; check that commit out, or name the files"
            )
        if staged := git.names("diff-index", "--cached", "--name-only", "-z", "--relative", head):
            raise _differs(staged, "in the index")
        git.use_own_index(head)
        if changed := git.names("diff-files", "--name-only", "-z", "--relative", "--ignore-submodules=none"):
            raise _differs([name for name in changed if not excluded(name)] or changed, "in the work tree")
        return [
            _file(entry, excluded)
            for entry in git.names("ls-files", "-s", "-z")
            if not _skipped(entry, excluded)
        ]


class _Git:
    def __init__(self, base: str, environ: Mapping[str, str], index: Path) -> None:
        self._base = base
        self._index = index
        self._environment = child_environment(environ, private=_ELSEWHERE) | {
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "LC_ALL": "C.UTF-8",
        }

    def use_own_index(self, head: str) -> None:
        """From here on git sees an index that was made of `head` alone."""
        self._environment["GIT_INDEX_FILE"] = str(self._index)
        self.text("read-tree", head)
        # Fills in what the files look like; it says nothing here of those that differ, diff-files does.
        self._run("update-index", "-q", "--refresh")

    def names(self, *words: str) -> list[str]:
        """What git prints, split at NUL."""
        return [os.fsdecode(name) for name in self._checked(*words).split(b"\0") if name]

    def text(self, *words: str) -> str:
        """What git prints."""
        return os.fsdecode(self._checked(*words))

    def _checked(self, *words: str) -> bytes:
        done = self._run(*words)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-500:]
            raise Misused(f"git:tracked: git {words[0]} in {self._base} failed: {said}")
        return done.stdout

    def _run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *words]
        try:
            return subprocess.run(
                command,
                cwd=self._base,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise Misused(
                f"git:tracked: git cannot be started ({error.strerror}); is it installed?"
            ) from error


def _skipped(entry: str, excluded: Callable[[str], bool]) -> bool:
    return excluded(entry.partition("\t")[2])


def _file(entry: str, excluded: Callable[[str], bool]) -> str:
    fields, _, name = entry.partition("\t")
    if fields.startswith(_SUBMODULE):
        raise Misused(
            f"git:tracked: {name!r} is a submodule, whose files this repository does not track: say --exclude {name}, "
            f"and name what you need of it as a pattern of its own"
        )
    return name


def _differs(names: list[str], where: str) -> Misused:
    listed = ", ".join(repr(name) for name in names[:5]) + (
        f" and {len(names) - 5} more" if len(names) > 5 else ""
    )
    return Misused(
        f"git:tracked: {listed} differ from HEAD {where}: commit or restore them, or record them by name"
    )
