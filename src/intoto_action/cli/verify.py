"""`verify`: an image, or a directory of links, held against a layout."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intoto_action.cli.keyless_options import KeylessOptions, keyless_options
from intoto_action.cli.options import (
    RegistryOptions,
    SigstoreOptions,
    example,
    format_option,
    refuse_overwriting,
    registry_options,
    sigstore_options,
    timeout_option,
)
from intoto_action.cli.provenance_options import provenance_demand
from intoto_action.cli.runner import failure_in_summary, job_file
from intoto_action.cli.trust_options import TrustOptions, trust_options
from intoto_action.cli.vsa_options import VsaOptions, vsa_options
from intoto_action.deadline import Deadline
from intoto_action.reason import ExitCode, Malformed, Misused, Reason

if TYPE_CHECKING:
    from intoto_action.decide.attestation import Attestation
    from intoto_action.decide.decide import Outcome
    from intoto_action.decide.demands import Demands, ProvenanceDemand
    from intoto_action.formats.envelope import Envelope
    from intoto_action.formats.reference import DirectoryReference, Reference
    from intoto_action.formats.verdict import Verdict
    from intoto_action.keys.sigstore_root import SigstoreRoot
    from intoto_action.store.interface import Store
    from intoto_action.store.job_token import JobToken
    from intoto_action.verify.manifest_files import ManifestImages


@click.command(
    epilog=example(
        "intoto-action verify --layout-key owner.pub ghcr.io/octo/app:1.2",
        "intoto-action verify --layout-key owner.pub --layout root.layout --link-dir links",
        "intoto-action verify --layout-key owner.pub --layout root.layout --link-dir links --rehearse",
        "intoto-action verify --layout-key owner.pub --images-from 'k8s/**/*.[yj]*'",
        "intoto-action verify --layout-key owner.pub --vsa-key vsa ghcr.io/octo/app@sha256:…",
    )
)
@trust_options
@provenance_demand
@click.option(
    "--layout", type=click.Path(path_type=Path), metavar="FILE", help="Use this layout, not the evidence's."
)
@click.option(
    "--link-dir", type=click.Path(path_type=Path), metavar="DIR", help="Verify these links, without an image."
)
@click.option(
    "--images-from",
    multiple=True,
    metavar="GLOB",
    help="Verify every image in the Kubernetes manifests that match; k8s/**/*.[yj]* has .yaml, .yml and .json. "
    "Repeatable.",
)
@click.option(
    "--digest", metavar="sha256:…", help="Verify the image with this digest by --bundle, without a registry."
)
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Evidence from a file that attach --output wrote, or provenance, in place of the registry's. Repeatable.",
)
@click.option(
    "--rehearse",
    is_flag=True,
    help="With --link-dir: decide all but who signed, of links that may be unsigned. Never a pass.",
)
@vsa_options
@keyless_options("verify")
@click.option(
    "--on-deny",
    type=click.Choice(["fail", "warn"]),
    default="fail",
    show_default=True,
    help="With warn a denial is printed and the exit code is 0.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write it to FILE (.json, .md, text).",
)
@click.option("--github", is_flag=True, help="In a job of GitHub Actions: outputs, annotations, a summary.")
@format_option
@registry_options
@sigstore_options("verify")
@timeout_option(60)
@click.argument("images", nargs=-1, metavar="[IMAGE]…")
@failure_in_summary("Not verified")
def verify(
    trust: TrustOptions,
    provenance: ProvenanceDemand | None,
    layout: Path | None,
    link_dir: Path | None,
    images_from: tuple[str, ...],
    digest: str | None,
    bundles: tuple[Path, ...],
    rehearse: bool,
    vsa: VsaOptions,
    keyless: KeylessOptions,
    on_deny: str,
    report: Path | None,
    github: bool,
    form: str,
    registry: RegistryOptions,
    sigstore: SigstoreOptions,
    timeout: float,
    images: tuple[str, ...],
) -> int:
    """Say whether IMAGE was built as its layout demands, or exactly why not.

    Exit code 0: passed, 1: denied, 2: the words are wrong, 3: a registry or Sigstore did not answer, 4: rehearsed.
    """
    from intoto_action.cli.verdicts import exit_code, print_verdicts, write_report

    job_token = _token_of_the_job(github)
    report = report or _report_of_the_job(github)
    _check_words(trust, layout, link_dir, digest, bundles, images, images_from)
    _check_links_words(link_dir, rehearse, provenance)
    read = (layout, *bundles, *trust.words, *sigstore.words)
    if report is not None:
        refuse_overwriting("--report", report, (*read, *vsa.words))
    manifests = _manifests(images_from) if images_from else None
    subjects = images if manifests is None else manifests.references
    given = bool(images or images_from)
    vsa.check(len(subjects) + (digest is not None), given, (*read, report), keyless, sigstore)
    at = datetime.now(UTC)
    deadline = Deadline(timeout)
    instance = sigstore.instance()
    root = instance.root(deadline)
    issuer = vsa.issuer(keyless, instance, root)
    if issuer is not None:
        issuer.refuse_for(trust.demands(environ=os.environ))
    verdicts = []
    for subject in subjects if images or images_from else (digest or str(link_dir),):
        try:
            demands = trust.demands(environ=os.environ, layout=_layout(layout), provenance=provenance)
            if link_dir is not None:
                decide = _rehearse if rehearse else _verify_links
                verdicts.append(decide(link_dir, demands, at, root))
                continue
            store = None
            if digest is not None:
                outcome = _verify_digest(digest, bundles, demands, at, root)
            else:
                store, reference = _open(subject, registry, deadline, vsa, keyless, job_token)
                outcome = _verify_image(store, reference, bundles, demands, at, root)
        except _Refused as refused:
            demands = trust.demands(environ=os.environ, provenance=provenance)
            verdicts.append(_refusal(subject, demands, refused))
            continue
        if issuer is not None:
            issuer.consider(len(verdicts), outcome, demands, store, at=at)
        verdicts.append(outcome.verdict)
    if manifests is not None:
        verdicts = manifests.tell(verdicts)
    if issuer is not None:
        verdicts = issuer.issue(verdicts)
    if manifests is not None:
        verdicts += manifests.refusals(trust.demands(environ=os.environ, provenance=provenance))
    print_verdicts(verdicts, form, for_runner=github)
    if report is not None:
        write_report(verdicts, report)
        _hand_over(verdicts, report, on_deny, layout, github)
    return exit_code(verdicts, on_deny, ExitCode.REHEARSED if rehearse else ExitCode.PASS)


def _hand_over(
    verdicts: Sequence[Verdict], report: Path, on_deny: str, layout: Path | None, github: bool
) -> None:
    """Tell the runner of a GitHub job, where there is one."""
    if github:
        from intoto_action.cli.verdicts import hand_over

        hand_over(verdicts, report, on_deny, layout)


def _token_of_the_job(github: bool) -> JobToken | None:
    """Who one is at GitHub's registry, where nobody logged in."""
    if not github:
        return None
    from intoto_action.cli.runner import take_job_token

    return take_job_token("verify")


