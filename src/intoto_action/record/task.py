"""What a person asked record to do, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from intoto_action.formats.link import check_step_name
from intoto_action.reason import Misused
from intoto_action.record.digest import Progress

Tell = Callable[[str], None]
"""Takes a note for the person who runs the command."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One step as it was asked for. `command` is empty when something else did the work.

    `recorded_command` stands in the link: the command, or what `--command-as` says. `image_metadata` is buildx's
    JSON, or the path to it; `after_the_fact` says that the work was done before record looked. `private` names
    variables that the command must not see; `more_environment` is set for the command (its own GITHUB_OUTPUT).
    """

    step: str
    command: tuple[str, ...] = ()
    recorded_command: tuple[str, ...] = ()
    materials: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    image_metadata: str | None = None
    pass_oidc: bool = False
    after_the_fact: bool = False
    private: tuple[str, ...] = ()
    more_environment: dict[str, str] = {}

    def check(self, *, started: bool = False) -> None:
        """Raises: Malformed for a name that cannot be a step's; Misused when there is nothing to record.

        A step that is `started` has its materials.
        """
        check_step_name(self.step, "--step-name")
        if not (started or self.command or self.materials or self.products or self.image_metadata):
            raise Misused("nothing to record: give a command after --, or --materials, or --products")


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """Where record runs: `base` is the absolute path that names are relative to.

    `progress` makes, for what is to be hashed (its name, how many files), the function that takes the progress.
    """

    base: str
    environ: Mapping[str, str]
    tell: Tell
    progress: Callable[[str, int], Progress]
    allow_http: bool = False

    @property
    def root(self) -> str:
        """What leads to the base from the working directory: nothing when it is that, because short paths are fast."""
        return "" if self.base == str(Path.cwd()) else self.base

    def paths(self, names: Iterable[str]) -> list[str]:
        """The paths of artifacts by their names."""
        return [f"{root}/{name}" for name in names] if (root := self.root) else list(names)
