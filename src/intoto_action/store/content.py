"""Bytes compared with the digest and the size they were asked for by, before anybody parses them."""

from __future__ import annotations

import hashlib

from intoto_action.formats.reference import parse_digest
from intoto_action.reason import Unavailable


def digest_like(digest: str, raw: bytes) -> str:
    """The digest of `raw` by the algorithm of `digest` (sha256 or sha512).

    Raises: Malformed when `digest` is none.
    """
    algorithm = parse_digest(digest).partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"


def check_digest(raw: bytes, digest: str, where: str) -> None:
    """Raises: Unavailable when the bytes are not those that `digest` names; `where` says who gave them."""
    found = digest_like(digest, raw)
    if found != digest:
        raise Unavailable(
            f"{where}: expected bytes of {digest}, found {len(raw)} bytes of {found}; "
            "what is stored there is broken or was replaced: push it again"
        )


def check_size(found: int, size: int, where: str) -> None:
    """Raises: Unavailable when content has another size than its descriptor says."""
    if found != size:
        raise Unavailable(f"{where}: expected {size} bytes as its descriptor says, found {found}")


def check_cap(size: int, cap: int, where: str) -> None:
    """Raises: Unavailable when content is larger than what is read."""
    if size > cap:
        raise Unavailable(f"{where}: expected at most {cap} bytes, found {size}; it is not read")
