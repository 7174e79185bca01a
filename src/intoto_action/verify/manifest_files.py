"""Manifest files by globs: which images they name, where, and which files they are that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import msgspec

from intoto_action.decide.demands import Demands
from intoto_action.formats.manifests import MANIFEST_CAP, Use, parse_manifests
from intoto_action.formats.reference import Reference, parse_registry_reference
from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Malformed, Misused, Reason, WrongFile
from intoto_action.store.files import read_plain, why
from intoto_action.system import FOLLOWS_LINKS, is_link, place_fault, slashed
from intoto_action.verify.verify import refusal

MOST_FILES = 2000
MOST_BYTES = 16 * MANIFEST_CAP
MOST_ENTRIES = 200_000
"""Files and directories that are looked at for one glob."""
MOST_PLACES = 20
_ANY_DEPTH = "**"
_ADVICE = (
    "Give finished manifests: the output of `helm template` or `kustomize build`, without anchors and tags; leave out "
    "of the glob what is none; and check out submodules (`submodules: recursive` of actions/checkout)."
)


class NamedImage(msgspec.Struct, frozen=True):
    """An image of a registry, and the places of the manifests that name it."""

    reference: Reference
    places: tuple[str, ...]

    def tell(self, verdict: Verdict) -> Verdict:
        """The verdict with where the image is named."""
        shown = list(self.places[:MOST_PLACES])
        if len(self.places) > MOST_PLACES:
            shown.append(f"{len(self.places) - MOST_PLACES} more")
        notes = [f"named in {', '.join(shown)}"]
        if self.reference.digest is None:
            notes.append(
                "named without a digest: what the tag points to may be another image when it is deployed"
            )
        return msgspec.structs.replace(verdict, notes=(*verdict.notes, *notes))


class ManifestImages(msgspec.Struct, frozen=True):
    """The images of manifests, each once; `faults` are what no image could be told from."""

    images: tuple[NamedImage, ...]
    faults: tuple[Malformed, ...]

    @property
    def references(self) -> tuple[str, ...]:
        """The images in full, as `parse_reference` takes them: never one in a directory, which no cluster runs."""
        return tuple(str(each.reference) for each in self.images)

    def tell(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """The verdicts over `references`, in that order, with where each is named."""
        return [named.tell(verdict) for named, verdict in zip(self.images, verdicts, strict=True)]

    def refusals(self, demands: Demands) -> list[Verdict]:
        """A denial for each fault."""
        return [refusal("", demands, Reason.INVALID_REFERENCE, fault, _ADVICE) for fault in self.faults]


def images_in_manifests(globs: Sequence[str], directory: Path) -> ManifestImages:
    """The images that the manifests in `directory` name which these globs match.

    In a glob `*`, `?` and `[…]` stand for a part of a name, hidden ones included, and `**` for any number of
    directories. Symlinks are not followed: each that a glob would lead through is a fault. So is an empty directory, of
    which git has none: a checkout leaves it in the place of a submodule, and Argo CD and Flux fetch that.
    Raises: Misused when a glob matches nothing, the manifests name no image, or there is more than is read.
    """
    uses: list[Use] = []
    faults: list[Malformed] = []
    size = 0
    for path in _files(globs, directory, faults):
        name = path.as_posix()
        try:
            raw = read_plain(directory / path, MANIFEST_CAP, "the manifest")
        except Misused as error:
            expected = f"a manifest that can be read, of at most {MANIFEST_CAP} bytes"
            faults.append(Malformed(name, expected, str(error)))
            continue
        size += len(raw)
        if size > MOST_BYTES:
            raise Misused(
                f"--images-from: more than {MOST_BYTES >> 20} MiB of manifests: give narrower globs"
            )
        parsed = parse_manifests(raw, name)
        uses += parsed.uses
        faults += parsed.faults
    images, unreadable = _by_reference(uses)
    if not (images or unreadable or faults):
        raise Misused(
            "--images-from: the manifests name no image, so there is nothing to verify: is it the right glob?"
        )
    return ManifestImages(images, (*faults, *unreadable))


def _by_reference(uses: Iterable[Use]) -> tuple[tuple[NamedImage, ...], list[Malformed]]:
    places: dict[Reference, list[str]] = {}
    faults: list[Malformed] = []
    for use in uses:
        try:
            # As a cluster reads it: the scheme of an image directory would be a repository's name there.
            reference = parse_registry_reference(use.image)
        except Malformed as fault:
            faults.append(Malformed(f"{use.place}, {fault.where}", fault.expected, fault.found))
            continue
        places.setdefault(reference, []).append(str(use.place))
    return tuple(NamedImage(reference, tuple(found)) for reference, found in places.items()), faults


def _files(globs: Sequence[str], directory: Path, faults: list[Malformed]) -> list[Path]:
    """What the globs match, each file once, relative to `directory`; symlinks go to `faults`."""
    found: dict[Path, None] = {}
    for pattern in globs:
        before = len(faults)
        matched = dict.fromkeys(_Glob(pattern, directory, faults).files())
        if not matched and len(faults) == before:
            raise Misused(f"--images-from: expected manifests, found no file that {pattern[:200]!r} matches")
        found |= matched
        if len(found) > MOST_FILES:
            raise Misused(f"--images-from: more than {MOST_FILES} files: give narrower globs")
    return list(found)


class _Glob:
    """One glob. It is walked with the set of places in the pattern that a path may have reached.

    Not `glob.glob`: it follows symlinks to directories, through `**` as often as they lead in a circle.
    Raises: Misused for a pattern that is none.
    """

    def __init__(self, pattern: str, directory: Path, faults: list[Malformed]) -> None:
        parts = PurePosixPath(slashed(pattern)).parts
        wild = next((at for at, part in enumerate(parts) if any(each in part for each in "*?[")), len(parts))
        start = min(wild, len(parts) - 1)
        self._parts = parts[max(start, 0) :]
        if not self._parts or "\0" in pattern or ".." in self._parts or place_fault(pattern):
            raise Misused(f"--images-from: expected a glob such as 'k8s/**/*.[yj]*', found {pattern[:200]!r}")
        self._base = Path(PurePosixPath(*parts[:start]).as_posix())
        self._directory = directory
        self._faults = faults
        self._left = MOST_ENTRIES

    def files(self) -> Iterator[Path]:
        """The files that match, in order."""
        if self._base_is_a_symlink():
            return
        waiting = [(self._base, self._with_skipped({0}))]
        while waiting:
            folder, reached = waiting.pop()
            below = []
            entries = self._entries(folder)
            if not entries and folder != self._base:
                self._refuse(
                    folder, "files: in a checkout that is a submodule nobody fetched", "an empty directory"
                )
            for entry in entries:
                path = folder / entry.name
                now = self._after(reached, entry.name)
                is_match = len(self._parts) in now
                leads_on = entry.name != ".git" and any(at < len(self._parts) for at in now)
                if is_link(entry):
                    # Where no link is followed, what it leads to is not asked for either: it may be another machine.
                    if is_match or (leads_on and (not FOLLOWS_LINKS or entry.is_dir())):
                        self._refuse_symlink(path)
                elif entry.is_dir(follow_symlinks=False):
                    if leads_on:
                        below.append((path, now))
                elif is_match:
                    yield path
            waiting += reversed(below)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._directory / folder) as entries:
                found = []
                for entry in entries:
                    self._left -= 1
                    if self._left < 0:
                        raise Misused(
                            f"--images-from: more than {MOST_ENTRIES} files to look at: give a narrower glob"
                        )
                    found.append(entry)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise WrongFile(f"--images-from: {folder} cannot be read: {why(error)}") from error
        return sorted(found, key=lambda each: each.name)

    def _after(self, reached: set[int], name: str) -> set[int]:
        """The places in the pattern behind one more name."""
        now = set()
        for at in reached:
            if at == len(self._parts):
                continue
            if self._parts[at] == _ANY_DEPTH:
                now.add(at)
            elif fnmatchcase(name, self._parts[at]):
                now.add(at + 1)
        return self._with_skipped(now)

    def _with_skipped(self, reached: set[int]) -> set[int]:
        """`**` may stand for no directory at all."""
        for at, part in enumerate(self._parts):
            if at in reached and part == _ANY_DEPTH:
                reached.add(at + 1)
        return reached

    def _base_is_a_symlink(self) -> bool:
        """Whether a directory that the glob names is a symlink, below the one that everything is relative to."""
        if self._base.is_absolute():
            return False
        for each in (*reversed(self._base.parents), self._base):
            if is_link(self._directory / each) and each.name not in {"", ".."}:
                self._refuse_symlink(each)
                return True
        return False

    def _refuse_symlink(self, path: Path) -> None:
        self._refuse(path, "a file or directory of its own: symlinks are not followed", "a symlink")

    def _refuse(self, path: Path, expected: str, found: str) -> None:
        self._faults.append(Malformed(path.as_posix(), expected, found))
