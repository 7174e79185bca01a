"""`sign`: the link that `record --unsigned` left, signed in a process that runs nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from intoto_action.cli.keyless_options import KeylessOptions, keyless_options, say_signer
from intoto_action.cli.options import (
    SigningOptions,
    SigstoreOptions,
    example,
    option,
    signing_options,
    sigstore_options,
)
from intoto_action.reason import Misused


@click.command(
    epilog=example(
        "EXPECTED=$(intoto-action record --unsigned --step-name build --link-dir links -- make | tail -n 1)",
        'intoto-action sign --key env:SIGNING_KEY --step-name build --expect "$EXPECTED" \\',
        "    links/build.link-unsigned",
    )
)
@signing_options("sign")
@keyless_options("sign")
@sigstore_options("sign")
@option("sign", "--step-name", metavar="S", required=True, help="The step that the link must be of.")
@option(
    "sign",
    "--expect",
    metavar="sha256:…",
    required=True,
    help="What `record --unsigned` printed last, carried here on a way of its own: never computed from LINK.",
)
@click.option("--force", is_flag=True, help="Replace another link of this step and key.")
@click.argument("link", type=click.Path(path_type=Path))
def sign(
    signing: SigningOptions,
    keyless: KeylessOptions,
    sigstore: SigstoreOptions,
    step_name: str,
    expect: str,
    force: bool,
    link: Path,
) -> None:
    """Sign LINK, which `record --unsigned` left, and put the signed link beside it.

    It is signed only when its digest is the expected one and it is a link of that step; then LINK is removed.
    """
    from intoto_action.record.publish import write_signed
    from intoto_action.render.escape import terminal

    payload = _payload(link, expect, step_name)
    signer = signing.signer(keyless=lambda: keyless.signer(sigstore.instance()))
    written = write_signed(link.parent, step_name, payload, signer, force=force)
    if written.name != link.name:
        link.unlink(missing_ok=True)
    click.echo(terminal(str(written), limit=4096))
    say_signer(signer)


def _payload(link: Path, expect: str, step_name: str) -> bytes:
    """The bytes of the unsigned link. Raises: Misused unless they are the ones that were asked for."""
    from intoto_action.formats.link import parse_link
    from intoto_action.formats.reference import parse_digest
    from intoto_action.formats.strict_json import DOCUMENT_CAP
    from intoto_action.store.files import read_capped

    if not parse_digest(expect).startswith("sha256:"):
        raise Misused(f"--expect: expected sha256: and 64 hex digits, found {expect[:200]!r}")
    payload = read_capped(link, DOCUMENT_CAP, "the unsigned link")
    found = f"sha256:{hashlib.sha256(payload).hexdigest()}"
    if found != expect:
        raise Misused(
            f"{link}: expected {expect}, found {found}: the link was changed after it was recorded, and is not "
            "signed; record the step again, and find out who changed it"
        )
    name = parse_link(payload, str(link)).name
    if name != step_name:
        raise Misused(
            f"{link}: expected a link of step {step_name!r}, found one of {name!r}: it is not signed"
        )
    return payload
