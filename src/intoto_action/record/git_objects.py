"""What a repository holds, read through a git that sees its objects and none of its configuration.

A build can write to its own repository: hooks, filters, a monitor of the file system, a helper for missing objects. Any
of them would run as us. So git runs in a repository of our own, which borrows the objects and references of the other,
and every object is hashed again: packs, indexes of packs and the commit graph are files that a build can write, too.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from intoto_action.reason import Misused, NotRecordable
from intoto_action.store.files import read_capped

REGULAR, EXECUTABLE, SYMLINK, DIRECTORY, SUBMODULE = "100644", "100755", "120000", "40000", "160000"
"""The modes of a tree's entries."""

_REGULAR_ONCE = "100664"
"""What old versions wrote for REGULAR, and the index calls so."""

_GIT = ".git"
_LARGEST_POINTER = 4096
_LARGEST_OBJECT = 64 << 20
_FORMATS = {"sha1": 40, "sha256": 64}
_REFERENCES = frozenset({"files", "reftable"})
_BORROWED = ("refs", "packed-refs", "reftable")
_SHARED_INDEX = re.compile(r"sharedindex\.[0-9a-f]{40,64}")
_CAREFUL = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.attributesFile=/dev/null"),
    *("-c", "core.commitGraph=false"),
)


class Entry(msgspec.Struct, frozen=True):
    """One entry of a tree or of the index: `name` as git gives it, decoded as file names are."""

    name: str
    mode: str
    id: str


