"""Links of another run, commit or repository are not attached as if they were of this one."""

from typing import Any

import pytest
from tests.parts.chain import Chain

from intoto_action.attach.this_run import check_this_run
from intoto_action.reason import Misused

HERE = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "octo/app",
    "GITHUB_SHA": "a" * 40,
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_SERVER_URL": "https://github.com",
}
GITHUB = {
    "repository": "octo/app",
    "sha": "a" * 40,
    "run_id": "7",
    "run_attempt": "1",
    "ref": "x",
    "event": "push",
}


def links(**changes: dict[str, Any] | None) -> dict[str, bytes]:
    """Those of a chain, of this run but for the changes of steps; None is a step that was recorded elsewhere."""
    chain = Chain()
    for each in chain.links:
        change = changes.get(each.link.name, {})
        each.change(environment={} if change is None else {"github": {**GITHUB, **change}})
    return {each.file_name: each.sealed() for each in chain.links}


def test_links_of_this_run_are_fine_whatever_their_attempt() -> None:
    check_this_run(links(build={"run_attempt": "2"}), HERE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"run_id": "6"}, "of run 6 of octo/app"),
        ({"sha": "b" * 40}, "at commit bbbbbbbbbbbb"),
        ({"repository": "mallory/app"}, "of mallory/app"),
        ({"repository": "https://ghe.test/octo/app"}, "of https://ghe.test/octo/app"),
        ({"run_id": ""}, "of run (none)"),
        ({"run_id": 7}, "environment.github"),
        (None, "of no run of GitHub Actions"),
    ],
)
def test_one_link_of_another_run_is_refused_and_named(change: dict[str, Any] | None, said: str) -> None:
    given = links(scan=change)
    with pytest.raises(Misused) as refused:
        check_this_run(given, HERE)
    (name,) = (each for each in given if each.startswith("scan."))
    assert name in str(refused.value) and said in str(refused.value)
    assert "--other-runs" in str(refused.value)
    assert "build." not in str(refused.value)


def test_a_link_that_cannot_be_read_is_of_no_run() -> None:
    with pytest.raises(Misused, match=r"scan\.aaaaaaaa\.link"):
        check_this_run(links() | {"scan.aaaaaaaa.link": b"{}"}, HERE)


def test_links_of_another_server_are_not_of_this_one() -> None:
    with pytest.raises(Misused, match="found"):
        check_this_run(links(), HERE | {"GITHUB_SERVER_URL": "https://ghe.test"})


@pytest.mark.parametrize("name", ["GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_SHA", "GITHUB_RUN_ID"])
def test_a_run_that_does_not_say_who_it_is_matches_nothing(name: str) -> None:
    with pytest.raises(Misused, match="GITHUB_RUN_ID"):
        check_this_run(links(build={"run_id": ""}), {**HERE, name: ""})
