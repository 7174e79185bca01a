"""A TUF repository on loopback that distributes the roots of a Sigstore, as instances of one's own do."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from securesystemslib.signer._crypto_signer import CryptoSigner
from tests.parts.loopback import Asked, Reply, Serving
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

S = TypeVar("S", Targets, Snapshot, Timestamp)

_YEAR = timedelta(days=365)
_WEEK = timedelta(days=7)


class TufFiles:
    """The files of a repository, by their paths. Without `hashes` metadata names other metadata by version only."""

    def __init__(self, targets: Mapping[str, bytes]) -> None:
        self.files: dict[str, bytes] = {}
        self.hashes = True
        self._signer = CryptoSigner.generate_ed25519()
        self._version = 0
        self._root_version = 0
        self.rotate()
        self.publish(targets)

    @property
    def first_root(self) -> bytes:
        """The root.json to begin with."""
        return self.files["1.root.json"]

    def rotate(self, expires: datetime | None = None) -> None:
        """Sign another root.json, with a new key, by the old key too."""
        before, self._signer = self._signer, CryptoSigner.generate_ed25519()
        root = Root(version=self._root_version + 1, expires=expires or _now() + _YEAR)
        for role in (Root.type, Timestamp.type, Snapshot.type, Targets.type):
            root.add_key(self._signer.public_key, role)
        metadata = Metadata(root)
        metadata.sign(self._signer)
        if self._root_version:
            metadata.sign(before, append=True)
        self._root_version += 1
        self.files[f"{self._root_version}.root.json"] = metadata.to_bytes()

    def publish(self, targets: Mapping[str, bytes], expires: datetime | None = None) -> None:
        """Put these targets in the place of the earlier ones; all but the root is good for a week, or until then."""
        self._version += 1
        until = expires or _now() + _WEEK
        version = self._version
        listed = self.targets(version, targets, until)
        snapshot = Snapshot(version=version, expires=until)
        snapshot.meta["targets.json"] = self._meta(version, listed)
        signed_snapshot = self._sign(snapshot)
        timestamp = Timestamp(version=version, expires=until)
        timestamp.snapshot_meta = self._meta(version, signed_snapshot)
        self.files |= {
            f"{version}.targets.json": listed,
            f"{version}.snapshot.json": signed_snapshot,
            "timestamp.json": self._sign(timestamp),
        }

    def targets(self, version: int, targets: Mapping[str, bytes], expires: datetime | None = None) -> bytes:
        """A signed targets.json for these targets, which are put among the files."""
        files = {name: TargetFile.from_data(name, content, ["sha256"]) for name, content in targets.items()}
        for name, content in targets.items():
            self.files[f"targets/{files[name].hashes['sha256']}.{name}"] = content
        return self._sign(Targets(version=version, expires=expires or _now() + _WEEK, targets=files))

    def _meta(self, version: int, content: bytes) -> MetaFile:
        return MetaFile.from_data(version, content, ["sha256"]) if self.hashes else MetaFile(version)

    def _sign(self, signed: S) -> bytes:
        metadata = Metadata(signed)
        metadata.sign(self._signer)
        return metadata.to_bytes()


class TufMirror(TufFiles, Serving):
    """Serves what was published while the block runs; `asked` holds the paths. `reply` answers everything instead."""

    def __init__(self, targets: Mapping[str, bytes]) -> None:
        TufFiles.__init__(self, targets)
        Serving.__init__(self)
        self.asked: list[str] = []
        self.reply: Reply | None = None
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Reply:
        path = asked.path.lstrip("/")
        with self._lock:
            self.asked.append(path)
        if self.reply is not None:
            return self.reply
        return Reply(200, self.files[path]) if path in self.files else Reply(404)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
