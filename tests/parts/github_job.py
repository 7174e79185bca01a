"""What GitHub says of a job: the claims of its OIDC token, and what Fulcio writes of them into a certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GITHUB = "https://github.com"
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True)
class GitHubJob:
    """A job that runs the workflow file of a repository at a ref.

    `called` is the workflow that the job really runs when it calls a reusable one, as job_workflow_ref has it:
    `octo/shared/.github/workflows/build.yml@refs/tags/v1`.
    """

    repository: str = "octo/app"
    workflow: str = "build.yml"
    ref: str = "refs/heads/main"
    event: str = "push"
    sha: str = "a" * 40
    called: str = ""
    called_sha: str = "c" * 40
    repository_id: str = "74"
    owner_id: str = "65"
    visibility: str = "public"
    environment: str = ""
    runner: str = "github-hosted"
    run_id: str = "30433642"
    run_attempt: str = "1"

    @classmethod
    def tag(cls, tag: str = "v1.2.0", **others: str) -> GitHubJob:
        """A run for a tag."""
        return cls(ref=f"refs/tags/{tag}", **others)

    @classmethod
    def pull_request(cls, number: int = 7, **others: str) -> GitHubJob:
        """A run for a pull request from a branch of the same repository: those of forks get no token."""
        return cls(ref=f"refs/pull/{number}/merge", event="pull_request", **others)

    @property
    def owner(self) -> str:
        return self.repository.partition("/")[0]

    @property
    def workflow_ref(self) -> str:
        return f"{self.repository}/.github/workflows/{self.workflow}@{self.ref}"

    @property
    def job_workflow_ref(self) -> str:
        return self.called or self.workflow_ref

    @property
    def identity(self) -> str:
        """The subject alternative name of a certificate for this job."""
        return f"{GITHUB}/{self.job_workflow_ref}"

    @property
    def token_claims(self) -> dict[str, str]:
        """The claims of a token for this job, but for those that depend on when and for whom it is made.

        Source: GitHub's OpenID Connect reference; every value is a string there, numbers too.
        """
        pull_request = self.event == "pull_request"
        claims = {
            "sub": f"repo:{self.repository}:{self._context}",
            "actor": "octocat",
            "actor_id": "12",
            "base_ref": "main" if pull_request else "",
            "event_name": self.event,
            "head_ref": "feature" if pull_request else "",
            "job_workflow_ref": self.job_workflow_ref,
            "job_workflow_sha": self.called_sha if self.called else self.sha,
            "ref": self.ref,
            "ref_protected": "false",
            "ref_type": "tag" if self.ref.startswith("refs/tags/") else "branch",
            "repository": self.repository,
            "repository_id": self.repository_id,
            "repository_owner": self.owner,
            "repository_owner_id": self.owner_id,
            "repository_visibility": self.visibility,
            "run_attempt": self.run_attempt,
            "run_id": self.run_id,
            "run_number": "10",
            "runner_environment": self.runner,
            "sha": self.sha,
            "workflow": self.workflow.removesuffix(".yml"),
            "workflow_ref": self.workflow_ref,
            "workflow_sha": self.sha,
        }
        return claims | ({"environment": self.environment} if self.environment else {})

    @property
    def environ(self) -> dict[str, str]:
        """What the runner's variables say of this job, without those by which it asks for tokens."""
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": self.event,
            "GITHUB_JOB": "build",
            "GITHUB_REF": self.ref,
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_REPOSITORY_ID": self.repository_id,
            "GITHUB_REPOSITORY_OWNER": self.owner,
            "GITHUB_REPOSITORY_OWNER_ID": self.owner_id,
            "GITHUB_RUN_ATTEMPT": self.run_attempt,
            "GITHUB_RUN_ID": self.run_id,
            "GITHUB_SERVER_URL": GITHUB,
            "GITHUB_SHA": self.sha,
            "GITHUB_WORKFLOW_REF": self.workflow_ref,
            "GITHUB_WORKFLOW_SHA": self.sha,
        }

    @property
    def _context(self) -> str:
        if self.environment:
            return f"environment:{self.environment}"
        return "pull_request" if self.event == "pull_request" else f"ref:{self.ref}"

    @property
    def certificate_claims(self) -> Mapping[str, str]:
        """What Fulcio's configuration for GitHub makes of the token, by the names of `certificate_authority.CLAIMS`."""
        token = self.token_claims
        claims = {
            "github-workflow-trigger": token["event_name"],
            "github-workflow-sha": token["sha"],
            "github-workflow-name": token["workflow"],
            "github-workflow-repository": token["repository"],
            "github-workflow-ref": token["ref"],
            "build-signer": f"{GITHUB}/{token['job_workflow_ref']}",
            "build-signer-digest": token["job_workflow_sha"],
            "runner-environment": token["runner_environment"],
            "source-repository": f"{GITHUB}/{token['repository']}",
            "source-digest": token["sha"],
            "source-ref": token["ref"],
            "source-repository-id": token["repository_id"],
            "source-owner": f"{GITHUB}/{token['repository_owner']}",
            "source-owner-id": token["repository_owner_id"],
            "build-config": f"{GITHUB}/{token['workflow_ref']}",
            "build-config-digest": token["workflow_sha"],
            "event": token["event_name"],
            "run": f"{GITHUB}/{self.repository}/actions/runs/{self.run_id}/attempts/{self.run_attempt}",
            "visibility": token["repository_visibility"],
            "token-subject": token["sub"],
        }
        return claims | ({"environment": self.environment} if self.environment else {})
