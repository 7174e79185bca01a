"""The prose of the house: findings as sentences for a person, the same for every output.

A line here is plain text that may hold what others wrote: whoever prints it escapes it for where it goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from intoto_action.formats.verdict import DENY, ERROR, PASS, StepReport, Verdict
from intoto_action.reason import ExitCode, Finding, Reason, Topic

MOST_ARTIFACTS = 10
"""Artifacts of one finding that are listed; the rest is counted."""

ARTIFACT = "artifact"
"""The label of the artifacts among the facts of a finding."""

DOCS = "docs/reason-codes.md"

_ADVICE = {
    Reason.INVALID_REFERENCE: "Write the image as REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:….",
    Reason.MUTABLE_REFERENCE: "Name the image by its digest: a tag can point to another image tomorrow.",
    Reason.NO_ATTESTATION: (
        "Attach the evidence with `intoto-action attach`, to this digest and in this registry; an "
        "image that was rebuilt, or copied without its referrers, has none."
    ),
    Reason.REGISTRY_ERROR: "Look at the registry and at your access to it, and try again.",
    Reason.SUBJECT_MISMATCH: "The evidence speaks of another image: it was copied, or the image was rebuilt since.",
    Reason.LAYOUT_SIGNATURE: (
        "Check that --layout-key is the key of the layout's owner, and who signed the layout "
        "(`intoto-action layout show`)."
    ),
    Reason.LAYOUT_EXPIRED: "Sign the layout anew with a later `expires`, and attach the evidence again.",
    Reason.LAYOUT_REVOKED: "The verifier has taken this layout, or a key of it, out of use: use the newest layout.",
    Reason.LAYOUT_INVALID: "Run `intoto-action layout lint` on the layout, correct it and sign it anew.",
    Reason.ATTESTATION_SIGNATURE: (
        "Whoever attached this is no attester, no signer of the layout and no functionary: attach "
        "with one of their keys, or name the key with --attester."
    ),
    Reason.LINK_MISSING: "The step did not run, or its link was not in the --link-dir of `attach`: look at the run.",
    Reason.LINK_INVALID: "Record the step again; if the link was altered on the way, find out where.",
    Reason.LINK_SIGNATURE: (
        "Sign the step with a key that the layout lists for it, or list this key in the layout; if "
        "it is the right key, the link was altered after it was signed."
    ),
    Reason.IDENTITY_MISMATCH: "Run the step in the workflow and on the branch that the layout names.",
    Reason.THRESHOLD: "More of the step's functionaries must record the step and sign it.",
    Reason.RULE_VIOLATION: (
        "Compare what the steps recorded: where a digest is another one for the first time, there "
        "the artifact was changed; what no step recorded came from outside."
    ),
    Reason.SUBJECT_UNBOUND: (
        "No step from which the layout asks for it recorded this image as its product: record the "
        "push with --products oci:NAME@DIGEST, and say `subject` in the layout (or --subject-step)."
    ),
    Reason.SOURCE_MISMATCH: "Build from the repository, branch and event that the layout's `source` names.",
    Reason.RUN_MISMATCH: "Record all steps in one run, and attach the links of that run only.",
    Reason.INSPECTION_FAILED: "Look at what the inspection found: the signed layout asks for it.",
    Reason.INSPECTION_REFUSED: (
        "Only built-in inspections run here: take the evidence out with `intoto-action evidence "
        "extract`, and run stock in-toto-verify on it."
    ),
    Reason.PROVENANCE_MISSING: (
        "Attach provenance to this digest (`attach --provenance auto` in a GitHub Actions job, `--provenance FILE` "
        "elsewhere), or give its bundle with --bundle."
    ),
    Reason.PROVENANCE_MISMATCH: (
        "Verify an image that the demanded workflow built from the demanded source; if this one was, attach "
        "provenance by that workflow itself."
    ),
    Reason.SIGSTORE_UNAVAILABLE: "Try again; if it lasts, look at the status page of the Sigstore instance.",
    Reason.KEY_UNAVAILABLE: "Look at the service or the device that holds the key, and at your access to it.",
    Reason.OVERLOADED: "Try again in a moment; if it lasts, give the service more room.",
    Reason.INTERNAL_ERROR: "This is a fault of intoto-action, not of the image: report it.",
}


def advice(finding: Finding) -> str:
    """What to do or to look at next: the finding's own, or the one of its reason."""
    return finding.advice or _ADVICE[finding.reason]


def anchor(topic: Topic) -> str:
    """Where the documentation explains it. The scripts of the actions (`fail`) write the same without Python."""
    return f"{DOCS}#{topic.value}"


def place(finding: Finding) -> str:
    """Where it was found: the step, and the document."""
    step = f'step "{finding.step}"' if finding.step else ""
    return " · ".join(each for each in (step, finding.where) if each)


def facts(finding: Finding) -> list[tuple[str, tuple[str, ...]]]:
    """The finding as labels and their values, in the order in which a person wants them."""
    rows: list[tuple[str, tuple[str, ...]]] = [("expected", (finding.expected,)), ("found", (finding.found,))]
    if finding.rule:
        rows.append(("rule", (finding.rule,)))
    if finding.artifacts:
        rows.append((ARTIFACT, _first_few(finding.artifacts)))
    if finding.sightings:
        seen = tuple(f"{each.step}, {each.where}: {each.recorded}" for each in finding.sightings)
        rows.append(("seen", seen))
    return rows


def what_happened(finding: Finding) -> str:
    """One sentence for outputs with room for no more."""
    at = place(finding)
    return f"{at + ': ' if at else ''}expected {finding.expected}, found {finding.found}. {advice(finding)}"


def kind(finding: Finding) -> str:
    """`denied`, or `error` for what says nothing about the image."""
    return "error" if finding.reason.exit_code is ExitCode.INFRASTRUCTURE else "denied"


def signed_by(step: StepReport) -> str:
    """Who signed the step's links, in words."""
    return ", ".join(f"{each.who} ({each.link})" for each in step.signers) or "nobody"


def wanted_from(step: StepReport) -> str:
    """Who was expected to sign the step's links, in words."""
    functionaries = ", ".join(step.functionaries) or "nobody"
    return f"{step.threshold} of {functionaries}" if len(step.functionaries) != 1 else functionaries


def heading(verdict: Verdict) -> str:
    """The outcome in a word or two."""
    word = {PASS: "PASS", DENY: "DENIED", ERROR: "ERROR"}.get(verdict.verdict, verdict.verdict.upper())
    return f"{word}: {verdict.reason.value}" if verdict.reason else word


def tally(verdicts: Sequence[Verdict]) -> str:
    """How many of several images came to which outcome."""
    counts = Counter(verdict.verdict for verdict in verdicts)
    return f"{len(verdicts)} verdicts: " + ", ".join(f"{count} {word}" for word, count in counts.items())


def _first_few(artifacts: tuple[str, ...]) -> tuple[str, ...]:
    rest = len(artifacts) - MOST_ARTIFACTS
    return artifacts[:MOST_ARTIFACTS] + ((f"and {rest} more",) if rest > 0 else ())
