"""A word that somebody wrote, quoted in an error, and the one that was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LONGEST = 120
_LONGEST_SENTENCE = 300
_BEFORE_SECRETS = re.compile(r"[^?;@=]*")


def quoted(word: str) -> str:
    """The word in quotes, control characters escaped, cut when it is long."""
    return repr(word if len(word) <= _LONGEST else f"{word[:_LONGEST]}…")


def shown(text: str) -> str:
    """A library's words on one line, cut; what has no shape of its own is escaped, for strangers are cited in them."""
    line = " ".join(text.split())[:_LONGEST_SENTENCE]
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)


def quoted_uri(word: str) -> str:
    """A word that should be the URI of a key, in quotes, up to where people put passwords and PINs into URIs."""
    shown = _BEFORE_SECRETS.match(word)
    if shown is None or shown.group() == word:
        return quoted(word)
    return f"{quoted(shown.group())} with more behind it (not shown: it may be a secret)"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean '…'?)` when one of the known words is close, or nothing."""
    close = difflib.get_close_matches(word[:_LONGEST], list(known), n=1)
    return f" (did you mean {quoted(close[0])}?)" if close else ""
