"""What all signers with a key have in common: a raw signature, and the documents that are made of it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from intoto_action.formats.envelope import Signature, encode_key_bundle, pae
from intoto_action.formats.key import PublicKey


class KeySigner(ABC):
    """A signer whose signatures are checked with a public key."""

    @property
    @abstractmethod
    def key(self) -> PublicKey:
        """The public part."""

    @abstractmethod
    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data` in `key.scheme`, as in-toto and securesystemslib check it."""

    @abstractmethod
    def sign_for_bundle(self, data: bytes) -> bytes:
        """The raw signature over `data` as cosign checks one by a key: SHA-256 always, RSA with PKCS #1 v1.5."""

    def signature(self, data: bytes) -> Signature:
        """The signature as it goes into an envelope."""
        return Signature("", self.sign(data))

    def bundle(self, payload_type: str, payload: bytes) -> bytes:
        """A Sigstore bundle that names the key by the digest of its SPKI.

        Source: sigstore/protobuf-specs, PublicKeyIdentifier.hint; what cosign writes and reads there.
        """
        signature = self.sign_for_bundle(pae(payload_type, payload))
        return encode_key_bundle(payload_type, payload, signature, self.key.spki)
