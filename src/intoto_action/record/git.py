"""`git:tracked`: the files of HEAD, when the work tree holds exactly them."""

# A Path for each of many thousand files would cost more than its hashing.
# ruff: noqa: PTH115, PTH123

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from intoto_action.reason import Misused, NotRecordable, WrongPlace
from intoto_action.record.git_objects import DIRECTORY, EXECUTABLE, SUBMODULE, SYMLINK, Entry, Repository
from intoto_action.record.leftovers import nothing_left_running
from intoto_action.record.walk import require_regular, status_of, unreadable
from intoto_action.system import RUNS_PROGRAMS, open_to_read

_EVENT_COMMIT = "GITHUB_SHA"
_BUFFER = 1 << 18


def tracked_files(base: str, environ: Mapping[str, str], excluded: Callable[[str], bool]) -> list[str]:
    """The names, relative to `base`, of all files below it that HEAD tracks.

    The bytes of the work tree are compared with HEAD's, without the repository's index, attributes and filters: all of
    them could say of a file that it is unchanged. A symlink is compared as such, and is recorded as what it leads to,
    like everywhere; one to a directory is refused unless excluded, because what it leads to need not be tracked.
    Submodules are refused unless excluded, because their files are not files of this repository.

    Raises: Misused when a tracked file differs from HEAD, HEAD is not the event's commit, or there is no repository;
    on Windows, where git is not asked, and a work tree has neither the line ends nor the modes of HEAD.
    """
    if not RUNS_PROGRAMS:
        raise WrongPlace(
            "git:tracked: expected Linux or macOS, where git can be asked and a work tree is byte for byte that of "
            "HEAD; found Windows: name the files, or record the checkout on a Linux runner"
        )
    with (
        nothing_left_running("git:tracked"),
        tempfile.TemporaryDirectory(prefix="intoto-action-") as scratch,
        Repository(base, environ, Path(scratch)) as repository,
    ):
        head = repository.head()
        wanted = environ.get(_EVENT_COMMIT, "")
        if wanted and head != wanted:
            raise NotRecordable(
                f"git:tracked: HEAD is {head}, and the event's commit ({_EVENT_COMMIT}) is {wanted}: what is checked "
                "out is not what the run is about; check that commit out, or name the files"
            )
        comparison = _Comparison(repository, base)
        entries = comparison.entries(head)
        if changed := comparison.changed(entries):
            raise _differs([name for name in changed if not excluded(name)] or changed, "in the work tree")
        if staged := _staged(repository, entries):
            raise _differs(staged, "in the index")
    kept = [entry for entry in entries if not excluded(entry.name)]
    for entry in kept:
        _check_kind(base, entry)
    return [entry.name for entry in kept]


class _Comparison:
    """HEAD's files below the base, and those of the work tree."""

    def __init__(self, repository: Repository, base: str) -> None:
        self._repository = repository
        self._base = base
        self._no_directories: list[str] = []

    def entries(self, commit: str) -> list[Entry]:
        """All but directories, with names relative to the base."""
        tree = self._repository.tree_of(commit)
        for part in self._repository.inside:
            found = [each for each in self._repository.entries(tree) if each.name == part]
            if not found or found[0].mode != DIRECTORY:
                return []
            tree = found[0].id
        return list(self._below(tree))

    def changed(self, entries: list[Entry]) -> list[str]:
        """The names of directories and files that are not there any more, or not as in HEAD."""
        return [*self._no_directories, *(entry.name for entry in entries if not self._is_as_in_head(entry))]

    def _below(self, top: str) -> Iterator[Entry]:
        stack = [("", top)]
        while stack:
            front, tree = stack.pop()
            for entry in self._repository.entries(tree):
                name = front + entry.name
                if entry.mode != DIRECTORY:
                    yield Entry(name, entry.mode, entry.id)
                elif self._is_directory(name):
                    stack.append((f"{name}/", entry.id))
                else:
                    self._no_directories.append(name)

    def _is_directory(self, name: str) -> bool:
        """Whether it is a directory itself, for a symlink could lead to files that HEAD has never seen."""
        status = _status(self._base, name)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def _is_as_in_head(self, entry: Entry) -> bool:
        if entry.mode == SUBMODULE:
            return True
        status = _status(self._base, entry.name)
        if status is None:
            return False
        if entry.mode == SYMLINK:
            return stat.S_ISLNK(status.st_mode) and self._is_link_to(entry)
        if not stat.S_ISREG(status.st_mode):
            return False
        is_executable = bool(status.st_mode & stat.S_IXUSR)
        return is_executable == (entry.mode == EXECUTABLE) and self._has_content(entry)

    def _is_link_to(self, entry: Entry) -> bool:
        try:
            target = os.readlink(os.fsencode(f"{self._base}/{entry.name}"))
        except OSError:
            return False
        hasher = self._repository.hasher("blob", len(target))
        hasher.update(target)
        return hasher.hexdigest() == entry.id

    def _has_content(self, entry: Entry) -> bool:
        try:
            descriptor = open_to_read(f"{self._base}/{entry.name}", follow=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unreadable(entry.name, error) from error
        with open(descriptor, "rb", buffering=0) as file:
            hasher = self._repository.hasher("blob", os.fstat(descriptor).st_size)
            try:
                while piece := file.read(_BUFFER):
                    hasher.update(piece)
            except OSError as error:
                raise unreadable(entry.name, error) from error
        return hasher.hexdigest() == entry.id


def _status(base: str, name: str) -> os.stat_result | None:
    """What is there under that name itself; None when nothing is."""
    try:
        return os.lstat(f"{base}/{name}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(name, error) from error


def _staged(repository: Repository, entries: list[Entry]) -> list[str]:
    """The names below the base of which the index says something else than HEAD: added, removed or changed."""
    front = "".join(f"{part}/" for part in repository.inside)
    index = {
        (entry.name.removeprefix(front), entry.mode, entry.id)
        for entry in repository.index()
        if entry.name.startswith(front)
    }
    head = {(entry.name, entry.mode, entry.id) for entry in entries}
    return sorted({name for name, _, _ in index ^ head})


def _check_kind(base: str, entry: Entry) -> None:
    """Raises: Misused for what HEAD tracks and a link cannot hold."""
    name = entry.name
    if entry.mode == SUBMODULE:
        raise NotRecordable(
            f"git:tracked: {name!r} is a submodule, whose files this repository does not track: say --exclude {name}, "
            f"and name what you need of it as a pattern of its own"
        )
    if entry.mode != SYMLINK:
        return
    mode = status_of(f"{base}/{name}", name).st_mode
    if stat.S_ISDIR(mode):
        raise NotRecordable(
            f"git:tracked: {name!r} is a symlink to a directory, whose files need not be tracked: say --exclude "
            f"{name}, and name that directory, if you need it, as a pattern of its own"
        )
    require_regular(name, mode)


def _differs(names: list[str], where: str) -> Misused:
    listed = ", ".join(repr(name) for name in names[:5]) + (
        f" and {len(names) - 5} more" if len(names) > 5 else ""
    )
    return NotRecordable(
        f"git:tracked: {listed} differ from HEAD {where}: commit or restore them, or record them by name; a file "
        "that git converts when it is checked out (line ends, Git LFS, a filter) is never byte for byte that of HEAD"
    )
