"""The verb `record`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from intoto_action.cli.options import example, option
from intoto_action.cli.progress import bar
from intoto_action.reason import Misused


@click.command(
    context_settings={"ignore_unknown_options": False},
    epilog=example(
        "intoto-action record --step-name build --key build.pem --materials src --products dist -- make dist"
    ),
)
@option("record", "--step-name", required=True, metavar="S", help="The step of the layout.")
@option("record", "--key", metavar="KEY", help="A PEM file, or env:NAME.")
@option("record", "--password-env", metavar="VAR", help="The variable with the password of KEY.")
@option(
    "record",
    "--materials",
    multiple=True,
    metavar="P",
    help="What goes in: files, directories, globs, git:tracked, dir:PATH, oci:REF, image:NAME.",
)
@option("record", "--products", multiple=True, metavar="P", help="What comes out; as for --materials.")
@option(
    "record",
    "--exclude",
    multiple=True,
    metavar="P",
    help="What is left out, as in .gitignore; .git/** always is.",
)
@option(
    "record",
    "--link-dir",
    default=".",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the link goes; created.",
)
@click.option("--unsigned", is_flag=True, help="Leave the link unsigned, for `sign`.")
@click.option("--pass-oidc", is_flag=True, help="Let the command ask for an OIDC token; the link says so.")
@click.option("--command-as", metavar="TEXT", help="What the link says in place of the command.")
@click.option("--record-failure", is_flag=True, help="Sign a link although the command failed.")
@click.option("--force", is_flag=True, help="Replace another link of this step and key.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def record(
    step_name: str,
    key: str | None,
    password_env: str | None,
    materials: tuple[str, ...],
    products: tuple[str, ...],
    exclude: tuple[str, ...],
    link_dir: Path,
    unsigned: bool,
    pass_oidc: bool,
    command_as: str | None,
    record_failure: bool,
    force: bool,
    command: tuple[str, ...],
) -> int:
    """Run a command and record, as a signed in-toto link, what went in and what came out."""
    from intoto_action.record.publish import publish_signed, publish_unsigned
    from intoto_action.record.step import record_step
    from intoto_action.record.task import Here, Task

    if not key and not unsigned:
        raise Misused("who signs? Give --key KEY, or --unsigned to sign in another process")
    task = Task(
        step=step_name,
        command=command,
        recorded_command=(command_as,) if command_as else command,
        materials=materials,
        products=products,
        excludes=exclude,
        pass_oidc=pass_oidc,
    )
    task.check()
    here = Here(base=str(Path.cwd()), environ=os.environ, tell=_note, progress=bar)
    outcome, link = record_step(task, here, record_failure=record_failure)
    if link is None:
        return outcome.exit_code
    if unsigned or not key:
        published = publish_unsigned(link, link_dir, force=force)
        click.echo(published.sha256)
    else:
        from intoto_action.keys.words import open_signer

        published = publish_signed(
            link,
            link_dir,
            lambda: open_signer(key, environ=os.environ, password_env=password_env),
            force=force,
        )
    _note(f"recorded step {step_name}: {published.path}")
    return outcome.exit_code


def _note(text: str) -> None:
    sys.stderr.write(f"intoto-action: {text}\n")