class Repository:
    """The repository whose work tree holds `base`; `scratch` is an empty directory that is ours alone.

    `inside` are the directories that lead from the top of the work tree to the base.

    Raises: Misused when there is no repository, or no git, or git cannot read it.
    """

    def __init__(self, base: str, environ: Mapping[str, str], scratch: Path) -> None:
        self._base = base
        self._scratch = scratch
        top = _top(Path(base))
        self.inside = Path(base).relative_to(top).parts
        self._own = _git_directory(top)
        self._common = _common_directory(self._own)
        self._environment = self._borrowing_environment(environ)
        self._kind = self._make()
        self._reader: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.kill()
            self._reader.communicate()

    def head(self) -> str:
        """The id of the commit that is checked out. Raises: Misused when there is none."""
        head = os.fsdecode(self._run("rev-parse", "--verify", "HEAD")).strip()
        if not re.fullmatch(rf"[0-9a-f]{{{_FORMATS[self._kind]}}}", head):
            raise NotRecordable(f"git:tracked: expected HEAD to be a commit, git found {head[:100]!r}")
        return head

    def tree_of(self, commit: str) -> str:
        """The id of a commit's tree. Raises: Misused."""
        first = self._object(commit, "commit").partition(b"\n")[0]
        word, _, tree = first.decode("ascii", errors="replace").partition(" ")
        if word != "tree":
            raise NotRecordable(
                f"git:tracked: commit {commit} names no tree; is the repository whole (git fsck)?"
            )
        return tree

    def entries(self, tree: str) -> Iterator[Entry]:
        """What a tree holds, directories as entries of their own. Raises: Misused."""
        raw, at = self._object(tree, "tree"), 0
        length = _FORMATS[self._kind] // 2
        while at < len(raw):
            end = raw.find(b"\0", at)
            mode, _, name = raw[at : max(end, at)].partition(b" ")
            at = end + 1 + length
            if end < 0 or at > len(raw) or name in {b"", b".", b".."} or b"/" in name:
                raise NotRecordable(
                    f"git:tracked: tree {tree} has an entry that no file can have; see what git fsck says"
                )
            kind = REGULAR if os.fsdecode(mode) == _REGULAR_ONCE else os.fsdecode(mode)
            yield Entry(os.fsdecode(name), kind, raw[at - length : at].hex())

    def index(self) -> list[Entry]:
        """What is staged, names from the top of the work tree. Raises: Misused."""
        listed = []
        for line in self._run("ls-files", "--stage", "-z").split(b"\0"):
            if line:
                fields, _, name = line.partition(b"\t")
                mode, identity, _ = os.fsdecode(fields).split(" ")
                listed.append(Entry(os.fsdecode(name), mode, identity))
        return listed

    def hasher(self, kind: str, size: int) -> hashlib._Hash:
        """The hash of an object's id, to be fed its content: with neither a filter nor a change of line ends."""
        return hashlib.new(self._kind, f"{kind} {size}\0".encode(), usedforsecurity=self._kind != "sha1")

    def _object(self, identity: str, kind: str) -> bytes:
        """One object, which is what its id says."""
        reader = self._start_reader()
        stdin, stdout = reader.stdin, reader.stdout
        if stdin is None or stdout is None:
            raise NotRecordable("git:tracked: git has no standard streams")
        with suppress(BrokenPipeError):
            stdin.write(f"{identity}\n".encode())
            stdin.flush()
        said = stdout.readline(200).decode("ascii", errors="replace").split()
        if len(said) != 3 or said[1] != kind or not said[2].isdecimal() or int(said[2]) > _LARGEST_OBJECT:
            raise NotRecordable(
                f"git:tracked: expected {kind} {identity} in the repository of {self._base}, git found "
                f"{' '.join(said[1:]) or 'nothing'!r}; is it whole (git fsck), and not a clone without trees?"
            )
        content = stdout.read(int(said[2]))
        stdout.read(1)
        hasher = self.hasher(kind, len(content))
        hasher.update(content)
        if hasher.hexdigest() != identity:
            raise NotRecordable(
                f"git:tracked: the repository of {self._base} has other content under {kind} {identity}: it is broken, "
                "or somebody forged it; clone it again"
            )
        return content

    def _start_reader(self) -> subprocess.Popen[bytes]:
        if self._reader is None:
            try:
                self._reader = subprocess.Popen(
                    ["git", *_CAREFUL, "cat-file", "--batch"],
                    cwd=self._scratch,
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                raise _cannot_start(error) from error
        return self._reader

    def _run(self, *words: str) -> bytes:
        try:
            done = subprocess.run(
                ["git", *_CAREFUL, *words],
                cwd=self._scratch,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise _cannot_start(error) from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-500:]
            raise NotRecordable(f"git:tracked: git {words[0]} for {self._base} failed: {said}")
        return done.stdout

    def _borrowing_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """No variable of git's but ours, and no home: a configuration could name programs."""
        return {
            **{name: value for name, value in environ.items() if not name.startswith(("GIT_", "XDG_"))},
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(self._scratch),
            "GIT_INDEX_FILE": str(self._own / "index"),
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OBJECT_DIRECTORY": str(self._common / "objects"),
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "HOME": str(self._scratch),
            "LC_ALL": "C.UTF-8",
        }

    def _make(self) -> str:
        """Make the repository of our own; the name of its hash."""
        said = self._extensions()
        kind, references = said.get("objectformat", "sha1"), said.get("refstorage", "files")
        if kind not in _FORMATS or references not in _REFERENCES:
            raise NotRecordable(
                f"git:tracked: expected a repository with sha1 or sha256, and files or reftable, found {kind[:40]!r} "
                f"and {references[:40]!r}; name the files instead"
            )
        lines = ["[core]", f"repositoryformatversion = {int(bool(said))}", "bare = false", "[extensions]"]
        lines += [f"{name} = {value}" for name, value in said.items()]
        (self._scratch / "config").write_text("\n".join(lines) + "\n")
        (self._scratch / "HEAD").write_bytes(read_capped(self._own / "HEAD", _LARGEST_POINTER, "git:tracked"))
        shared = [entry.name for entry in os.scandir(self._own) if _SHARED_INDEX.fullmatch(entry.name)]
        for directory, names in ((self._common, _BORROWED), (self._own, shared)):
            for name in names:
                if (directory / name).exists():
                    (self._scratch / name).symlink_to(directory / name)
        return kind

    def _extensions(self) -> dict[str, str]:
        """How the other repository stores objects and references: all of its configuration that is looked at."""
        config = self._common / "config"
        if not config.is_file():
            return {}
        raw = self._run("config", "--file", str(config), "--no-includes", "--null", "--list")
        listed = dict(os.fsdecode(line).partition("\n")[::2] for line in raw.split(b"\0") if line)
        names = ("objectformat", "refstorage")
        return {
            name: listed[f"extensions.{name}"].lower() for name in names if f"extensions.{name}" in listed
        }


def _top(base: Path) -> Path:
    """The top of the work tree: the nearest directory with a `.git` that is a repository or points to one."""
    for directory in (base, *base.parents):
        git = directory / _GIT
        if git.is_file() or (git / "HEAD").exists():
            return directory
    raise NotRecordable(
        f"git:tracked: {base} is in no git repository; check one out there, or name files and directories"
    )


def _git_directory(top: Path) -> Path:
    """Source: gitrepository-layout(5): `.git` is the repository, or a file that says where it is."""
    git = top / _GIT
    if git.is_dir():
        return git
    said = os.fsdecode(read_capped(git, _LARGEST_POINTER, "git:tracked")).strip()
    word, _, path = said.partition(": ")
    if word != "gitdir" or not path or "\0" in path:
        raise NotRecordable(f"git:tracked: expected 'gitdir: PATH' in {git}, found {said[:100]!r}")
    directory = top / path
    if not directory.is_dir():
        raise NotRecordable(f"git:tracked: {git} points to {path}, and there is no such directory")
    return directory


def _common_directory(own: Path) -> Path:
    """Source: gitrepository-layout(5), commondir: a linked work tree has the objects of its main one."""
    pointer = own / "commondir"
    if not pointer.exists():
        return own
    path = os.fsdecode(read_capped(pointer, _LARGEST_POINTER, "git:tracked")).strip()
    if not path or "\0" in path:
        raise NotRecordable(f"git:tracked: expected a path in {pointer}, found {path[:100]!r}")
    return own / path


def _cannot_start(error: OSError) -> Misused:
    return NotRecordable(f"git:tracked: git cannot be started ({error.strerror}); is it installed?")
