"""One build as provenance tells of it, whatever version of the format says it."""

from __future__ import annotations

import re

import msgspec

from intoto_action.formats.artifact import Digests, repository_of

GITHUB_BUILD_TYPE = "https://actions.github.io/buildtypes/workflow/v1"
"""What actions/attest writes. Source: actions/buildtypes, workflow/v1."""
EARLIER_GITHUB_BUILD_TYPE = "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1"
"""The same by the SLSA community's name, which GitHub wrote until 2024."""
STEPS_BUILD_TYPE = "https://github.com/org/intoto-action/buildtypes/steps/v1"
"""Ours, for builds that are known by the words of whoever ran them, and by links; docs/formats.md specifies it."""

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._~/-]")


class Source(msgspec.Struct, frozen=True):
    """What was built: a repository (a URI), a ref, a commit. What nobody named is empty."""

    repository: str = ""
    ref: str = ""
    commit: str = ""

    @property
    def uri(self) -> str:
        """As a download location of SPDX: `git+https://github.com/octo/app@refs/heads/main`."""
        return f"git+{self.repository}" + (f"@{self.ref}" if self.ref else "")


class UsedImage(msgspec.Struct, frozen=True):
    """An image that a step used: its artifact name in the links, its package URL, and its digest in hex."""

    name: str
    uri: str
    algorithm: str
    digest: str


def used_image(name: str, digests: Digests) -> UsedImage | None:
    """The image that an artifact of a link is, None for an artifact that is no image of a registry.

    Source: package-url specification, type `oci`: the name is the repository's last part, its place a qualifier.
    """
    repository = repository_of(name)
    if repository is None:
        return None
    digest = str(digests)
    algorithm, _, value = digest.partition(":")
    last = repository.rpartition("/")[2]
    uri = f"pkg:oci/{_quoted(last)}@{_quoted(digest)}?repository_url={_quoted(repository)}"
    return UsedImage(name, uri, algorithm, value)


def _quoted(text: str) -> str:
    """The text with what is not plain in a package URL percent-encoded; `/` may stand in a qualifier."""
    return _NOT_PLAIN.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


class RecordedStep(msgspec.Struct, frozen=True):
    """A step that a link tells of: its name and command, the link's file name and the sha256 hex of that file."""

    name: str
    command: tuple[str, ...]
    link: str
    sha256: str


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a build when its provenance is written.

    `workflow` is the path of the file that said what to do, `invocation` the address of the run, `parameters` what
    else the platform says of it; empty where no platform vouches for it.
    """

    builder: str
    build_type: str
    source: Source
    workflow: str = ""
    invocation: str = ""
    parameters: dict[str, str] = {}
    images: tuple[UsedImage, ...] = ()
    steps: tuple[RecordedStep, ...] = ()


class Provenance(msgspec.Struct, frozen=True):
    """What provenance says that a verifier holds against its demands; nothing of it is believed yet."""

    builder: str
    build_type: str
    source: Source
