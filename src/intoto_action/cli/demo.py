"""`demo`: the main job on an embedded default, and six attacks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intoto_action.cli.options import example
from intoto_action.reason import WrongPlace

if TYPE_CHECKING:
    from intoto_action.demo.vouched import Vouched

_WIDEST = 100


@click.command(epilog=example("intoto-action demo", "intoto-action demo --dir /tmp/demo"))
@click.option(
    "--dir",
    "--keep",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Play in DIR, new or empty, and leave everything there to look at.",
)
@click.option(
    "--keyless",
    "vouched",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Play the release without keys too: FILE names a Sigstore and has tokens (docs/keyless.md).",
)
def demo(directory: Path | None, vouched: Path | None) -> int:
    """See the whole chain pass on a real image, and six attacks on it denied.

    Needs no registry, account, container engine or network, and leaves nothing behind unless --dir is given.
    The exit code is 1 when any of the seven outcomes (nine with --keyless) is not what it must be.
    """
    if sys.platform != "linux":
        raise WrongPlace(
            "demo: expected Linux, which alone lets record run the commands that it plays; found "
            f"{sys.platform}: play it in the image of intoto-action, or in WSL"
        )
    from intoto_action.demo.play import play
    from intoto_action.demo.stage import Stage
    from intoto_action.render.text import wants_colour

    is_terminal = sys.stdout.isatty()
    colour = wants_colour(is_terminal=is_terminal, environ=os.environ)
    width = min(shutil.get_terminal_size().columns, _WIDEST) if is_terminal else None

    def write(line: str) -> None:
        click.echo(line, nl=False, color=colour)

    return play(
        Stage(write, colour=colour, width=width),
        directory,
        vouched=_vouched(vouched) if vouched is not None else None,
    )


def _vouched(path: Path) -> Vouched:
    from intoto_action.demo.vouched import read_vouched

    return read_vouched(path)
