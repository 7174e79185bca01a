"""What is attached to an image and could be evidence or provenance, read within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from itertools import islice

import msgspec

from intoto_action.decide.attestation import Attestation
from intoto_action.formats.envelope import Wrapper, parse_envelope
from intoto_action.formats.evidence import EVIDENCE_CAP, PREDICATE_TYPE
from intoto_action.formats.oci import (
    BUNDLE_PREFIX,
    EMPTY_CONFIG,
    PREDICATE_TYPE_ANNOTATION,
    Descriptor,
    Manifest,
    parse_manifest,
)
from intoto_action.formats.provenance import PREDICATE_TYPES as PROVENANCE_TYPES
from intoto_action.formats.reference import Image
from intoto_action.formats.statement import predicate_type_of
from intoto_action.reason import Denied, Malformed, Unavailable
from intoto_action.store.interface import Store

REFERRER_CAP = 64 << 10
"""The largest manifest of a referrer that is read, in bytes: an honest one has less than 2 kB."""
BYTES_CAP = 64 << 20
"""How many bytes of attestations are read for one image."""
MOST_PROVENANCE = 50
"""How many provenances of one image are looked at: as many as there are candidates."""


class Unread(msgspec.Struct):
    """What was not read, in words: with it a lack of evidence proves nothing."""

    reasons: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.reasons)


class _Bundle(msgspec.Struct, frozen=True):
    """A referrer whose one layer is a bundle; `said` is the predicate type that its manifest names, if it does."""

    referrer: Descriptor
    layer: Descriptor
    said: str | None


class Attached:
    """What is attached to an image and could be evidence or provenance. Manifests are read now, bundles when asked for.

    Whoever may write to the repository can put anything there. So what is no bundle is passed over, and what was
    not read because of a bound or a fault of the registry goes to `unread`.
    Raises: Unavailable when the referrers cannot be listed at all.
    """

    def __init__(self, store: Store, image: Image, unread: Unread) -> None:
        self._store = store
        self._unread = unread
        self._left = BYTES_CAP
        referrers = store.referrers(image)
        if not referrers.complete:
            unread.reasons.append(referrers.why)
        self._bundles = [
            found for each in referrers.descriptors for found in _bundles(store, each, image, unread)
        ]

    def evidence(self) -> Iterator[Attestation]:
        """The attestations that could be evidence, smallest first, each read when it is asked for."""
        return self._read({PREDICATE_TYPE})

    def provenance(self) -> tuple[Attestation, ...]:
        """The attestations that claim to be provenance, smallest first, up to `MOST_PROVENANCE` of them."""
        found = (each for each in self._read(PROVENANCE_TYPES) if _claims_provenance(each))
        chosen = tuple(islice(found, MOST_PROVENANCE))
        if next(found, None) is not None:
            self._unread.reasons.append(f"provenance beyond {MOST_PROVENANCE} attestations")
        return chosen

    def _read(self, predicate_types: Set[str]) -> Iterator[Attestation]:
        wanted = [each for each in self._bundles if each.said is None or each.said in predicate_types]
        for bundle in sorted(wanted, key=lambda each: each.layer.size):
            if bundle.layer.size > EVIDENCE_CAP:
                self._unread.reasons.append(
                    f"attestation {bundle.referrer.digest} has {bundle.layer.size} bytes, "
                    f"at most {EVIDENCE_CAP} are read"
                )
                continue
            if bundle.layer.size > self._left:
                self._unread.reasons.append(f"attestations beyond {BYTES_CAP >> 20} MiB for one image")
                return
            self._left -= bundle.layer.size
            yield from _read(self._store, bundle, self._unread)


def sort_bundles(
    bundles: Iterable[Attestation],
) -> tuple[tuple[Attestation, ...], tuple[Attestation, ...]]:
    """Bundles from files: those that could be evidence, and those that claim to be provenance."""
    given = [(each, _claims_provenance(each)) for each in bundles]
    return tuple(each for each, claims in given if not claims), tuple(
        each for each, claims in given if claims
    )


def _claims_provenance(attestation: Attestation) -> bool:
    return predicate_type_of(attestation.envelope.payload) in PROVENANCE_TYPES


def _bundles(store: Store, referrer: Descriptor, image: Image, unread: Unread) -> Iterator[_Bundle]:
    """The layer of a referrer that is a bundle, by what its manifest says."""
    kind = referrer.artifact_type
    if kind and kind != EMPTY_CONFIG and not kind.startswith(BUNDLE_PREFIX):
        return
    if referrer.size > REFERRER_CAP:
        unread.reasons.append(
            f"referrer {referrer.digest} has {referrer.size} bytes, at most {REFERRER_CAP} are read"
        )
        return
    try:
        manifest = parse_manifest(
            store.read_manifest(referrer.digest, REFERRER_CAP), f"referrer {referrer.digest}"
        )
    except (Unavailable, Denied) as error:
        unread.reasons.append(str(error))
        return
    except Malformed:
        return
    if not isinstance(manifest, Manifest) or len(manifest.layers) != 1 or manifest.subject is None:
        return
    layer = manifest.layers[0]
    if manifest.subject.digest == image.digest and layer.media_type.startswith(BUNDLE_PREFIX):
        yield _Bundle(referrer, layer, (manifest.annotations or {}).get(PREDICATE_TYPE_ANNOTATION))


def _read(store: Store, bundle: _Bundle, unread: Unread) -> Iterator[Attestation]:
    try:
        raw = store.read_blob(bundle.layer, EVIDENCE_CAP)
    except (Unavailable, Denied) as error:
        unread.reasons.append(str(error))
        return
    try:
        found = parse_attestation(raw, f"attestation {bundle.referrer.digest}")
    except Malformed:
        return
    yield msgspec.structs.replace(found, referrer=bundle.referrer.digest)


def parse_attestation(raw: bytes, where: str) -> Attestation:
    """An attestation from the bytes of a Sigstore bundle.

    Raises: Malformed.
    """
    envelope = parse_envelope(raw, where, cap=EVIDENCE_CAP)
    if envelope.wrapper is not Wrapper.BUNDLE:
        raise Malformed(where, "a Sigstore bundle", f"a {envelope.wrapper.value} envelope")
    return Attestation(envelope, where)
