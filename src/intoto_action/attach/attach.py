"""Evidence and provenance signed, decided on as a verifier would, and only then put beside their image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from intoto_action.decide.decide import Attestation, decide
from intoto_action.decide.demands import Demands, ProvenanceDemand, Trust
from intoto_action.formats.envelope import PAYLOAD_TYPE, Envelope, parse_envelope
from intoto_action.formats.evidence import (
    EVIDENCE_CAP,
    PREDICATE_TYPE,
    Evidence,
    EvidenceFile,
    encode_evidence,
    parse_links,
)
from intoto_action.formats.key import Key
from intoto_action.formats.oci import Descriptor
from intoto_action.formats.reference import Image
from intoto_action.formats.statement import predicate_type_of
from intoto_action.formats.verdict import Verdict
from intoto_action.keys.interface import Signer
from intoto_action.keys.sealing import seal_bundle
from intoto_action.keys.sigstore_root import SigstoreRoot
from intoto_action.reason import Misused, Unavailable, WrongDocument, WrongLinks
from intoto_action.store.files import read_capped
from intoto_action.store.interface import Store
from intoto_action.trust.keyless import TrustRoot
from intoto_action.trust.signature import check_signature

ATTACHED_CAP = EVIDENCE_CAP - (64 << 10)
"""The largest bundle that is attached, in bytes: cosign writes the JSON anew and adds white space to it, and what it
wrote must be within what is read.
"""


class SignedProvenance(msgspec.Struct, frozen=True):
    """A bundle with provenance, and its predicate type."""

    bundle: bytes
    predicate_type: str


class Prepared(msgspec.Struct, frozen=True):
    """A signed bundle, provenance beside it if there is some, and what a verifier will say of them."""

    bundle: bytes
    verdict: Verdict
    provenance: SignedProvenance | None = None


class Published(msgspec.Struct, frozen=True):
    """The referrers that were attached."""

    evidence: Descriptor
    provenance: Descriptor | None = None


def prepare(
    image: Image,
    layout: Envelope,
    links: Mapping[str, bytes],
    files: Mapping[str, bytes],
    signer: Signer,
    demands: Demands,
    *,
    at: datetime,
    sigstore: SigstoreRoot,
    provenance: bytes | None = None,
) -> Prepared:
    """Evidence for `image`, signed, and held against its layout by the decision that `verify` makes.

    `provenance` is a Statement that the same signer signs; then the decision demands some, so that none is attached
    whose signer may not say what it says.
    Raises: Misused for a link that is no signed document, and for evidence over the cap; Malformed for bad names;
    Unavailable when an identity cannot sign or be checked now.
    """
    bundle = _pack(image, layout, links, files, signer)
    signed = None if provenance is None else _sign_provenance(provenance, signer)

    def judge(root: TrustRoot | None) -> Verdict:
        return _judge(bundle, signed, image, layout, signer.key, demands, at, root)

    return Prepared(bundle, sigstore.deciding(judge), signed)


def _sign_provenance(statement: bytes, signer: Signer) -> SignedProvenance:
    bundle = seal_bundle(PAYLOAD_TYPE, statement, signer)
    if len(bundle) > ATTACHED_CAP:
        raise WrongDocument(
            f"the provenance has {len(bundle)} bytes, and at most {ATTACHED_CAP} are attached"
        )
    return SignedProvenance(bundle, predicate_type_of(statement))


def _pack(
    image: Image, layout: Envelope, links: Mapping[str, bytes], files: Mapping[str, bytes], signer: Signer
) -> bytes:
    envelopes, faults = parse_links(links, "the link directory")
    for fault in faults.values():
        raise WrongLinks(f"{fault}: take the file away, or record the step again")
    evidence = Evidence(layout, envelopes, {name: _evidence_file(content) for name, content in files.items()})
    statement = encode_evidence(evidence, image.repository or "image", image.digest)
    bundle = seal_bundle(PAYLOAD_TYPE, statement, signer)
    if len(bundle) > ATTACHED_CAP:
        raise WrongLinks(_too_large(len(bundle), links, files))
    return bundle


def _judge(
    bundle: bytes,
    provenance: SignedProvenance | None,
    image: Image,
    layout: Envelope,
    key: Key,
    demands: Demands,
    at: datetime,
    root: TrustRoot | None,
) -> Verdict:
    # Without --layout-key the root is not checked; then a signature of ours on the layout counts as a root's,
    # because verify takes an attestation by a root.
    if demands.layout_trust is None and check_signature(layout, key, root):
        demands = msgspec.structs.replace(demands, layout_trust=Trust((key,)))
    candidate = Attestation(parse_envelope(bundle, "the bundle", cap=EVIDENCE_CAP), "the bundle")
    if provenance is None:
        return decide(candidate, image, demands, at=at, sigstore=root)
    demands = msgspec.structs.replace(demands, provenance=ProvenanceDemand())
    envelope = parse_envelope(provenance.bundle, "the provenance", cap=EVIDENCE_CAP)
    given = (Attestation(envelope, "the provenance"),)
    return decide(candidate, image, demands, given, at=at, sigstore=root)


def publish(
    store: Store,
    image: Image,
    bundle: bytes,
    tags: tuple[str, ...],
    say: Callable[[str], None],
    *,
    provenance: SignedProvenance | None = None,
) -> Published:
    """Attach the bundle, then the provenance, and when they are there put the image under the tags.

    So a tag exists only with its evidence and provenance.
    Raises: Unavailable, saying what was attached already.
    """
    evidence = store.attach(image, bundle, PREDICATE_TYPE)
    described = None if provenance is None else _attach_provenance(store, image, provenance, evidence)
    for tag in tags:
        store.tag(image, tag)
        say(f"tag {tag} set")
    return Published(evidence, described)


def _attach_provenance(
    store: Store, image: Image, provenance: SignedProvenance, evidence: Descriptor
) -> Descriptor:
    try:
        return store.attach(image, provenance.bundle, provenance.predicate_type)
    except Unavailable as error:
        raise Unavailable(
            f"the evidence was attached ({evidence.digest}), its provenance was not, and no tag was set: {error}; "
            "run attach again",
            error.reason,
        ) from error


def read_files(words: tuple[str, ...]) -> dict[str, bytes]:
    """The files of `--file NAME=PATH`.

    Raises: Misused.
    """
    files: dict[str, bytes] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise Misused(f"--file: expected NAME=PATH, found {word[:200]!r}")
        if name in files or name.lower().endswith((".link", ".layout")):
            raise Misused(
                f"--file: expected a name that nothing else in the evidence has, found {name[:200]!r}"
            )
        files[name] = read_capped(Path(path), EVIDENCE_CAP, "the file")
    return files


def _evidence_file(content: bytes) -> EvidenceFile:
    """A file as evidence holds it."""
    return EvidenceFile(sha256(content).hexdigest(), content)


def _too_large(size: int, links: Mapping[str, bytes], files: Mapping[str, bytes]) -> str:
    name, content = max((*links.items(), *files.items()), key=lambda item: len(item[1]))
    remedy = (
        "record a large tree as one artifact, with dir:PATH for PATH"
        if name in links
        else "leave the file out, and let a step record its digest as a product"
    )
    return (
        f"the evidence has {size} bytes, and at most {ATTACHED_CAP} are attached. The largest part is "
        f"{name} with {len(content)} bytes: {remedy}"
    )
