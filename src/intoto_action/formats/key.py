"""Public keys: what a layout, a PEM file and a signature call a key.

Source: securesystemslib 1.6 (key types, schemes and keyids; `keyval.public` is raw hex for Ed25519 and PEM with
its last newline for the others), in-toto-golang 0.11 for the second keyid (it drops that newline).
"""

from __future__ import annotations

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from intoto_action.formats.crypto_key import CryptoPublicKey, check_rsa, spki_digest
from intoto_action.formats.gpg_key import GpgKey, gpg_key_from_entry, is_gpg
from intoto_action.formats.identity import SIGSTORE_OIDC, Identity, identity_from_entry
from intoto_action.formats.key_entry import KeyEntry, KeyValue, keyid_of
from intoto_action.reason import MalformedKey

_CURVES = {"secp256r1": "ecdsa-sha2-nistp256", "secp384r1": "ecdsa-sha2-nistp384"}
_SCHEMES = {
    "ed25519": ("ed25519",),
    "ecdsa": ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384"),
    "rsa": ("rsassa-pss-sha256", "rsassa-pss-sha384", "rsassa-pss-sha512"),
}


class PublicKey(msgspec.Struct, frozen=True):
    """A public key of a functionary, a layout owner or an attester.

    `public` is in-toto's form (hex or PEM); `spki` the sha256 hex of the DER SubjectPublicKeyInfo: two keys are
    the same key when it is equal, whatever their keyids and schemes say.
    """

    keyid: str
    keytype: str
    scheme: str
    public: str
    spki: str

    @property
    def keyids(self) -> frozenset[str]:
        """Every keyid under which somebody's tool may have written a signature by this key."""
        return frozenset({self.keyid, self.python_keyid, self.go_keyid})

    @property
    def fingerprint(self) -> str:
        """What two entries of one key have in common, whatever their keyids and schemes say."""
        return self.spki

    @property
    def names(self) -> frozenset[str]:
        """Everything the key may be called, its digest included: also the keyids it has under other schemes."""
        keyids = (each(scheme) for scheme in _SCHEMES[self.keytype] for each in (self._python, self._go))
        return frozenset({self.keyid, self.spki, *keyids})

    @property
    def python_keyid(self) -> str:
        """The keyid that securesystemslib computes."""
        return self._python(self.scheme)

    @property
    def go_keyid(self) -> str:
        """The keyid that in-toto-golang computes of the same PEM file."""
        return self._go(self.scheme)

    def _python(self, scheme: str) -> str:
        return keyid_of({"keytype": self.keytype, "keyval": {"public": self._public}, "scheme": scheme})

    def _go(self, scheme: str) -> str:
        return keyid_of(
            {
                "keyid_hash_algorithms": ["sha256", "sha512"],
                "keytype": self.keytype,
                "keyval": {"public": self._public.rstrip("\n")},
                "scheme": scheme,
            }
        )

    @property
    def _public(self) -> str:
        """The key as the libraries write it, however it is written in a layout."""
        return _public_of(self.crypto())

    @property
    def entry(self) -> KeyEntry:
        """The key as it goes into a layout."""
        return KeyEntry(
            keyid=self.keyid, keytype=self.keytype, scheme=self.scheme, keyval=KeyValue(self.public)
        )

    @property
    def pem(self) -> str:
        """SubjectPublicKeyInfo as PEM, with a last newline."""
        return _pem(self.crypto())

    def crypto(self) -> CryptoPublicKey:
        """The key of the cryptography library. Raises: Malformed."""
        return _crypto_of(self.keytype, self.public, f"key {self.keyid[:8]}")

    def __str__(self) -> str:
        return f"{self.keytype} key {self.keyid[:8]}"


Key = PublicKey | GpgKey | Identity
"""Who may sign: a key, or whoever an OIDC issuer vouches for. All have `keyid`, `keyids`, `names`, `fingerprint` and
`entry`.
"""


