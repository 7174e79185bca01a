"""A transparency log in memory: the Merkle tree of RFC 6962 and the checkpoints of C2SP, as Rekor has them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

LogKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_STRANGERS = 5
_ED25519_NOTE = b"\x01"


class TransparencyLog:
    """An append-only tree with a key.

    `origin` is the first line of its checkpoints, and `name` who signs them. The tree has entries of strangers from
    the start, so that no proof is trivial. `earlier` is how many entries a Rekor v1 has in shards before this one.
    """

    def __init__(self, name: str, key: LogKey, origin: str | None = None, earlier: int = 0) -> None:
        self.name = name
        self._earlier = earlier
        self.origin = origin or name
        self._key = key
        self._leaves = [_leaf(b"the entry of a stranger, number %d" % number) for number in range(_STRANGERS)]

    @property
    def base_url(self) -> str:
        return f"https://{self.name}"

    @property
    def public_der(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_pem(self) -> bytes:
        """The private key, for a server that is this log."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def key_details(self) -> str:
        ed = isinstance(self._key, ed25519.Ed25519PrivateKey)
        return "PKIX_ED25519" if ed else "PKIX_ECDSA_P256_SHA_256"

    @property
    def log_id(self) -> bytes:
        """RFC 6962's for a Rekor v1; for an Ed25519 key the key id of C2SP's signed notes, whole."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            return hashlib.sha256(self.name.encode() + b"\n" + _ED25519_NOTE + raw).digest()
        return hashlib.sha256(self.public_der).digest()

    @property
    def size(self) -> int:
        return len(self._leaves)

    @property
    def root_hash(self) -> bytes:
        return _root(self._leaves)

    def append(self, body: bytes) -> int:
        """Put an entry into the tree; its index."""
        self._leaves.append(_leaf(body))
        return self.size - 1

    def global_index(self, index: int) -> int:
        """What an entry of this tree is called across all shards."""
        return self._earlier + index

    def path(self, index: int) -> list[bytes]:
        """The inclusion proof of an entry (RFC 6962 §2.1.1)."""
        return _path(self._leaves, index)

    def note(self, root_hash: bytes) -> str:
        """The text of a checkpoint: a tree of this size has that root."""
        return f"{self.origin}\n{self.size}\n{_b64(root_hash)}\n"

    def signed_note(self, note: str, hint: bytes | None = None) -> str:
        """The text, be it another log's, with a signature by this key; `hint` poses as another key."""
        signature = (hint or self.key_hint) + self.sign(note.encode())
        return f"{note}\n\u2014 {self.name} {_b64(signature)}\n"

    @property
    def key_hint(self) -> bytes:
        """The first bytes of a signature in a note, by which verifiers look for the key."""
        return self.log_id[:4]

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


def _leaf(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return _node(_root(leaves[:split]), _root(leaves[split:]))


def _path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*_path(leaves[:split], index), _root(leaves[split:])]
    return [*_path(leaves[split:], index - split), _root(leaves[:split])]


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
