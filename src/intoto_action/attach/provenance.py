"""Provenance for an image: of the run that makes it, of somebody's words, or from a file; never signed here.

What stands in it comes from the claims of the job's OIDC token, which the job cannot write, and from the links. What
only the runner's environment knows (when the run began, the job's name, inputs) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec

from intoto_action.decide.binding import statement_is_about
from intoto_action.formats.artifact import Artifacts
from intoto_action.formats.build import (
    GITHUB_BUILD_TYPE,
    Build,
    RecordedStep,
    Source,
    UsedImage,
    used_image,
)
from intoto_action.formats.evidence import parse_signed
from intoto_action.formats.github_claims import GithubClaims
from intoto_action.formats.link import Link, parse_link
from intoto_action.formats.provenance import V1, as_statement, encode_provenance, parse_provenance
from intoto_action.formats.reference import Image
from intoto_action.formats.statement import STATEMENT_CAP
from intoto_action.reason import Denied, Malformed, WrongDocument
from intoto_action.store.files import read_capped

AUTO = "auto"
NONE = "none"
"""The words of `attach --provenance` beside the path of a file."""


def build_of_run(claims: GithubClaims) -> Build:
    """The build that GitHub vouches for, field by field as actions/attest maps them."""
    return Build(
        builder=claims.builder,
        build_type=GITHUB_BUILD_TYPE,
        source=Source(claims.repository_uri, claims.ref, claims.sha),
        workflow=claims.workflow_path,
        invocation=claims.invocation,
        parameters={
            "event_name": claims.event_name,
            "repository_id": claims.repository_id,
            "repository_owner_id": claims.repository_owner_id,
            "runner_environment": claims.runner_environment,
        },
    )


def provenance_of(build: Build, image: Image, links: Mapping[str, bytes], version: str = V1) -> bytes:
    """The Statement about the image: the build, the images that its steps used, and the digests of their links.

    `links` are documents by file name, whose signatures are not looked at: whoever signs the provenance vouches for
    them, and a verifier has the links themselves.
    Raises: Misused for a link that is none.
    """
    read = {name: _link(name, raw) for name, raw in sorted(links.items())}
    steps = tuple(
        RecordedStep(link.name, tuple(link.command), name, sha256(links[name]).hexdigest())
        for name, link in read.items()
    )
    images = _used_images([link.materials for link in read.values()], image)
    told = msgspec.structs.replace(build, images=images, steps=steps)
    return encode_provenance(told, image.repository or "image", image.digest, version)


def provenance_in(path: Path, image: Image) -> bytes:
    """The Statement that a file holds, or one about the image when it holds a bare predicate.

    Raises: Misused for what is no SLSA provenance, or is that of another image.
    """
    where = f"--provenance {path}"
    document = read_capped(path, STATEMENT_CAP, "the provenance")
    try:
        statement = as_statement(document, image.repository or "image", image.digest, where)
        statement_is_about(parse_provenance(statement, where)[0], image)
    except Malformed as error:
        raise WrongDocument(
            f"{error}: give a Statement with SLSA provenance v1 or v0.2, or its predicate alone"
        ) from error
    except Denied as error:
        found = error.findings[0].found
        raise WrongDocument(
            f"{where}: expected provenance of {image.digest}, found that of {found}"
        ) from error
    return statement


def _link(name: str, raw: bytes) -> Link:
    try:
        return parse_link(parse_signed(raw, f"link {name}").payload, f"link {name}")
    except Malformed as error:
        raise WrongDocument(f"{error}: take the file away, or record the step again") from error


def _used_images(materials: list[Artifacts], image: Image) -> tuple[UsedImage, ...]:
    """Every image among the materials once, in order, but for the one that was made and its platforms."""
    made = {image.digest, *(each.digest for each in image.platforms)}
    found = {
        (used.name, used.digest): used
        for artifacts in materials
        for name, digests in artifacts.items()
        if not any(digests.has(digest) for digest in made) and (used := used_image(name, digests)) is not None
    }
    return tuple(found[key] for key in sorted(found))
