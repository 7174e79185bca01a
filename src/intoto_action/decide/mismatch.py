"""A valid certificate of somebody else: what differs, and what that mostly means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from intoto_action.reason import Finding, Reason
from intoto_action.trust.identities import Difference

_PULL_REQUEST = (
    "A pull request run signs with its merge ref. Verify images built from a branch or a tag, or give pull requests a "
    "layout of their own."
)
_OTHER_REF = (
    "The same workflow ran for another branch or tag. Build from the one that the layout names, or let the layout name "
    "this one too (a ref may end in *)."
)
_CALLER = (
    "A reusable workflow has the same identity whoever calls it. This time another repository did; if it may, the "
    "layout names it as a functionary of its own."
)
_RE_REGISTERED = (
    "A repository or owner of this name has another number than the layout's: renamed, moved, or registered again by "
    "somebody else. Find out which before the layout is changed."
)
_ISSUER = "Another identity provider vouched for this signer. Look at where the step ran."
_BY_CLAIM = {
    "source-repository": _CALLER,
    "source-repository-id": _RE_REGISTERED,
    "source-owner-id": _RE_REGISTERED,
    "issuer": _ISSUER,
}


def identity_findings(step: str, where: str, differences: Iterable[Difference]) -> Iterator[Finding]:
    """An IDENTITY_MISMATCH for everything that differs, with the one thing to do where it can be told."""
    for each in differences:
        yield Finding(
            reason=Reason.IDENTITY_MISMATCH,
            step=step,
            where=where,
            expected=each.expected,
            found=each.found,
            advice=_advice(each),
        )


def _advice(difference: Difference) -> str:
    """Empty when only the general advice is left."""
    workflow, at, _ = difference.expected.partition("@refs/")
    found_workflow, found_at, ref = difference.found.partition("@refs/")
    if at and found_at:
        if ref.startswith("pull/"):
            return _PULL_REQUEST
        return _OTHER_REF if workflow == found_workflow else ""
    return _BY_CLAIM.get(difference.expected.partition(" ")[0], "")
