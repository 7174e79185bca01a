"""What Windows makes of names and of reparse points. Rules alone, without Windows.

A path is rewritten before it is opened: `app.` and `app ` open `app`, `app:x` opens a stream hidden behind `app`, `NUL`
and `nul.txt` open a device in every directory. Who reads a link elsewhere takes its names as they are.

Source: Microsoft documentation, "Naming Files, Paths, and Namespaces", "File path formats on Windows systems",
"Reparse Point Tags".
"""

from __future__ import annotations

import re

REPARSE_POINT = 0x400
"""FILE_ATTRIBUTE_REPARSE_POINT."""
_SURROGATE = 0x20000000
"""The bit of a reparse tag that says: this stands for another file or directory, as symlinks and junctions do."""

_SEPARATOR = re.compile(r"[\\/]")
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:[.:].*)?\Z", re.IGNORECASE | re.DOTALL
)
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/])")
_ELSEWHERE = re.compile(r"[\\/]{2}|\\\?\?\\")


def name_fault(name: str) -> str | None:
    r"""Why Windows reads a relative name, with `/` or `\` in it, as that of something else; None when it does not."""
    for part in _SEPARATOR.split(name):
        if ":" in part:
            return f"Windows reads {part!r} as a stream of another file, or as a drive"
        if part.endswith((".", " ")) and part not in {".", ".."}:
            return f"Windows drops the dots and spaces at the end of {part!r}"
        if _DEVICE.match(part):
            return f"{part!r} is a device on Windows, not a file"
    return None


def path_fault(path: str) -> str | None:
    """The same for a path that may begin with a drive; what begins with two slashes is no place on a drive."""
    if _ELSEWHERE.match(path):
        return (
            "it leads to another machine, which would be told who asks, or past Windows' own rules for names: give a "
            "path on a drive"
        )
    drive = _DRIVE.match(path)
    return name_fault(path[drive.end() :] if drive else path)


def leads_elsewhere(attributes: int, tag: int) -> bool:
    """Whether a file or directory with these attributes and this reparse tag stands for another one."""
    return bool(attributes & REPARSE_POINT) and bool(tag & _SURROGATE)
