"""An OCI image layout directory as a store.

Source: OCI image specification 1.1, image-layout.md. What is attached to an image is listed in `index.json` as a
manifest of its own, as oras does; a list under the fallback tag `sha256-<hex>`, as regclient keeps it, is read too.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from intoto_action.deadline import Deadline, Overdue
from intoto_action.formats.oci import (
    EMPTY_CONFIG_BYTES,
    INDEXES,
    MANIFEST_CAP,
    MANIFESTS,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    digest_of,
    parse_manifest,
    platforms,
    referrer_manifest,
)
from intoto_action.formats.reference import DirectoryReference, Image, Reference, parse_digest
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Denied, Finding, Malformed, Misused, Reason, Unavailable, WrongFile
from intoto_action.store.content import check_cap, check_digest, check_size
from intoto_action.store.files import read_plain, why, write_whole
from intoto_action.store.interface import MOST_REFERRERS, Referrers
from intoto_action.store.listing import (
    Entry,
    Listing,
    check_free_tag,
    entry_of,
    fallback_tag,
    parse_listing,
    referrer_descriptor,
)
from intoto_action.system import lock_alone, open_to_read

_MARKER = "oci-layout"
_INDEX = "index.json"
_VERSIONS = frozenset({"1.0.0"})
_LOCK_POLL = 0.05
_MOST_FAULTS = 20
"""How many reasons for an incomplete list are said; the others are counted."""
_FALLBACK_TAG = re.compile(r"sha(?:256|512)-[0-9a-f]{64}\Z")


class _Marker(msgspec.Struct, rename="camel"):
    image_layout_version: str


class ImageDirectory:
    """One image directory. Reading takes no lock: `index.json` is replaced whole, blobs before it."""

    def __init__(self, directory: Path, *, deadline: Deadline) -> None:
        self._directory = directory
        self._deadline = deadline

    def resolve(self, reference: Reference | DirectoryReference) -> Image:
        """The image of a tag or a digest; without either, the only image that is there."""
        listing = self._listing()
        entry = self._chosen(listing, reference)
        raw = self.read_manifest(entry.descriptor.digest, MANIFEST_CAP)
        parsed = self._parsed(raw, entry.descriptor.digest)
        return Image(
            repository=None,
            digest=entry.descriptor.digest,
            media_type=parsed.media_type or (OCI_INDEX if isinstance(parsed, Index) else OCI_MANIFEST),
            size=len(raw),
            platforms=platforms(parsed) if isinstance(parsed, Index) else (),
        )

    def referrers(self, image: Image) -> Referrers:
        """The manifests of `index.json`, and of its list under the fallback tag, that have the image as subject."""
        found, faults = self._referring(self._listing(), image)
        descriptors = tuple(each.descriptor for each in found)
        if len(descriptors) > MOST_REFERRERS:
            faults.append(f"more than {MOST_REFERRERS} manifests refer to {image.digest}")
        return Referrers(descriptors[:MOST_REFERRERS], complete=not faults, why=_said(faults))

    def read_manifest(self, digest: str, cap: int) -> bytes:
        """The bytes of a manifest or an index."""
        raw = self._blob(digest, min(cap, MANIFEST_CAP))
        check_digest(raw, digest, f"{self._directory}")
        return raw

    def read_blob(self, descriptor: Descriptor, cap: int) -> bytes:
        """The bytes of a blob."""
        check_cap(descriptor.size, cap, f"{self._directory}, blob {descriptor.digest}")
        raw = self._blob(descriptor.digest, cap)
        check_size(len(raw), descriptor.size, f"{self._directory}, blob {descriptor.digest}")
        check_digest(raw, descriptor.digest, f"{self._directory}")
        return raw

    def attach(self, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        """Write the bundle, its manifest, and last the new index; two writers wait for each other."""
        subject = Descriptor(image.media_type, image.digest, image.size)
        manifest = referrer_manifest(subject, bundle, predicate_type, _now())
        own = referrer_descriptor(manifest)
        for content in (EMPTY_CONFIG_BYTES, bundle, manifest):
            self._write_blob(content)
        with self._locked():
            self._write_listing(self._listing().adding([entry_of(own)]))
        if own.digest not in {each.digest for each in self.referrers(image).descriptors}:
            raise Unavailable(
                f"{self._directory}: attached, but {own.digest} is not listed in {_INDEX}; "
                "another program writes to the directory without waiting: try again when it is done"
            )
        return own

    def tag(self, image: Image, tag: str) -> None:
        """Give the image a tag; another image that had it keeps its place in the index without one."""
        check_free_tag(tag)
        with self._locked():
            listing = self._listing()
            entries = [each.tagged(None) if each.tag == tag else each for each in listing.entries]
            free = [n for n, each in enumerate(entries) if not each.tag and _is(each, image)]
            if free:
                entries[free[0]] = entries[free[0]].tagged(tag)
            else:
                entries.append(entry_of(Descriptor(image.media_type, image.digest, image.size)).tagged(tag))
            self._write_listing(listing.with_entries(entries))

    def _chosen(self, listing: Listing, reference: Reference | DirectoryReference) -> Entry:
        if reference.digest is not None:
            return self._entry_of_digest(listing, reference.digest)
        if reference.tag is not None:
            found = [each for each in listing.entries if each.tag == reference.tag]
            wanted = f"one image tagged {reference.tag!r}"
        else:
            found = [each for each in listing.entries if self._is_image(each)]
            wanted = "one image, or a tag or a digest to choose by"
        if len({each.descriptor.digest for each in found}) == 1:
            return found[0]
        raise self._no_image(wanted, self._what_is_there(listing, found))

    def _entry_of_digest(self, listing: Listing, digest: str) -> Entry:
        """The entry of a digest, or one made for a manifest that only an index of the directory lists."""
        for each in listing.entries:
            if each.descriptor.digest == digest:
                return each
        try:
            raw = read_plain(self._blob_path(digest), MANIFEST_CAP, "image")
        except Misused as error:
            raise self._no_image(digest, self._what_is_there(listing, [])) from error
        return entry_of(Descriptor("", digest, len(raw)))

    def _is_image(self, entry: Entry) -> bool:
        """An image and nothing that is attached to one: those have a subject or an artifact type."""
        descriptor = entry.descriptor
        if descriptor.artifact_type or descriptor.media_type not in MANIFESTS | INDEXES:
            return False
        if entry.tag is not None and _is_fallback_tag(entry.tag):
            return False
        if descriptor.media_type in INDEXES:
            return True
        parsed = self._parsed(self.read_manifest(descriptor.digest, MANIFEST_CAP), descriptor.digest)
        return isinstance(parsed, Manifest) and parsed.subject is None

    def _what_is_there(self, listing: Listing, found: list[Entry]) -> str:
        tags = sorted({each.tag for each in listing.entries if each.tag and not _is_fallback_tag(each.tag)})
        several = f"{len(found)} images" if found else "no such image"
        return f"{several}; tags that are there: {', '.join(tags[:20]) or 'none'}"

    def _no_image(self, expected: str, found: str) -> Denied:
        where = f"image directory {self._directory}"
        return Denied(Finding(reason=Reason.INVALID_REFERENCE, expected=expected, found=found, where=where))

    def _referring(self, listing: Listing, image: Image) -> tuple[list[Entry], list[str]]:
        """The entries that refer to the image, one more than are listed at most, and what kept from finding all.

        A subject stands in the manifest only, so every manifest is looked at, whoever it refers to: the size of
        `index.json` and the deadline bound them, not the number of those of other images.
        """
        others = {each.descriptor.digest: each for each in listing.entries if _may_refer(each, image)}
        faults: list[str] = []
        found: dict[str, Entry] = {}
        for key, each in others.items():
            if len(found) > MOST_REFERRERS:
                break
            try:
                self._deadline.require(f"looking for what is attached in {self._directory}")
                referring = self._with_subject(each, image)
            except Overdue as error:
                faults.append(str(error))
                break
            except (Unavailable, Malformed) as error:
                faults.append(str(error))
                continue
            if referring is not None:
                found[key] = referring
        for each in self._fallback(listing, image, faults):
            found.setdefault(each.descriptor.digest, each)
        return list(found.values()), faults

    def _with_subject(self, entry: Entry, image: Image) -> Entry | None:
        """The entry with the manifest's own type and annotations, when the image is its subject."""
        descriptor = entry.descriptor
        raw = self.read_manifest(descriptor.digest, MANIFEST_CAP)
        parsed = parse_manifest(raw, f"{self._directory}, manifest {descriptor.digest}")
        if (
            not isinstance(parsed, Manifest)
            or parsed.subject is None
            or parsed.subject.digest != image.digest
        ):
            return None
        return Entry(referrer_descriptor(raw), entry.raw)

    def _fallback(self, listing: Listing, image: Image, faults: list[str]) -> tuple[Entry, ...]:
        tag = fallback_tag(image.digest)
        for each in listing.entries:
            if each.tag != tag:
                continue
            try:
                raw = self.read_manifest(each.descriptor.digest, MANIFEST_CAP)
                return parse_listing(raw, f"{self._directory}, fallback tag {tag}").entries
            except (Unavailable, Malformed) as error:
                faults.append(str(error))
        return ()

    def _parsed(self, raw: bytes, digest: str) -> Manifest | Index:
        try:
            return parse_manifest(raw, f"{self._directory}, manifest {digest}")
        except Malformed as error:
            raise self._no_image(error.expected, error.found) from error

    def _listing(self) -> Listing:
        self._check_marker()
        try:
            raw = read_plain(self._directory / _INDEX, MANIFEST_CAP, "image directory")
            return parse_listing(raw, f"{self._directory / _INDEX}")
        except (Misused, Malformed) as error:
            raise Unavailable(str(error)) from error

    def _check_marker(self) -> None:
        """Raises: Denied when the directory is no image directory of a version that is known."""
        try:
            raw = read_plain(self._directory / _MARKER, 4096, "image directory")
            version = decode(raw, _Marker, f"{self._directory / _MARKER}").image_layout_version
        except (Misused, Malformed) as error:
            raise self._no_image(f"an OCI image layout with a file {_MARKER}", str(error)) from error
        if version not in _VERSIONS:
            raise self._no_image("imageLayoutVersion 1.0.0", repr(version[:40]))

    def _blob_path(self, digest: str) -> Path:
        """Where a blob lies. A digest is hex, so no path can be smuggled in; links out of the directory are refused."""
        algorithm, _, hexadecimal = parse_digest(digest).partition(":")
        folder = self._directory / "blobs" / algorithm
        try:
            leads_out = folder.exists() and not folder.resolve().is_relative_to(self._directory.resolve())
        except OSError as error:
            raise self._unsearchable(folder, error) from error
        if leads_out:
            raise Unavailable(f"{folder} leads out of the image directory; only what lies inside is used")
        return folder / hexadecimal

    def _blob(self, digest: str, cap: int) -> bytes:
        path = self._blob_path(digest)
        try:
            return read_plain(path, cap, f"image directory, blob {digest}")
        except Misused as error:
            raise Unavailable(str(error)) from error

    def _write_blob(self, content: bytes) -> None:
        """Blobs never change, so one that is there and whole stays; a broken one is replaced."""
        digest = digest_of(content)
        path = self._blob_path(digest)
        if self._size(path) == len(content) and self._blob(digest, len(content)) == content:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WrongFile(f"{path.parent} cannot be made: {error.strerror or error}") from error
        write_whole(path, content, overwrite=True)

    def _size(self, path: Path) -> int | None:
        """How long a blob is; None when there is none."""
        try:
            return path.lstat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unsearchable(path, error) from error

    def _unsearchable(self, path: Path, error: OSError) -> Unavailable:
        return Unavailable(
            f"image directory {self._directory}: {path} cannot be looked at: {why(error)}; let the user that "
            "runs this search the directory"
        )

    def _write_listing(self, listing: Listing) -> None:
        document = listing.encode()
        if len(document) > MANIFEST_CAP:
            raise Unavailable(
                f"{self._directory / _INDEX} would grow to {len(document)} bytes, and at most {MANIFEST_CAP} are "
                "read; remove images or attestations that are no longer needed"
            )
        write_whole(self._directory / _INDEX, document, overwrite=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the directory's lock: one on its `oci-layout` file, which ends with the process."""
        self._check_marker()
        try:
            descriptor = open_to_read(self._directory / _MARKER, follow=False)
        except OSError as error:
            raise Unavailable(f"{self._directory / _MARKER} cannot be locked: {why(error)}") from error
        try:
            self._wait_for_lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _wait_for_lock(self, descriptor: int) -> None:
        while True:
            try:
                lock_alone(descriptor)
            except BlockingIOError:
                self._pause()
            except OSError as error:
                raise Unavailable(
                    f"{self._directory / _MARKER} cannot be locked: {why(error)}; use a directory on a file system "
                    "that has locks"
                ) from error
            else:
                return

    def _pause(self) -> None:
        try:
            time.sleep(self._deadline.require(f"attaching to {self._directory}", at_most=_LOCK_POLL))
        except Overdue as error:
            raise Unavailable(f"{error}; another process holds the lock on {_MARKER} in it") from error


def _is(entry: Entry, image: Image) -> bool:
    return entry.descriptor.digest == image.digest


def _said(faults: list[str]) -> str:
    more = len(faults) - _MOST_FAULTS
    return "; ".join([*faults[:_MOST_FAULTS], *([f"and {more} more of this kind"] if more > 0 else [])])


def _may_refer(entry: Entry, image: Image) -> bool:
    """By its descriptor: an image manifest other than the image itself."""
    return entry.descriptor.media_type in MANIFESTS and not _is(entry, image)


def _is_fallback_tag(tag: str) -> bool:
    return _FALLBACK_TAG.match(tag) is not None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
