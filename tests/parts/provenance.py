"""Provenance as other people's tools write it, by hand: what ours is held against, and what tests break."""

from __future__ import annotations

import json
from typing import Any

from tests.parts.chain import IMAGE_DIGEST, REPOSITORY
from tests.parts.github_job import GITHUB, GitHubJob

from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.keys.interface import Signer
from intoto_action.keys.sealing import seal_bundle

Document = dict[str, Any]

V1 = "https://slsa.dev/provenance/v1"
V02 = "https://slsa.dev/provenance/v0.2"
JOB = GitHubJob(sha="c0ffee", run_id="7")
"""The job that the links of the chain name in their environment."""


def by_github(job: GitHubJob = JOB, digest: str = IMAGE_DIGEST) -> Document:
    """The Statement that actions/attest writes in that job (its lib/provenance.js, version 3)."""
    repository = f"{GITHUB}/{job.repository}"
    return _statement(
        "https://in-toto.io/Statement/v1",
        V1,
        digest,
        {
            "buildDefinition": {
                "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                "externalParameters": {
                    "workflow": {
                        "ref": job.ref,
                        "repository": repository,
                        "path": f".github/workflows/{job.workflow}",
                    }
                },
                "internalParameters": {
                    "github": {
                        "event_name": job.event,
                        "repository_id": job.repository_id,
                        "repository_owner_id": job.owner_id,
                        "runner_environment": job.runner,
                    }
                },
                "resolvedDependencies": [
                    {"uri": f"git+{repository}@{job.ref}", "digest": {"gitCommit": job.sha}}
                ],
            },
            "runDetails": {
                "builder": {"id": f"{GITHUB}/{job.job_workflow_ref}"},
                "metadata": {
                    "invocationId": f"{repository}/actions/runs/{job.run_id}/attempts/{job.run_attempt}"
                },
            },
        },
    )


def by_github_until_2024(job: GitHubJob = JOB, digest: str = IMAGE_DIGEST) -> Document:
    """The same with the names that GitHub had for build type and builder before."""
    document = by_github(job, digest)
    definition = document["predicate"]["buildDefinition"]
    definition["buildType"] = "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1"
    document["predicate"]["runDetails"]["builder"]["id"] = f"{GITHUB}/actions/runner/{job.runner}"
    return document


def of_version_02(job: GitHubJob = JOB, digest: str = IMAGE_DIGEST) -> Document:
    """Provenance v0.2 as slsa-github-generator writes it."""
    source = {"uri": f"git+{GITHUB}/{job.repository}@{job.ref}", "digest": {"sha1": job.sha}}
    return _statement(
        "https://in-toto.io/Statement/v0.1",
        V02,
        digest,
        {
            "builder": {"id": f"{GITHUB}/{job.job_workflow_ref}"},
            "buildType": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
            "invocation": {
                "configSource": {**source, "entryPoint": f".github/workflows/{job.workflow}"},
                "parameters": {},
                "environment": {"github_run_id": job.run_id},
            },
            "metadata": {
                "buildInvocationId": f"{job.run_id}-{job.run_attempt}",
                "completeness": {"parameters": True, "environment": False, "materials": False},
                "reproducible": False,
            },
            "materials": [source],
        },
    )


def signed(document: Document | bytes, signer: Signer) -> bytes:
    """The document in a bundle."""
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return seal_bundle(PAYLOAD_TYPE, payload, signer)


def _statement(statement_type: str, predicate_type: str, digest: str, predicate: Document) -> Document:
    algorithm, _, value = digest.partition(":")
    return {
        "_type": statement_type,
        "subject": [{"name": REPOSITORY, "digest": {algorithm: value}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
