"""The trust root of a decision, opened when the decision first meets an identity and not before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from intoto_action.reason import Reason, Unavailable
from intoto_action.trust.keyless import SigstoreNeeded, TrustRoot

T = TypeVar("T")


class SigstoreRoot:
    """Opens a trust root at most once; opening it may read files and ask a server.

    `open_root` raises Unavailable when the root cannot be had, Misused for words that name none.
    """

    def __init__(self, open_root: Callable[[], TrustRoot]) -> None:
        self._open_root = open_root
        self._root: TrustRoot | None = None

    def deciding(self, decide: Callable[[TrustRoot | None], T]) -> T:
        """What `decide` returns; when it raises SigstoreNeeded it is called again, with the root.

        Decisions with keys alone neither wait for a root nor import what reads one.
        """
        try:
            return decide(self._root)
        except SigstoreNeeded:
            return decide(self.open())

    def open(self) -> TrustRoot:
        """The root. Raises: Unavailable, Misused."""
        if self._root is None:
            self._root = self._open_root()
        return self._root


def without_sigstore() -> SigstoreRoot:
    """For decisions that know keys alone: an identity is `sigstore-unavailable` there."""

    def refuse() -> TrustRoot:
        message = "no Sigstore instance was named, and identities cannot be checked without one"
        raise Unavailable(message, Reason.SIGSTORE_UNAVAILABLE)

    return SigstoreRoot(refuse)
