"""The only signature check of the house: was this envelope signed by that key or identity?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from intoto_action.formats.certificate import Certificate
from intoto_action.formats.envelope import Envelope, Signature, Wrapper
from intoto_action.formats.gpg_key import GpgKey
from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key, PublicKey
from intoto_action.formats.material import is_keyless
from intoto_action.reason import Malformed
from intoto_action.trust.counting import distinct
from intoto_action.trust.identities import Difference, differences
from intoto_action.trust.keyless import MOST_KEYLESS, SigstoreNeeded, TrustRoot
from intoto_action.trust.openpgp import OTHER_HEADERS, is_by

_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "ecdsa-sha2-nistp256": hashes.SHA256,
    "ecdsa-sha2-nistp384": hashes.SHA384,
    "rsassa-pss-sha256": hashes.SHA256,
    "rsassa-pss-sha384": hashes.SHA384,
    "rsassa-pss-sha512": hashes.SHA512,
}


class SignedBy(msgspec.Struct, frozen=True):
    """A valid signature: the key or identity that it was looked for under, and who really made it.

    `signer` is the same text for signatures of one and the same: a key, or one identity of one issuer, whatever keys
    and identities of a layout it fits. `keyid` is the hint under which the signature stands in its envelope;
    `certificate` is there when an identity signed.
    """

    key: Key
    signer: str
    keyid: str
    certificate: Certificate | None = None

    def __str__(self) -> str:
        return str(self.certificate or self.key)


class Signatures(msgspec.Struct, frozen=True):
    """What the signatures of one envelope are worth to some keys.

    `fits` has an entry for each key and each signer that fits it; `strangers` are certificates of valid signatures
    that fit none; `differences` say of these what each key expected and found; `faults` what is wrong with signatures
    that claim to be keyless, or by a GPG key.
    """

    fits: tuple[SignedBy, ...] = ()
    strangers: tuple[Certificate, ...] = ()
    differences: tuple[Difference, ...] = ()
    faults: tuple[Malformed, ...] = ()

    @property
    def signers(self) -> tuple[SignedBy, ...]:
        """Those that count: each key and each signer once."""
        return distinct(self.fits)


def examine(
    envelope: Envelope, keys: Sequence[Key], sigstore: TrustRoot | None, where: str = ""
) -> Signatures:
    """Look at every signature of the envelope for every key.

    A signature whose keyid is none of those that somebody computes for a public key is passed over, as the reference
    does; in a Sigstore bundle there is no keyid, and the one signature is tried. For identities a keyid means nothing:
    what counts is the certificate.

    Raises: SigstoreNeeded when an identity is among the keys, a keyless signature among the signatures, and no root
    was given.
    """
    public = [key for key in keys if isinstance(key, PublicKey)]
    fits = [
        SignedBy(key, key.fingerprint, signature.keyid)
        for key in public
        if (signature := _signature_by(envelope, key)) is not None
    ]
    faults: list[Malformed] = []
    for key in (key for key in keys if isinstance(key, GpgKey)):
        fits += _by_gpg(envelope, key, where, faults)
    identities = [key for key in keys if isinstance(key, Identity)]
    if not identities:
        return Signatures(tuple(fits), faults=tuple(faults))
    certificates, keyless_faults = _certificates(envelope, sigstore, where)
    faults += keyless_faults
    strangers: list[Certificate] = []
    told: list[Difference] = []
    for signature, certificate in certificates:
        wrong = [tuple(differences(identity, certificate)) for identity in identities]
        matching = [identity for identity, each in zip(identities, wrong, strict=True) if not each]
        signer = f"{certificate.issuer} {certificate.identity}"
        fits += [SignedBy(identity, signer, signature.keyid, certificate) for identity in matching]
        if not matching:
            strangers.append(certificate)
            told += sorted(wrong, key=len)[0]
    return Signatures(tuple(fits), tuple(strangers), tuple(told), tuple(faults))


def check_signature(envelope: Envelope, key: Key, sigstore: TrustRoot | None = None) -> SignedBy | None:
    """Who signed the envelope as that key or identity; None when nobody did.

    Raises: SigstoreNeeded.
    """
    return next(iter(examine(envelope, (key,), sigstore).fits), None)


def examine_certificates(
    envelope: Envelope, sigstore: TrustRoot | None, where: str
) -> tuple[tuple[Certificate, ...], tuple[Malformed, ...]]:
    """The certificates of the envelope's valid keyless signatures, whoever they are of; and what is wrong with others.

    For what is vouched for by the certificate itself, and not by a key or an identity that somebody lists.
    Raises: SigstoreNeeded.
    """
    certificates, faults = _certificates(envelope, sigstore, where)
    return tuple(each for _, each in certificates), tuple(faults)


def _certificates(
    envelope: Envelope, sigstore: TrustRoot | None, where: str
) -> tuple[list[tuple[Signature, Certificate]], list[Malformed]]:
    """The valid keyless signatures with their certificates, and what is wrong with the others."""
    claimed = [each for each in envelope.signatures if is_keyless(envelope, each)]
    if claimed and sigstore is None:
        raise SigstoreNeeded
    certificates: list[tuple[Signature, Certificate]] = []
    faults: list[Malformed] = []
    for signature in claimed[:MOST_KEYLESS]:
        try:
            found = sigstore.certificate_of(envelope, signature, where) if sigstore else None
        except Malformed as fault:
            faults.append(fault)
            continue
        if found is not None:
            certificates.append((signature, found))
    if len(claimed) > MOST_KEYLESS:
        faults.append(Malformed(where, f"at most {MOST_KEYLESS} keyless signatures", str(len(claimed))))
    return certificates, faults


def _by_gpg(envelope: Envelope, key: GpgKey, where: str, faults: list[Malformed]) -> list[SignedBy]:
    """The signature by a GPG key, when there is one. Sigstore bundles have none: no reader of them knows such."""
    if envelope.wrapper is Wrapper.BUNDLE:
        return []
    for signature in envelope.signatures:
        if OTHER_HEADERS not in signature.beside or signature.keyid not in key.keyids:
            continue
        try:
            if is_by(key, signature, envelope.signed, where):
                return [SignedBy(key, key.fingerprint, signature.keyid)]
        except Malformed as fault:
            faults.append(fault)
    return []


def _signature_by(envelope: Envelope, key: PublicKey) -> Signature | None:
    is_bundle = envelope.wrapper is Wrapper.BUNDLE
    claimed = [each for each in envelope.signatures if is_bundle or each.keyid in key.keyids]
    if not claimed:
        return None
    signed = envelope.signed
    return next((each for each in claimed if verifies(key, each.value, signed, envelope.wrapper)), None)


def verifies(key: PublicKey, signature: bytes, data: bytes, wrapper: Wrapper) -> bool:
    """Whether the key made that raw signature over `data`, as it is made for the wrapper. Raises: Malformed."""
    public = key.crypto()
    try:
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, data)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            # cosign checks and makes signatures by a key with SHA-256 whatever the curve is.
            digest = hashes.SHA256() if wrapper is Wrapper.BUNDLE else _HASHES[key.scheme]()
            public.verify(signature, data, ec.ECDSA(digest))
        else:
            _verify_rsa(public, key.scheme, signature, data, wrapper)
    except InvalidSignature:
        return False
    return True


def _verify_rsa(
    public: rsa.RSAPublicKey, scheme: str, signature: bytes, data: bytes, wrapper: Wrapper
) -> None:
    # Sigstore clients know RSA keys with PKCS#1 v1.5 and SHA-256 only; in-toto's own wrappers use PSS.
    if wrapper is Wrapper.BUNDLE:
        public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        return
    digest = _HASHES[scheme]()
    public.verify(signature, data, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
