"""The only signature check of the house: was this envelope signed by that key?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from intoto_action.formats.envelope import Envelope, Wrapper
from intoto_action.formats.key import Key, PublicKey

_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "ecdsa-sha2-nistp256": hashes.SHA256,
    "ecdsa-sha2-nistp384": hashes.SHA384,
    "rsassa-pss-sha256": hashes.SHA256,
    "rsassa-pss-sha384": hashes.SHA384,
    "rsassa-pss-sha512": hashes.SHA512,
}


def check_signature(envelope: Envelope, key: Key) -> bool:
    """Whether one of the envelope's signatures is by the key.

    A signature whose keyid is none of those that somebody computes for this key is passed over, as the reference
    does; in a Sigstore bundle there is no keyid, and the one signature is tried.
    """
    is_bundle = envelope.wrapper is Wrapper.BUNDLE
    claimed = [each.value for each in envelope.signatures if is_bundle or each.keyid in key.keyids]
    if not claimed:
        return False
    signed = envelope.signed
    return any(_verifies(key, value, signed, envelope.wrapper) for value in claimed)


def keys_that_signed(envelope: Envelope, keys: Iterable[Key]) -> tuple[Key, ...]:
    """Those of the keys that signed, each key once however many keyids or schemes it is listed under.

    Source: in-toto 3.1 counts one key under two keyids twice (verifylib says so itself), which would let one person
    meet a threshold of two.
    """
    signed: dict[str, Key] = {}
    for key in keys:
        if key.spki not in signed and check_signature(envelope, key):
            signed[key.spki] = key
    return tuple(signed.values())


def _verifies(key: PublicKey, signature: bytes, data: bytes, wrapper: Wrapper) -> bool:
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
