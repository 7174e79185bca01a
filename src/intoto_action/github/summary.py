"""The summary of a job: Markdown that the runner shows on the page of the run.

Source: GitHub documentation, workflow commands, adding a job summary: a step may write 1 MiB, and of one that writes
more nothing is shown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from intoto_action.system import open_to_append

VARIABLE = "GITHUB_STEP_SUMMARY"
CAP = 1 << 20
_CUT = "\n\n(More is in the log: the summary of a step has room for 1 MiB.)\n"


def append_summary(environ: Mapping[str, str], text: str) -> str | None:
    """Append Markdown, which ends with a line feed, to the summary of the step; why it could not be done, or None.

    A summary is for people and decides nothing, so that it cannot be written is no failure. A runner without
    summaries names no file, and nothing is missing there. The blank line in front ends whatever the step's command
    wrote; what does not fit is cut at a paragraph.
    """
    path = environ.get(VARIABLE, "")
    if not path:
        return None
    try:
        descriptor = open_to_append(path)
        with os.fdopen(descriptor, "wb") as file:
            room = CAP - os.fstat(descriptor).st_size
            file.write(_fitting(f"\n{text}".encode("utf-8", "backslashreplace"), room))
    except (OSError, ValueError) as error:
        return f"{VARIABLE} {path} cannot be written: {error}"
    return None


def _fitting(text: bytes, room: int) -> bytes:
    if len(text) <= room:
        return text
    kept = text[: max(0, room - len(_CUT))]
    end = kept.rfind(b"\n\n")
    return kept[:end] + _CUT.encode() if end > 0 else b""
