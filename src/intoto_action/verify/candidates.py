"""What is attached to an image and could be evidence, read within bounds."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from intoto_action.decide.decide import Attestation
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
from intoto_action.formats.reference import Image
from intoto_action.reason import Denied, Malformed, Unavailable
from intoto_action.store.interface import Store

REFERRER_CAP = 64 << 10
"""The largest manifest of a referrer that is read, in bytes: an honest one has less than 2 kB."""
BYTES_CAP = 64 << 20
"""How many bytes of attestations are read for one image."""


class Unread(msgspec.Struct):
    """What was not read, in words: with it a lack of evidence proves nothing."""

    reasons: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.reasons)


def attestations(store: Store, image: Image, unread: Unread) -> Iterator[Attestation]:
    """The attestations of the image that could be evidence, smallest first, each read when it is asked for.

    Whoever may write to the repository can put anything there. So what is no bundle is passed over, and what was
    not read because of a bound or a fault of the registry goes to `unread`.
    Raises: Unavailable when the referrers cannot be listed at all.
    """
    referrers = store.referrers(image)
    if not referrers.complete:
        unread.reasons.append(referrers.why)
    layers = [found for each in referrers.descriptors for found in _bundles(store, each, image, unread)]
    left = BYTES_CAP
    for referrer, layer in sorted(layers, key=lambda pair: pair[1].size):
        if layer.size > EVIDENCE_CAP:
            unread.reasons.append(
                f"attestation {referrer.digest} has {layer.size} bytes, at most {EVIDENCE_CAP} are read"
            )
            continue
        if layer.size > left:
            unread.reasons.append(f"attestations beyond {BYTES_CAP >> 20} MiB for one image")
            return
        left -= layer.size
        yield from _read(store, referrer, layer, unread)


def _bundles(
    store: Store, referrer: Descriptor, image: Image, unread: Unread
) -> Iterator[tuple[Descriptor, Descriptor]]:
    """The layer of a referrer that is a bundle with evidence, by what its manifest says."""
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
    said = (manifest.annotations or {}).get(PREDICATE_TYPE_ANNOTATION, PREDICATE_TYPE)
    layer = manifest.layers[0]
    if (
        manifest.subject.digest == image.digest
        and said == PREDICATE_TYPE
        and layer.media_type.startswith(BUNDLE_PREFIX)
    ):
        yield referrer, layer


def _read(store: Store, referrer: Descriptor, layer: Descriptor, unread: Unread) -> Iterator[Attestation]:
    try:
        raw = store.read_blob(layer, EVIDENCE_CAP)
    except (Unavailable, Denied) as error:
        unread.reasons.append(str(error))
        return
    try:
        found = parse_attestation(raw, f"attestation {referrer.digest}")
    except Malformed:
        return
    yield msgspec.structs.replace(found, referrer=referrer.digest)


def parse_attestation(raw: bytes, where: str) -> Attestation:
    """An attestation from the bytes of a Sigstore bundle.

    Raises: Malformed.
    """
    envelope = parse_envelope(raw, where, cap=EVIDENCE_CAP)
    if envelope.wrapper is not Wrapper.BUNDLE:
        raise Malformed(where, "a Sigstore bundle", f"a {envelope.wrapper.value} envelope")
    return Attestation(envelope, where)
