"""The one door through which text that others wrote reaches a person.

Artifact names, identities and the words of a registry are chosen by whoever can write a link or an image.
Shown as they are they could move the cursor, hide a line, start a workflow command or close a table.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 500
"""Characters of one value that are shown; what is cut is counted."""

_PLAIN = re.compile(r"[ -~]*\Z")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKDOWN_SAFE = frozenset(" /,-")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,64}PRIVATE KEY.*?(?:-----END [A-Z0-9 ]{0,64}PRIVATE KEY-----|\Z)", re.DOTALL
)
_COMMAND = re.compile(r"(\s*):(?=:)")


def without_private_key(text: str) -> str:
    """`text` without any private key in PEM: one that was given in place of a file or a layout is in our error."""
    return _PRIVATE_KEY.sub("(a private key, not shown)", text) if "PRIVATE KEY" in text else text


def visible(text: str, *, limit: int = LONGEST) -> str:
    """`text` on one line, with every character that has no shape of its own written as an escape, and cut.

    Escaped are control characters (with them ANSI sequences and line breaks), format characters (with them
    the bidirectional controls of CVE-2021-42574), lone surrogates, private and unassigned code points.
    """
    text = without_private_key(text)
    cut = text[:limit]
    shown = cut if _PLAIN.match(cut) else "".join(map(_visible, cut))
    return shown if len(text) <= limit else f"{shown}… ({len(text)} characters)"


def terminal(text: str, *, limit: int = LONGEST) -> str:
    """`text` for one line of a terminal or a log.

    The log of a GitHub runner is read for commands: `::name::` in front of a line, whatever space is before
    it, and the older `##[name]` anywhere in it. Source: actions/runner, ActionCommand.TryParseV2 and
    TryParse.
    """
    shown = visible(text, limit=limit)
    return _COMMAND.sub(r"\1\\x3a", shown, count=1).replace("##[", "#\\x23[") if _tells(shown) else shown


def markdown(text: str, *, limit: int = LONGEST) -> str:
    """`text` inside Markdown or HTML, in a table or not: punctuation that could mean something is escaped.

    Source: CommonMark 0.31 section 2.5 (an entity never starts a construct), GFM's autolinks and tables.
    """
    shown = visible(text, limit=limit).strip()
    first = next((place for place, each in enumerate(shown) if not each.isdigit()), 0)
    return "".join(_entity(each, place == first) for place, each in enumerate(shown))


def code(text: str, *, limit: int = LONGEST) -> str:
    """`text` as code in Markdown: nothing in it becomes a mention, a link or an issue number."""
    return f"<code>{markdown(text, limit=limit)}</code>"


def annotation_message(text: str, *, limit: int = LONGEST) -> str:
    """`text` for the message of a workflow command.

    Source: actions/toolkit, packages/core/src/command.ts, escapeData.
    """
    return visible(text, limit=limit).replace("%", "%25")


def annotation_property(text: str, *, limit: int = LONGEST) -> str:
    """`text` for a property (`title=…`) of a workflow command. Source: as above, escapeProperty."""
    return annotation_message(text, limit=limit).replace(":", "%3A").replace(",", "%2C")


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    if character in _SHORT:
        return _SHORT[character]
    point = ord(character)
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _tells(shown: str) -> bool:
    return shown.lstrip().startswith("::") or "##[" in shown


def _entity(character: str, first: bool) -> str:
    if not character.isascii() or character.isalnum():
        return character
    if character in _MARKDOWN_SAFE and not (first and character == "-"):
        return character
    return f"&#{ord(character)};"
