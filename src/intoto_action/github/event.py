"""What started the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from intoto_action.formats.environment import is_before_the_merge

_EVENT_CAP = 25 << 20
"""Bytes of an event; GitHub sends none larger than 25 MB."""


class _Repository(msgspec.Struct, frozen=True):
    full_name: str = ""
    visibility: str = ""
    private: bool = False


class _Side(msgspec.Struct):
    repo: _Repository | None = None


class _PullRequest(msgspec.Struct):
    head: _Side
    base: _Side


class _Event(msgspec.Struct):
    repository: _Repository = _Repository()
    pull_request: _PullRequest | UnsetType = UNSET


def is_pull_request(environ: Mapping[str, str]) -> bool:
    """Whether a pull request started this run (its review and its comments on code included), or a merge queue.

    A merge queue runs what is proposed too: nobody has merged it yet.
    """
    return is_before_the_merge(environ.get("GITHUB_EVENT_NAME", ""))


def from_fork(environ: Mapping[str, str]) -> bool:
    """Whether a pull request from another repository started the run; a fork that was deleted since is one too.

    For messages: whoever runs in the job can change the file of the event.
    """
    if not is_pull_request(environ):
        return False
    pull_request = _event(environ).pull_request
    if pull_request is UNSET:
        return False
    head, base = pull_request.head.repo, pull_request.base.repo
    return head is None or base is None or head.full_name != base.full_name


def visibility(environ: Mapping[str, str]) -> str:
    """Who can see the repository, as the event says it: `public`, `private`, `internal`; empty when it does not say."""
    repository = _event(environ).repository
    return repository.visibility or ("private" if repository.private else "")


def _event(environ: Mapping[str, str]) -> _Event:
    """What the runner's file of the event says; nothing when there is none that can be read."""
    path = environ.get("GITHUB_EVENT_PATH", "")
    try:
        with Path(path).open("rb") as file:
            return msgspec.json.decode(file.read(_EVENT_CAP), type=_Event)
    except (OSError, ValueError, msgspec.MsgspecError):
        return _Event()
