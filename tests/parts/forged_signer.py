"""Somebody who signs as a job of a workflow does, without a key that anybody knows."""

from __future__ import annotations

import json
from functools import cache

from tests.parts.forge import Fault, Forge, GitHubJob
from tests.parts.github_job import GITHUB_ISSUER

from intoto_action.formats.envelope import Signature
from intoto_action.formats.identity import Identity, identity_of
from intoto_action.formats.material import EXTENSION, encode_extension
from intoto_action.trust.keyless import TrustRoot


class ForgedSigner:
    """A job of a forge's instance, as what the product calls a signer."""

    def __init__(self, forge: Forge, job: GitHubJob | None = None, fault: Fault | None = None) -> None:
        self._forge = forge
        self.job = job or GitHubJob()
        self._fault = fault

    @property
    def key(self) -> Identity:
        return identity_of(self.job.identity, GITHUB_ISSUER)

    def functionary(self, **claims: str) -> Identity:
        """The job as a layout may list it, with claims by their names (`_` for `-`)."""
        named = {name.replace("_", "-"): value for name, value in claims.items()}
        return identity_of(self.job.identity, GITHUB_ISSUER, named)

    def signature(self, data: bytes) -> Signature:
        signed = self._forge.sign(data, job=self.job, fault=self._fault)
        material = encode_extension(json.dumps(signed.material).encode())
        return Signature("", signed.signature, {EXTENSION: material})

    def bundle(self, payload_type: str, payload: bytes) -> bytes:
        return self._forge.sign_dsse(payload_type, payload, job=self.job, fault=self._fault).bundle


@cache
def the_forge() -> Forge:
    """One instance for all tests: making its keys takes a while, and nothing that a test does changes it."""
    return Forge()


@cache
def trust_root() -> TrustRoot:
    """What that instance's signatures are held against."""
    return TrustRoot(the_forge().trusted_root.encode(), "the forge")


def job_signer(job: GitHubJob | None = None, fault: Fault | None = None) -> ForgedSigner:
    """A signer of that instance."""
    return ForgedSigner(the_forge(), job, fault)
