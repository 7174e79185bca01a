"""Phase 3: is this a layout that the verifier trusts, now?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from intoto_action.decide.demands import Demands, Trust
from intoto_action.decide.lint import error_findings
from intoto_action.formats.envelope import Envelope
from intoto_action.formats.layout import INSTANT, Layout, parse_layout
from intoto_action.reason import Denied, Finding, Malformed, Reason
from intoto_action.trust.counting import distinct
from intoto_action.trust.keyless import TrustRoot
from intoto_action.trust.signature import Signatures, SignedBy, examine


class TrustedLayout(msgspec.Struct, frozen=True):
    """A layout that `accept_layout` let through: only it makes them.

    `sha256` is the hex digest of the signed payload; `signers` are the roots that signed it (empty when nobody said
    who the roots are).
    """

    layout: Layout
    sha256: str
    signers: tuple[SignedBy, ...]


def accept_layout(
    envelope: Envelope, demands: Demands, *, at: datetime, sigstore: TrustRoot | None = None
) -> TrustedLayout:
    """The layout, when enough roots signed it, it has not ended or been revoked, and it is well made.

    Nothing of the payload is read before its signatures are good.
    Raises: Denied with LAYOUT_SIGNATURE, LAYOUT_EXPIRED, LAYOUT_REVOKED, LAYOUT_INVALID. SigstoreNeeded.
    """
    trust = demands.layout_trust
    signers = () if trust is None else _signers(envelope, trust, demands, sigstore)
    try:
        layout = parse_layout(envelope.payload, "the layout")
        layout.all_functionaries()
    except Malformed as error:
        raise Denied(_finding(Reason.LAYOUT_INVALID, error.expected, error.found, error.where)) from error
    findings = (
        *_age_findings(layout, demands, at),
        *_revocation_findings(envelope, demands),
        *error_findings(layout),
    )
    if findings:
        raise Denied(*findings)
    return TrustedLayout(layout, envelope.sha256, signers)


def _signers(
    envelope: Envelope, trust: Trust, demands: Demands, sigstore: TrustRoot | None
) -> tuple[SignedBy, ...]:
    signatures = examine(envelope, trust.keys, sigstore, "the layout")
    counted = distinct(tuple(each for each in signatures.fits if not demands.revoked.signature(each)))
    if len(counted) >= trust.threshold:
        return counted
    wanted = f"{trust.threshold} of {', '.join(str(key) for key in trust.keys)}"
    revoked = [each for each in signatures.signers if demands.revoked.signature(each)]
    if revoked:
        found = f"signatures by revoked keys: {', '.join(str(each) for each in revoked)}"
        raise Denied(_finding(Reason.LAYOUT_REVOKED, f"valid signatures by {wanted}", found))
    found = _found_signatures(envelope, counted, signatures)
    raise Denied(_finding(Reason.LAYOUT_SIGNATURE, f"valid signatures by {wanted}", found))


def _found_signatures(envelope: Envelope, counted: Sequence[SignedBy], signatures: Signatures) -> str:
    if counted:
        return f"only {', '.join(str(each) for each in counted)}"
    if not envelope.signatures:
        return "no signature at all"
    if signatures.strangers:
        return f"only {', '.join(str(each) for each in signatures.strangers)}"
    if signatures.faults:
        fault = signatures.faults[0]
        return f"one that does not hold: {fault.found} (expected {fault.expected})"
    hints = sorted({each.keyid[:8] or "no keyid" for each in envelope.signatures})
    return f"no valid one among {len(envelope.signatures)} (they claim {', '.join(hints)})"


def _age_findings(layout: Layout, demands: Demands, at: datetime) -> tuple[Finding, ...]:
    findings = []
    if layout.expires_at <= at:
        findings.append(
            _finding(
                Reason.LAYOUT_EXPIRED,
                f"a layout that lives at {at.strftime(INSTANT)}",
                f"one that ended {layout.expires}",
            )
        )
    floor = demands.layout_expires_after
    if floor is not None and layout.expires_at <= floor:
        expected = f"a layout that ends after {floor.strftime(INSTANT)} (--layout-expires-after)"
        findings.append(
            _finding(Reason.LAYOUT_REVOKED, expected, f"one that ends {layout.expires}: an older layout")
        )
    return tuple(findings)


def _revocation_findings(envelope: Envelope, demands: Demands) -> tuple[Finding, ...]:
    if envelope.sha256 not in demands.revoked.layouts:
        return ()
    return (
        _finding(
            Reason.LAYOUT_REVOKED, "a layout that is not revoked", f"sha256:{envelope.sha256}, which is"
        ),
    )


def _finding(reason: Reason, expected: str, found: str, where: str = "the layout") -> Finding:
    return Finding(reason=reason, expected=expected, found=found, where=where)
