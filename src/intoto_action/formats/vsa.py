"""Verification summary attestations (VSA): that an image passed, for whoever trusts the verifier's key.

Source: SLSA v1.2, verification_summary.md, predicate type `https://slsa.dev/verification_summary/v1`. They are only
written here: a verifier that took one in place of the evidence would believe another verifier, not the layout.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from intoto_action.formats.layout import INSTANT
from intoto_action.formats.reference import Image
from intoto_action.formats.statement import encode_statement

PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
VERIFIER_ID = "https://github.com/org/intoto-action/verify"
"""Which verifier this is; whose it is, the key says. A consumer accepts the pair (SLSA v1.2, `verifier`)."""
SLSA_VERSION = "1.2"
PASSED: Literal["PASSED"] = "PASSED"  # the outcome, no password

LAYOUT_PASSED = "INTOTO_ACTION_LAYOUT_PASSED"
"""The level of every VSA of ours: the image was made as a whole in-toto layout demands.

It says nothing of a SLSA track, because a layout need not. `SLSA_BUILD_LEVEL_UNEVALUATED` would say the same, but
slsa-verifier 2.7.1 takes the word for a number, and refuses a VSA that has it (`extractSLSALevels`).
"""
BUILD_LEVEL_1 = "SLSA_BUILD_LEVEL_1"
"""Added when provenance was demanded and verified. What more its builder is worth was not looked at."""


class Verifier(msgspec.Struct, frozen=True):
    """Who verified, and with which versions of what."""

    id: str
    version: Mapping[str, str]


class ResourceDescriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that was used, by digest; `uri` says where it is to be had, and is empty when nobody else can."""

    uri: str = ""
    digest: Mapping[str, str]


class Vsa(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The predicate. There is none for an image that did not pass."""

    verifier: Verifier
    time_verified: str
    resource_uri: str
    policy: ResourceDescriptor
    input_attestations: tuple[ResourceDescriptor, ...]
    verification_result: Literal["PASSED"] = PASSED
    verified_levels: tuple[str, ...]
    slsa_version: str = SLSA_VERSION


def passed_vsa(
    resource: str,
    *,
    layout: str,
    evidence: ResourceDescriptor,
    provenance: tuple[ResourceDescriptor, ...] = (),
    versions: Mapping[str, str],
    at: datetime,
) -> Vsa:
    """The VSA of an image that passed.

    `resource` is the image as whoever deploys it names it, pinned (`ghcr.io/octo/app@sha256:…`): the specification has
    there what the consumer fetches. `layout` is the hex sha256 of the layout's payload. `evidence` and `provenance` are
    all attestations that the decision used.
    """
    return Vsa(
        verifier=Verifier(VERIFIER_ID, versions),
        time_verified=at.strftime(INSTANT),
        resource_uri=resource,
        policy=ResourceDescriptor(uri=named_information(layout), digest={"sha256": layout}),
        input_attestations=(evidence, *provenance),
        verified_levels=(LAYOUT_PASSED, BUILD_LEVEL_1) if provenance else (LAYOUT_PASSED,),
    )


def encode_vsa(vsa: Vsa, image: Image) -> bytes:
    """The Statement about the image, on one line."""
    name = vsa.resource_uri.partition("@")[0]
    return encode_statement(PREDICATE_TYPE, msgspec.to_builtins(vsa), name, image.digest)


def named_information(sha256: str) -> str:
    """The URI of something that has no other name than its digest, such as a layout.

    Source: RFC 6920, section 3 (`ni:///sha-256;` and the digest in unpadded URL-safe base64).
    """
    return "ni:///sha-256;" + base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
