"""`inspect`: a built-in inspection as a command, which is how a stock verifier runs it."""

from __future__ import annotations

from pathlib import Path

import click

from intoto_action.cli.options import example


@click.group()
def inspect() -> None:
    """Run a built-in inspection on a directory of links."""


@inspect.command(
    epilog=example("intoto-action inspect source --repository https://github.com/octo/app --link-dir links")
)
@click.option("--repository", required=True, metavar="URI", help="Where every link must come from.")
@click.option(
    "--ref",
    "refs",
    multiple=True,
    metavar="REF",
    help="From which refs; the last character may be *. Repeatable.",
)
@click.option("--event", "events", multiple=True, metavar="EVENT", help="By which events. Repeatable.")
@click.option(
    "--any-commit", multiple=True, metavar="STEP", help="A step that may be of another commit. Repeatable."
)
@click.option(
    "--pass-oidc", multiple=True, metavar="STEP", help="A step whose command may have had OIDC. Repeatable."
)
@click.option(
    "--link-dir",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the links are.",
)
def source(
    repository: str,
    refs: tuple[str, ...],
    events: tuple[str, ...],
    any_commit: tuple[str, ...],
    pass_oidc: tuple[str, ...],
    link_dir: Path,
) -> None:
    """Check that every link comes from one repository, its refs and events, and one commit."""
    from intoto_action.formats.inspection import SourceDemand, check_source
    from intoto_action.store.link_directory import read_links
    from intoto_action.verify.inspect import inspect_source

    demand = SourceDemand(repository, refs, events, any_commit, pass_oidc)
    check_source(demand, "inspect source")
    count = inspect_source(demand, read_links(link_dir))
    click.echo(f"{count} links come from {repository}")
