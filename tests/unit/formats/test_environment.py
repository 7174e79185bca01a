from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.hostile_json import read_or_malformed

from intoto_action.formats.environment import GithubEnvironment, Recorded, github_environment, recorded
from intoto_action.formats.link import Link
from intoto_action.reason import Malformed

WHERE = "link build.12345678.link"
GITHUB = {"repository": "octo/app", "sha": "c0ffee", "ref": "refs/heads/main", "event": "push"}

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from([*GITHUB, "oidc"]), inner, max_size=5)
    ),
    max_leaves=10,
)


def link(environment: dict[str, Any]) -> Link:
    return Link("build", [], {}, {}, {}, environment)


@given(st.builds(GithubEnvironment, *[st.text(max_size=5)] * 8))
def test_what_was_recorded_is_read_back(github: GithubEnvironment) -> None:
    assert github_environment(link({"github": msgspec.to_builtins(github)}), WHERE) == github


@given(st.booleans())
def test_whether_a_token_could_be_asked_for_is_read_back(oidc: bool) -> None:
    assert recorded(link({"recorded": {"oidc": oidc, "materials": ["src"]}}), WHERE) == Recorded(oidc)


def test_a_link_by_another_tool_has_neither() -> None:
    assert github_environment(link({"variables": []}), WHERE) is None
    assert recorded(link({}), WHERE) == Recorded(oidc=False)


@pytest.mark.parametrize("missing", ["repository", "sha", "ref", "event"])
def test_a_run_that_does_not_say_what_decides_is_malformed(missing: str) -> None:
    with pytest.raises(Malformed, match=missing):
        github_environment(link({"github": {key: GITHUB[key] for key in GITHUB if key != missing}}), WHERE)


@pytest.mark.parametrize(
    "value", [1, "octo/app", [], True, {"repository": 1}, {**GITHUB, "run_id": 7}, {**GITHUB, "ref": None}]
)
def test_a_run_of_another_shape_is_malformed(value: object) -> None:
    with pytest.raises(Malformed, match=r"environment\.github"):
        github_environment(link({"github": value}), WHERE)


@pytest.mark.parametrize("value", [1, "yes", [], {"oidc": 0}, {"oidc": "false"}, {"oidc": None}])
def test_a_recording_of_another_shape_is_malformed(value: object) -> None:
    with pytest.raises(Malformed, match=r"environment\.recorded"):
        recorded(link({"recorded": value}), WHERE)


@given(st.dictionaries(st.sampled_from(["github", "recorded", "x"]), _json))
def test_any_environment_is_read_or_malformed(environment: dict[str, Any]) -> None:
    read_or_malformed(lambda _: github_environment(link(environment), WHERE), b"")
    read_or_malformed(lambda _: recorded(link(environment), WHERE), b"")


@pytest.mark.parametrize(
    ("repository", "uri"),
    [
        ("octo/app", "https://github.com/octo/app"),
        ("https://github.example/octo/app", "https://github.example/octo/app"),
        ("http://github.com/octo/app", "http://github.com/octo/app"),
        ("evil.example//octo/app", "https://github.com/evil.example//octo/app"),
    ],
)
def test_a_repository_is_a_uri(repository: str, uri: str) -> None:
    assert GithubEnvironment(repository, "", "", "").repository_uri == uri
