"""A key as it stands in a layout's `keys`, and the keyid that is computed of one.

Source: securesystemslib 1.6 (`Key.to_dict`, `compute_default_keyid`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec


class GpgValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`keyval.public` of a GPG key, numbers in hex: exponent `e` and modulus `n` of RSA, or point `q` of Ed25519."""

    e: str = ""
    n: str = ""
    q: str = ""


class KeyValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`keyval`: a public key, or an identity.

    `private` and `certificate` are always empty, and only there in old or Go-made layouts.
    """

    public: str | GpgValue = ""
    private: str = ""
    certificate: str = ""
    identity: str = ""
    issuer: str = ""
    claims: dict[str, str] = {}

    @property
    def is_identity(self) -> bool:
        """Whether a part of an identity is in it."""
        return bool(self.identity or self.issuer or self.claims)


class KeyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key or an identity as it stands in a layout's `keys`."""

    keytype: str
    scheme: str
    keyval: KeyValue
    keyid: str = ""
    keyid_hash_algorithms: list[str] = []


def keyid_of(fields: Mapping[str, object]) -> str:
    """sha256 hex of the canonical JSON of a key without its keyid (strings, lists and mappings of strings only)."""
    # These values hold no character that canonical JSON escapes in another way than '\\' and '"'; a PEM's line
    # feeds stay raw in it, and json.dumps would write them as \\n.
    return hashlib.sha256(_canonical(fields).encode()).hexdigest()


def _canonical(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_canonical(key)}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_canonical(each) for each in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