def _report_of_the_job(github: bool) -> Path | None:
    """Where the verdict lies for later steps of a job, when nobody named a file."""
    if not github:
        return None
    return job_file("verdict.json")


class _Refused(Exception):
    """Something that was given is not what it should be, which a verdict can say: its reason, and what is wrong."""

    def __init__(self, reason: Reason, fault: Malformed) -> None:
        super().__init__(str(fault))
        self.reason = reason
        self.fault = fault


@contextmanager
def _refusing(reason: Reason) -> Iterator[None]:
    try:
        yield
    except Malformed as error:
        raise _Refused(reason, error) from error


def _check_words(
    trust: TrustOptions,
    layout: Path | None,
    link_dir: Path | None,
    digest: str | None,
    bundles: tuple[Path, ...],
    images: tuple[str, ...],
    images_from: tuple[str, ...],
) -> None:
    if sum((bool(images), bool(images_from), link_dir is not None, digest is not None)) != 1:
        raise Misused(
            "expected one of: IMAGE…, --images-from GLOB, --link-dir DIR, or --digest sha256:… with --bundle FILE"
        )
    if not trust.layout_keys:
        raise Misused(
            "expected --layout-key PUB: without the key of the layout's owner, anybody could have written the layout"
        )
    if link_dir is not None and layout is None:
        raise Misused(
            "expected --layout FILE beside --link-dir: a directory of links has no layout of its own"
        )
    if link_dir is not None and (bundles or trust.subject_step or trust.attesters or trust.same_as):
        raise Misused(
            "--bundle, --subject-step, --attester and --same-as speak of an image: leave them out with --link-dir"
        )
    if digest is not None and not bundles:
        raise Misused("expected --bundle FILE beside --digest: there is no registry to ask")
    if bundles and (len(images) > 1 or images_from):
        raise Misused("expected one IMAGE with --bundle: evidence is of one image")


