"""Phase 11: does provenance say what is demanded, and may its signer say so?

Only specific pairs of signer and builder count (SLSA provenance, `builder.id`). With a certificate the builder is the
one that the certificate names, and what the certificate says of the source wins. A key vouches for nothing by itself:
there it is whoever may sign evidence. Everything is looked at in that order, so that of a stranger nothing is parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from intoto_action.decide.attestation import Attestation
from intoto_action.decide.binding import statement_is_about
from intoto_action.decide.demands import Demands, ProvenanceDemand
from intoto_action.formats.build import Provenance
from intoto_action.formats.certificate import Certificate
from intoto_action.formats.identity import Identity
from intoto_action.formats.issuer import origin_of, server_of
from intoto_action.formats.key import Key
from intoto_action.formats.provenance import parse_provenance
from intoto_action.formats.reference import Image
from intoto_action.reason import Denied, Finding, Malformed, Reason
from intoto_action.trust.identities import matches
from intoto_action.trust.keyless import TrustRoot
from intoto_action.trust.signature import examine, examine_certificates

_RUNNER = "actions/runner"
_SIGNER, _FORM, _SUBJECT, _SOURCE, _CONTENT = range(5)
"""How far a provenance that does not pass got, in the order of the checks; what speaks of another source than the one
demanded is mostly a stranger's, and hides none of ours.
"""


class VouchedProvenance(msgspec.Struct, frozen=True):
    """Provenance that `accept_provenance` let through: only it makes them. `signer` is its signer in words.

    `certificate` is the signer's, when it was not one of the keys that may sign evidence.
    """

    attestation: Attestation
    provenance: Provenance
    signer: str
    certificate: Certificate | None = None

    def __str__(self) -> str:
        source = self.provenance.source
        named = f" from {source.repository} {source.ref}".rstrip() if source.repository else ""
        return f"{self.attestation.where}: built by {self.provenance.builder}{named}; signed by {self.signer}"


class _Signer(msgspec.Struct, frozen=True):
    """Who signed, in words; `certificate` when it was not one of the keys that may sign evidence."""

    words: str
    certificate: Certificate | None = None


class _Refused(msgspec.Struct, frozen=True):
    stage: int
    findings: tuple[Finding, ...]

    @property
    def rank(self) -> tuple[int, int]:
        return self.stage, -len(self.findings)


def accept_provenance(
    attestations: Sequence[Attestation],
    image: Image | None,
    demands: Demands,
    functionaries: Sequence[Key],
    sigstore: TrustRoot | None,
) -> VouchedProvenance:
    """The first provenance that says what is demanded of the image, by somebody who may say so.

    `functionaries` are the keys of the layout that was accepted. Those signed by keys are looked at first: they need
    no trust root. When none passes, the one that got furthest is explained.
    Raises: Denied with PROVENANCE_MISSING or PROVENANCE_MISMATCH. SigstoreNeeded.
    """
    if image is None or not attestations:
        raise Denied(_missing(image))
    roots = demands.layout_trust.keys if demands.layout_trust else ()
    keys = _keys(demands.attesters or (*roots, *functionaries), demands)
    refused: list[_Refused] = []
    by_keys = [(each, _signed_by_a_key(each, keys)) for each in attestations]
    for each, signer in sorted(by_keys, key=lambda pair: pair[1] is None):
        found = _assess(each, signer, image, demands, keys, sigstore)
        if isinstance(found, VouchedProvenance):
            return found
        refused.append(found)
    raise Denied(*max(refused, key=lambda each: each.rank).findings)


def _assess(
    attestation: Attestation,
    signer: _Signer | None,
    image: Image,
    demands: Demands,
    keys: Sequence[Key],
    sigstore: TrustRoot | None,
) -> VouchedProvenance | _Refused:
    where = attestation.where
    try:
        signer = signer or _signed_by_a_certificate(attestation, demands, keys, sigstore)
    except Denied as denied:
        return _Refused(_SIGNER, denied.findings)
    try:
        statement, provenance = parse_provenance(attestation.envelope.payload, where)
    except Malformed as error:
        return _Refused(_FORM, (_mismatch(error.where, error.expected, error.found),))
    try:
        statement_is_about(statement, image)
    except Denied as denied:
        wrong = tuple(_mismatch(where, each.expected, each.found) for each in denied.findings)
        return _Refused(_SUBJECT, wrong)
    demand = demands.provenance or ProvenanceDemand()
    facts = (*_contradictions(provenance, signer.certificate, demand), *_differences(provenance, demand))
    if facts:
        elsewhere = demand.source_repository not in {"", provenance.source.repository}
        stage = _SOURCE if elsewhere else _CONTENT
        return _Refused(stage, tuple(_mismatch(where, expected, found) for expected, found in facts))
    return VouchedProvenance(attestation, provenance, signer.words, signer.certificate)


def _keys(allowed: Sequence[Key], demands: Demands) -> tuple[Key, ...]:
    """Those who may sign by a key. An identity is believed for what its certificate says, whoever lists it."""
    return tuple(key for key in allowed if not isinstance(key, Identity) and not demands.revoked.key(key))


def _signed_by_a_key(attestation: Attestation, keys: Sequence[Key]) -> _Signer | None:
    found = examine(attestation.envelope, keys, None, attestation.where).fits
    return _Signer(str(found[0])) if found else None


def _signed_by_a_certificate(
    attestation: Attestation, demands: Demands, keys: Sequence[Key], sigstore: TrustRoot | None
) -> _Signer:
    where = attestation.where
    certificates, faults = examine_certificates(attestation.envelope, sigstore, where)
    if certificates and not demands.revoked.certificate(certificates[0]):
        return _Signer(str(certificates[0]), certificates[0])
    expected = "provenance signed by its builder's certificate"
    if keys:
        expected += f", or by {', '.join(dict.fromkeys(str(key) for key in keys))}"
    found = "no valid signature by any of them"
    if certificates:
        found = f"one by {certificates[0]}, which is revoked"
    elif faults:
        found = f"a keyless one that does not hold: {faults[0].found} (expected {faults[0].expected})"
    raise Denied(_mismatch(where, expected, found))


def _contradictions(
    provenance: Provenance, certificate: Certificate | None, demand: ProvenanceDemand
) -> Iterator[tuple[str, str]]:
    """Expected and found, where the certificate does not vouch for what the provenance says."""
    if certificate is None:
        return
    server = server_of(certificate.issuer)
    builder, repository = certificate.claim("build-signer-uri"), certificate.claim("source-repository")
    if not server or origin_of(builder) != server:
        yield (
            f"the certificate of a builder on {server or 'the server of its issuer'}",
            f"builder {builder or 'not named'} vouched for by issuer {certificate.issuer or 'not named'}",
        )
    elif not demand.builder_id and repository and origin_of(repository) != server:
        yield f"a source on {server}, or a builder that is demanded by name (--builder-id)", repository
    runner = certificate.claim("runner-environment")
    # What actions/attest wrote until 2024; the certificate vouches for that too.
    earlier = f"{server}/{_RUNNER}/{runner}" if runner else ""
    if provenance.builder not in {builder, earlier} - {""}:
        yield f"builder {builder or 'not named'}, as its certificate says", f"builder {provenance.builder}"
    source = provenance.source
    for what, vouched, said in (
        ("source repository", repository, source.repository),
        ("source ref", certificate.claim("source-ref"), source.ref),
    ):
        if vouched != said:
            yield f"{what} {vouched or 'not named'}, as its certificate says", f"{what} {said or 'not named'}"
    commit = certificate.claim("source-digest")
    if source.commit and commit != source.commit:
        yield f"commit {commit or 'not named'}, as its certificate says", f"commit {source.commit}"


def _differences(provenance: Provenance, demand: ProvenanceDemand) -> Iterator[tuple[str, str]]:
    """Expected and found, where the provenance says something else than is demanded."""
    source = provenance.source
    for what, flag, wanted, said in (
        ("builder", "--builder-id", demand.builder_id, provenance.builder),
        ("source repository", "--source-repository", demand.source_repository, source.repository),
        ("source ref", "--source-ref", demand.source_ref, source.ref),
    ):
        if wanted and not (said == wanted if what == "source repository" else matches(wanted, said)):
            yield f"{what} {wanted} ({flag})", f"{what} {said or 'not named'}"


def _missing(image: Image | None) -> Finding:
    return Finding(
        reason=Reason.PROVENANCE_MISSING,
        where=str(image) if image else "the links",
        expected="SLSA provenance (v1 or v0.2) attached to the image",
        found="none of that kind" if image else "no image",
    )


def _mismatch(where: str, expected: str, found: str) -> Finding:
    return Finding(reason=Reason.PROVENANCE_MISMATCH, where=where, expected=expected, found=found)
