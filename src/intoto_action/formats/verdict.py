"""A verdict: what `verify` found, as data; JSON output is this struct encoded."""

from __future__ import annotations

import msgspec

from intoto_action.reason import ExitCode, Finding, Reason

PASS = "pass"  # noqa: S105 - the outcome, no password
DENY = "deny"
ERROR = "error"


class Signer(msgspec.Struct, frozen=True):
    """Who signed a link, and in which file of the evidence the link lay."""

    who: str
    link: str


class StepReport(msgspec.Struct, frozen=True):
    """One step of the layout: who was expected, how many of them, who signed; `verdict` is pass, deny or unchecked."""

    name: str
    functionaries: tuple[str, ...]
    threshold: int
    signers: tuple[Signer, ...] = ()
    verdict: str = "unchecked"


class LayoutReport(msgspec.Struct, frozen=True):
    """The layout that decided: digest of its payload, who signed it, when it ends, where it came from."""

    sha256: str
    signers: tuple[str, ...]
    expires: str
    source: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for one image or directory of links.

    `verdict` is pass, deny, error or rehearsed; `reason` the code of the first finding, None on a pass; `subject`
    says how the image was bound, or why it was not; `criteria` are the demands that were enforced, in words;
    `notes` are facts that change nothing.
    """

    verdict: str
    reason: Reason | None = None
    image: str = ""
    layout: LayoutReport | None = None
    steps: tuple[StepReport, ...] = ()
    explanation: tuple[Finding, ...] = ()
    subject: str = ""
    criteria: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """What the process ends with."""
        if self.verdict == PASS:
            return ExitCode.PASS
        if self.verdict == ERROR:
            return ExitCode.INFRASTRUCTURE
        return self.reason.exit_code if self.reason else ExitCode.DENIED


def encode_verdict(verdict: Verdict) -> bytes:
    """JSON for machines; the keys are those of the contract."""
    return msgspec.json.encode(verdict)
