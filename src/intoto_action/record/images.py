"""Images among the materials and products: the digest of each, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from intoto_action.deadline import Deadline
from intoto_action.formats.artifact import OCI_SCHEME, Artifacts, Digests
from intoto_action.formats.oci import MANIFEST_CAP, Index, Manifest, parse_manifest, platforms
from intoto_action.formats.reference import DirectoryReference, Image, Reference, parse_digest
from intoto_action.reason import Denied, Malformed, Misused, NotRecordable
from intoto_action.record.engines import config_digest_in_engines
from intoto_action.record.image_words import ImageWord, Source, parse_image_word
from intoto_action.record.leftovers import nothing_left_running
from intoto_action.record.task import Here
from intoto_action.store.files import read_capped
from intoto_action.store.interface import Store
from intoto_action.store.open import open_store

_LARGEST_DIGEST_FILE = 4096
_SECONDS = 120.0


class Images(msgspec.Struct, frozen=True):
    """Images as artifacts; `pinned` are the `oci:` words and `name@digest` of each, in their order.

    `resolved` are those of them that were given by a tag, with what it stood for when it was resolved.
    """

    artifacts: Artifacts
    pinned: tuple[str, ...] = ()
    resolved: dict[str, str] = {}


def material_images(words: Iterable[str], here: Here) -> Images:
    """The images that go in; a tag is resolved once, here.

    Raises: Misused, Malformed, Unavailable.
    """
    with nothing_left_running("--materials"):
        return _material_images(words, here)


def _material_images(words: Iterable[str], here: Here) -> Images:
    artifacts: Artifacts = {}
    pinned: list[str] = []
    resolved: dict[str, str] = {}
    for word in [parse_image_word(each) for each in words]:
        digest = _known_digest(word, here)
        if not digest and word.scheme == OCI_SCHEME:
            digest = _resolve(_reference(word), here).digest
            resolved[word.word] = f"{word.name}@{digest}"
            here.tell(f"{word.word} is {word.name}@{digest}")
        digest = digest or _config_digest(word, here, from_registry=True)
        _add(artifacts, word, digest)
        if word.scheme == OCI_SCHEME:
            pinned.append(f"{word.name}@{digest}")
    return Images(artifacts, tuple(pinned), resolved)


def check_product_words(words: Iterable[str]) -> None:
    """Refuse, before the command runs, a word that cannot be a product.

    Raises: Misused: a tag says nothing of what this machine has built.
    """
    for word in [parse_image_word(each) for each in words]:
        if word.scheme == OCI_SCHEME and word.source is Source.NAME:
            raise NotRecordable(
                f"--products {word.word}: expected the digest that this build computed, found "
                f"{'a tag' if _reference(word).tag else 'only a name'}, behind which a registry can put any image; say "
                f"oci:{word.name}@digestfile:PATH, oci:{word.name}@sha256:…, or --image-metadata"
            )


def product_images(words: Iterable[str], here: Here) -> Artifacts:
    """The images that come out, by digests that were computed on this machine.

    Raises: Misused, Malformed, Unavailable.
    """
    listed = list(words)
    check_product_words(listed)
    artifacts: Artifacts = {}
    with nothing_left_running("--products"):
        for word in [parse_image_word(each) for each in listed]:
            digest = _known_digest(word, here) or _config_digest(word, here, from_registry=False)
            _add(artifacts, word, digest)
    return artifacts


def merge(artifacts: Artifacts, more: Artifacts, where: str) -> Artifacts:
    """Both together. Raises: Misused when they give different digests for one name; `where` names the flag."""
    for name, digests in more.items():
        if artifacts.get(name, digests) != digests:
            raise NotRecordable(
                f"{where}: {name} has two digests, {artifacts[name]} and {digests}; give each a label, such as "
                f"{name}#linux/arm64"
            )
    return {**artifacts, **more}


def _add(artifacts: Artifacts, word: ImageWord, digest: str) -> None:
    kind, _, value = digest.partition(":")
    digests = Digests(sha256=value) if kind == "sha256" else Digests(sha512=value)
    artifacts.update(merge(artifacts, {word.artifact: digests}, word.word))


def _known_digest(word: ImageWord, here: Here) -> str:
    """The digest that the word itself or its file gives; empty when it has to be looked up."""
    if word.source in {Source.DIGEST_FILE, Source.IIDFILE}:
        return _digest_in_file(word, Path(here.base) / word.path)
    return word.digest


def _digest_in_file(word: ImageWord, path: Path) -> str:
    raw = read_capped(path, _LARGEST_DIGEST_FILE, word.word)
    text = raw.decode("ascii", errors="replace").strip()
    try:
        return parse_digest(text)
    except Malformed as error:
        raise NotRecordable(
            f"{word.word}: expected {error.expected} in {path}, found {text[:100]!r}; which program wrote it?"
        ) from error


def _config_digest(word: ImageWord, here: Here, *, from_registry: bool) -> str:
    """The digest of the config of an image in a directory, an engine, or a registry: where it is."""
    if word.directory is not None:
        return _config_in_store(word, word.directory, here)
    reference = _reference(word)
    digest, silent = config_digest_in_engines(str(reference), here.environ_of_tools)
    if digest is not None:
        return digest
    for note in silent:
        here.tell(note)
    if not from_registry and not reference.digest:
        raise NotRecordable(
            f"--products {word.word}: neither docker nor podman has this image, and what a registry has under that "
            f"name need not be what was built here; say {word.scheme}{word.name}@iidfile:PATH"
        )
    return _config_in_store(word, reference, here)


def _config_in_store(word: ImageWord, reference: Reference | DirectoryReference, here: Here) -> str:
    store = _open(reference, here)
    try:
        image = store.resolve(reference)
        manifest = parse_manifest(store.read_manifest(image.digest, MANIFEST_CAP), word.word)
        if isinstance(manifest, Index):
            child = _platform(word, manifest)
            manifest = parse_manifest(store.read_manifest(child, MANIFEST_CAP), word.word)
    except Denied as error:
        raise _not_there(word, error) from error
    if not isinstance(manifest, Manifest):
        raise NotRecordable(
            f"{word.word}: expected an image, found an index in an index; name one of its images by digest"
        )
    return parse_digest(manifest.config.digest)


def _platform(word: ImageWord, index: Index) -> str:
    """The one platform of an index, or the one that the label names."""
    children = platforms(index)
    wanted = [child for child in children if not word.label or child.name == word.label]
    if len(wanted) != 1:
        names = ", ".join(child.name for child in children) or "none"
        raise NotRecordable(
            f"{word.word}: an index has no config of its own, and this one has the platforms {names}; say which with "
            f"{word.scheme}{word.name}#linux/amd64"
        )
    return wanted[0].digest


def _resolve(reference: Reference, here: Here) -> Image:
    store = _open(reference, here)
    try:
        return store.resolve(reference)
    except Denied as error:
        raise NotRecordable(f"oci:{reference}: {error}; is the name right, and may you read it?") from error


def _open(reference: Reference | DirectoryReference, here: Here) -> Store:
    return open_store(
        reference,
        deadline=Deadline(_SECONDS),
        environ=here.environ_of_tools,
        allow_http=here.allow_http,
        token_realms=here.token_realms,
    )


def _not_there(word: ImageWord, error: Denied) -> Misused:
    return NotRecordable(f"{word.word}: {error}; is the name right, and is the image there?")


def _reference(word: ImageWord) -> Reference:
    if word.reference is None:
        raise NotRecordable(f"{word.word}: expected an image in a registry or an engine")
    return word.reference
