"""What kept a verb from its work, as Markdown for the summary of a job."""

from __future__ import annotations

from intoto_action.reason import Denied, IntotoActionError, Unavailable
from intoto_action.render.escape import code
from intoto_action.render.escape import markdown as escaped
from intoto_action.render.sentences import anchor

_LONGEST = 4000


def failed(heading: str, error: IntotoActionError) -> str:
    """The sentence of the error, and where its reason is explained when it has one."""
    blocks = [
        f"### {heading}",
        *(escaped(line, limit=_LONGEST) for line in str(error).splitlines() if line.strip()),
    ]
    if isinstance(error, Denied | Unavailable):
        blocks.append(code(anchor(error.reason)))
    return "\n\n".join(blocks) + "\n"
