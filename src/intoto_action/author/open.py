"""What is wrong with a layout, in layout.yaml or signed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from intoto_action.author.faults import BadLayout
from intoto_action.author.sign import compile_file
from intoto_action.decide.lint import Lint, Severity, lint, lint_expiry, lint_wrapper
from intoto_action.formats.envelope import Envelope, parse_envelope
from intoto_action.formats.layout import LAYOUT_CAP, Layout, parse_layout
from intoto_action.reason import Malformed
from intoto_action.store.files import read_capped

SIGNED_CAP = 2 * LAYOUT_CAP
"""Bytes of the largest signed layout that is read: base64 makes four of three, and there are signatures."""


class Checked(msgspec.Struct, frozen=True):
    """What was found, one a line, each with its place."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]


class Opened(msgspec.Struct, frozen=True):
    """A layout from a file; `envelope` when it was a signed one."""

    layout: Layout
    envelope: Envelope | None
    warnings: tuple[str, ...]


def open_layout(path: Path, *, at: datetime) -> Opened:
    """Read a layout.yaml or a signed layout (DSSE or Metablock); nothing is said about its signatures.

    Raises: BadLayout, Malformed; Misused when the file cannot be read.
    """
    if not _is_signed(path):
        compiled = compile_file(path, at=at)
        return Opened(compiled.layout, None, compiled.warnings)
    envelope = read_envelope(path)
    return Opened(parse_layout(envelope.payload, str(path)), envelope, ())


def read_envelope(path: Path) -> Envelope:
    """Read a signed layout. Raises: Malformed; Misused when the file cannot be read."""
    return parse_envelope(read_capped(path, SIGNED_CAP, "the signed layout"), str(path))


def check_file(path: Path, *, at: datetime) -> Checked:
    """Everything that is wrong with a layout.yaml or a signed layout.

    Raises: Misused when the file cannot be read.
    """
    try:
        opened = open_layout(path, at=at)
    except BadLayout as error:
        return Checked(tuple(str(fault) for fault in error.faults), ())
    except Malformed as error:
        return Checked((str(error),), ())
    if opened.envelope is None:
        return Checked((), opened.warnings)
    faults = (
        *lint(opened.layout),
        *lint_expiry(opened.layout, at),
        *lint_wrapper(opened.envelope.wrapper),
    )
    errors = tuple(_line(path, each) for each in faults if each.severity is Severity.ERROR)
    warnings = tuple(_line(path, each) for each in faults if each.severity is Severity.WARNING)
    return Checked(errors, warnings)


def _line(path: Path, fault: Lint) -> str:
    kind = f"warning {fault.id}: " if fault.severity is Severity.WARNING else ""
    number = f" ({fault.id})" if fault.severity is Severity.ERROR else ""
    return f"{path}: {fault.where}: {kind}expected {fault.expected}, found {fault.found}{number}"


def _is_signed(path: Path) -> bool:
    """Signed layouts are JSON objects; a layout.yaml could be one too, so its name decides first."""
    if path.suffix in {".yaml", ".yml"}:
        return False
    return read_capped(path, SIGNED_CAP, "the layout").lstrip()[:1] == b"{"