def public_key_from_pem(text: str, where: str) -> PublicKey:
    """A public key from the text of a PEM file; `where` names the file or variable in errors.

    Raises: Malformed for a private key, a certificate, an unsupported algorithm, or no PEM at all.
    """
    if "PRIVATE KEY-----" in text:
        raise MalformedKey(
            where, "a public key (PEM, BEGIN PUBLIC KEY)", "a private key: give the .pub file beside it"
        )
    try:
        key = load_pem_public_key(text.strip().encode() + b"\n")
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedKey(where, "a public key (PEM, BEGIN PUBLIC KEY)", "something that is none") from error
    return public_key_from_crypto(key, where)


def public_key_from_crypto(key: object, where: str) -> PublicKey:
    """Our public key from one of the cryptography library.

    Raises: Malformed for an algorithm, curve or size that is not supported.
    """
    if isinstance(key, ed25519.Ed25519PublicKey):
        keytype, scheme = "ed25519", "ed25519"
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        keytype, scheme = "ecdsa", _CURVES[key.curve.name]
    elif isinstance(key, rsa.RSAPublicKey):
        check_rsa(key, where)
        keytype, scheme = "rsa", "rsassa-pss-sha256"
    else:
        found = (
            f"ECDSA on {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__
        )
        raise MalformedKey(where, "Ed25519, ECDSA on P-256 or P-384, or RSA", found)
    public = _public_of(key)
    keyid = keyid_of({"keytype": keytype, "keyval": {"public": public}, "scheme": scheme})
    return PublicKey(keyid, keytype, scheme, public, spki_digest(key))


def key_from_entry(keyid: str, entry: KeyEntry, where: str) -> Key:
    """A key, a GPG key or an identity of a signed layout's `keys`.

    Raises: Malformed for a type or scheme that is not supported, or a value that is none.
    """
    if entry.keytype == SIGSTORE_OIDC:
        return identity_from_entry(keyid, entry, where)
    if is_gpg(entry):
        return gpg_key_from_entry(keyid, entry, where)
    return public_key_from_entry(keyid, entry, where)


def public_key_from_entry(keyid: str, entry: KeyEntry, where: str) -> PublicKey:
    """A public key of a signed layout's `keys`.

    Raises: Malformed for a key type or scheme that is not supported, or a value that is no such key.
    """
    if entry.scheme not in _SCHEMES.get(entry.keytype, ()):
        known = ", ".join(scheme for schemes in _SCHEMES.values() for scheme in schemes)
        raise MalformedKey(
            where, f"a key of scheme {known}", f"{entry.keytype!r} with scheme {entry.scheme!r}"
        )
    if entry.keyval.private:
        raise MalformedKey(where, "public keys only", f"a private part in key {keyid[:8]}")
    if entry.keyval.is_identity:
        raise MalformedKey(where, f"a public key of type {entry.keytype}", "an identity")
    public = entry.keyval.public
    if not isinstance(public, str):
        raise MalformedKey(where, f"a public key of type {entry.keytype} as text", "numbers, as of a GPG key")
    key = _crypto_of(entry.keytype, public, where)
    if isinstance(key, rsa.RSAPublicKey):
        check_rsa(key, where)
    if isinstance(key, ec.EllipticCurvePublicKey) and _CURVES.get(key.curve.name) != entry.scheme:
        raise MalformedKey(where, f"a key on the curve of scheme {entry.scheme}", f"one on {key.curve.name}")
    return PublicKey(keyid, entry.keytype, entry.scheme, public, spki_digest(key))


def _crypto_of(keytype: str, public: str, where: str) -> CryptoPublicKey:
    try:
        if keytype == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key = load_pem_public_key(public.strip().encode() + b"\n")
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedKey(where, f"a public key of type {keytype}", "a value that is none") from error
    wanted: type[CryptoPublicKey] = ec.EllipticCurvePublicKey if keytype == "ecdsa" else rsa.RSAPublicKey
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) or not isinstance(key, wanted):
        raise MalformedKey(where, f"a public key of type {keytype}", type(key).__name__)
    return key


def _public_of(key: CryptoPublicKey) -> str:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    return _pem(key)


def _pem(key: CryptoPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
