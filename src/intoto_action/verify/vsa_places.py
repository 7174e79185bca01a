"""Where a VSA goes, and in which form: beside its image, or into a file for Sigstore clients or for slsa-verifier."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.formats.reference import Image, parse_reference
from intoto_action.formats.vsa import PREDICATE_TYPE
from intoto_action.keys.interface import Signer
from intoto_action.keys.key_signer import KeySigner
from intoto_action.keys.sealing import seal_bundle, seal_for_slsa_verifier
from intoto_action.reason import Misused
from intoto_action.store.files import write_whole
from intoto_action.store.interface import Store

SLSA_VERIFIER_SUFFIX = ".intoto.jsonl"


class Place(Protocol):
    """One place, and the form that a VSA has there."""

    def seal(self, statement: bytes) -> bytes:
        """The signed document. Raises: Unavailable, Misused."""
        ...

    def put(self, image: Image, document: bytes) -> str:
        """Put it there, and say in words where it is. Raises: Unavailable, Denied, Misused."""
        ...


class Referrer:
    """Beside the image, as a Sigstore bundle."""

    def __init__(self, store: Store, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    def seal(self, statement: bytes) -> bytes:
        """A Sigstore bundle."""
        return seal_bundle(PAYLOAD_TYPE, statement, self._signer)

    def put(self, image: Image, document: bytes) -> str:
        """Attach it; what is attached already stays."""
        referrer = self._store.attach(self._there(image), document, PREDICATE_TYPE)
        return f"its VSA is attached as {referrer.digest}"

    def _there(self, image: Image) -> Image:
        """The image as its store has it: one that was verified by evidence from a file was not looked at before."""
        return image if image.media_type else self._store.resolve(parse_reference(str(image)))


class BundleFile:
    """A file with a Sigstore bundle."""

    def __init__(self, path: Path, signer: Signer) -> None:
        self._path = path
        self._signer = signer

    def seal(self, statement: bytes) -> bytes:
        """A Sigstore bundle."""
        return seal_bundle(PAYLOAD_TYPE, statement, self._signer)

    def put(self, image: Image, document: bytes) -> str:
        """Write the file, over an older one."""
        return _written(self._path, document)


class EnvelopeFile:
    """A file with a DSSE envelope on one line."""

    def __init__(self, path: Path, signer: KeySigner) -> None:
        self._path = path
        self._signer = signer

    def seal(self, statement: bytes) -> bytes:
        """A DSSE envelope and a line feed."""
        return seal_for_slsa_verifier(PAYLOAD_TYPE, statement, self._signer) + b"\n"

    def put(self, image: Image, document: bytes) -> str:
        """Write the file, over an older one."""
        return _written(self._path, document)


def place_of_file(path: Path, signer: Signer) -> Place:
    """The place that `--vsa FILE` names, by its suffix.

    Source: slsa-verifier 2.7.1, `verify-vsa`: a bare DSSE envelope, checked by a public key; it knows no certificates.
    Raises: Misused when who reads such a file cannot check the signer's signatures.
    """
    if not path.name.endswith(SLSA_VERIFIER_SUFFIX):
        return BundleFile(path, signer)
    if isinstance(signer, KeySigner):
        return EnvelopeFile(path, signer)
    raise Misused(
        f"--vsa {path}: expected a --vsa-key with a public key, found one without: slsa-verifier, which reads "
        f"{SLSA_VERIFIER_SUFFIX}, checks nothing else; give the file another suffix to get a Sigstore bundle"
    )


def _written(path: Path, document: bytes) -> str:
    write_whole(path, document, overwrite=True)
    return f"its VSA is written to {path}"
