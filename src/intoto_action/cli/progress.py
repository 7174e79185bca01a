"""A bar for what takes longer than a second, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

_PATIENCE = 1.0


def bar(what: str, files: int) -> Callable[[int, int], None]:
    """What takes the files and bytes hashed since the last call, and shows them after a second on a terminal."""
    if not sys.stderr.isatty():
        return lambda done, size: None
    start = time.monotonic()
    hashed, shown = 0, 0.0

    def show(done: int, size: int) -> None:
        nonlocal hashed, shown
        hashed += done
        now = time.monotonic()
        if hashed == files and shown:
            sys.stderr.write("\r\x1b[K")
        elif now - start > _PATIENCE and now - shown > 0.1:
            shown = now
            sys.stderr.write(f"\r\x1b[K{what}: {hashed} of {files} files hashed")
        sys.stderr.flush()

    return show
