"""A link with where it comes from: what its certificate vouches for, else what it says itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from intoto_action.formats.certificate import Certificate
from intoto_action.formats.environment import GithubEnvironment, github_environment
from intoto_action.formats.link import Link

_ATTEMPT = re.compile(r"/attempts/[0-9]+\Z")


class Origin(msgspec.Struct, frozen=True):
    """The source and the run of a step; what nobody named is empty.

    `repository` is a URI, `run` the address of the run without its attempt.
    """

    repository: str
    commit: str = ""
    ref: str = ""
    event: str = ""
    run: str = ""


class StepLink(msgspec.Struct, frozen=True):
    """A link of a step, and the file it was read from; `certificate` when an identity signed it."""

    step: str
    file_name: str
    link: Link
    certificate: Certificate | None = None

    @property
    def where(self) -> str:
        """The file, in words."""
        return f"link {self.file_name}"

    def origin(self) -> Origin | None:
        """Where it comes from, None when nothing says so.

        With a certificate only its claims count, because the environment is what whoever signed chose to write. With
        a key there is nothing else.
        Raises: Malformed for an environment of another shape.
        """
        if self.certificate is not None:
            return _certified(self.certificate)
        github = github_environment(self.link, self.where)
        return None if github is None else _recorded(github)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Expected and found, where the environment says something else than the certificate.

        Raises: Malformed for an environment of another shape.
        """
        github = github_environment(self.link, self.where)
        certified = _certified(self.certificate) if self.certificate is not None else None
        if github is None or certified is None:
            return
        recorded = _recorded(github)
        for field in Origin.__struct_fields__:
            vouched, said = getattr(certified, field), getattr(recorded, field)
            if said and vouched != said:
                expected = f"{field} {vouched}, as its certificate says" if vouched else f"no {field}"
                yield expected, f"{field} {said} in its environment"


def _certified(certificate: Certificate) -> Origin | None:
    """Source: Fulcio's oid-info.md: the source repository claims, the build trigger and the run invocation URI."""
    repository = certificate.claim("source-repository")
    if not repository:
        return None
    return Origin(
        repository=repository,
        commit=certificate.claim("source-digest"),
        ref=certificate.claim("source-ref"),
        event=certificate.claim("event"),
        run=_ATTEMPT.sub("", certificate.claim("run-invocation")),
    )


def _recorded(github: GithubEnvironment) -> Origin:
    run = f"{github.repository_uri}/actions/runs/{github.run_id}" if github.run_id else ""
    return Origin(github.repository_uri, github.sha, github.ref, github.event, run)
