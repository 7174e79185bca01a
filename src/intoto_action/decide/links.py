"""Phases 5 and 6: the links of every step: there, valid, signed by enough different functionaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from intoto_action.decide.demands import Revoked
from intoto_action.decide.mismatch import identity_findings
from intoto_action.formats.envelope import Envelope
from intoto_action.formats.evidence import Evidence
from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key
from intoto_action.formats.layout import Layout, Step
from intoto_action.formats.link import Link, link_file_name, parse_link, step_of_file_name
from intoto_action.reason import Denied, Finding, Malformed, Reason
from intoto_action.trust.counting import distinct
from intoto_action.trust.keyless import TrustRoot
from intoto_action.trust.signature import Signatures, SignedBy, examine


class VerifiedLink(msgspec.Struct, frozen=True):
    """A valid link by a functionary of the step: only `assess_links` makes them.

    `signed_by` has the functionary as the layout lists it, and who signed for it.
    """

    link: Link
    signed_by: SignedBy
    file_name: str
    envelope: Envelope

    @property
    def functionary(self) -> Key:
        """The key or identity of the layout."""
        return self.signed_by.key


class _Assessed(msgspec.Struct, frozen=True):
    """One file that claims to be a link of the step, and what is to be said of it."""

    file_name: str
    envelope: Envelope | None
    link: Link | None
    faults: tuple[Finding, ...]
    signatures: Signatures
    fits: tuple[SignedBy, ...]
    named: bool

    @property
    def good(self) -> bool:
        return self.link is not None and not self.faults and bool(self.fits)

    @property
    def revoked(self) -> tuple[SignedBy, ...]:
        return tuple(each for each in self.signatures.fits if each not in self.fits)


class Assessment(msgspec.Struct, frozen=True):
    """The links of every step: `verified` those that count, the rest with what is to be said of it."""

    layout: Layout
    verified: dict[str, tuple[VerifiedLink, ...]]
    _assessed: dict[str, tuple[_Assessed, ...]]

    def require(self) -> None:
        """Every step has enough valid links by different functionaries.

        A link that is not valid denies, whoever else signed a good one, when a functionary signed it or its
        file has a functionary's name. Any other that no functionary signed says nothing: it is passed over when
        enough others are there, and explained when not.
        Raises: Denied with LINK_MISSING, LINK_INVALID, or with LINK_SIGNATURE, IDENTITY_MISMATCH, THRESHOLD.
        """
        steps = self.layout.steps
        short = [step for step in steps if len(self.verified[step.name]) < step.threshold]
        faults = [each for step in steps for each in _form(step, self._assessed[step.name], step in short)]
        if faults:
            raise Denied(*faults)
        missing = [
            each
            for step in short
            for each in _short(self.layout, step, self._assessed[step.name], self.verified[step.name])
        ]
        if missing:
            raise Denied(*missing)


def assess_links(
    layout: Layout,
    evidence: Evidence,
    revoked: Revoked,
    sigstore: TrustRoot | None = None,
    *,
    step_of: Callable[[str], str | None] = step_of_file_name,
) -> Assessment:
    """Look at every file that claims to be a link of a step, in the order of the layout.

    `step_of` says of which step a file claims to be, by its name.
    Raises: SigstoreNeeded.
    """
    assessed = {
        step.name: tuple(_assess_step(layout, step, evidence, revoked, sigstore, step_of))
        for step in layout.steps
    }
    verified = {step.name: _verified(assessed[step.name]) for step in layout.steps}
    return Assessment(layout, verified, assessed)


def _assess_step(
    layout: Layout,
    step: Step,
    evidence: Evidence,
    revoked: Revoked,
    sigstore: TrustRoot | None,
    step_of: Callable[[str], str | None],
) -> Iterator[_Assessed]:
    functionaries = layout.functionaries(step)
    for file_name in sorted((*evidence.links, *evidence.faults)):
        if step_of(file_name) != step.name:
            continue
        # The reference opens a file for the key it is named for, and for no other. Who signed without a key is known
        # by the certificate, whatever the file is called.
        named = [key for key in functionaries if file_name == link_file_name(step.name, key.keyid)]
        envelope = evidence.links.get(file_name)
        if envelope is None:
            fault = _invalid(step, file_name, evidence.faults[file_name])
            yield _Assessed(file_name, None, None, (fault,), Signatures(), (), bool(named))
            continue
        identities = [key for key in functionaries if isinstance(key, Identity)]
        others = [key for key in named if key not in identities] or functionaries
        keys = [*identities, *(key for key in others if key not in identities)]
        signatures = examine(envelope, keys, sigstore, f"link {file_name}")
        link, faults = _read(step, file_name, envelope)
        counted = tuple(each for each in signatures.fits if not revoked.signature(each))
        yield _Assessed(file_name, envelope, link, faults, signatures, counted, bool(named))


def _read(step: Step, file_name: str, envelope: Envelope) -> tuple[Link | None, tuple[Finding, ...]]:
    try:
        link = parse_link(envelope.payload, f"link {file_name}")
    except Malformed as error:
        return None, (_invalid(step, file_name, error),)
    return link, tuple(_content_faults(step, file_name, link))


def _content_faults(step: Step, file_name: str, link: Link) -> Iterator[Finding]:
    """What in-toto's specification demands of a link and the reference verifier does not look at.

    Source: in-toto specification 1.0, 4.4 (the name) and 4.3.2 (byproducts).
    """
    where = f"link {file_name}"
    if link.name != step.name:
        yield _finding(
            Reason.LINK_INVALID, step, where, f"a link of step {step.name!r}", f"a link of step {link.name!r}"
        )
    returned = link.byproducts.get("return-value")
    absent = "return-value" not in link.byproducts and not link.command
    if not absent and not (type(returned) is int and returned == 0):
        found = (
            f"return-value {returned!r}"
            if "return-value" in link.byproducts
            else "a command, but no return-value"
        )
        yield _finding(Reason.LINK_INVALID, step, where, "return-value 0, the command's success", found)


def _verified(assessed: Iterable[_Assessed]) -> tuple[VerifiedLink, ...]:
    """Each file for one signer, each signer once and each functionary once, as the reference counts.

    Of two links by one signer the one that is named for a functionary counts: the reference opens no other.
    """
    taken: dict[str, _Assessed] = {}
    for each in sorted(assessed, key=lambda each: not each.named):
        free = [fit.signer for fit in each.fits if fit.signer not in taken]
        if each.good and free:
            taken[free[0]] = each
    fits = [fit for signer, each in taken.items() for fit in each.fits if fit.signer == signer]
    return tuple(
        VerifiedLink(each.link, fit, each.file_name, each.envelope)
        for fit in distinct(fits)
        if (each := taken[fit.signer]).link is not None and each.envelope is not None
    )


def _form(step: Step, assessed: tuple[_Assessed, ...], short: bool) -> Iterator[Finding]:
    if not assessed:
        who = f"a link of step {step.name!r} ({step.name}.<keyid>.link)"
        yield _finding(Reason.LINK_MISSING, step, "the evidence", who, "none")
    for each in assessed:
        if each.fits or each.named or short:
            yield from each.faults


def _short(
    layout: Layout, step: Step, assessed: tuple[_Assessed, ...], verified: tuple[VerifiedLink, ...]
) -> Iterator[Finding]:
    names = ", ".join(str(key) for key in layout.functionaries(step))
    refused = [each for each in assessed if not each.fits]
    for each in refused:
        where = f"link {each.file_name}"
        if each.signatures.differences and not each.revoked:
            yield from identity_findings(step.name, where, each.signatures.differences)
        else:
            yield _finding(
                Reason.LINK_SIGNATURE, step, where, f"a valid signature by {names}", _signature_fault(each)
            )
    if not refused:
        found = f"{len(verified)}: {', '.join(str(each.signed_by) for each in verified)}"
        expected = f"links by {step.threshold} different functionaries of {names}"
        yield _finding(Reason.THRESHOLD, step, "the evidence", expected, found)


def _signature_fault(assessed: _Assessed) -> str:
    if assessed.revoked:
        return f"one by {', '.join(str(each) for each in assessed.revoked)}, which is revoked"
    if assessed.envelope is None or not assessed.envelope.signatures:
        return "no signature at all"
    if assessed.signatures.faults:
        fault = assessed.signatures.faults[0]
        return f"one that does not hold: {fault.found} (expected {fault.expected})"
    hints = sorted({each.keyid[:8] or "no keyid" for each in assessed.envelope.signatures})
    return f"none by them (the signatures claim {', '.join(hints)})"


def _invalid(step: Step, file_name: str, error: Malformed) -> Finding:
    return _finding(
        Reason.LINK_INVALID, step, error.where or f"link {file_name}", error.expected, error.found
    )


def _finding(reason: Reason, step: Step, where: str, expected: str, found: str) -> Finding:
    return Finding(reason=reason, step=step.name, where=where, expected=expected, found=found)
