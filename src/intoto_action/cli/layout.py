"""`layout`: sign a layout.yaml, show a layout, look for what is wrong with one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intoto_action.cli.functionary import functionary
from intoto_action.cli.keyless_options import KeylessOptions, keyless_options, say_signer
from intoto_action.cli.options import (
    SigningOptions,
    SigstoreOptions,
    example,
    option,
    signing_options,
    sigstore_options,
)
from intoto_action.reason import ExitCode, Misused, WrongFile

if TYPE_CHECKING:
    from intoto_action.author.compile import Compiled
    from intoto_action.author.sign import SignedLayout
    from intoto_action.keys.interface import Signer


@click.group()
def layout() -> None:
    """Sign a layout.yaml, show a layout, look for what is wrong with one."""


layout.add_command(functionary)


@layout.command(
    epilog=example(
        "intoto-action layout sign --key keys/owner layout.yaml",
        "intoto-action layout sign --key keys/second-owner --append layout.yaml",
    )
)
@signing_options("layout")
@keyless_options("layout")
@sigstore_options("layout")
@option(
    "layout",
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="root.layout",
    show_default=True,
    metavar="FILE",
    help="Where the signed layout goes, or is.",
)
@click.option("--append", is_flag=True, help="Add a signature to the signed layout that is there.")
@click.option("--force", is_flag=True, help="Replace a signed layout that is there.")
@click.argument("source", metavar="layout.yaml", type=click.Path(path_type=Path))
def sign(
    signing: SigningOptions,
    keyless: KeylessOptions,
    sigstore: SigstoreOptions,
    output: Path,
    append: bool,
    force: bool,
    source: Path,
) -> None:
    """Compile layout.yaml and sign what it means.

    Everything wrong with it is told with file, line and column, and nothing is signed. With --append it must still
    mean exactly the bytes that others have signed.
    """
    from intoto_action.author.sign import compile_file
    from intoto_action.store.files import write_whole

    if append and force:
        raise Misused(
            "expected --append or --force, found both: one keeps what is there, the other replaces it"
        )
    if not append and not force and output.exists():
        raise WrongFile(
            f"{output} exists already and is not overwritten: --append adds a signature to it, --force replaces it"
        )
    at = datetime.now(UTC)
    compiled = compile_file(source, at=at)
    _say(compiled.warnings, err=True)
    signer = signing.signer(keyless=lambda: keyless.signer(sigstore.instance()))
    signed = _appended(compiled, output, signer, at) if append else _signed(compiled, signer)
    write_whole(output, signed.document, overwrite=append or force)
    _tell_signed(output, signed, signer)
    say_signer(signer)


@layout.command(epilog=example("intoto-action layout show root.layout"))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def show(file: Path) -> None:
    """Print a layout.yaml as what it means, or a signed layout; its signatures are not checked."""
    from intoto_action.author.open import open_layout
    from intoto_action.author.show import layout_lines, signature_lines

    opened = open_layout(file, at=datetime.now(UTC))
    if opened.envelope is not None:
        _say([f"sha256       {opened.envelope.sha256}", *signature_lines(opened.envelope, str(file))])
    _say(layout_lines(opened.layout))


@layout.command(epilog=example("intoto-action layout lint layout.yaml"))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def lint(file: Path) -> int:
    """Say what is wrong with a layout.yaml or a signed layout; ends with 1 when there are errors."""
    from intoto_action.author.open import check_file

    checked = check_file(file, at=datetime.now(UTC))
    _say([*checked.errors, *checked.warnings])
    _say([f"{file}: {_count(checked.errors, 'error')}, {_count(checked.warnings, 'warning')}"])
    return ExitCode.DENIED if checked.errors else ExitCode.PASS


def _signed(compiled: Compiled, signer: Signer) -> SignedLayout:
    from intoto_action.author.sign import sign_layout

    return sign_layout(compiled.layout, signer)


def _appended(compiled: Compiled, output: Path, signer: Signer, at: datetime) -> SignedLayout:
    from intoto_action.author.open import read_envelope
    from intoto_action.author.sign import co_sign_layout

    return co_sign_layout(compiled, read_envelope(output), signer, at=at)


def _tell_signed(output: Path, signed: SignedLayout, signer: Signer) -> None:
    import hashlib

    _say(
        [
            f"layout       {output}",
            f"keyid        {signer.key.keyid}",
            f"sha256       {hashlib.sha256(signed.payload).hexdigest()}",
            f"expires      {signed.layout.expires}",
        ]
    )


def _say(lines: list[str] | tuple[str, ...], *, err: bool = False) -> None:
    from intoto_action.render.escape import terminal

    for line in lines:
        click.echo(terminal(line, limit=4096), err=err)


def _count(found: tuple[str, ...], what: str) -> str:
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}" if found else f"no {what}s"
