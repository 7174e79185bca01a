"""What kept a verb from its work, as Markdown for the summary of a job."""

from __future__ import annotations

from intoto_action.reason import IntotoActionError
from intoto_action.render.escape import code
from intoto_action.render.escape import markdown as escaped
from intoto_action.render.sentences import anchor

_LONGEST = 4000


def failed(heading: str, error: IntotoActionError) -> str:
    """The sentence of the error, and where it is explained."""
    blocks = [
        f"### {heading}",
        *(escaped(line, limit=_LONGEST) for line in str(error).splitlines() if line.strip()),
    ]
    return "\n\n".join([*blocks, code(anchor(error.topic))]) + "\n"
