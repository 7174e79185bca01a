"""A Sigstore instance that is opened when it is first needed, and not before: to sign, or by a decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from intoto_action.deadline import Deadline
from intoto_action.reason import Reason, Unavailable
from intoto_action.trust.keyless import SigstoreNeeded, TrustRoot

if TYPE_CHECKING:
    from intoto_action.keys.sigstore import Instance

T = TypeVar("T")


class InstanceOnce:
    """One instance for all of an invocation: who signs and who verifies must not mean two.

    `open_instance` raises Unavailable when its roots cannot be had, Misused for words that name none.
    """

    def __init__(self, open_instance: Callable[[Deadline], Instance]) -> None:
        self._open_instance = open_instance
        self._instance: Instance | None = None

    def open(self, deadline: Deadline) -> Instance:
        """The instance; whoever needs it first opens it, by its own deadline. Raises: Unavailable, Misused."""
        if self._instance is None:
            self._instance = self._open_instance(deadline)
        return self._instance

    def root(self, deadline: Deadline) -> SigstoreRoot:
        """Its trust root, for decisions that may need it."""
        return SigstoreRoot(lambda: self.open(deadline).trust_root)


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
