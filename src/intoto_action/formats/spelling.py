"""A word that somebody wrote, quoted in an error, and the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 120


def quoted(word: str) -> str:
    """The word in quotes, control characters escaped, cut when it is long."""
    return repr(word if len(word) <= _LONGEST else f"{word[:_LONGEST]}…")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean '…'?)` when one of the known words is close, or nothing."""
    close = difflib.get_close_matches(word[:_LONGEST], list(known), n=1)
    return f" (did you mean {quoted(close[0])}?)" if close else ""
