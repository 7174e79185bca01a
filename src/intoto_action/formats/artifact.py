"""Artifact names and digests, as links hold them.

A name is a relative POSIX path, or one of our schemes: `oci:<registry>/<repository>[#label]` with the digest of
a manifest or an index, `image:<name>[#label]` with the digest of an image's config, `dir:<path>` with in-toto's
digest of a directory tree. Names are never repaired here: `src//x`, `./x` and `a\\b` are refused, because
in-toto-golang cleans them and the Python reference does not, so that the two would decide differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import UNSET, UnsetType

from intoto_action.reason import Malformed

OCI_SCHEME = "oci:"
IMAGE_SCHEME = "image:"
DIRECTORY_SCHEME = "dir:"
SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:")
"""What a name must not look like when it is the name of a file: a file could pose as an image."""

_NOT_CLEAN = re.compile(
    r"(?:^|\n)(?:\n|$)"  # empty
    r"|(?:^|\n)/"  # absolute
    r"|//|/(?:\n|$)"  # empty segment, trailing slash
    r"|(?:^|[\n/:])\.\.?(?:[\n/]|$)"  # . and ..
    r"|[\\\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]",
)
_HEX = {"sha256": re.compile(r"[0-9a-f]{64}\Z"), "sha512": re.compile(r"[0-9a-f]{128}\Z")}


class Digests(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """The digests of one artifact, lower-case hex; at least one of them, and compared whole, as in-toto does."""

    sha256: str | UnsetType = UNSET
    sha512: str | UnsetType = UNSET

    def __str__(self) -> str:
        if self.sha256 is not UNSET:
            return f"sha256:{self.sha256}"
        return f"sha512:{self.sha512}"

    def get(self, algorithm: str) -> str | None:
        """The hex digest of that algorithm, None when it is not there."""
        value = {"sha256": self.sha256, "sha512": self.sha512}.get(algorithm)
        return value if isinstance(value, str) else None

    def has(self, digest: str) -> bool:
        """Whether `digest` (`sha256:…` or `sha512:…`) is one of them."""
        algorithm, _, value = digest.partition(":")
        return bool(value) and self.get(algorithm) == value


Artifacts = dict[str, Digests]
"""Artifact name to digests: the materials or the products of a link."""


def name_fault(name: str) -> str | None:
    """What is wrong with an artifact name, in words, or None.

    Source: design of this project (names are relative POSIX paths); in-toto specification 4.3.1 leaves it open.
    """
    if "\n" in name or _NOT_CLEAN.search(name):
        return "a name that is empty, absolute, not normalised, or has '\\' or control characters in it"
    return None


def check_artifacts(artifacts: Artifacts, where: str) -> None:
    """Check every name and every digest of a link's materials or products.

    Raises: Malformed with the first one that is not as documented above.
    """
    if artifacts and not _all_plainly_clean(artifacts):
        for name in artifacts:
            if fault := name_fault(name):
                raise Malformed(where, "artifact names that are relative POSIX paths", f"{name!r}: {fault}")
    check_digests(artifacts, where)


_PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte != ord("\\"))
_UNCLEAN_PIECES = ("\n\n", "\n/", "/\n", "//")
_HIDDEN_PIECES = ("\n.", "/.", ":.")
_DOT_SEGMENTS = tuple(
    f"{before}{dots}{after}" for before in "\n/:" for dots in (".", "..") for after in "\n/"
)


def _all_plainly_clean(artifacts: Artifacts) -> bool:
    """Whether all names are clean ASCII. A few scans over all of them at once are ten times as fast as a pattern."""
    framed = "\n" + "\n".join(artifacts) + "\n"
    if not framed.isascii() or framed.encode("ascii").translate(None, _PLAIN) != b"\n" * (len(artifacts) + 1):
        return False
    if any(piece in framed for piece in _UNCLEAN_PIECES):
        return False
    return not any(piece in framed for piece in _HIDDEN_PIECES) or not any(
        segment in framed for segment in _DOT_SEGMENTS
    )


_MANY_SHA256 = re.compile(r"(?:[0-9a-f]{64}\n)*\Z")


def check_digests(artifacts: Artifacts, where: str) -> None:
    """Raises: Malformed when an artifact has no digest, or one that is not lower-case hex of its length."""
    values = artifacts.values()
    usual = [each.sha256 for each in values if each.sha256 is not UNSET and each.sha512 is UNSET]
    lines = "\n".join((*usual, ""))
    if len(usual) == len(artifacts) == lines.count("\n") and _MANY_SHA256.match(lines):
        return
    for name, digests in artifacts.items():
        if fault := digests_fault(digests):
            raise Malformed(where, f"a sha256 or sha512 digest of {name!r}", fault)


def digests_fault(digests: Digests) -> str | None:
    """What is wrong with the digests of an artifact, or None."""
    present = {name: value for name in _HEX if (value := getattr(digests, name)) is not UNSET}
    if not present:
        return "no digest at all"
    for name, value in present.items():
        if not _HEX[name].match(value):
            return f"{name} {value!r}, which is not lower-case hex of the right length"
    return None


def oci_name(repository: str, label: str | None = None) -> str:
    """The artifact name of an image in a repository, e.g. `oci:ghcr.io/octo/app#linux/arm64`."""
    return f"{OCI_SCHEME}{repository}" + (f"#{label}" if label else "")


def repository_of(name: str) -> str | None:
    """The repository in an `oci:` artifact name, without scheme and label; None for any other name."""
    if not name.startswith(OCI_SCHEME):
        return None
    return name.removeprefix(OCI_SCHEME).partition("#")[0]


def oci_names(names: Iterable[str]) -> list[str]:
    """Those of the names that are images in a registry."""
    return [name for name in names if name.startswith(OCI_SCHEME)]
