from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.inspection import SourceDemand, encode_source, parse_run, repository_uri
from intoto_action.reason import Malformed

OURS = ["intoto-action", "inspect", "source"]
APP = "https://github.com/octo/app"
WHERE = "inspection source"

_words = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=9).map(
    lambda text: "s" + text
)


def test_the_words_of_a_source_inspection_are_one_flag_and_value_after_the_other() -> None:
    demand = SourceDemand(APP, ("refs/heads/main", "refs/tags/v*"), ("push",), ("scan",), ("sign",))

    assert encode_source(demand) == [
        *OURS,
        *("--repository", APP),
        *("--ref", "refs/heads/main", "--ref", "refs/tags/v*"),
        *("--event", "push", "--any-commit", "scan", "--pass-oidc", "sign"),
    ]


@given(
    refs=st.lists(_words.map(lambda word: f"refs/heads/{word}")).map(tuple),
    events=st.lists(st.sampled_from(["push", "schedule", "pull_request"])).map(tuple),
    any_commit=st.lists(_words).map(tuple),
    pass_oidc=st.lists(_words).map(tuple),
)
def test_what_was_encoded_is_read_back(
    refs: tuple[str, ...], events: tuple[str, ...], any_commit: tuple[str, ...], pass_oidc: tuple[str, ...]
) -> None:
    demand = SourceDemand(APP, refs, events, any_commit, pass_oidc)

    assert parse_run(encode_source(demand), WHERE) == demand


@given(st.lists(st.text(max_size=20) | st.sampled_from(["--repository", APP, "--ref", "refs/*", "--event"])))
def test_any_words_are_read_or_malformed(words: list[str]) -> None:
    try:
        demand = parse_run([*OURS, *words], WHERE)
    except Malformed:
        return
    assert demand is not None
    assert parse_run(encode_source(demand), WHERE) == demand


@pytest.mark.parametrize(
    "run", [[], ["sh", "-c", "true"], ["intoto-action"], ["intoto-action", "inspect", "sbom"]]
)
def test_a_command_that_is_not_built_in_is_not_read(run: list[str]) -> None:
    assert parse_run(run, WHERE) is None


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--repository"],
        ["--repository", APP, "--repository", APP],
        ["--repository", "octo/app"],
        ["--repository", APP + ".git"],
        ["--repository", "https://github.com/octo/.."],
        ["--repository", APP, "--ref", "main"],
        ["--repository", APP, "--ref", "refs/heads/*/x"],
        ["--repository", APP, "--ref", "refs/heads/{x}"],
        ["--repository", APP, "--event", "push pull_request"],
        ["--repository", APP, "--any-commit", "../scan"],
        ["--repository", APP, "--pass-oidc", ""],
        ["--repository", APP, "--trust-everything", "yes"],
    ],
)
def test_words_that_cannot_be_meant_are_malformed(words: list[str]) -> None:
    with pytest.raises(Malformed):
        parse_run([*OURS, *words], WHERE)


def test_a_repository_of_github_may_be_written_short() -> None:
    assert repository_uri("octo/app") == APP
    assert repository_uri(APP) == APP
    assert repository_uri("octo") == "octo"
