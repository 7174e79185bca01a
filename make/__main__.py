"""`make/python -m make TARGET [WORD…]`: what the Makefile calls."""

import sys
from collections.abc import Sequence

from make.failure import MakeError
from make.targets import TARGETS


def main(words: Sequence[str]) -> int:
    """Run one target and return its exit code."""
    if not words or words[0] not in TARGETS:
        print(f"usage: make/python -m make {'|'.join(TARGETS)} [WORD…]", file=sys.stderr)
        return 2
    try:
        return TARGETS[words[0]](words[1:])
    except MakeError as error:
        print(f"make: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
