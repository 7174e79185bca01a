"""Other people's programs that the store asks: bounded in time and output."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import IO

import msgspec

from intoto_action.reason import Unavailable
from intoto_action.store.waiting import within
from intoto_action.system import RUNS_PROGRAMS

_WITHHELD = ("INTOTO_ACTION_", "ACTIONS_ID_TOKEN_REQUEST_", "ACTIONS_RUNTIME_TOKEN", "SIGSTORE_ID_TOKEN")
"""Beginnings of variables that no other program gets: our keys and passwords, and tokens that let anybody sign.

A container action has a runtime token, and it is the one that OIDC tokens are asked for with. Source: actions/runner,
ContainerActionHandler.
"""


class Ended(msgspec.Struct, frozen=True):
    """How a program ended: its exit code and the beginning of what it said."""

    code: int
    output: bytes
    errors: bytes

    def __repr__(self) -> str:
        return f"Ended({self.code})"


class NotThere(Unavailable):
    """There is no such program."""


def run(
    argv: Sequence[str], *, environ: Mapping[str, str], given: bytes = b"", seconds: float, cap: int = 1 << 16
) -> Ended:
    """Run a program to its end with `given` on its standard input; at most `cap` bytes of each stream are kept.

    It gets `environ` without the variables with which it could sign as this job.
    Raises: NotThere; Unavailable when it cannot be started or does not end within `seconds` (then it is killed
    with all that it started in its process group; it has a session of its own, so that this group is nobody else's),
    or where the system has no such groups.
    """
    if not RUNS_PROGRAMS:
        raise Unavailable(
            f"{argv[0]} is not asked on Windows, which finds a program of that name in the working directory first, "
            "and cannot be told to end all that it starts; do this on a Linux runner, or without that program"
        )
    with _scratch() as errors, _scratch(given) as stdin:
        try:
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={name: value for name, value in environ.items() if not name.startswith(_WITHHELD)},
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise NotThere(f"there is no program {argv[0]} on the PATH") from error
        except OSError as error:
            raise Unavailable(f"{argv[0]} cannot be run: {error.strerror or error}") from error
        output = _output(process, argv[0], seconds, cap)
        errors.seek(0)
        return Ended(process.returncode, output, errors.read(cap))


def _scratch(content: bytes = b"") -> IO[bytes]:
    """A file without a name that holds this, read from its beginning."""
    try:
        with ExitStack() as stack:
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(content)
            file.seek(0)
            stack.pop_all()
            return file
    except OSError as error:
        raise Unavailable(
            f"no temporary file can be written: {error.strerror or error}; make room, or set TMPDIR"
        ) from error


def _output(process: subprocess.Popen[bytes], name: str, seconds: float, cap: int) -> bytes:
    stream = process.stdout
    if stream is None:
        raise Unavailable(f"{name} has no standard output")

    def read() -> bytes:
        """Up to the cap, then on to the end without keeping it: a program that is not read from would hang."""
        with stream:
            kept = stream.read(cap)
            while stream.read(1 << 16):
                continue
        process.wait()
        return kept

    try:
        return within(seconds, read, name)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the group of a program that nobody has waited for yet: so long its number is its own."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError, PermissionError):  # the last of them has just ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
