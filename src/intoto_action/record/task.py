"""What a person asked record to do, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from intoto_action.formats.link import check_step_name
from intoto_action.reason import Misused, NotRecordable
from intoto_action.record.child_environment import child_environment
from intoto_action.record.digest import Progress

Tell = Callable[[str], None]
"""Takes a note for the person who runs the command."""


def _nobody(_: int) -> None:
    """Nobody waits for the exit code."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One step as it was asked for. `command` is empty when something else did the work.

    `recorded_command` stands in the link: the command, or what `--command-as` says. `image_metadata` is buildx's
    JSON, or the path to it; `after_the_fact` says that the work was done before record looked. `more_environment` is
    set for the command (its own GITHUB_OUTPUT).
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

    `environ` is that of record itself; `private` names those of its variables that nobody else must see: of the key,
    of its password. `progress` makes, for what is
    to be hashed (its name, how many files), the function that takes the progress. `allow_http` and `token_realms` are
    for registries, as `open_store` takes them. `ended` is told the exit code of the command, whatever comes of the
    products then.
    """

    base: str
    environ: Mapping[str, str]
    tell: Tell
    progress: Callable[[str, int], Progress]
    private: tuple[str, ...] = ()
    allow_http: bool = False
    token_realms: Mapping[str, str] = {}
    ended: Callable[[int], None] = _nobody

    @property
    def environ_of_tools(self) -> dict[str, str]:
        """What git, engines and credential helpers get, which a build may have put its own programs in place of."""
        return child_environment(self.environ, private=self.private)

    @property
    def root(self) -> str:
        """What leads to the base from the working directory: nothing when it is that, because short paths are fast."""
        return "" if self.base == working_directory() else self.base

    def paths(self, names: Iterable[str]) -> list[str]:
        """The paths of artifacts by their names."""
        return [f"{root}/{name}" for name in names] if (root := self.root) else list(names)


def working_directory() -> str:
    """The absolute path of the working directory. Raises: Misused when somebody removed it."""
    try:
        return str(Path.cwd())
    except FileNotFoundError as error:
        raise NotRecordable(
            "the working directory was removed (one of the same name is another one), so nothing in it can be "
            "recorded; record from a directory that the command leaves in place"
        ) from error
