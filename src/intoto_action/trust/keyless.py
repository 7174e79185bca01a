"""Keyless signatures: whose certificate it is that signed, when every proof for it holds.

The proofs are the Sigstore project's own: sigstore-python's verifier checks, for one signing time that a timestamp
authority or the log vouches for, the chain to the root, the certificate's SCT, the log's inclusion proof and
checkpoint, and that signature, certificate and log entry speak of the same bytes. Source: sigstore-python 4.5
`Verifier`; Sigstore client specification, "Verification".
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from intoto_action.formats.certificate import Certificate, facts_of
from intoto_action.formats.envelope import Envelope, Signature
from intoto_action.formats.material import Material, material_of
from intoto_action.reason import IntotoActionError, Malformed

if TYPE_CHECKING:
    from cryptography import x509
    from sigstore._internal.trust import CertificateAuthority, CTKeyring, KeyringPurpose, RekorKeyring
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier

MOST_KEYLESS = 16
"""How many keyless signatures of one envelope are looked at: each takes milliseconds, and anybody can make up more."""
LARGEST_ROOT = 4 << 20


class SigstoreNeeded(IntotoActionError):
    """A decision met an identity, and was given no trust root: whoever decides opens one and decides again."""

    def __init__(self) -> None:
        super().__init__(
            "a keyless signature cannot be checked without the trust root of a Sigstore instance"
        )


class TrustRoot:
    """The roots of one Sigstore instance, parsed once. `name` says which one, in words.

    `document` is a trusted root (`application/vnd.dev.sigstore.trustedroot+json;version=0.1`); nothing is fetched.
    Raises: Malformed when it is none.
    """

    def __init__(self, document: bytes, name: str) -> None:
        self.name = name
        if len(document) > LARGEST_ROOT:
            raise Malformed(name, f"a trusted root of at most {LARGEST_ROOT} bytes", f"{len(document)} bytes")
        self._document = document
        self._verifier  # noqa: B018 - a root that cannot be read is told now

    def __repr__(self) -> str:
        return f"TrustRoot({self.name})"

    @cached_property
    def _verifier(self) -> Verifier:
        from sigstore.errors import Error
        from sigstore.verify import Verifier

        try:
            return Verifier(trusted_root=_remembered(self._document))
        except (ValueError, TypeError, Error) as error:
            expected = "a Sigstore trusted root with a certificate authority, a CT log and a transparency log"
            raise Malformed(self.name, expected, _words(error)) from error

    def certificate_of(self, envelope: Envelope, signature: Signature, where: str) -> Certificate | None:
        """Whose certificate made the signature over `envelope.signed`; None for one by a key and nothing else.

        Raises: Malformed, with what is wrong with the proofs for it.
        """
        material = material_of(envelope, signature, where)
        if material is None:
            return None
        return facts_of(self._verified(material, envelope, where), f"{where}, certificate")

    def certificate_over(self, sha256: bytes, bundle: bytes, where: str) -> Certificate:
        """Whose certificate made the signature in a Sigstore bundle over a file with this digest.

        Raises: Malformed, with what is wrong with the proofs for it; also when the bundle is for other bytes.
        """
        from sigstore.hashes import Hashed
        from sigstore.models import Bundle
        from sigstore_models.common.v1 import HashAlgorithm

        with self._proofs(where):
            read = Bundle.from_json(bundle)
            digest = Hashed(digest=sha256, algorithm=HashAlgorithm.SHA2_256)
            self._verifier.verify_artifact(digest, read, _Anybody())
        return facts_of(read.signing_certificate, f"{where}, certificate")

    def _verified(self, material: Material, envelope: Envelope, where: str) -> x509.Certificate:
        """The certificate that was verified, and no other reading of it."""
        with self._proofs(where):
            bundle = _bundle(material)
            if material.is_envelope:
                said = self._verifier.verify_dsse(bundle, _Anybody())
                if said != (envelope.payload_type, envelope.payload):
                    raise Malformed(where, "one payload in the bundle", "two readings of it that differ")
            else:
                self._verifier.verify_artifact(envelope.signed, bundle, _Anybody())
        return bundle.signing_certificate

    @contextmanager
    def _proofs(self, where: str) -> Iterator[None]:
        """Make a signature that is none of whatever the libraries below raise: bytes of strangers can do almost all."""
        try:
            yield
        except Malformed:
            raise
        except Exception as error:
            expected = f"a certificate, signature and log entry that hold under {self.name}"
            raise Malformed(where, expected, _words(error)) from error


def claimed_certificate(envelope: Envelope, signature: Signature, where: str) -> Certificate | None:
    """Whose certificate stands beside a signature, read as it is when it is verified; None beside one by a key.

    Nothing of it is checked: it is for showing, and for where somebody else has verified the signature.
    Raises: Malformed for what claims to be a certificate and cannot be read.
    """
    material = material_of(envelope, signature, where)
    if material is None:
        return None
    try:
        certificate = _bundle(material).signing_certificate
    except Exception as error:
        raise Malformed(where, "a certificate with its log entry", _words(error)) from error
    return facts_of(certificate, f"{where}, certificate")


class _Anybody:
    """The policy of sigstore-python that asks nothing: whose certificate it is, we compare afterwards."""

    def verify(self, cert: x509.Certificate) -> None:
        """Nothing is asked."""


def _bundle(material: Material) -> Bundle:
    from sigstore.models import Bundle

    return Bundle.from_json(material.bundle)


def _remembered(document: bytes) -> TrustedRoot:
    """A trusted root whose keys are read once, when it is opened, and not anew for each signature."""
    from sigstore_models.trustroot.v1 import TrustedRoot as Document

    return _remembering()(Document.from_json(document))


@functools.cache
def _remembering() -> type[TrustedRoot]:
    """Made when it is first asked for, because its base takes long to import."""
    # The type of a parameter of public methods, whose own module is private.
    from sigstore.models import KeyringPurpose, TrustedRoot  # type: ignore[attr-defined]
    from sigstore_models.trustroot.v1 import TrustedRoot as Document

    class Remembered(TrustedRoot):
        def __init__(self, inner: Document) -> None:
            super().__init__(inner)
            self._rekor_keyring = functools.cache(super().rekor_keyring)
            self._ct_keyring = functools.cache(super().ct_keyring)
            self._timestamp_authorities = super().get_timestamp_authorities()
            for keyring in (self._rekor_keyring, self._ct_keyring):
                keyring(KeyringPurpose.VERIFY)

        def rekor_keyring(self, purpose: KeyringPurpose) -> RekorKeyring:
            return self._rekor_keyring(purpose)

        def ct_keyring(self, purpose: KeyringPurpose) -> CTKeyring:
            return self._ct_keyring(purpose)

        def get_timestamp_authorities(self) -> list[CertificateAuthority]:
            return self._timestamp_authorities

    return Remembered


def _words(error: Exception) -> str:
    """What a library says, in one line."""
    lines = str(error).split("\n")
    text = " ".join(line.strip() for line in lines[:3] if line.strip())
    return text[:300] or type(error).__name__
