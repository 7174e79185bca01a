"""`attach`: evidence for an image, decided on, signed, and put beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intoto_action.cli.keyless_options import KeylessOptions, keyless_options, say_signer
from intoto_action.cli.options import (
    RegistryOptions,
    SigningOptions,
    SigstoreOptions,
    example,
    refuse_overwriting,
    registry_options,
    signing_options,
    sigstore_options,
    tell,
    timeout_option,
)
from intoto_action.cli.runner import failure_in_summary, job_file, summarise
from intoto_action.cli.trust_options import TrustOptions, trust_options
from intoto_action.deadline import Deadline
from intoto_action.formats.verdict import PASS
from intoto_action.reason import ExitCode
from intoto_action.store.files import read_capped, write_whole

if TYPE_CHECKING:
    from intoto_action.attach.attach import Published
    from intoto_action.formats.envelope import Envelope
    from intoto_action.formats.reference import Image
    from intoto_action.formats.verdict import Verdict
    from intoto_action.store.interface import Store
    from intoto_action.store.job_token import JobToken


@click.command(
    epilog=example(
        "intoto-action attach ghcr.io/octo/app@sha256:… --layout root.layout --link-dir links \\",
        "    --layout-key owner.pub --key attester.pem",
    )
)
@click.option(
    "--layout", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The signed layout."
)
@click.option(
    "--link-dir",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The links, here and in folders directly below.",
)
@signing_options("attach")
@keyless_options("attach")
@click.option(
    "--file", "files", multiple=True, metavar="NAME=PATH", help="A file that goes with the links. Repeatable."
)
@click.option(
    "--provenance",
    default="none",
    show_default=True,
    metavar="auto|none|FILE",
    help="SLSA provenance beside the evidence: of this job by its OIDC token, or a file's.",
)
@click.option(
    "--tag", "tags", multiple=True, metavar="T", help="Put the image under T once its evidence is there."
)
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Keep the bundle as a file too."
)
@click.option(
    "--push-with",
    type=click.Choice(["cosign", "native"]),
    default="cosign",
    show_default=True,
    help="Who writes to the registry.",
)
@click.option("--no-verify", is_flag=True, help="Push even what verify would deny.")
@click.option("--other-runs", is_flag=True, help="With --github: take links of other runs and commits too.")
@click.option(
    "--github",
    is_flag=True,
    help="In a job of GitHub Actions: outputs, annotations, a summary; links must be of this run.",
)
@trust_options
@registry_options
@sigstore_options("attach")
@timeout_option(300)
@click.argument("image", metavar="IMAGE")
@failure_in_summary("Not attached")
def attach(
    layout: Path,
    link_dir: Path,
    signing: SigningOptions,
    keyless: KeylessOptions,
    files: tuple[str, ...],
    provenance: str,
    tags: tuple[str, ...],
    output: Path | None,
    push_with: str,
    no_verify: bool,
    other_runs: bool,
    github: bool,
    trust: TrustOptions,
    registry: RegistryOptions,
    sigstore: SigstoreOptions,
    timeout: float,
    image: str,
) -> int:
    """Put links and layout on IMAGE as signed evidence, after the same decision that verify makes."""
    from intoto_action.attach.attach import prepare, publish, read_files
    from intoto_action.attach.collect import collect
    from intoto_action.formats.reference import parse_free_tag
    from intoto_action.keys.memory import clear_dumpable

    clear_dumpable()  # a credential helper and cosign are started, and a key may be in a variable
    token = None
    if github:
        from intoto_action.cli.runner import take_job_token

        token = take_job_token("attach")
    signing.check()
    if output is not None:
        inside = (word.partition("=")[2] for word in files)
        read = (layout, provenance, *inside, *trust.words, *sigstore.words, signing.key, signing.public_key)
        refuse_overwriting("--output", output, read)
    checked_tags = tuple(parse_free_tag(tag) for tag in tags)
    signed_layout = _read_layout(layout)
    collected = collect(link_dir)
    for path in collected.replaced:
        tell(f"{path} is of an earlier attempt of the run and is left out")
    if github and not other_runs:
        from intoto_action.attach.this_run import check_this_run

        check_this_run(collected.links, os.environ)
    content = read_files(files)
    demands = trust.demands(environ=os.environ)
    deadline = Deadline(timeout)
    instance = sigstore.instance()
    environ = keyless.public_environ(signing.public_environ(os.environ))
    store, resolved = _open(image, registry, deadline, push_with, environ, token)
    signer = signing.signer(keyless=lambda: keyless.signer(instance))
    prepared = prepare(
        resolved,
        signed_layout,
        collected.links,
        content,
        signer,
        demands,
        at=datetime.now(UTC),
        sigstore=instance.root(deadline),
        provenance=_provenance(provenance, resolved, collected.links, deadline),
    )
    if not no_verify and prepared.verdict.verdict != PASS:
        _refuse(prepared.verdict, layout, github=github)
        return prepared.verdict.exit_code
    if not no_verify and not trust.layout_keys:
        tell("the layout's root was not checked: give --layout-key, as verify will")
    if github and output is None:
        output = job_file("evidence.json")
    if output is not None:
        write_whole(output, prepared.bundle, overwrite=True)
    published = publish(store, resolved, prepared.bundle, checked_tags, tell, provenance=prepared.provenance)
    click.echo(f"attached {published.evidence.digest} to {resolved}")
    if published.provenance is not None:
        click.echo(f"attached {published.provenance.digest} to {resolved} (provenance)")
    say_signer(signer)
    if github and output is not None:
        _hand_over(resolved, published, prepared.verdict, output)
    return ExitCode.PASS


def _hand_over(image: Image, published: Published, verdict: Verdict, output: Path) -> None:
    """Outputs and a summary of what was attached."""
    from intoto_action.github.outputs import append_outputs
    from intoto_action.render.attached import attached

    digests = {"evidence": published.evidence.digest}
    if published.provenance is not None:
        digests["provenance"] = published.provenance.digest
    append_outputs(
        os.environ,
        {
            "image": str(image),
            "referrer": published.evidence.digest,
            "evidence-path": str(output.absolute()),
        },
    )
    summarise(attached(str(image), digests, verdict))


def _read_layout(path: Path) -> Envelope:
    from intoto_action.formats.evidence import parse_signed
    from intoto_action.formats.strict_json import DOCUMENT_CAP

    return parse_signed(read_capped(path, DOCUMENT_CAP, "the layout"), str(path))


def _provenance(word: str, image: Image, links: Mapping[str, bytes], deadline: Deadline) -> bytes | None:
    from intoto_action.attach.provenance import AUTO, NONE, build_of_run, provenance_in, provenance_of
    from intoto_action.cli.claims import github_claims

    if word == NONE:
        return None
    if word != AUTO:
        return provenance_in(Path(word), image)
    remedy = "say --provenance FILE with what `intoto-action provenance` wrote, or --provenance none"
    return provenance_of(build_of_run(github_claims(deadline, remedy)), image, links)


def _open(
    text: str,
    registry: RegistryOptions,
    deadline: Deadline,
    push_with: str,
    environ: Mapping[str, str],
    job_token: JobToken | None,
) -> tuple[Store, Image]:
    from intoto_action.formats.reference import parse_reference

    reference = parse_reference(text)
    store = registry.store(reference, deadline, environ, push_with=push_with, job_token=job_token)
    image = store.resolve(reference)
    if reference.digest is None:
        tell(f"{text} is {image.digest} now, and that is what the evidence is for")
    return store, image


def _refuse(verdict: Verdict, layout: Path, *, github: bool) -> None:
    from intoto_action.cli.verdicts import shown

    click.echo(shown([verdict], "text"), nl=False, err=True)
    if github:
        from intoto_action.cli.verdicts import annotate
        from intoto_action.render.attached import not_attached

        annotate([verdict], layout)
        summarise(not_attached(verdict))
    click.echo(
        "error: nothing was pushed, because verify would deny it (--no-verify pushes it all the same)",
        err=True,
    )
