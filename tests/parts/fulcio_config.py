"""Fulcio's configuration for one identity provider like GitHub's: what of a token goes where in a certificate."""

from __future__ import annotations

from tests.parts.oidc_issuer import AUDIENCE

_EXTENSIONS = {
    "github-workflow-trigger": "event_name",
    "github-workflow-sha": "sha",
    "github-workflow-name": "workflow",
    "github-workflow-repository": "repository",
    "github-workflow-ref": "ref",
    "build-signer-uri": "{{ .url }}/{{ .job_workflow_ref }}",
    "build-signer-digest": "job_workflow_sha",
    "runner-environment": "runner_environment",
    "source-repository-uri": "{{ .url }}/{{ .repository }}",
    "source-repository-digest": "sha",
    "source-repository-ref": "ref",
    "source-repository-identifier": "repository_id",
    "source-repository-owner-uri": "{{ .url }}/{{ .repository_owner }}",
    "source-repository-owner-identifier": "repository_owner_id",
    "build-config-uri": "{{ .url }}/{{ .workflow_ref }}",
    "build-config-digest": "workflow_sha",
    "build-trigger": "event_name",
    "run-invocation-uri": "{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}",
    "source-repository-visibility-at-signing": "repository_visibility",
    "deployment-environment": "environment",
}
"""As Sigstore's public instance has them for GitHub (fulcio v1.8.8, config/identity/config.yaml)."""


def fulcio_config(issuer: str) -> dict[str, object]:
    """The document that `fulcio serve --config-path` reads."""
    provider = "github-workflow"
    return {
        "oidc-issuers": {
            issuer: {
                "issuer-url": issuer,
                "client-id": AUDIENCE,
                "type": "ci-provider",
                "ci-provider": provider,
            }
        },
        "ci-issuer-metadata": {
            provider: {
                "default-template-values": {"url": "https://github.com", "environment": ""},
                "subject-alternative-name-template": "{{ .url }}/{{ .job_workflow_ref }}",
                "extension-templates": _EXTENSIONS,
            }
        },
    }
