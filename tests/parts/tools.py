"""The commands of real parts: pinned tools by name, Debian's commands, and what a test needs of both.

A test says what it runs against with `@pytest.mark.needs("cosign", "podman")`. What this machine cannot have leaves the
test out, with the reason and the remedy in the last lines of the run; with CI=true it fails.
"""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from make import debian, pinned_tools
from make.failure import MakeError


class Unobtainable(RuntimeError):
    """A real part is not here and could not be made; the message has the build's log or what to install."""


@cache
def tool(name: str) -> Path:
    """The command of the tool pinned in tests/tools/NAME, built now if this machine never built it.

    The first build of cosign takes minutes; `make test` does it beforehand. Raises Unobtainable with go's or npm's own
    words.
    """
    try:
        return pinned_tools.build(name)
    except MakeError as error:
        raise Unobtainable(str(error)) from error


def debian_command(name: str) -> Path:
    """Where a command of a Debian package is (those of make.debian.PACKAGES).

    Raises Unobtainable saying how to get it; a test marked with `needs` never sees that.
    """
    found = debian.which(name)
    if found is None:
        raise Unobtainable(f"{name} is not installed; to get it in: {debian.how_to_get(name)}")
    return Path(found)


@cache
def why_missing(name: str) -> str | None:
    """None when the part is here or can be built; else why not and, after a semicolon, how to get it in.

    Raises LookupError for a name that is neither a pinned tool nor a command of a Debian package.
    """
    if name == "debootstrap" and os.geteuid() != 0:
        return "only root can make a Debian with debootstrap; to get it in: run the tests as root"
    if name in debian.PACKAGES:
        return (
            None
            if debian.which(name)
            else f"{name} is not installed; to get it in: {debian.how_to_get(name)}"
        )
    if name not in pinned_tools.names():
        known = ", ".join([*pinned_tools.names(), *debian.PACKAGES])
        raise LookupError(f"@pytest.mark.needs({name!r}): no such part; there are {known}")
    reason = pinned_tools.why_missing(name)
    return reason and f"{reason}; to get it in: make/python -m make real-parts {name}"


def reasons(names: Iterable[str]) -> tuple[str, ...]:
    """Why these cannot be had, one sentence each; empty when all can."""
    return tuple(reason for name in sorted(set(names)) if (reason := why_missing(name)) is not None)


def left_out_is_failure() -> bool:
    """Whether a test whose parts are missing fails: CI set up the machine, so a gap there is a defect."""
    return os.environ.get("CI", "").lower() in {"1", "true"}
