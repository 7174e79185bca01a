"""`evidence extract`: what is attached to an image, as files for stock tools."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from intoto_action.cli.options import (
    RegistryOptions,
    SigstoreOptions,
    example,
    registry_options,
    sigstore_options,
    tell,
    timeout_option,
)
from intoto_action.cli.trust_options import TrustOptions, trust_options


@click.group()
def evidence() -> None:
    """Take the evidence of an image apart."""


@evidence.command(
    epilog=example(
        "intoto-action evidence extract --layout-key owner.pub ghcr.io/octo/app:1.2 evidence",
        "cd evidence && in-toto-verify --layout root.layout --verification-keys ../owner.pub",
    )
)
@trust_options
@click.option(
    "--layout", type=click.Path(path_type=Path), metavar="FILE", help="Use this layout, not the evidence's."
)
@registry_options
@sigstore_options("evidence")
@timeout_option(60)
@click.argument("image", metavar="IMAGE")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def extract(
    trust: TrustOptions,
    layout: Path | None,
    registry: RegistryOptions,
    sigstore: SigstoreOptions,
    timeout: float,
    image: str,
    directory: Path,
) -> None:
    """Write the layout, the links and the files of IMAGE's evidence into DIR, which is created.

    Only evidence that passes is written. A stock verifier that is run on it says nothing about which image it is for.
    """
    from intoto_action.deadline import Deadline
    from intoto_action.formats.evidence import parse_signed
    from intoto_action.formats.reference import parse_reference
    from intoto_action.formats.strict_json import DOCUMENT_CAP
    from intoto_action.render.escape import terminal
    from intoto_action.store.files import read_capped
    from intoto_action.verify.extract import extract as documents_of
    from intoto_action.verify.extract import write_extracted
    from intoto_action.verify.verify import verify_image

    pinned = parse_signed(read_capped(layout, DOCUMENT_CAP, "the layout"), str(layout)) if layout else None
    demands = trust.demands(environ=os.environ, layout=pinned)
    reference = parse_reference(image)
    deadline = Deadline(timeout)
    store = registry.store(reference, deadline, os.environ)
    outcome = verify_image(store, reference, demands, at=datetime.now(UTC), sigstore=sigstore.root(deadline))
    extracted = documents_of(outcome, demands)
    write_extracted(directory, extracted)
    if not trust.layout_keys:
        tell("the layout's root was not checked: give --layout-key to have it checked")
    for name in sorted(extracted.documents):
        click.echo(terminal(str(directory / name), limit=4096))
