"""One repository of a registry as a store."""

from __future__ import annotations

from typing import Protocol

import msgspec

from intoto_action.formats.oci import (
    INDEXES,
    MANIFEST_CAP,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    parse_manifest,
    platforms,
)
from intoto_action.formats.reference import DirectoryReference, Image, Reference
from intoto_action.reason import Denied, Finding, Malformed, Misused, Reason, Unavailable
from intoto_action.store.address import follow, origin_of
from intoto_action.store.distribution import Distribution, Fetched
from intoto_action.store.http import Answer
from intoto_action.store.interface import MOST_REFERRERS, Referrers
from intoto_action.store.listing import Entry, Listing, check_free_tag, fallback_tag, parse_listing
from intoto_action.store.pages import next_page

_MOST_PAGES = 200
_NO_REFERRERS_API = frozenset({400, 404, 405, 406, 501})


class Snapshot(msgspec.Struct, frozen=True):
    """What a registry listed for an image at one moment: by its referrers API, and under the fallback tag."""

    api: tuple[Entry, ...]
    fallback: Listing | None
    etag: str | None
    faults: tuple[str, ...]

    def entries(self) -> dict[str, Entry]:
        """All entries by digest; the API's own words win over the fallback's."""
        found: dict[str, Entry] = {}
        for each in (*self.api, *(self.fallback.entries if self.fallback else ())):
            found.setdefault(each.descriptor.digest, each)
        return found


