"""What the runner's file of the event says of the run, and that nothing is said where it cannot be read."""

import json
from pathlib import Path

import pytest

from intoto_action.github.event import from_fork, visibility

OURS, THEIRS = {"full_name": "octo/app"}, {"full_name": "mallory/app"}


def environ(folder: Path, event: object, name: str = "pull_request") -> dict[str, str]:
    path = folder / "event.json"
    path.write_text(event if isinstance(event, str) else json.dumps(event))
    return {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path)}


def pull(head: object, base: object = OURS) -> dict[str, object]:
    return {"pull_request": {"head": {"repo": head}, "base": {"repo": base}, "number": 7}}


@pytest.mark.parametrize(
    ("event", "name", "expected"),
    [
        (pull(THEIRS), "pull_request", True),
        (pull(THEIRS), "pull_request_review", True),
        (pull(None), "pull_request", True),
        (pull(OURS), "pull_request", False),
        (pull(THEIRS), "push", False),
        ({}, "pull_request", False),
        ({"pull_request": "no"}, "pull_request", False),
        ("no JSON", "pull_request", False),
        ("[1]", "pull_request", False),
    ],
)
def test_a_pull_request_from_another_repository_is_from_a_fork(
    tmp_path: Path, event: object, name: str, expected: bool
) -> None:
    assert from_fork(environ(tmp_path, event, name)) is expected


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ({"visibility": "internal", "private": True}, "internal"),
        ({"private": True}, "private"),
        ({"visibility": "public", "private": False}, "public"),
        ({}, ""),
    ],
)
def test_who_can_see_the_repository_is_what_the_event_says(
    tmp_path: Path, repository: object, expected: str
) -> None:
    assert visibility(environ(tmp_path, {"repository": repository}, "push")) == expected


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    for path in ("", str(tmp_path), str(tmp_path / "none")):
        here = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": path}
        assert (from_fork(here), visibility(here)) == (False, "")
