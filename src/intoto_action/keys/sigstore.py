"""The `--sigstore` word to one Sigstore instance: whose certificates and logs count, and where to sign.

Roots of two instances are never merged: one word, one instance, for signing and for verifying.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import msgspec

from intoto_action.deadline import Deadline
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed, Misused
from intoto_action.trust.keyless import LARGEST_ROOT, TrustRoot

TRUST_CONFIG = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
TRUSTED_ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"

Tell = Callable[[str], None]


class _TrustConfig(msgspec.Struct, rename="camel"):
    media_type: str
    trusted_root: msgspec.Raw
    signing_config: msgspec.Raw


class _MediaType(msgspec.Struct, rename="camel"):
    media_type: str


class Instance:
    """One Sigstore instance. `name` says in words which; `signing_config` is None where there is only a root."""

    def __init__(self, name: str, trusted_root: bytes, signing_config: bytes | None) -> None:
        self.name = name
        self._trusted_root = trusted_root
        self.signing_config = signing_config

    @cached_property
    def trust_root(self) -> TrustRoot:
        """What keyless signatures are held against. Raises: Malformed."""
        return TrustRoot(self._trusted_root, self.name)


def open_instance(
    word: str, *, root_file: Path | None, offline: bool, deadline: Deadline, tell: Tell
) -> Instance:
    """The instance that `--sigstore` names.

    Raises: Misused for a word or file that names none; Unavailable when its roots cannot be had.
    """
    return _from_file(Path(word))


def _from_file(path: Path) -> Instance:
    """A client trust config, or a bare trusted root, with which nothing can be signed."""
    where = f"--sigstore {path}"
    raw = read_file(path, where)
    try:
        kind = decode(raw, _MediaType, where).media_type
        if kind == TRUSTED_ROOT:
            return Instance(f"the trusted root {path}", raw, None)
        if kind != TRUST_CONFIG:
            raise Malformed(where, f"mediaType {TRUST_CONFIG} or {TRUSTED_ROOT}", repr(kind[:120]))
        config = decode(raw, _TrustConfig, where)
    except Malformed as error:
        raise Misused(f"{error}: give a client trust config, as `cosign` and `sigstore` use it") from error
    return Instance(f"the trust config {path}", bytes(config.trusted_root), bytes(config.signing_config))


def read_file(path: Path, where: str) -> bytes:
    """A file that a word of the command line names; `where` is that word. Raises: Misused."""
    try:
        with path.open("rb") as file:
            raw = file.read(2 * LARGEST_ROOT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Misused(f"{where} cannot be read: {reason}; give the path of a file") from error
    if len(raw) > 2 * LARGEST_ROOT:
        raise Misused(f"{where}: expected at most {2 * LARGEST_ROOT} bytes, found more")
    return raw
