"""Identities of workflows: taken apart, put together, and the words they are put together of."""

from __future__ import annotations

import pytest
from tests.parts.github_job import GitHubJob

from intoto_action.formats.workflow import (
    Workflow,
    github_repository_fault,
    named_workflow,
    workflow_fault,
    workflow_of,
    workflow_ref_fault,
)

APP = "https://github.com/octo/app"
COMMIT = "c" * 40


@pytest.mark.parametrize(
    ("identity", "workflow"),
    [
        (f"{APP}/.github/workflows/build.yml@refs/heads/main", Workflow(APP, "build.yml", "refs/heads/main")),
        (f"{APP}/.github/workflows/build.yaml@{COMMIT}", Workflow(APP, "build.yaml", COMMIT)),
        (f"{APP}/.github/workflows/b.yml@refs/tags/@a/b@1", Workflow(APP, "b.yml", "refs/tags/@a/b@1")),
        (
            "https://gitlab.com/group/sub/app//.gitlab-ci.yml@refs/heads/main",
            Workflow("https://gitlab.com/group/sub/app", ".gitlab-ci.yml", "refs/heads/main"),
        ),
        ("alice@octo.example", None),
        ("https://github.com/octo/app", None),
        (f"{APP}/.github/workflows/build.yml", None),
        (f"{APP}/src/.github/workflows/build.yml@refs/heads/main", None),
        ("https://evil.example/https://github.com/octo/app/.github/workflows/x.yml@refs/heads/main", None),
        ("https://a@github.com/octo/app/.github/workflows/x.yml@refs/heads/main", None),
        ("spiffe://octo.example/ns/ci", None),
    ],
)
def test_an_identity_is_taken_apart_only_when_a_workflow_has_it(
    identity: str, workflow: Workflow | None
) -> None:
    assert workflow_of(identity) == workflow


@pytest.mark.parametrize("word", ["build.yml", ".github/workflows/build.yml"])
def test_a_file_is_one_of_the_repository(word: str) -> None:
    assert named_workflow(APP, word, "refs/heads/main").identity == GitHubJob().identity


def test_a_file_with_a_repository_in_front_is_one_of_that_repository_on_the_same_server() -> None:
    job = GitHubJob(called="octo/shared/.github/workflows/build.yml@refs/tags/v1")
    word = "octo/shared/.github/workflows/build.yml"
    assert named_workflow(APP, word, "refs/tags/v1").identity == job.identity
    elsewhere = named_workflow("https://ghe.corp:8443/octo/app", word, COMMIT)
    assert elsewhere.identity == f"https://ghe.corp:8443/octo/shared/.github/workflows/build.yml@{COMMIT}"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("build.yml", None),
        ("octo/shared/.github/workflows/a.b-c_d.yaml", None),
        ("build", "did you mean 'build.yml'?"),
        ("build.yml@v1", "what stands after the @ goes under ref"),
        ("octo/shared/.github/workflows/build.yml@v1", "goes under ref"),
        ("ci/build.yml", "no file in .github/workflows/"),
        ("./.github/workflows/build.yml", "no file in"),
        ("https://github.com/octo/shared/.github/workflows/build.yml", "no file in"),
        ("octo/../.github/workflows/build.yml", ". or .. in its path"),
        ("../.github/workflows/build.yml", "no file in"),
        ("build.yml\n", "no file in"),
        ("b uild.yml", "no file in"),
        ("*.yml", "no file in"),
        ("", "no file in"),
    ],
)
def test_a_word_that_is_no_workflow_is_told(word: str, said: str | None) -> None:
    fault = workflow_fault(word)
    assert fault is None if said is None else fault is not None and said in fault


@pytest.mark.parametrize(
    ("ref", "sound"),
    [
        ("refs/heads/main", True),
        ("refs/tags/*", True),
        (COMMIT, True),
        ("c" * 64, True),
        ("main", False),
        ("v1", False),
        ("C" * 40, False),
        ("c" * 39, False),
        (f"{COMMIT}*", False),
        ("refs/*/main", False),
        ("refs/tags/v[0-9]", False),
    ],
)
def test_a_ref_is_whole_or_a_commit(ref: str, sound: bool) -> None:
    assert (workflow_ref_fault(ref) is None) is sound


@pytest.mark.parametrize(
    ("uri", "sound"),
    [
        (APP, True),
        ("https://ghe.corp/octo/app", True),
        ("https://gitlab.com/group/sub/app", False),
        ("https://github.com/octo", False),
        ("http://github.com/octo/app", False),
        ("https://github.com/octo/app.git", False),
    ],
)
def test_a_repository_on_a_github_server_has_an_owner_and_a_name(uri: str, sound: bool) -> None:
    assert (github_repository_fault(uri) is None) is sound
