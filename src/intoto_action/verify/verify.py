"""An image or a directory of links, held against a layout: reads, lets `decide` decide, and chooses."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

import msgspec

from intoto_action.decide.decide import Attestation, Outcome, consider, criteria
from intoto_action.decide.demands import Demands
from intoto_action.formats.envelope import Envelope
from intoto_action.formats.evidence import Evidence, parse_links
from intoto_action.formats.oci import Index, parse_manifest, platforms
from intoto_action.formats.reference import DirectoryReference, Image, Reference
from intoto_action.formats.verdict import DENY, ERROR, PASS, Verdict
from intoto_action.keys.sigstore_root import SigstoreRoot
from intoto_action.reason import Denied, Finding, Malformed, Reason, Unavailable
from intoto_action.store.interface import Store
from intoto_action.trust.keyless import TrustRoot
from intoto_action.verify.candidates import Attached, Unread, sort_bundles

MOST_DECIDED = 50
"""How many candidates whose layout a root has signed are decided for one image."""
_PARENT_CAP = 1 << 20
_LOG = logging.getLogger(__name__)
_MOST_RELATED = 4


def verify_image(
    store: Store,
    reference: Reference | DirectoryReference,
    demands: Demands,
    *,
    at: datetime,
    sigstore: SigstoreRoot,
    bundles: tuple[Attestation, ...] = (),
) -> Outcome:
    """Decide over the image that `reference` names, by what is attached to it, or by `bundles` when given.

    With `bundles` and a digest no registry is asked for anything. Provenance is read only when some is demanded.
    Never raises for what a registry, an image or an attestation is like: that is the verdict.
    """
    try:
        image = _named(reference) if bundles else None
        image = image or store.resolve(reference)
    except Denied as denied:
        return _denied(str(reference), demands, *denied.findings)
    except Unavailable as error:
        return _error(str(reference), demands, str(error), error.reason)
    if bundles:
        return verify_bundles(bundles, image, demands, at=at, sigstore=sigstore)
    unread = Unread()
    try:
        attached = Attached(store, image, unread)
    except Unavailable as error:
        return _error(str(image), demands, str(error), error.reason)
    provenance = attached.provenance() if demands.provenance is not None else ()
    outcome = verify_attestations(
        attached.evidence(), image, demands, provenance, at=at, sigstore=sigstore, unread=unread
    )
    return _with_relations(store, image, outcome)


def _named(reference: Reference | DirectoryReference) -> Image | None:
    """The image of a registry that a digest names: as the store would say, but for its platforms."""
    if isinstance(reference, Reference) and reference.digest is not None:
        return Image(reference.name, reference.digest)
    return None


def verify_bundles(
    bundles: Iterable[Attestation],
    image: Image,
    demands: Demands,
    *,
    at: datetime,
    sigstore: SigstoreRoot,
) -> Outcome:
    """Decide over the image by bundles from files: evidence, and provenance when some is demanded."""
    evidence, provenance = sort_bundles(bundles)
    return verify_attestations(
        evidence, image, demands, provenance, at=at, sigstore=sigstore, unread=Unread()
    )


def verify_attestations(
    candidates: Iterable[Attestation],
    image: Image,
    demands: Demands,
    provenance: Sequence[Attestation] = (),
    *,
    at: datetime,
    sigstore: SigstoreRoot,
    unread: Unread,
) -> Outcome:
    """The outcome of the first candidate that passes whole, else of the one that got furthest.

    A candidate whose outer signature is by nobody that the verifier named counts for nothing, however many there
    are. When something was left unread and nothing passed, the verdict is an error, never a denial that a cache
    could keep.
    """
    try:
        return _first_that_passes(candidates, image, demands, provenance, at, sigstore, unread)
    except Unavailable as error:
        return _error(str(image), demands, str(error), error.reason)


def _first_that_passes(
    candidates: Iterable[Attestation],
    image: Image,
    demands: Demands,
    provenance: Sequence[Attestation],
    at: datetime,
    sigstore: SigstoreRoot,
    unread: Unread,
) -> Outcome:
    best: Outcome | None = None
    decided = 0
    for candidate in candidates:
        if decided == MOST_DECIDED:
            unread.reasons.append(f"candidates beyond {MOST_DECIDED}")
            break
        outcome = sigstore.deciding(partial(_consider, candidate, image, demands, provenance, at))
        _LOG.debug("%s of %s: %s", candidate.where, image, _in_a_word(outcome))
        if outcome.verdict.verdict == PASS:
            return outcome
        decided += _rank(outcome, demands) > Reason.ATTESTATION_SIGNATURE.order
        if best is None or _rank(outcome, demands) > _rank(best, demands):
            best = outcome
    if unread:
        return _error(str(image), demands, "; ".join(unread.reasons[:3]))
    if best is not None:
        return best
    return _denied(str(image), demands, _nothing_found(image))


def _in_a_word(outcome: Outcome) -> str:
    reason = outcome.verdict.reason
    return f"{outcome.verdict.verdict}, {reason.value}" if reason else outcome.verdict.verdict


def verify_links(
    documents: Iterable[tuple[str, bytes]],
    layout: Envelope | None,
    demands: Demands,
    *,
    at: datetime,
    sigstore: SigstoreRoot,
) -> Verdict:
    """Decide over a directory of links, by file name; no image is bound.

    Nobody takes this evidence apart again, so the documents are not kept: a link can have millions of bytes.
    """
    links: dict[str, Envelope] = {}
    faults: dict[str, Malformed] = {}
    for name, document in documents:
        found, wrong = parse_links({name: document}, "the link directory")
        links |= {each: msgspec.structs.replace(envelope, raw=b"") for each, envelope in found.items()}
        faults |= wrong
    evidence = Evidence(layout, links, {}, faults)
    try:
        return sigstore.deciding(partial(_consider, evidence, None, demands, (), at)).verdict
    except Unavailable as error:
        return undecided(demands, error)


def undecided(demands: Demands, error: Unavailable) -> Verdict:
    """The verdict over a directory of links when a service did not do its part."""
    return _error("", demands, str(error), error.reason).verdict


def _consider(
    candidate: Attestation | Evidence,
    image: Image | None,
    demands: Demands,
    provenance: Sequence[Attestation],
    at: datetime,
    root: TrustRoot | None,
) -> Outcome:
    return consider(candidate, image, demands, provenance, at=at, sigstore=root)


def refusal(subject: str, demands: Demands, reason: Reason, error: Malformed, advice: str = "") -> Verdict:
    """The denial for something given that is not what it should be: the name of an image, a layout, a manifest."""
    finding = _finding(reason, error.where, error.expected, error.found)
    return _denied(subject, demands, msgspec.structs.replace(finding, advice=advice)).verdict


def _rank(outcome: Outcome, demands: Demands) -> int:
    reason = outcome.verdict.reason
    if reason is None:
        return len(Reason)
    stranger = reason is Reason.ATTESTATION_SIGNATURE and bool(demands.attesters or demands.layout)
    return -1 if stranger else reason.order


def _nothing_found(image: Image) -> Finding:
    return _finding(
        Reason.NO_ATTESTATION,
        str(image),
        "evidence of intoto-action attached to the image",
        "none of that kind",
    )


def _denied(image: str, demands: Demands, *findings: Finding) -> Outcome:
    reason = min((each.reason for each in findings), key=lambda each: each.order)
    verdict = Verdict(
        verdict=DENY,
        reason=reason,
        image=image,
        explanation=findings,
        subject="not checked",
        criteria=criteria(demands),
    )
    return Outcome(verdict, None, None)


def _error(image: str, demands: Demands, found: str, reason: Reason = Reason.REGISTRY_ERROR) -> Outcome:
    expected = "a registry that answers for everything that was asked"
    if reason is Reason.SIGSTORE_UNAVAILABLE:
        expected = "a Sigstore trust root to hold keyless signatures against"
    finding = _finding(reason, image, expected, found)
    outcome = _denied(image, demands, finding)
    return msgspec.structs.replace(outcome, verdict=msgspec.structs.replace(outcome.verdict, verdict=ERROR))


def _finding(reason: Reason, where: str, expected: str, found: str) -> Finding:
    return Finding(reason=reason, where=where, expected=expected, found=found)


def _with_relations(store: Store, image: Image, outcome: Outcome) -> Outcome:
    """Say it when the evidence is about the index of this image, or about one of its children."""
    verdict = outcome.verdict
    notes: tuple[str, ...] = ()
    if verdict.reason is Reason.SUBJECT_UNBOUND:
        notes = tuple(_parents(store, image, verdict))
    elif verdict.reason is Reason.NO_ATTESTATION:
        notes = tuple(_attested_children(store, image))
    if not notes:
        return outcome
    return msgspec.structs.replace(
        outcome, verdict=msgspec.structs.replace(verdict, notes=verdict.notes + notes)
    )


def _parents(store: Store, image: Image, verdict: Verdict) -> Iterable[str]:
    recorded = {seen.recorded for finding in verdict.explanation for seen in finding.sightings}
    for digest in sorted(recorded - {image.digest})[:_MOST_RELATED]:
        try:
            parsed = parse_manifest(store.read_manifest(digest, _PARENT_CAP), digest)
        except (Unavailable, Denied, Malformed):
            continue  # this only explains a denial better; what cannot be read explains nothing
        children = platforms(parsed) if isinstance(parsed, Index) else ()
        for child in children:
            if child.digest == image.digest:
                yield f"the chain makes the index {digest}, of which this image is {child.name}: verify the index"


def _attested_children(store: Store, image: Image) -> Iterable[str]:
    for child in image.platforms[:_MOST_RELATED]:
        try:
            attached = store.referrers(Image(image.repository, child.digest)).descriptors
        except (Unavailable, Denied):
            continue  # as above
        if attached:
            yield f"something is attached to {child.name} ({child.digest}), but nothing to this index"
