"""A directory of links: what is read from it, and how a link gets into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from intoto_action.formats.evidence import MOST_LINKS
from intoto_action.formats.link import UNSIGNED_SUFFIX, link_file_name, unsigned_file_name
from intoto_action.formats.strict_json import DOCUMENT_CAP
from intoto_action.reason import WrongLinks
from intoto_action.store.files import Exists, check_place, read_plain, why, write_whole

__all__ = [
    "each_link",
    "each_unsigned_link",
    "link_file_name",
    "read_links",
    "unsigned_file_name",
    "write_link",
]

_SUFFIX = ".link"


def read_links(directory: Path) -> dict[str, bytes]:
    """All links of a directory by file name; as `each_link`."""
    return dict(each_link(directory))


def each_link(directory: Path) -> Iterator[tuple[str, bytes]]:
    """The links of a directory by file name, sorted, each read when it is asked for; other files are left alone.

    A symlink that is called like a link is refused, not followed and not passed over: a directory that came
    from elsewhere could make `attach` publish a file of this machine, and a link that silently did not count
    would be looked for at the wrong place.

    Raises: Misused when the directory is missing, holds too many links, or one that cannot be read.
    """
    for name in _link_names(directory, _SUFFIX):
        yield name, read_plain(directory / name, DOCUMENT_CAP, "link")


def each_unsigned_link(directory: Path) -> Iterator[tuple[str, bytes]]:
    """What `record --unsigned` left in a directory, by file name: payloads that nobody signed; as `each_link`.

    For a rehearsal and for nothing else: who verifies never asks for them.

    Raises: Misused as `each_link` does.
    """
    for name in _link_names(directory, UNSIGNED_SUFFIX):
        yield name, read_plain(directory / name, DOCUMENT_CAP, "unsigned link")


def write_link(directory: Path, file_name: str, document: bytes, *, force: bool) -> Path:
    """Write a link; the directory is created. A file that is there already stays, unless `force`.

    The same bytes again are no conflict.

    Raises: Misused when another link has that name, or the file cannot be written.
    """
    if not file_name or "/" in file_name or "\x00" in file_name or file_name in {".", ".."}:
        raise WrongLinks(f"{file_name!r} is no file name for a link")
    check_place(directory, "the link directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise WrongLinks(f"the link directory {directory} cannot be made: {why(error)}") from error
    path = directory / file_name
    try:
        write_whole(path, document, overwrite=force)
    except Exists as error:
        if read_plain(path, DOCUMENT_CAP, "link") != document:
            raise WrongLinks(
                f"{path} exists already and holds another link; when two runs record the same step, give "
                "them step names or link directories of their own, or replace the file with --force"
            ) from error
    return path


def _link_names(directory: Path, suffix: str) -> list[str]:
    names = []
    check_place(directory, "the link directory")
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith(suffix):
                    names.append(entry.name)
                if len(names) > MOST_LINKS:
                    raise WrongLinks(f"the link directory {directory} holds more than {MOST_LINKS} links")
    except FileNotFoundError as error:
        raise WrongLinks(
            f"the link directory {directory} does not exist; is it the --link-dir that the steps recorded to?"
        ) from error
    except (OSError, ValueError) as error:
        raise WrongLinks(f"the link directory {directory} cannot be read: {why(error)}") from error
    return sorted(names)
