"""`keygen`: a key pair in two files."""

from __future__ import annotations

import os
from pathlib import Path

import click

from intoto_action.cli.options import example, option, password_prompt, tell
from intoto_action.reason import Misused, WrongFile


@click.command(epilog=example("intoto-action keygen keys/alice", "intoto-action keygen --type rsa keys/bob"))
@option(
    "keygen",
    "--type",
    "kind",
    type=click.Choice(["ed25519", "ecdsa", "ecdsa-p384", "rsa"]),
    default="ed25519",
    show_default=True,
    help="ecdsa is on P-256; rsa has 3072 bits.",
)
@option(
    "keygen", "--password-env", metavar="VAR", help="The variable with a password to encrypt the key with."
)
@click.option("--no-password", is_flag=True, help="Do not ask for a password, and do not encrypt the key.")
@click.argument("path", type=click.Path(path_type=Path))
def keygen(kind: str, password_env: str | None, no_password: bool, path: Path) -> None:
    """Make a key pair: PATH (PKCS #8 PEM, only for you) and PATH.pub; print its keyid.

    Neither file is ever overwritten. Without a terminal to ask for a password on, and without --password-env,
    the key is not encrypted.
    """
    from intoto_action.keys.keygen import generate
    from intoto_action.store.files import check_place

    check_place(path, "the key pair")
    public_path = path.with_name(f"{path.name}.pub") if path.name else path
    for each in (path, public_path):
        if os.path.lexists(each):
            raise WrongFile(
                f"{each} exists already and is not overwritten: choose another name, or move it away"
            )
    password = _password(password_env, no_password)
    pair = generate(kind, password)
    _write(path, public_path, pair.private_pem, pair.public.pem.encode())
    tell(f"wrote {path} ({'encrypted' if password else 'not encrypted'}) and {public_path}")
    click.echo(pair.public.keyid)


def _password(password_env: str | None, no_password: bool) -> bytes | None:
    from intoto_action.keys.words import password_from

    if no_password:
        if password_env:
            raise Misused("expected --password-env or --no-password, found both")
        return None
    if password_env:
        return password_from(password_env, os.environ)
    if password_prompt() is None:
        return None
    asked = click.prompt(
        "Password (empty for none)",
        default="",
        hide_input=True,
        show_default=False,
        confirmation_prompt=True,
        err=True,
    )
    return str(asked).encode() or None


def _write(path: Path, public_path: Path, private_pem: bytes, public_pem: bytes) -> None:
    """Both files or none."""
    from intoto_action.store.files import write_whole

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongFile(f"the directory {path.parent} cannot be made: {error.strerror or error}") from error
    write_whole(path, private_pem, mode=0o600, overwrite=False)
    try:
        write_whole(public_path, public_pem, mode=0o644, overwrite=False)
    except Misused:
        path.unlink(missing_ok=True)
        raise
