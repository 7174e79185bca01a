"""A rehearsal: a directory of links, signed or not, held against a layout in all but who signed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from intoto_action.decide.demands import Demands
from intoto_action.decide.rehearsal import rehearse
from intoto_action.formats.envelope import PAYLOAD_TYPE, Envelope, Signature, Wrapper, pae
from intoto_action.formats.evidence import Evidence, parse_signed
from intoto_action.formats.key import PublicKey
from intoto_action.formats.verdict import Verdict
from intoto_action.keys.keygen import throw_away
from intoto_action.keys.sigstore_root import SigstoreRoot
from intoto_action.reason import Malformed, Misused, Unavailable
from intoto_action.trust.keyless import TrustRoot
from intoto_action.verify.verify import undecided


def rehearse_links(
    signed: Iterable[tuple[str, bytes]],
    unsigned: Iterable[tuple[str, bytes]],
    demands: Demands,
    *,
    at: datetime,
    sigstore: SigstoreRoot,
) -> Verdict:
    """Decide over links by file name as if the right functionaries had signed them; the verdict is never a pass.

    Of the `signed` ones only the payload is taken; `unsigned` are payloads. Each gets a signature by a throw-away key
    of its own, in memory.
    Raises: Misused without a layout and its owner's key, and for demands on what a directory of links does not have.
    """
    layout = demands.layout
    if layout is None or demands.layout_trust is None:
        raise Misused("expected a layout and its owner's key for a rehearsal: what is it held against?")
    if demands.attesters or demands.provenance is not None or demands.subject_step or demands.same_as:
        raise Misused("expected no demands on an image or what is attached to it: a rehearsal has neither")
    links: dict[str, Envelope] = {}
    faults: dict[str, Malformed] = {}
    stand_ins: dict[str, PublicKey] = {}
    for name, document in signed:
        try:
            payload = parse_signed(document, f"the link directory, {name}").payload
        except Malformed as fault:
            faults[name] = fault
            continue
        links[name] = _signed(payload, stand_ins)
    for name, payload in unsigned:
        links[name] = _signed(payload, stand_ins)
    evidence = Evidence(layout, links, {}, faults)
    try:
        return sigstore.deciding(partial(_rehearse, layout, evidence, stand_ins, demands, at))
    except Unavailable as error:
        return undecided(demands, error)


def _signed(payload: bytes, stand_ins: dict[str, PublicKey]) -> Envelope:
    """The payload with one signature; its key is added to `stand_ins`."""
    signer = throw_away()
    stand_ins[signer.key.keyid] = signer.key
    signature = Signature(signer.key.keyid, signer.sign(pae(PAYLOAD_TYPE, payload)))
    return Envelope(Wrapper.DSSE, PAYLOAD_TYPE, payload, (signature,), b"")


def _rehearse(
    layout: Envelope,
    evidence: Evidence,
    stand_ins: dict[str, PublicKey],
    demands: Demands,
    at: datetime,
    root: TrustRoot | None,
) -> Verdict:
    return rehearse(layout, evidence, stand_ins, demands, at=at, sigstore=root)
