"""`oci:…` and `image:…` among the patterns, parsed.

One image has three digests: of its index, of its manifest (what a registry calls the image, `oci:`) and of its config
(what engines call it, `image:`). A word says which one it gives, and a file of the wrong kind is refused.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from intoto_action.formats.artifact import IMAGE_SCHEME, OCI_SCHEME
from intoto_action.formats.reference import (
    IMAGE_DIRECTORY_SCHEME,
    DirectoryReference,
    Reference,
    parse_reference,
    parse_registry_reference,
)
from intoto_action.reason import Malformed, NotRecordable

_DIGEST_FILE = "digestfile:"
_IIDFILE = "iidfile:"


class Source(Enum):
    """Where the digest of an image comes from."""

    DIGEST = "digest"
    DIGEST_FILE = "digestfile"
    IIDFILE = "iidfile"
    DIRECTORY = "oci-layout"
    NAME = "name"


class ImageWord(msgspec.Struct, frozen=True, kw_only=True):
    """One image as a person named it.

    `name` is how the link calls it, without scheme and label; `path` the file that holds the digest; `directory` the
    image directory; `reference` what to look up.
    """

    word: str
    scheme: str
    name: str
    source: Source
    label: str = ""
    digest: str = ""
    path: str = ""
    directory: DirectoryReference | None = None
    reference: Reference | None = None

    @property
    def artifact(self) -> str:
        """The name of the artifact: `oci:ghcr.io/octo/app#linux/arm64`."""
        return f"{self.scheme}{self.name}" + (f"#{self.label}" if self.label else "")


def parse_image_word(word: str) -> ImageWord:
    """A word that starts with `oci:` or `image:`.

    Raises: Misused, with what would be right.
    """
    scheme = OCI_SCHEME if word.startswith(OCI_SCHEME) else IMAGE_SCHEME
    rest = word.removeprefix(scheme)
    try:
        return _parse(word, scheme, rest)
    except Malformed as error:
        raise NotRecordable(f"{word!r}: expected {error.expected}, found {error.found}") from error


def _parse(word: str, scheme: str, rest: str) -> ImageWord:
    if rest.startswith(IMAGE_DIRECTORY_SCHEME):
        return _in_directory(word, scheme, rest, None)
    name, at, where = rest.partition("@")
    if at and where.startswith((_DIGEST_FILE, _IIDFILE)):
        return _from_file(word, scheme, name, where)
    if at and where.startswith(IMAGE_DIRECTORY_SCHEME):
        return _in_directory(word, scheme, where, name)
    plain, hash_, label = name.partition("#")
    text = f"{plain}@{where}" if hash_ and at else rest.partition("#")[0]
    if not (hash_ and at):
        _, hash_, label = rest.partition("#")
    reference = parse_registry_reference(text)
    known = scheme == OCI_SCHEME and reference.digest is not None
    return ImageWord(
        word=word,
        scheme=scheme,
        name=_called(scheme, text, reference),
        label=_label(word, label, bool(hash_)),
        source=Source.DIGEST if known else Source.NAME,
        digest=reference.digest or "" if known else "",
        reference=reference,
    )


def _called(scheme: str, text: str, reference: Reference) -> str:
    """The name in the link. An image in a registry is called in full; one on a machine as the person called it.

    A layout says `MATCH image:app`, and nobody would write `image:docker.io/library/app` for an image that no
    registry has seen. A tag is no part of a name.
    """
    if scheme == OCI_SCHEME:
        return reference.name
    head = text.partition("@")[0]
    return head.removesuffix(f":{reference.tag}") if reference.tag else head


def _from_file(word: str, scheme: str, name: str, where: str) -> ImageWord:
    if scheme == OCI_SCHEME and where.startswith(_IIDFILE):
        raise NotRecordable(
            f"{word!r}: an iidfile holds the digest of the image's config, which no registry knows the image by; say "
            f"{IMAGE_SCHEME}{name}@{where}, or give oci: the digest that the push printed (--digestfile)"
        )
    if scheme == IMAGE_SCHEME and where.startswith(_DIGEST_FILE):
        raise NotRecordable(
            f"{word!r}: a digestfile holds the digest of the manifest, and image: is the digest of the config; say "
            f"{OCI_SCHEME}{name}@{where}, or give image: the file that the build wrote with --iidfile"
        )
    kind, _, path = where.partition(":")
    # A path may hold a '#', so a label stands before the file.
    name, hash_, label = name.partition("#")
    reference = parse_registry_reference(name)
    if not path:
        raise NotRecordable(f"{word!r}: expected a path after {kind}:")
    return ImageWord(
        word=word,
        scheme=scheme,
        name=_called(scheme, name, reference),
        label=_label(word, label, bool(hash_)),
        source=Source(kind),
        path=path,
        reference=reference,
    )


def _in_directory(word: str, scheme: str, where: str, name: str | None) -> ImageWord:
    if scheme == OCI_SCHEME:
        raise NotRecordable(
            f"{word!r}: an image directory has no repository that oci: could name; say {IMAGE_SCHEME}{where}, or "
            f"{OCI_SCHEME}REPOSITORY@sha256:… with the digest of its manifest"
        )
    directory = parse_reference(where)
    if not isinstance(directory, DirectoryReference):
        raise NotRecordable(f"{word!r}: expected {IMAGE_DIRECTORY_SCHEME}DIR[:TAG|@DIGEST]")
    plain, hash_, label = (name or "").partition("#")
    called = f"{IMAGE_DIRECTORY_SCHEME}{directory.directory}"
    if name:
        called = _called(scheme, plain, parse_registry_reference(plain))
    return ImageWord(
        word=word,
        scheme=scheme,
        name=called,
        label=_label(word, label, bool(hash_)),
        source=Source.DIRECTORY,
        directory=directory,
    )


def _label(word: str, label: str, given: bool) -> str:
    """A label: what in-toto's rules and file names take without quoting."""
    if not given:
        return ""
    if not label or len(label) > 128 or not all(c.isascii() and (c.isalnum() or c in "._-/") for c in label):
        raise NotRecordable(f"{word!r}: expected a label such as linux/arm64 after #, found {label[:100]!r}")
    return label
