"""Whether a log entry is in a trusted log, and about the very signature that it stands beside.

Source: RFC 6962, 2.1 (Merkle trees); C2SP, tlog-checkpoint; Rekor v1, "signed entry timestamp"; Sigstore client
specification, "Transparency log".
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from intoto_action.formats.checkpoint import parse_checkpoint
from intoto_action.formats.log_entry import (
    DSSE_V1,
    HASHEDREKORD_V1,
    HASHEDREKORD_V2,
    InclusionProof,
    LogEntry,
    parse_logged,
)
from intoto_action.formats.material import Material
from intoto_action.formats.spelling import quoted
from intoto_action.reason import Malformed
from intoto_action.trust.log_keys import LogKey, LogKeys

_HINT = 4
_ORIGIN_V1 = re.compile(r".* - [0-9]+\Z")


class _Promised(msgspec.Struct):
    """What a Rekor v1 signs when it takes an entry; in the order of canonical JSON (RFC 8785)."""

    body: str
    integrated_time: int = msgspec.field(name="integratedTime")
    log_id: str = msgspec.field(name="logID")
    log_index: int = msgspec.field(name="logIndex")


def promised_time(entry: LogEntry, logs: LogKeys, where: str) -> datetime | None:
    """When the log took the entry, by its own signature; None for an entry without a promise, as in Rekor v2.

    A time that nobody signed says nothing, and is passed over.
    Raises: Malformed for a promise that is not the log's.
    """
    if not entry.promise:
        return None
    expected = "a promise of the log (signed entry timestamp)"
    if entry.kind not in (HASHEDREKORD_V1, DSSE_V1):
        raise Malformed(where, f"{expected} in an entry of Rekor v1 only", quoted(" ".join(entry.kind)))
    if not entry.integrated_time:
        raise Malformed(where, f"{expected} with a time", "one without")
    try:
        at = datetime.fromtimestamp(entry.integrated_time, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Malformed(where, f"{expected} with a time", f"{entry.integrated_time}") from error
    body = base64.b64encode(entry.body).decode()
    signed = _Promised(body, entry.integrated_time, entry.log_id.hex(), entry.index)
    if not _key(entry, logs, at, where).has_signed(entry.promise, msgspec.json.encode(signed)):
        raise Malformed(where, expected, "one that the log has not signed")
    return at


def check_inclusion(entry: LogEntry, logs: LogKeys, times: Sequence[datetime], where: str) -> None:
    """Raises: Malformed unless the entry is in a tree whose root the log has signed.

    `times` are when the signature was made, by the word of others: the log must have been trusted then.
    """
    key = [_key(entry, logs, at, where) for at in times][-1]
    proof = entry.proof
    checkpoint = parse_checkpoint(proof.checkpoint, where)
    signature = next((each for each in checkpoint.signatures if each.hint == entry.log_id[:_HINT]), None)
    if signature is None:
        names = quoted(", ".join(each.name for each in checkpoint.signatures))
        raise Malformed(where, "a checkpoint signed by the log of the entry", f"one signed by {names}")
    if not key.has_signed(signature.value, checkpoint.signed):
        raise Malformed(
            where, "a checkpoint signed by the log of the entry", "a signature that is not its own"
        )
    # A Rekor v1 writes its host and the id of a tree, neither of which the root names (sigstore-go, `hasRekorV1STH`).
    has_shards = _ORIGIN_V1.match(checkpoint.origin) is not None
    if not has_shards and {checkpoint.origin, signature.name} != {key.origin}:
        found = f"one of {quoted(checkpoint.origin)}, signed by {quoted(signature.name)}"
        raise Malformed(where, f"a checkpoint of the log {quoted(key.origin)}", found)
    if (checkpoint.size, checkpoint.root_hash) != (proof.size, proof.root_hash):
        found = f"one of {checkpoint.size} entries, root {checkpoint.root_hash.hex()}"
        expected = f"a checkpoint of the proof's tree of {proof.size} entries, root {proof.root_hash.hex()}"
        raise Malformed(where, expected, found)
    computed = root_of(proof, entry.body, where)
    if computed != proof.root_hash:
        expected = f"an inclusion proof that leads to the root {proof.root_hash.hex()}"
        raise Malformed(where, expected, computed.hex())
    if not has_shards and entry.index != proof.index:
        found = f"{entry.index} and {proof.index}"
        raise Malformed(where, "the same index in the entry and in its proof", found)


def root_of(proof: InclusionProof, body: bytes, where: str) -> bytes:
    """The root hash that a leaf and its proof lead to (RFC 6962, 2.1.1; RFC 9162, 2.1.3.2).

    Raises: Malformed for a proof of another length than the leaf's place in the tree asks for.
    """
    # Below the fork of the ways to this leaf and to the last one, each level has a sibling; above, only left ones.
    below = (proof.index ^ (proof.size - 1)).bit_length()
    above = (proof.index >> below).bit_count()
    if len(proof.hashes) != below + above:
        raise Malformed(where, f"an inclusion proof of {below + above} hashes", f"{len(proof.hashes)}")
    node = hashlib.sha256(b"\x00" + body).digest()
    for level, sibling in enumerate(proof.hashes):
        is_left = level < below and not proof.index >> level & 1
        children = node + sibling if is_left else sibling + node
        node = hashlib.sha256(b"\x01" + children).digest()
    return node


def check_kind(material: Material, where: str) -> None:
    """Raises: Malformed for an entry of a kind that does not go with what was signed, or that nobody reads here."""
    kinds = (HASHEDREKORD_V2, DSSE_V1) if material.is_envelope else (HASHEDREKORD_V2, HASHEDREKORD_V1)
    if material.entry.kind not in kinds:
        what = "an envelope" if material.is_envelope else "a message"
        expected = f"a log entry of {what}, of kind {' or '.join(' '.join(each) for each in kinds)}"
        raise Malformed(where, expected, quoted(" ".join(material.entry.kind)))


def check_logged(material: Material, sha256: bytes, payload_sha256: bytes, where: str) -> None:
    """Raises: Malformed unless the entry is about this signature, this certificate and what is signed.

    `sha256` is of what is signed, `payload_sha256` of an envelope's payload alone.
    Source: Rekor v2's specification, 6.1.4, for envelopes; CVE-2022-36056 is what comes of not looking.
    """
    logged = parse_logged(material.entry, where)
    expected = payload_sha256 if material.entry.kind == DSSE_V1 else sha256
    if logged.sha256 != expected:
        raise Malformed(where, f"a log entry about sha256 {expected.hex()}", f"sha256 {logged.sha256.hex()}")
    if logged.signature != material.signature:
        raise Malformed(where, "a log entry with the same signature", "one with another")
    if logged.certificate != material.certificate:
        raise Malformed(where, "a log entry with the same certificate", "one with another")


def _key(entry: LogEntry, logs: LogKeys, at: datetime, where: str) -> LogKey:
    key = logs.of(entry.log_id, at)
    if key is None:
        found = "that was not trusted at that time" if logs.knows(entry.log_id) else "that nobody here knows"
        raise Malformed(
            where, "an entry of a trusted log", f"one of a log {found} ({entry.log_id.hex()[:64]})"
        )
    return key
