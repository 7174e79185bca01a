"""The identity of a workflow: in which repository its file is, and at which ref.

Source: GitHub's OpenID Connect reference (`job_workflow_ref`: the file that defines the job, with the ref or commit by
which it was named); Fulcio's configuration for GitHub and GitLab, which puts the server's URL in front.
"""

from __future__ import annotations

import re

import msgspec

from intoto_action.formats.inspection import GITHUB, ref_fault, repository_fault
from intoto_action.formats.spelling import quoted

WORKFLOWS = ".github/workflows/"
GITHUB_HOSTED = GITHUB.removesuffix("/")

_IDENTITY = re.compile(r"(https://[^/@]+/[^/@]+/[^/@]+)/\.github/workflows/([^/@]+)@(.+)\Z", re.DOTALL)
_GITLAB = re.compile(r"(https://[^/@]+(?:/[^/@]+){2,})//[^@]+@(.+)\Z", re.DOTALL)
_FILE = re.compile(r"[A-Za-z0-9_.+-]+\.ya?ml\Z")
_ELSEWHERE = re.compile(r"([^/@]+/[^/@]+)/\.github/workflows/([^/@]+)\Z")
_GITHUB_REPOSITORY = re.compile(r"https://[^/]+/[^/]+/[^/]+\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class Workflow(msgspec.Struct, frozen=True):
    """A file with a pipeline in it: `repository` is the URI of the repository that has it, `ref` where it stood there.

    `ref` is a ref, one with a `*` at its end, or the commit that a caller of a reusable workflow has pinned.
    """

    repository: str
    file: str
    ref: str

    @property
    def identity(self) -> str:
        """What a certificate for a job of it names, on GitHub."""
        return f"{self.repository}/{WORKFLOWS}{self.file}@{self.ref}"


def workflow_of(identity: str) -> Workflow | None:
    """The workflow that an identity names on GitHub or, with its CI file, on GitLab; None for any other identity."""
    if found := _IDENTITY.match(identity):
        return Workflow(*found.groups())
    if found := _GITLAB.match(identity):
        return Workflow(found[1], ".gitlab-ci.yml", found[2])
    return None


def named_workflow(repository: str, word: str, ref: str) -> Workflow:
    """The workflow that `word` names for somebody in `repository`, when neither has a fault.

    A file's name, with or without its directory, is a file of that repository. With an owner and a name in front
    (`octo/shared/.github/workflows/build.yml`) it is a reusable workflow of another one on the same server.
    """
    file = word.removeprefix(WORKFLOWS)
    if elsewhere := _ELSEWHERE.match(word):
        server = "/".join(repository.split("/")[:3])
        return Workflow(f"{server}/{elsewhere[1]}", elsewhere[2], ref)
    return Workflow(repository, file, ref)


def github_repository_fault(uri: str) -> str | None:
    """What is wrong with the URI of a repository on a GitHub server, in words, or None."""
    if fault := repository_fault(uri):
        return fault
    return (
        None if _GITHUB_REPOSITORY.match(uri) else f"{quoted(uri)}, which has more than an owner and a name"
    )


def workflow_fault(word: str) -> str | None:
    """What is wrong with the name of a workflow's file, in words, or None."""
    if "@" in word:
        return f"{quoted(word)}: what stands after the @ goes under ref"
    elsewhere = _ELSEWHERE.match(word)
    file = elsewhere[2] if elsewhere else word.removeprefix(WORKFLOWS)
    if elsewhere and (fault := repository_fault(f"{GITHUB}{elsewhere[1]}")):
        return fault
    if _FILE.match(file):
        return None
    if file and "/" not in file and "." not in file:
        return f"{quoted(word)}, which is no file (did you mean {quoted(f'{word}.yml')}?)"
    return f"{quoted(word)}, which is no file in {WORKFLOWS}"


def workflow_ref_fault(ref: str) -> str | None:
    """What is wrong with the ref of a workflow, in words, or None. A reusable one may be pinned to a commit."""
    return None if _COMMIT.match(ref) else ref_fault(ref)
