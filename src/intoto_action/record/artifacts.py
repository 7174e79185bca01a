"""From patterns to the materials or products of a link."""

from __future__ import annotations

import hashlib

from intoto_action.formats.artifact import DIRECTORY_SCHEME, Artifacts, Digests
from intoto_action.record.digest import digest_files
from intoto_action.record.select import Selection
from intoto_action.record.task import Here


def digest_selection(selection: Selection, here: Here, what: str) -> Artifacts:
    """The artifacts of files and `dir:` paths; `what` names them for the progress bar. Images are left out.

    Raises: Misused.
    """
    names = list(selection.files)
    inner = [f"{directory}/{name}" for directory, files in selection.directories.items() for name in files]
    paths = here.paths([*names, *inner])
    digests = digest_files(paths, here.progress(what, len(paths)))
    artifacts = {name: Digests(sha256=digest) for name, digest in zip(names, digests, strict=False)}
    rest = iter(digests[len(names) :])
    for directory, files in selection.directories.items():
        listed = {name: next(rest) for name in files}
        artifacts[f"{DIRECTORY_SCHEME}{directory}"] = Digests(sha256=_directory_digest(listed))
    return artifacts


def _directory_digest(files: dict[str, str]) -> str:
    """in-toto's digest of a directory: of the lines that sha256sum prints, sorted by name.

    Source: in_toto.resolver.DirectoryResolver; code points sort as their UTF-8 bytes and as strcoll in locale C.
    """
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()