def _check_links_words(link_dir: Path | None, rehearse: bool, provenance: ProvenanceDemand | None) -> None:
    if rehearse and link_dir is None:
        raise Misused("expected --link-dir DIR beside --rehearse: an image is verified, or not")
    if link_dir is not None and provenance is not None:
        raise Misused(
            "--source-repository, --source-ref and --builder-id speak of an image: leave them out with --link-dir"
        )


def _layout(path: Path | None) -> Envelope | None:
    from intoto_action.formats.evidence import parse_signed
    from intoto_action.formats.strict_json import DOCUMENT_CAP
    from intoto_action.store.files import read_capped

    if path is None:
        return None
    raw = read_capped(path, DOCUMENT_CAP, "the layout")
    with _refusing(Reason.LAYOUT_INVALID):
        return parse_signed(raw, str(path))


def _manifests(globs: tuple[str, ...]) -> ManifestImages:
    from intoto_action.verify.manifest_files import images_in_manifests

    return images_in_manifests(globs, Path())


def _verify_links(directory: Path, demands: Demands, at: datetime, root: SigstoreRoot) -> Verdict:
    from intoto_action.store.link_directory import each_link
    from intoto_action.verify.verify import verify_links

    return verify_links(each_link(directory), None, demands, at=at, sigstore=root)


def _rehearse(directory: Path, demands: Demands, at: datetime, root: SigstoreRoot) -> Verdict:
    from intoto_action.store.link_directory import each_link, each_unsigned_link
    from intoto_action.verify.rehearse import rehearse_links

    return rehearse_links(each_link(directory), each_unsigned_link(directory), demands, at=at, sigstore=root)


def _verify_digest(
    digest: str, bundles: tuple[Path, ...], demands: Demands, at: datetime, root: SigstoreRoot
) -> Outcome:
    from intoto_action.formats.reference import Image, parse_digest
    from intoto_action.verify.verify import verify_bundles

    with _refusing(Reason.INVALID_REFERENCE):
        image = Image(None, parse_digest(digest))
    return verify_bundles(_read_bundles(bundles), image, demands, at=at, sigstore=root)


def _open(
    text: str,
    registry: RegistryOptions,
    deadline: Deadline,
    vsa: VsaOptions,
    keyless: KeylessOptions,
    job_token: JobToken | None,
) -> tuple[Store, Reference | DirectoryReference]:
    from intoto_action.formats.reference import parse_reference
    from intoto_action.store.open import NATIVE

    with _refusing(Reason.INVALID_REFERENCE):
        reference = parse_reference(text)
    environ = keyless.public_environ(vsa.signing.public_environ(os.environ))
    store = registry.store(reference, deadline, environ, push_with=NATIVE, job_token=job_token)
    return store, reference


def _verify_image(
    store: Store,
    reference: Reference | DirectoryReference,
    bundles: tuple[Path, ...],
    demands: Demands,
    at: datetime,
    root: SigstoreRoot,
) -> Outcome:
    from intoto_action.verify.verify import verify_image

    return verify_image(store, reference, demands, at=at, sigstore=root, bundles=_read_bundles(bundles))


def _read_bundles(paths: tuple[Path, ...]) -> tuple[Attestation, ...]:
    from intoto_action.formats.evidence import EVIDENCE_CAP
    from intoto_action.store.files import read_capped
    from intoto_action.verify.candidates import parse_attestation

    with _refusing(Reason.NO_ATTESTATION):
        return tuple(
            parse_attestation(read_capped(path, EVIDENCE_CAP, "the bundle"), str(path)) for path in paths
        )


def _refusal(subject: str, demands: Demands, refused: _Refused) -> Verdict:
    from intoto_action.verify.verify import refusal

    return refusal(subject, demands, refused.reason, refused.fault)
