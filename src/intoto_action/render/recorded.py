"""What record and sign did, as Markdown for the summary of a job.

The names in it are those of a workflow that may be anybody's proposal: everything is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from intoto_action.formats.link import Link
from intoto_action.reason import Topic
from intoto_action.render.escape import code, visible
from intoto_action.render.escape import markdown as escaped
from intoto_action.render.sentences import anchor

_COMMAND = 200
_YAML_LINE = 4096
_BACKTICKS = re.compile("`+")


def recorded(link: Link, sha256: str) -> str:
    """A step and its link: what ran, how much went in and came out, the digest of what the link says."""
    rows = [("link", code(sha256))]
    if link.command:
        rows.append(("command", code(" ".join(link.command), limit=_COMMAND)))
    rows += [("materials", str(len(link.materials))), ("products", str(len(link.products)))]
    lines = [f"### Recorded: step {code(link.name)}", "", *_table(rows)]
    return "\n".join([*lines, ""])


def not_recorded(step: str, why: str, topic: Topic | None = None) -> str:
    """A step of which there is no link, why, and where that is explained."""
    return f"### Not recorded: step {code(step)}\n\n{escaped(why, limit=2000)}\n{_docs(topic)}"


def signed(step: str, sha256: str, who: str, functionary: str) -> str:
    """Who signed the link of a step: `functionary` is YAML to paste into a layout.yaml."""
    return (
        f"**Signed**: step {code(step)}, link {code(sha256)}, by {code(who)}.\n\n"
        f"<details><summary>The signer, to paste below <code>functionaries:</code> of layout.yaml</summary>\n\n"
        f"{_fenced(functionary, 'yaml')}\n\n</details>\n"
    )


def not_signed(step: str, why: str, topic: Topic | None = None) -> str:
    """A link that was left unsigned, why, and where that is explained when it is an error."""
    return f"**Not signed**: step {code(step)}: {escaped(why, limit=2000)}\n{_docs(topic)}"


def _docs(topic: Topic | None) -> str:
    return f"\n{code(anchor(topic))}\n" if topic is not None else ""


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    return ["| | |", "| --- | --- |", *(f"| {label} | {value} |" for label, value in rows)]


def _fenced(text: str, language: str) -> str:
    """A block of code whose fence is longer than any run of backticks in it (CommonMark 0.31, section 4.5)."""
    lines = [visible(line, limit=_YAML_LINE) for line in text.splitlines()]
    longest = max((len(run) for line in lines for run in _BACKTICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *lines, fence])
