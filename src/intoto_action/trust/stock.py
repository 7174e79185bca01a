"""Our identities as keys of securesystemslib, for whoever runs in-toto's own verifier over keyless layouts and links.

    from intoto_action.trust.keyless import TrustRoot
    from intoto_action.trust.stock import register

    register(TrustRoot(Path("trusted_root.json").read_bytes(), "our Sigstore"))
    in_toto.verifylib.in_toto_verify(layout, {owner["keyid"]: owner}, link_dir_path="links")

Nothing else here needs it: `decide` calls the reference's functions on structs of its own. The reference counts keyids,
so that somebody who fits two functionaries of a step counts twice there, and once here.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from intoto_action.formats.envelope import Envelope, Signature, Wrapper
from intoto_action.formats.identity import (
    CLAIMS_SCHEME,
    EXACT_SCHEMES,
    SIGSTORE_OIDC,
    Identity,
    identity_from_entry,
)
from intoto_action.formats.key_entry import KeyEntry
from intoto_action.formats.material import BUNDLE_MEMBER, EXTENSION
from intoto_action.reason import Malformed
from intoto_action.trust.identities import differences
from intoto_action.trust.keyless import TrustRoot

if TYPE_CHECKING:
    from securesystemslib.signer._key import Key
    from securesystemslib.signer._signature import Signature as StockSignature


def register(trust_root: TrustRoot) -> None:
    """Let securesystemslib, in this whole process, read our identities and hold their signatures against that root.

    A later call replaces the root, and the key class of whoever registered one for these types before. Without it,
    a layout with such an identity cannot be read at all (ValueError), which is how a stock reader fails: closed.
    """
    from securesystemslib.signer._key import KEY_FOR_TYPE_AND_SCHEME  # `signer` re-exports it, untyped

    key_class = _key_class(trust_root)
    for scheme in (*EXACT_SCHEMES, CLAIMS_SCHEME):
        KEY_FOR_TYPE_AND_SCHEME[SIGSTORE_OIDC, scheme] = key_class


def _key_class(trust_root: TrustRoot) -> type[Key]:
    from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
    from securesystemslib.signer._key import Key

    class IdentityKey(Key):
        """An identity of a layout; `verify_signature` says whether its certificate made a signature."""

        def __init__(self, keyid: str, identity: Identity, scheme: str, keyval: dict[str, Any]) -> None:
            super().__init__(keyid, SIGSTORE_OIDC, scheme, keyval)
            self._identity = identity

        @classmethod
        def from_dict(cls, keyid: str, key_dict: dict[str, Any]) -> IdentityKey:
            """Raises: ValueError for what is no identity, or demands more than its scheme says."""
            try:
                entry = msgspec.convert(key_dict, KeyEntry)
                identity = identity_from_entry(keyid, entry, f"key {keyid[:8]}")
            except (msgspec.ValidationError, Malformed) as error:
                raise ValueError(str(error)) from error
            return cls(keyid, identity, entry.scheme, key_dict["keyval"])

        def to_dict(self) -> dict[str, Any]:
            """The entry as it stands in a layout."""
            return self._to_dict()

        def verify_signature(self, signature: StockSignature, data: bytes) -> None:
            """Raises: VerificationError when a proof does not hold, UnverifiedSignatureError when it is of others."""
            where = f"signature of {self._identity}"
            try:
                envelope = _envelope(signature, data, where)
                certificate = trust_root.certificate_of(envelope, envelope.signatures[0], where)
            except Malformed as error:
                raise VerificationError(str(error)) from error
            if certificate is None:
                raise UnverifiedSignatureError(f"{where}: expected a certificate beside it, found none")
            for difference in differences(self._identity, certificate):
                raise UnverifiedSignatureError(
                    f"{where}: expected {difference.expected}, found {difference.found}"
                )

    return IdentityKey


def _envelope(signature: StockSignature, data: bytes, where: str) -> Envelope:
    """An envelope whose one signature is over `data`, whatever wrapper these bytes were made of.

    Raises: Malformed.
    """
    beside: Mapping[str, Any] = signature.unrecognized_fields
    documents = {
        name: msgspec.json.encode(beside[name]) for name in (EXTENSION, BUNDLE_MEMBER) if name in beside
    }
    value = _value(signature.signature, where)
    if not data:
        raise Malformed(where, "something that is signed", "nothing")
    made = Signature(signature.keyid, value, documents)
    return Envelope(Wrapper.METABLOCK, "", b"", (made,), b"", canonical=data)


def _value(text: str, where: str) -> bytes:
    """Hexadecimal; securesystemslib's own Sigstore signer writes base64 there."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise Malformed(where, "a signature in hexadecimal or base64", "something else") from error