class Attacher(Protocol):
    """Puts a bundle on an image of a registry and sees to it that all is listed."""

    def attach(self, registry: Registry, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        """The descriptor of the referrer."""
        ...


class Registry:
    """A store over the distribution API."""

    def __init__(self, distribution: Distribution, attacher: Attacher) -> None:
        self.distribution = distribution
        self._attacher = attacher

    def resolve(self, reference: Reference | DirectoryReference) -> Image:
        """The image that a tag or a digest names now."""
        if not isinstance(reference, Reference) or reference.name != self.distribution.name:
            raise Misused(f"{reference} is not in {self.distribution.name}")
        asked = reference.digest or reference.tag or "latest"
        fetched = self.distribution.manifest(asked)
        if fetched is None:
            raise _no_image(f"{reference}", "an image", f"nothing: {reference.registry} has no such manifest")
        parsed = _parsed(fetched, f"{reference}")
        return Image(
            repository=self.distribution.name,
            digest=fetched.digest,
            media_type=_media_type(parsed, fetched, f"{reference}"),
            size=len(fetched.raw),
            platforms=platforms(parsed) if isinstance(parsed, Index) else (),
        )

    def referrers(self, image: Image) -> Referrers:
        """What is attached to the image, by the referrers API and the fallback tag, each once."""
        snapshot = self.snapshot(image)
        found = [each.descriptor for each in snapshot.entries().values()]
        faults = list(snapshot.faults)
        if len(found) > MOST_REFERRERS:
            faults.append(f"more than {MOST_REFERRERS} manifests are attached to {image}")
        return Referrers(tuple(found[:MOST_REFERRERS]), complete=not faults, why="; ".join(faults))

    def read_manifest(self, digest: str, cap: int) -> bytes:
        """The bytes of a manifest or an index."""
        fetched = self.distribution.manifest(digest, cap=min(cap, MANIFEST_CAP))
        if fetched is None:
            raise Unavailable(
                f"manifest {self.distribution.name}@{digest}: the registry has none (status 404)"
            )
        return fetched.raw

    def read_blob(self, descriptor: Descriptor, cap: int) -> bytes:
        """The bytes of a blob."""
        return self.distribution.blob(descriptor, cap)

    def attach(self, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        """Attach a bundle, by cosign or natively as the store was opened."""
        return self._attacher.attach(self, image, bundle, predicate_type)

    def tag(self, image: Image, tag: str) -> None:
        """Put the image's own bytes under a tag, and look that they are there."""
        check_free_tag(tag)
        raw = self.read_manifest(image.digest, MANIFEST_CAP)
        self.distribution.put_manifest(tag, raw, image.media_type)
        found = self.distribution.manifest(tag)
        if found is None or found.raw != raw:
            raise Unavailable(
                f"{self.distribution.name}:{tag} was stored and is now {found.digest if found else 'not there'}, "
                f"expected {image.digest}; somebody else writes the same tag"
            )

    def snapshot(self, image: Image) -> Snapshot:
        """What is listed for the image now. What cannot be listed is a fault in it, not an exception."""
        faults: list[str] = []
        api: tuple[Entry, ...] = ()
        try:
            api = self._by_api(image.digest, faults)
        except (Unavailable, Malformed) as error:
            faults.append(f"referrers API: {error}")
        fallback, etag = None, None
        try:
            fallback, etag = self._by_tag(image.digest)
        except (Unavailable, Malformed) as error:
            faults.append(f"fallback tag: {error}")
        return Snapshot(api, fallback, etag, tuple(faults))

    def _by_api(self, digest: str, faults: list[str]) -> tuple[Entry, ...]:
        """All pages of the referrers API. A registry without it has other answers than 200; a page that leads
        elsewhere, in a circle or on without end leaves the list incomplete.
        """
        what = f"referrers of {self.distribution.name}@{digest}"
        url: str | None = self.distribution.url(f"referrers/{digest}")
        seen: set[str] = set()
        entries: list[Entry] = []
        while url is not None:
            if url in seen or len(seen) >= _MOST_PAGES or len(entries) > MOST_REFERRERS:
                faults.append(f"{what}: the pages do not end, after {len(entries)} entries")
                break
            seen.add(url)
            answer = self.distribution.call("GET", url, what, cap=MANIFEST_CAP, headers={"Accept": OCI_INDEX})
            if answer.status in _NO_REFERRERS_API and len(seen) == 1:
                return ()
            if answer.status != 200:
                raise self.distribution.refusal(answer, what)
            entries.extend(parse_listing(answer.body, what).entries)
            url = _next_page(answer, what, faults)
        return tuple(entries)

    def _by_tag(self, digest: str) -> tuple[Listing | None, str | None]:
        tag = fallback_tag(digest)
        fetched = self.distribution.manifest(tag)
        if fetched is None:
            return None, None
        return parse_listing(fetched.raw, f"{self.distribution.name}:{tag}"), fetched.etag


def _next_page(answer: Answer, what: str, faults: list[str]) -> str | None:
    """The URL of the page after this one. A header that cannot be read is a fault: it may say that there is one."""
    try:
        target = next_page(answer.headers.get("link", ""), what)
    except Malformed as error:
        faults.append(f"{error}; whether there is a next page is not known")
        return None
    if target is None:
        return None
    url = follow(answer.url, target)
    if origin_of(url) is None or origin_of(url) != origin_of(answer.url):
        faults.append(f"{what}: the next page is on another host, which is not asked")
        return None
    return url


def _parsed(fetched: Fetched, where: str) -> Manifest | Index:
    try:
        return parse_manifest(fetched.raw, where)
    except Malformed as error:
        raise _no_image(where, error.expected, error.found) from error


def _media_type(parsed: Manifest | Index, fetched: Fetched, where: str) -> str:
    """What the document says of itself. The answer's header may add to it, never contradict it.

    Source: CVE-2021-41190: a document that is one thing by its header and another by its content.
    """
    is_index = isinstance(parsed, Index)
    if fetched.media_type and (fetched.media_type in INDEXES) != is_index:
        raise _no_image(where, f"what its media type says ({fetched.media_type})", _kind(is_index))
    if parsed.media_type and fetched.media_type and parsed.media_type != fetched.media_type:
        raise _no_image(where, f"one media type, {fetched.media_type} in the header", parsed.media_type)
    return parsed.media_type or fetched.media_type or (OCI_INDEX if is_index else OCI_MANIFEST)


def _kind(is_index: bool) -> str:
    return "an index" if is_index else "an image manifest"


def _no_image(where: str, expected: str, found: str) -> Denied:
    return Denied(Finding(reason=Reason.INVALID_REFERENCE, expected=expected, found=found, where=where))
