"""The roots of a Sigstore instance as its TUF repository has them, and as they were kept here.

python-tuf's updater does the work of the TUF specification, from a first root that came with the wheel or was given.
sigstore-python has the same in `ClientTrustConfig.from_tuf`, which needs a home to write to, takes what it finds there
unverified when it is offline, and does not take two processes at once.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from intoto_action import __version__
from intoto_action.deadline import Deadline, Overdue, within
from intoto_action.keys.http_get import innermost
from intoto_action.system import cache, lock_alone
from intoto_action.trust.keyless import LARGEST_ROOT

if TYPE_CHECKING:
    from tuf.api.metadata import Root, Targets
    from tuf.ngclient import Updater

LONGEST_REFRESH = 30.0
"""Seconds. What is here may serve then, and whatever asked for the roots has its own work to do."""

TRUSTED_ROOT_TARGET = "trusted_root.json"
SIGNING_CONFIG_TARGET = "signing_config.v0.2.json"
"""Source: Sigstore's root-signing repository; sigstore-python 4.5, `TrustUpdater`."""

_METADATA_CAP = 5_000_000
_SOCKET_SECONDS = 10


class Roots(msgspec.Struct, frozen=True):
    """The trusted root and the signing config of an instance, and until when the metadata said they are to be used."""

    trusted_root: bytes
    signing_config: bytes | None
    good_until: datetime


class NotRefreshed(Exception):
    """The repository did not give its roots; the text says why."""


class TufRepository:
    """A TUF repository at `url`, trusted from `first_root` on (the content of a root.json).

    `environ` says where caches go: XDG_CACHE_HOME, or HOME. Without a place to write to, everything is fetched anew.
    """

    def __init__(self, url: str, first_root: bytes, environ: Mapping[str, str]) -> None:
        self.url = url.rstrip("/")
        self._first_root = first_root
        self._environ = environ

    def refresh(self, deadline: Deadline) -> Roots:
        """What the repository says now, within half of the time that is left: what it is needed for takes time too.

        Raises: NotRefreshed.
        """
        seconds = min(deadline.left() / 2, LONGEST_REFRESH)
        try:
            return within(seconds, self._refresh, f"looking into the TUF repository {self.url}")
        except Overdue as error:
            raise NotRefreshed(str(error)) from error

    def kept(self) -> Roots | None:
        """What a refresh left here, its signatures checked again from the first root on; however old it is."""
        from tuf.api.exceptions import RepositoryError

        place = self._cache()
        if place is None:
            return None
        try:
            targets, good_until = _verified(place / "metadata", self._first_root)
            roots = [
                _content(place / "targets", targets, name)
                for name in (TRUSTED_ROOT_TARGET, SIGNING_CONFIG_TARGET)
            ]
        except (OSError, RepositoryError, ValueError, KeyError, TypeError):
            return None
        trusted_root, signing_config = roots
        return None if trusted_root is None else Roots(trusted_root, signing_config, good_until)

    def _refresh(self) -> Roots:
        place = self._cache()
        if place is not None:
            try:
                with _alone_in(place):
                    return self._update(place)
            except OSError:
                pass  # it cannot be written, or another process is at work there
        with tempfile.TemporaryDirectory(prefix="intoto-action-", ignore_cleanup_errors=True) as directory:
            return self._update(Path(directory))

    def _update(self, place: Path) -> Roots:
        """Raises: NotRefreshed; OSError when `place` cannot be written."""
        from tuf.api.exceptions import DownloadError, RepositoryError
        from tuf.ngclient import Updater, UpdaterConfig
        from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher
        from urllib3.exceptions import HTTPError

        metadata, targets = place / "metadata", place / "targets"
        for directory in (metadata, targets):
            directory.mkdir(parents=True, exist_ok=True)
        agent = f"intoto-action/{__version__}"
        try:
            updater = Updater(
                metadata_dir=str(metadata),
                metadata_base_url=self.url,
                target_dir=str(targets),
                target_base_url=f"{self.url}/targets/",
                fetcher=Urllib3Fetcher(socket_timeout=_SOCKET_SECONDS, app_user_agent=agent),
                config=UpdaterConfig(app_user_agent=agent),
                bootstrap=self._first_root,
            )
            updater.refresh()
            trusted_root = _target(updater, TRUSTED_ROOT_TARGET)
            signing_config = _target(updater, SIGNING_CONFIG_TARGET)
            good_until = _verified(metadata, self._first_root)[1]
        except (DownloadError, RepositoryError, HTTPError, ValueError, KeyError) as error:
            raise NotRefreshed(f"{self.url}: {_words(error)}") from error
        if trusted_root is None:
            raise NotRefreshed(f"{self.url}: the repository has no target {TRUSTED_ROOT_TARGET}")
        return Roots(trusted_root, signing_config, good_until)

    def _cache(self) -> Path | None:
        """The directory of this repository and first root in the user's cache; None where there is no home."""
        base = cache(self._environ)
        key = hashlib.sha256(self.url.encode() + b"\0" + self._first_root).hexdigest()[:20]
        return None if base is None else base / "intoto-action" / "tuf" / key


