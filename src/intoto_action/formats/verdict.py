"""A verdict: what `verify` found, as data; JSON output is this struct encoded."""

from __future__ import annotations

import json

import msgspec

from intoto_action.reason import ExitCode, Finding, Reason

PASS = "pass"  # noqa: S105 - the outcome, no password
DENY = "deny"
ERROR = "error"
REHEARSED = "rehearsed"
"""All but who signed was decided, and would pass."""


class Signer(msgspec.Struct, frozen=True):
    """Who signed a link, and in which file of the evidence the link lay."""

    who: str
    link: str


class Flow(msgspec.Struct, frozen=True):
    """What the layout says a step has from an earlier one: the pattern of a MATCH, and the step it is from."""

    step: str
    pattern: str


class StepReport(msgspec.Struct, frozen=True):
    """One step of the layout: who was expected, how many of them, who signed, and what it has from earlier steps.

    `verdict` is pass, deny, rehearsed or unchecked.
    """

    name: str
    functionaries: tuple[str, ...]
    threshold: int
    signers: tuple[Signer, ...] = ()
    verdict: str = "unchecked"
    receives: tuple[Flow, ...] = ()


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
        if self.verdict == REHEARSED:
            return ExitCode.REHEARSED
        return self.reason.exit_code if self.reason else ExitCode.DENIED


def encode_verdict(verdict: Verdict) -> bytes:
    """JSON for machines, in ASCII on one line; the keys are those of the contract.

    A terminal or a log may show it too. So controls beyond ASCII are escaped, and `##[`, which in the log of a GitHub
    runner starts a command wherever it stands (actions/runner, ActionCommand.TryParse): JSON has `#` in strings only.
    Bytes of a file name that are no UTF-8 are written out as text, because JSON cannot hold them.
    """
    text = json.dumps(_in_unicode(msgspec.to_builtins(verdict)), ensure_ascii=True, separators=(",", ":"))
    return text.replace("##[", "#\\u0023[").replace("\x7f", "\\u007f").encode("ascii")


def _in_unicode(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _in_unicode(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_in_unicode(each) for each in value]
    return value
