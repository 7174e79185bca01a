"""An inspection that is built in: a pure check of a chain, named by the signed layout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from intoto_action.decide.chain import Chain
from intoto_action.reason import Finding


class BuiltIn(Protocol):
    """One inspection with its arguments."""

    def check(self, chain: Chain) -> Iterable[Finding]:
        """Whatever is wrong; nothing when all is as the layout wants it. Does no I/O and raises nothing."""
        ...
