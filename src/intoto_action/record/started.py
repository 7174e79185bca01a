"""The first half of a step between `--phase start` and `--phase stop`.

It is never signed, and no link: what is in it counts only when its digest is the one that `start` printed and whoever
calls `stop` carried. It lies outside the work tree, in a directory of the user's own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from intoto_action.formats.artifact import Artifacts
from intoto_action.formats.oci import digest_of
from intoto_action.formats.strict_json import DOCUMENT_CAP, decode
from intoto_action.reason import Malformed, NotRecordable
from intoto_action.store.files import Exists, read_capped, write_whole
from intoto_action.system import cache, is_private

_SUFFIX = ".started"


class Started(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="_type", tag="intoto-action-started"
):
    """What was recorded when the step started; `patterns` and `excludes` as they were given.

    `oidc` says that the work could ask for a token.
    """

    step: str
    base: str
    materials: Artifacts
    resolved: dict[str, str]
    patterns: list[str]
    excludes: list[str]
    oidc: bool


class StateDirectory:
    """Where started halves lie: one for each step and base directory.

    Raises: Misused when the place is not the user's own, or lies in the directory that is recorded.
    """

    def __init__(self, base: str, environ: Mapping[str, str]) -> None:
        self._base = base
        self._directory = _place(environ)
        if self._directory.is_relative_to(os.path.realpath(base)):
            raise NotRecordable(
                f"the state of a started step would lie in {self._directory}, which is inside the recorded directory "
                f"{base}; set XDG_RUNTIME_DIR, or RUNNER_TEMP, to a directory elsewhere"
            )

    def put(self, started: Started, *, force: bool) -> str:
        """Keep the started half; its digest (`sha256:…`), which `stop` must be given.

        Raises: Misused when the step is started already.
        """
        try:
            document = msgspec.json.encode(started, order="sorted")
        except UnicodeEncodeError as error:
            raise NotRecordable(
                f"the directory {self._base!r} has a name that is not UTF-8; record in another one"
            ) from error
        self._make()
        try:
            write_whole(self._path(started.step), document, mode=0o600, overwrite=force)
        except Exists as error:
            raise NotRecordable(
                f"step {started.step!r} is started already in {self._base}: end it with --phase stop, or start it "
                "again with --force, which forgets the first start"
            ) from error
        return digest_of(document)

    def take(self, step: str, state: str) -> Started:
        """The started half of a step, if it is the one with this digest.

        Raises: Misused when the step was not started here, or the state is another.
        """
        path = self._path(step)
        if not path.exists():
            raise NotRecordable(
                f"step {step!r} is not started in {self._base}: --phase stop ends what --phase start began, with the "
                "same step name, in the same directory, in the same job"
            )
        self._make()
        document = read_capped(path, DOCUMENT_CAP, "the started step")
        if digest_of(document) != state:
            raise NotRecordable(
                f"--state: expected the digest that --phase start printed for step {step!r}, found {state[:100]!r} "
                f"while the state has {digest_of(document)}; was the step started twice, or was {path} changed?"
            )
        try:
            started = decode(document, Started, str(path))
        except Malformed as error:
            raise NotRecordable(f"{error}; start step {step!r} again") from error
        if started.step != step or started.base != self._base:
            raise NotRecordable(
                f"{path} is the start of another step or directory; start step {step!r} again"
            )
        return started

    def forget(self, step: str) -> None:
        """Remove the started half: its link is written."""
        self._path(step).unlink(missing_ok=True)

    def _path(self, step: str) -> Path:
        where = hashlib.sha256(self._base.encode(errors="surrogateescape")).hexdigest()[:16]
        return self._directory / f"{where}-{step}{_SUFFIX}"

    def _make(self) -> None:
        """Create the directory, or make sure that nobody else can write in it."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            private = is_private(self._directory)
        except OSError as error:
            raise NotRecordable(
                f"the state directory {self._directory} cannot be made: {error.strerror}"
            ) from error
        if not private:
            raise NotRecordable(
                f"the state directory {self._directory} must be a directory that you own and nobody else can enter "
                "(mode 0700); repair or remove it"
            )


def _place(environ: Mapping[str, str]) -> Path:
    """The runner's directory for a job, or the user's for a session, or the user's cache."""
    given = (Path(environ.get(variable, "")) for variable in ("RUNNER_TEMP", "XDG_RUNTIME_DIR"))
    place = next((path for path in given if path.is_absolute()), None) or cache(environ)
    if place is None:
        raise NotRecordable(
            "there is no place for the state of a started step: set HOME, XDG_RUNTIME_DIR or RUNNER_TEMP"
        )
    return Path(os.path.realpath(place)) / "intoto-action" / "started"
