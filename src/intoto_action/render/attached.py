"""What attach did, as Markdown for the summary of a job."""

from __future__ import annotations

from collections.abc import Mapping

from intoto_action.formats.verdict import PASS, Verdict
from intoto_action.render.chart import chart
from intoto_action.render.escape import code
from intoto_action.render.markdown import markdown


def attached(image: str, digests: Mapping[str, str], verdict: Verdict) -> str:
    """The image, and what was attached to it: `digests` by what it is. The verdict is what verify will say of it."""
    rows = [("image", code(image)), *((what, code(digest)) for what, digest in digests.items())]
    table = "\n".join(["| | |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in rows)])
    blocks = ["### Attached", table]
    if verdict.verdict == PASS:
        blocks += [picture] if (picture := chart(verdict.steps)) else []
    else:
        blocks += [
            "Verify will not let it pass; it was attached because it was asked for:",
            markdown([verdict]),
        ]
    return "\n\n".join(blocks) + "\n"


def not_attached(verdict: Verdict) -> str:
    """Why nothing was attached."""
    return f"### Not attached\n\nNothing was pushed, because verify would deny it:\n\n{markdown([verdict])}"
