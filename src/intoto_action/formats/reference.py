"""Image references, parsed strictly, and what an image is once it is resolved.

Source: OCI distribution specification 1.1 (names, tags, digests); Docker's short names (`alpine` is
`docker.io/library/alpine`) as every container tool reads them.
"""

from __future__ import annotations

import re

import msgspec

from intoto_action.reason import Malformed, MalformedReference

DOCKER_HUB = "docker.io"
IMAGE_DIRECTORY_SCHEME = "oci-layout:"

_HOST = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
    r"|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?\Z"
)
_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z|sha512:[0-9a-f]{128}\Z")
_LIST_TAG = re.compile(r"sha(?:256|512)-[0-9a-f]{32,128}(?:\.[a-z]+)?\Z", re.IGNORECASE)
_LONGEST = 4096
_LONGEST_REPOSITORY = 255
_IDENTIFIER = re.compile(r"[0-9a-f]{64}\Z")


class Reference(msgspec.Struct, frozen=True):
    """An image in a registry as a person names it; `tag` and `digest` may both be there, the digest counts."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and repository: `ghcr.io/octo/app`."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


class DirectoryReference(msgspec.Struct, frozen=True):
    """An image in an OCI image layout directory: `oci-layout:DIR[:TAG|@DIGEST]`."""

    directory: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        rest = f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""
        return f"{IMAGE_DIRECTORY_SCHEME}{self.directory}{rest}"


class Platform(msgspec.Struct, frozen=True):
    """One child of an image index: `name` such as `linux/arm64`, and the digest of its manifest."""

    name: str
    digest: str


class Image(msgspec.Struct, frozen=True):
    """What a reference was resolved to: a digest, never a tag.

    `repository` is registry and repository (`ghcr.io/octo/app`), None for an image directory or a bare digest.
    `platforms` are the children of an index, attestation children left out; `media_type` and `size` describe
    the manifest or index (empty and 0 when nothing was read).
    """

    repository: str | None
    digest: str
    media_type: str = ""
    size: int = 0
    platforms: tuple[Platform, ...] = ()

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.repository else self.digest


def parse_reference(text: str) -> Reference | DirectoryReference:
    """Parse IMAGE of the command line.

    Raises: Malformed, with what is wrong.
    """
    if text.startswith(IMAGE_DIRECTORY_SCHEME):
        return _parse_directory(text)
    return parse_registry_reference(text)


def parse_registry_reference(text: str) -> Reference:
    """Parse a reference to an image in a registry.

    Raises: Malformed.
    """
    if not text or len(text) > _LONGEST:
        raise MalformedReference(
            "image reference", "a name such as ghcr.io/octo/app:1.2", "nothing" if not text else "too much"
        )
    rest, digest = _split_digest(text)
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head.lower() == "localhost"):
        registry, path = head, tail
    else:
        registry, path = DOCKER_HUB, rest
    path, tag = _split_tag(text, path)
    if not _HOST.match(registry):
        raise _malformed(text, "a registry host with an optional port", registry)
    registry = registry.lower()
    if registry in {"index.docker.io", "registry-1.docker.io"}:
        registry = DOCKER_HUB
    if _IDENTIFIER.match(text) or _DIGEST.match(text):  # docker and containerd take it for the ID of an image
        raise _malformed(text, "a name: 64 hex digits alone are an image's ID", text)
    if registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    if not _REPOSITORY.match(path) or len(path) > _LONGEST_REPOSITORY:
        expected = (
            f"a repository of lower-case letters, digits and . _ - between / (at most {_LONGEST_REPOSITORY})"
        )
        raise _malformed(text, expected, path)
    return Reference(registry, path, tag, digest)


def parse_digest(text: str) -> str:
    """A digest `sha256:…` or `sha512:…` of the right length.

    Raises: Malformed.
    """
    if not _DIGEST.match(text):
        raise MalformedReference("digest", "sha256: and 64 lower-case hex digits", repr(text[:200]))
    return text


def parse_tag(text: str) -> str:
    """A tag as the distribution specification has it.

    Raises: Malformed.
    """
    if not _TAG.match(text):
        raise MalformedReference("tag", "letters, digits and . _ - (at most 128)", repr(text[:200]))
    return text


def parse_free_tag(text: str) -> str:
    """A tag that an image may be put under: none of those where lists of attestations and signatures are kept.

    Source: OCI distribution specification 1.1, referrers tag schema (`sha256-<hex>`); cosign's `.sig`, `.att`, `.sbom`.
    An image under such a tag would replace the list, and with it everything that is attached to another image.
    Raises: Malformed.
    """
    if _LIST_TAG.match(parse_tag(text)):
        raise MalformedReference("tag", "one that is not the place of an image's attestations", repr(text))
    return text


def _split_digest(text: str) -> tuple[str, str | None]:
    rest, at, digest = text.partition("@")
    if not at:
        return text, None
    if not _DIGEST.match(digest):
        raise _malformed(text, "a digest such as sha256: and 64 hex digits after @", digest)
    return rest, digest


def _split_tag(text: str, path: str) -> tuple[str, str | None]:
    head, colon, tag = path.rpartition(":")
    if not colon:
        return path, None
    if not _TAG.match(tag):
        raise _malformed(text, "a tag of letters, digits and . _ - (at most 128)", tag)
    return head, tag


def _parse_directory(text: str) -> DirectoryReference:
    rest = text.removeprefix(IMAGE_DIRECTORY_SCHEME)
    directory, at, digest = rest.rpartition("@")
    if at and _DIGEST.match(digest):
        return _directory(text, directory, digest=digest)
    if at and digest.startswith(("sha256:", "sha512:")):
        raise _malformed(text, "a digest such as sha256: and 64 hex digits after @", digest)
    head, colon, tag = rest.rpartition(":")
    if colon and _TAG.match(tag):
        return _directory(text, head, tag=tag)
    return _directory(text, rest)


def _directory(
    text: str, directory: str, *, tag: str | None = None, digest: str | None = None
) -> DirectoryReference:
    if not directory or "\x00" in directory:
        raise _malformed(text, "a directory after oci-layout:", directory)
    return DirectoryReference(directory, tag, digest)


def _malformed(text: str, expected: str, found: str) -> Malformed:
    return MalformedReference(f"image reference {text[:200]!r}", expected, repr(found[:200]))