def first_root_fault(first_root: bytes) -> str | None:
    """What is wrong with a root.json to begin with, in words, or None."""
    from tuf.api.exceptions import RepositoryError
    from tuf.api.metadata import Metadata, Root

    try:
        root = Metadata[Root].from_bytes(first_root)
        root.signed.verify_delegate(Root.type, root.signed_bytes, root.signatures)
    except (RepositoryError, ValueError, KeyError, TypeError) as error:
        return _words(error)
    return None


@contextmanager
def _alone_in(place: Path) -> Iterator[None]:
    """Raises: OSError when another process is there, because python-tuf is not made for two in one directory."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as file:
        lock_alone(file.fileno())
        yield


def _target(updater: Updater, name: str) -> bytes | None:
    from tuf.api.exceptions import RepositoryError

    found = updater.get_targetinfo(name)
    if found is None:
        return None
    if found.length > LARGEST_ROOT:
        raise RepositoryError(
            f"the target {name} has {found.length} bytes, and at most {LARGEST_ROOT} are read"
        )
    return Path(updater.find_cached_target(found) or updater.download_target(found)).read_bytes()


def _content(directory: Path, targets: Targets, name: str) -> bytes | None:
    found = targets.targets.get(name)
    if found is None:
        return None
    content = _read(directory / name, LARGEST_ROOT)
    found.verify_length_and_hashes(content)
    return content


def _verified(metadata: Path, first_root: bytes) -> tuple[Targets, datetime]:
    """The targets that are kept, and until when all of the metadata said to be used.

    Raises: RepositoryError for a signature, a version or a hash that does not fit; OSError.
    """
    from tuf.api.exceptions import BadVersionNumberError
    from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp

    root = _latest_root(metadata / "root_history", first_root)
    timestamp_file = Metadata[Timestamp].from_bytes(_read(metadata / "timestamp.json", _METADATA_CAP))
    root.verify_delegate(Timestamp.type, timestamp_file.signed_bytes, timestamp_file.signatures)
    timestamp = timestamp_file.signed

    raw_snapshot = _read(metadata / "snapshot.json", _METADATA_CAP)
    timestamp.snapshot_meta.verify_length_and_hashes(raw_snapshot)
    snapshot_file = Metadata[Snapshot].from_bytes(raw_snapshot)
    root.verify_delegate(Snapshot.type, snapshot_file.signed_bytes, snapshot_file.signatures)
    snapshot = snapshot_file.signed

    raw_targets = _read(metadata / "targets.json", _METADATA_CAP)
    said = snapshot.meta[f"{Targets.type}.json"]
    said.verify_length_and_hashes(raw_targets)
    targets_file = Metadata[Targets].from_bytes(raw_targets)
    root.verify_delegate(Targets.type, targets_file.signed_bytes, targets_file.signatures)
    targets = targets_file.signed

    if (timestamp.snapshot_meta.version, said.version) != (snapshot.version, targets.version):
        raise BadVersionNumberError("the metadata that is kept is of two times")
    return targets, min(each.expires for each in (root, timestamp, snapshot, targets))


def _latest_root(history: Path, first_root: bytes) -> Root:
    """The last root of those that are kept, each signed by the one before it."""
    from tuf.api.exceptions import BadVersionNumberError
    from tuf.api.metadata import Metadata, Root

    root = Metadata[Root].from_bytes(first_root).signed
    while (path := history / f"{root.version + 1}.root.json").is_file():
        after = Metadata[Root].from_bytes(_read(path, _METADATA_CAP))
        for each in (root, after.signed):
            each.verify_delegate(Root.type, after.signed_bytes, after.signatures)
        if after.signed.version != root.version + 1:
            raise BadVersionNumberError("a root under the number of another one")
        root = after.signed
    return root


def _read(path: Path, cap: int) -> bytes:
    with path.open("rb") as file:
        raw = file.read(cap + 1)
    if len(raw) > cap:
        raise ValueError(f"{path.name} is larger than {cap} bytes")
    return raw


def _words(error: Exception) -> str:
    """What went wrong, with python-tuf's sentence in front of its cause when that says more."""
    cause = innermost(error.__cause__) if error.__cause__ else ""
    said = str(error) or type(error).__name__
    return f"{said} ({cause})" if cause and cause not in said else said
