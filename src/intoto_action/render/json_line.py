"""A verdict as JSON on a line of its own, which a terminal or the log of a runner may show too."""

from __future__ import annotations

import json

import msgspec

from intoto_action.formats.verdict import Verdict, encode_verdict


def json_line(verdict: Verdict) -> str:
    """The verdict encoded, in ASCII, with a last newline; whoever decodes it gets every character back.

    Escapes keep what others wrote from moving a cursor (C1 and bidirectional controls are beyond ASCII) and from
    starting a command: the log of a GitHub runner is read for `##[name]` anywhere in a line (actions/runner,
    ActionCommand.TryParse), and JSON has `#` inside strings only.
    """
    document: dict[str, object] = msgspec.json.decode(encode_verdict(verdict))
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return text.replace("##[", "#\\u0023[").replace("\x7f", "\\u007f") + "\n"
