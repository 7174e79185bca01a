"""What a link says of where it was recorded: the parts of its `environment` that we write and read."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TypeVar

import msgspec

from intoto_action.formats.link import Link
from intoto_action.reason import Malformed

T = TypeVar("T")

BEFORE_THE_MERGE = (
    *("pull_request", "pull_request_*", "merge_group"),
    *("merge_request_event", "external_pull_request_event"),
)
"""Events of runs that look at a change which nobody has merged yet, as patterns.

Source: GitHub documentation, events that trigger workflows (their refs are `refs/pull/…`, or those of a merge queue);
GitLab documentation, CI_PIPELINE_SOURCE, which is what a certificate has for the event of a GitLab job (Fulcio's
oid-info.md, build trigger).
"""


class GithubEnvironment(msgspec.Struct, frozen=True):
    """The GitHub Actions run in which a step was recorded, as the runner's variables named it.

    With a key it is the functionary's word and no more: whoever holds the key can write it.
    """

    repository: str
    sha: str
    ref: str
    event: str
    run_id: str = ""
    run_attempt: str = ""
    job: str = ""
    workflow_ref: str = ""

    @property
    def repository_uri(self) -> str:
        """`https://github.com/octo/app`; other servers are recorded with their address."""
        return self.repository if "://" in self.repository else f"https://github.com/{self.repository}"


class Recorded(msgspec.Struct, frozen=True):
    """The part of `environment.recorded` that decides: whether the command could ask for an OIDC token."""

    oidc: bool = False


def is_before_the_merge(event: str) -> bool:
    """Whether a run by that event looks at a change which nobody has merged yet."""
    return any(fnmatchcase(event, pattern) for pattern in BEFORE_THE_MERGE)


def github_environment(link: Link, where: str) -> GithubEnvironment | None:
    """`environment.github` of a link, None when there is none.

    Raises: Malformed when it is there and of another shape.
    """
    value = link.environment.get("github")
    return None if value is None else _convert(value, GithubEnvironment, f"{where}, environment.github")


def recorded(link: Link, where: str) -> Recorded:
    """`environment.recorded` of a link; links by other tools have none.

    Raises: Malformed when it is there and of another shape.
    """
    value = link.environment.get("recorded")
    return Recorded() if value is None else _convert(value, Recorded, f"{where}, environment.recorded")


def _convert(value: object, type_: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, type_, strict=True)
    except msgspec.ValidationError as error:
        raise Malformed(where, "the fields that record writes", str(error)[:300]) from error
