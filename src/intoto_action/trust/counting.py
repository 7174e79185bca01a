"""How many different signers: a threshold counts each key, and each signer, once.

in-toto 3.1 counts one key under two keyids twice (verifylib says so itself), which would let one person meet a
threshold of two; with identities one signer can also fit several entries of a layout.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key


class _Key(Protocol):
    @property
    def fingerprint(self) -> str: ...


class Fit(Protocol):
    """A signer that fits a key."""

    @property
    def key(self) -> _Key:
        """The key or identity."""
        ...

    @property
    def signer(self) -> str:
        """Who signed, as a text that is the same for the same signer."""
        ...


T = TypeVar("T", bound=Fit)


def distinct(fits: Sequence[T]) -> tuple[T, ...]:
    """As many of the fits as possible in which no key and no signer is there twice, in the order they were given.

    A signer that fits two keys is given to the one that leaves the other key to somebody else (a maximum matching by
    augmenting paths, breadth first).
    """
    options: dict[str, dict[str, T]] = {}
    for fit in fits:
        options.setdefault(fit.signer, {}).setdefault(fit.key.fingerprint, fit)
    holders: dict[str, str] = {}
    for signer in options:
        _give(signer, options, holders)
    chosen = {signer: options[signer][key] for key, signer in holders.items()}
    return tuple(chosen[signer] for signer in options if signer in chosen)


def most_signers(keys: Iterable[Key]) -> int:
    """How many different signers these keys and identities can have at most: no threshold above that is ever met.

    One identity of one issuer is one signer, however many entries say it with other claims. One with a `*` can be
    somebody else for each entry.
    """
    return len({_signer_of(key) for key in keys})


def _signer_of(key: Key) -> tuple[str, str]:
    exact = isinstance(key, Identity) and not key.identity.endswith("*")
    return (key.issuer, key.identity) if isinstance(key, Identity) and exact else ("", key.fingerprint)


def _give(signer: str, options: dict[str, dict[str, T]], holders: dict[str, str]) -> None:
    """Find a key for the signer, moving earlier signers to other keys of theirs when that makes room."""
    came_from: dict[str, str] = {}  # key: the signer from which the search reached it
    waiting = deque([signer])
    while waiting:
        current = waiting.popleft()
        for key in options[current]:
            if key in came_from:
                continue
            came_from[key] = current
            if key not in holders:
                _move(key, signer, came_from, holders)
                return
            waiting.append(holders[key])


def _move(key: str, first: str, came_from: dict[str, str], holders: dict[str, str]) -> None:
    """Hand the keys along the path that ends in the free `key` and began at the signer `first`."""
    while True:
        signer = came_from[key]
        before = next((each for each, holder in holders.items() if holder == signer), None)
        holders[key] = signer
        if signer == first or before is None:
            return
        key = before
