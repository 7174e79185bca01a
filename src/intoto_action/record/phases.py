"""The ways to record a step: around a command, in two halves, or after the fact."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from intoto_action.formats.link import Link
from intoto_action.keys.interface import Signer
from intoto_action.reason import Misused
from intoto_action.record.credentials import WhoSigns
from intoto_action.record.publish import Published, check_directory, publish_signed, publish_unsigned
from intoto_action.record.started import Started, StateDirectory
from intoto_action.record.step import (
    Before,
    record_materials,
    record_products,
    record_step,
    work_could_ask_for_oidc,
)
from intoto_action.record.task import Here, Task

if TYPE_CHECKING:
    from intoto_action.record.expected import ExpectedStep  # a layout is seldom given, and costs a start


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of the link: where it goes, and who signs it (`credentials` None: nobody, here).

    `open_signer` opens the key; it is called when everything else is done. `expected` is the layout's step.
    """

    directory: Path
    credentials: WhoSigns | None
    open_signer: Callable[[], Signer]
    expected: ExpectedStep | None = None
    force: bool = False

    def check(self, here: Here) -> None:
        """Refuse before the work what could not be signed after it.

        Raises: Misused, Malformed.
        """
        check_directory(self.directory)
        if self.credentials is None:
            return
        self.credentials.check(here.environ)
        if self.expected is not None:
            self.credentials.check_expected(self.expected, here.environ)

    def publish(self, link: Link) -> Published:
        """Write the link, signed or aside. Raises: Misused when it cannot be written at all."""
        if self.credentials is None:
            return publish_unsigned(link, self.directory, force=self.force)
        return publish_signed(link, self.directory, self._signer, force=self.force)

    def _signer(self) -> Signer:
        signer = self.open_signer()
        if self.expected is not None:
            self.expected.check_signer(signer)
        return signer


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: the exit code, and the link when there is one.

    `return_value` is the command's; `state` what `stop` must be given.
    """

    exit_code: int = 0
    return_value: int | None = None
    link: Link | None = None
    published: Published | None = None
    state: str = ""


def run(task: Task, publication: Publication, here: Here, *, record_failure: bool = False) -> Recorded:
    """Record a step around its command.

    Raises: Misused, Malformed, Unavailable.
    """
    if not task.command:
        raise Misused(
            "--phase run: expected a command after --; or bracket the work with --phase start and stop"
        )
    if sys.platform != "linux":
        raise Misused(
            "--phase run: expected Linux, which alone lets record end whatever a command started before its products "
            f"are recorded; found {sys.platform}: run the command by itself, between --phase start and --phase stop"
        )
    publication.check(here)
    outcome, link = record_step(task, here, record_failure=record_failure)
    published = publication.publish(link) if link else None
    return Recorded(
        exit_code=outcome.exit_code, return_value=outcome.return_value, link=link, published=published
    )


def start(task: Task, here: Here, *, force: bool = False) -> Recorded:
    """Record the materials, and keep them for `stop`.

    Raises: Misused, Malformed, Unavailable.
    """
    _no_command(task, "start")
    if task.products or task.image_metadata:
        raise Misused("--phase start: expected no products: they are recorded by --phase stop")
    directory = StateDirectory(here.base, here.environ)
    before = record_materials(task, here)
    started = Started(
        step=task.step,
        base=here.base,
        materials=before.materials,
        resolved=before.resolved,
        patterns=list(task.materials),
        excludes=list(task.excludes),
        oidc=work_could_ask_for_oidc(task, here),
    )
    return Recorded(state=directory.put(started, force=force))


def stop(task: Task, publication: Publication, here: Here, state: str) -> Recorded:
    """Record the products, and make the link with the materials that `start` recorded.

    Raises: Misused, Malformed, Unavailable.
    """
    _no_command(task, "stop")
    if task.materials:
        raise Misused("--phase stop: expected no materials: they were recorded by --phase start")
    publication.check(here)
    directory = StateDirectory(here.base, here.environ)
    started = directory.take(task.step, state)
    if task.excludes and list(task.excludes) != started.excludes:
        raise Misused(
            f"--exclude: expected those of --phase start ({', '.join(started.excludes) or 'none'}) or none, found "
            f"{', '.join(task.excludes)}: a link has one list for materials and products; leave the flag out, or start "
            "the step again"
        )
    whole = msgspec.structs.replace(task, materials=tuple(started.patterns), excludes=tuple(started.excludes))
    before = Before(materials=started.materials, resolved=started.resolved, oidc=started.oidc)
    link = record_products(whole, here, before, None)
    published = publication.publish(link)
    directory.forget(task.step)
    return Recorded(link=link, published=published)


def after(task: Task, publication: Publication, here: Here) -> Recorded:
    """Record what has happened already; the link says so.

    Raises: Misused, Malformed, Unavailable.
    """
    _no_command(task, "after")
    publication.check(here)
    late = msgspec.structs.replace(task, after_the_fact=True)
    link = record_products(late, here, record_materials(late, here), None)
    return Recorded(link=link, published=publication.publish(link))


def _no_command(task: Task, phase: str) -> None:
    if task.command:
        raise Misused(
            f"--phase {phase}: expected no command, found {task.command[0]!r}; --phase run takes one"
        )
    if task.recorded_command:
        raise Misused(
            f"--phase {phase}: expected no --command-as: there is no command whose exit code the link could give, and "
            "verify refuses a link with one alone; leave the flag out"
        )
