"""GitHub's claims: all that provenance is made of, or none."""

from typing import Any

import pytest
from tests.parts.github_job import GITHUB_ISSUER, GitHubJob

from intoto_action.formats.github_claims import GithubClaims, parse_github_claims
from intoto_action.reason import Malformed


def claims_of(job: GitHubJob, issuer: str = GITHUB_ISSUER, **others: Any) -> dict[str, object]:
    return {"iss": issuer, "aud": "nobody", "exp": 1.5, **job.token_claims, **others}


def parsed(job: GitHubJob, issuer: str = GITHUB_ISSUER, **others: Any) -> GithubClaims:
    return parse_github_claims(claims_of(job, issuer, **others), "the token")


def test_a_job_is_told_by_its_token() -> None:
    job = GitHubJob.tag("v1.2.0")
    claims = parsed(job)
    assert claims.repository_uri == "https://github.com/octo/app"
    assert claims.workflow_path == ".github/workflows/build.yml"
    assert claims.builder == job.identity
    assert claims.invocation == "https://github.com/octo/app/actions/runs/30433642/attempts/1"


def test_a_reusable_workflow_is_the_builder_and_the_callers_file_the_workflow() -> None:
    called = "octo/shared/.github/workflows/image.yml@refs/tags/v1"
    claims = parsed(GitHubJob(called=called))
    assert claims.builder == f"https://github.com/{called}"
    assert claims.workflow_path == ".github/workflows/build.yml"


@pytest.mark.parametrize("ref", ["refs/heads/a@b", "refs/heads/x@refs/heads/y", "refs/pull/7/merge"])
def test_a_ref_may_hold_what_ends_a_path(ref: str) -> None:
    assert parsed(GitHubJob(ref=ref)).workflow_path == ".github/workflows/build.yml"


def test_a_path_may_hold_an_at_sign() -> None:
    assert parsed(GitHubJob(workflow="a@b.yml")).workflow_path == ".github/workflows/a@b.yml"


@pytest.mark.parametrize(
    ("issuer", "repository"),
    [
        ("https://ghe.corp.example/_services/token", "https://ghe.corp.example/octo/app"),
        ("https://token.actions.octo.ghe.com", "https://octo.ghe.com/octo/app"),
        ("http://127.0.0.1:1234", "https://github.com/octo/app"),
    ],
)
def test_the_server_is_the_issuers_and_nobody_elses(
    issuer: str, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://evil.example")
    assert parsed(GitHubJob(), issuer).repository_uri == repository


@pytest.mark.parametrize("name", GithubClaims.__struct_fields__)
@pytest.mark.parametrize(
    "value", [None, "", 7, ["x"], ...], ids=["null", "empty", "number", "list", "absent"]
)
def test_a_claim_that_is_not_there_is_named(name: str, value: object) -> None:
    claims = claims_of(GitHubJob())
    if value is ...:
        del claims[name]
    else:
        claims[name] = value
    with pytest.raises(Malformed, match=name):
        parse_github_claims(claims, "the token")


def test_the_token_of_another_ci_is_none() -> None:
    gitlab = {"iss": "https://gitlab.com", "project_path": "octo/app", "ref": "main", "sha": "a" * 40}
    with pytest.raises(Malformed, match="GitHub Actions job"):
        parse_github_claims(gitlab, "the token")


def test_an_issuer_that_is_no_url_speaks_for_nobody() -> None:
    with pytest.raises(Malformed, match="issuer"):
        parsed(GitHubJob(), "dev@example.com")
