"""`provenance`: a Statement that says of which source, by whom and from what an image was built."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intoto_action.cli.options import RegistryOptions, example, registry_options, tell, timeout_option
from intoto_action.cli.provenance_options import told_build
from intoto_action.deadline import Deadline
from intoto_action.store.files import write_whole

if TYPE_CHECKING:
    from intoto_action.formats.build import Build


@click.command(
    epilog=example(
        "intoto-action provenance ghcr.io/octo/app@sha256:… --link-dir links -o provenance.json",
        "intoto-action attach ghcr.io/octo/app@sha256:… --provenance provenance.json …",
    )
)
@click.option(
    "--slsa-version",
    type=click.Choice(["1", "0.2"]),
    default="1",
    show_default=True,
    help="The version of SLSA provenance.",
)
@told_build
@click.option(
    "--link-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Links whose images and digests go in, here and in folders directly below.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write FILE, not stdout."
)
@registry_options
@timeout_option(60)
@click.argument("image", metavar="IMAGE")
def provenance(
    slsa_version: str,
    told: Build | None,
    link_dir: Path | None,
    output: Path | None,
    registry: RegistryOptions,
    timeout: float,
    image: str,
) -> None:
    """Write the SLSA provenance of IMAGE as an unsigned in-toto Statement, which `attach --provenance FILE` signs.

    In a GitHub Actions job with `id-token: write` it says what the job's OIDC token says; elsewhere --builder-id and
    --source-repository have to be given, and are worth as much as the key that signs them.
    """
    from intoto_action.attach.provenance import build_of_run, provenance_of
    from intoto_action.cli.claims import github_claims
    from intoto_action.formats.reference import parse_reference

    deadline = Deadline(timeout)
    links = _links(link_dir) if link_dir is not None else {}
    remedy = "say who built what with --builder-id URI and --source-repository URI"
    build = told or build_of_run(github_claims(deadline, remedy))
    reference = parse_reference(image)
    resolved = registry.store(reference, deadline, os.environ).resolve(reference)
    if reference.digest is None:
        tell(f"{image} is {resolved.digest} now, and that is what the provenance is for")
    statement = provenance_of(build, resolved, links, slsa_version)
    if output is None:
        click.echo(statement)
    else:
        write_whole(output, statement + b"\n", overwrite=True)


def _links(directory: Path) -> Mapping[str, bytes]:
    from intoto_action.attach.collect import collect

    collected = collect(directory)
    for path in collected.replaced:
        tell(f"{path} is of an earlier attempt of the run and is left out")
    return collected.links
