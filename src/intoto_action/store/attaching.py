"""Attaching to an image of a registry so that nothing is lost: push, read back, put back what went missing.

A registry without the referrers API keeps the list of what is attached in one index under a tag, which writers get,
change and put. Two at once lose entries, and hardly any registry honours If-Match: so every writer keeps looking
until its own entry and all that it ever saw stay listed (go-containerregistry issue 2205; attestations lost on GHCR).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from intoto_action.deadline import Deadline, Overdue
from intoto_action.formats.oci import (
    EMPTY_CONFIG_BYTES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    digest_of,
    referrer_manifest,
)
from intoto_action.formats.reference import Image
from intoto_action.reason import Unavailable
from intoto_action.store.listing import Entry, empty_listing, entry_of, fallback_tag, referrer_descriptor
from intoto_action.store.registry import Registry, Snapshot

_ROUNDS = 60
_QUIET = (0.3, 0.7)
"""Pauses between read-backs that find everything, in seconds: another writer who read the list before our entry was
in it puts its own within that time."""
_SLOW_ROUNDS = 3


class Push(Protocol):
    """One way to get a bundle into a registry as a referrer."""

    def push(self, registry: Registry, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        """Store the bundle and its manifest; whether it is listed is not of its concern."""
        ...


class NativePush:
    """Pushes the same manifest that cosign writes, by ourselves."""

    def push(self, registry: Registry, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        """Blobs first, the manifest that names them last."""
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        subject = Descriptor(image.media_type, image.digest, image.size)
        manifest = referrer_manifest(subject, bundle, predicate_type, created)
        for content in (EMPTY_CONFIG_BYTES, bundle):
            registry.distribution.put_blob(content)
        registry.distribution.put_manifest(digest_of(manifest), manifest, OCI_MANIFEST)
        return referrer_descriptor(manifest)


class Attaching:
    """Attaches by one way of pushing, and stays until everything is listed."""

    def __init__(
        self, push: Push, deadline: Deadline, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._push = push
        self._deadline = deadline
        self._sleep = sleep

    def attach(self, registry: Registry, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        """Push, then settle.

        Raises: Unavailable: before anything was pushed when what is attached already cannot be listed whole; after
        it with `attached, but`.
        """
        before = registry.snapshot(image)
        if before.faults:
            raise Unavailable(
                f"nothing was attached to {image}: what is attached to it already cannot be listed, and could get "
                f"lost ({'; '.join(before.faults)})"
            )
        own = self._push.push(registry, image, bundle, predicate_type)
        try:
            self._settle(registry, image, {**before.entries(), own.digest: entry_of(own)})
        except (Unavailable, Overdue) as error:
            raise Unavailable(f"{own.digest} was attached to {image}, but {error}") from error
        return own

    def _settle(self, registry: Registry, image: Image, wanted: dict[str, Entry]) -> None:
        quiet = 0
        for number in range(_ROUNDS):
            listed = registry.snapshot(image)
            if listed.faults:
                raise Unavailable(f"it cannot be listed: {'; '.join(listed.faults)}")
            wanted.update({key: each for key, each in listed.entries().items() if key not in wanted})
            missing = [each for key, each in wanted.items() if key not in listed.entries()]
            if missing:
                quiet = 0
                self._put_back(registry, image, listed, missing, number)
                continue
            if _is_listed_by_api(listed, wanted) or quiet == len(_QUIET):
                return
            self._pause(_QUIET[quiet])
            quiet += 1
        raise Unavailable(
            f"the list of {image} kept changing in {_ROUNDS} looks at it; is another job attaching all the time?"
        )

    def _put_back(
        self, registry: Registry, image: Image, listed: Snapshot, missing: list[Entry], number: int
    ) -> None:
        """Put the union under the fallback tag. A registry that keeps the list itself gets time to do it first."""
        if listed.api and number < _SLOW_ROUNDS:
            self._pause(0.2 * 2**number)
            return
        union = (listed.fallback or empty_listing()).adding(missing)
        registry.distribution.put_manifest(
            fallback_tag(image.digest), union.encode(), OCI_INDEX, if_match=listed.etag
        )
        if number:
            self._pause(min(2.0, 0.05 * 2 ** min(number, 6)))

    def _pause(self, seconds: float) -> None:
        pause = seconds * random.uniform(0.7, 1.3)  # noqa: S311 (jitter, so that two writers part)
        self._sleep(self._deadline.require("reading back what is attached", at_most=pause))


def _is_listed_by_api(listed: Snapshot, wanted: Mapping[str, Entry]) -> bool:
    """Then no other writer's index can take it away."""
    return wanted.keys() <= {each.descriptor.digest for each in listed.api}
