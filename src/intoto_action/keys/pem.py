"""Private keys: the text of a PEM file, as files and CI secrets hold it, to a signer.

Every error is a sentence of its own, because an empty secret, a wrong file and a wrong password look alike to
the libraries below; none of them holds a part of the text or of the password.
"""

from __future__ import annotations

import base64
import binascii
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from intoto_action.formats.key import PublicKey, public_key_from_crypto, public_key_from_pem
from intoto_action.keys.key_signer import KeySigner
from intoto_action.reason import Malformed, WrongKey

CryptoPrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

TEXT_CAP = 1 << 16
"""Bytes of the longest key text that is read."""

MAKE_ONE = "make one with `intoto-action keygen`"
_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----(.*?)-----END \1-----", re.DOTALL)
_BODY = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z")
_READ = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY")
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "ecdsa-sha2-nistp256": hashes.SHA256,
    "ecdsa-sha2-nistp384": hashes.SHA384,
}
_COSIGN = (
    "a private key in cosign's own format, which only cosign reads: make a key with `intoto-action keygen` "
    "(cosign reads its .pub), or keep this one for cosign"
)
_OTHERS = {
    "PUBLIC KEY": "a public key: give the private key, the file without .pub beside it",
    "RSA PUBLIC KEY": "a public key: give the private key, the file without .pub beside it",
    "CERTIFICATE": "a certificate: give the private key that belongs to it",
    "CERTIFICATE REQUEST": "a certificate request: give the private key that belongs to it",
    "OPENSSH PRIVATE KEY": (
        "a key in OpenSSH's own format: convert a copy of an ECDSA or RSA key with `ssh-keygen -p -m PKCS8 -f "
        f"COPY` (it cannot convert Ed25519), or {MAKE_ONE}"
    ),
    "ENCRYPTED SIGSTORE PRIVATE KEY": _COSIGN,
    "ENCRYPTED COSIGN PRIVATE KEY": _COSIGN,
    "DSA PRIVATE KEY": f"a DSA key, which nobody verifies any more: {MAKE_ONE}",
    "PGP PRIVATE KEY BLOCK": (
        "an OpenPGP key: import it into GnuPG (`gpg --import FILE`), and give gnupg:HOMEDIR?id=FINGERPRINT as the key, "
        f"or {MAKE_ONE}"
    ),
    "PGP PUBLIC KEY BLOCK": "a public key of GnuPG: give gnupg:HOMEDIR?id=FINGERPRINT as the key",
}


class PemSigner(KeySigner):
    """A signer whose private key came from PEM text."""

    def __init__(self, private: CryptoPrivateKey, key: PublicKey) -> None:
        self._private = private
        self._key = key

    def __repr__(self) -> str:
        return f"PemSigner({self._key})"

    @property
    def key(self) -> PublicKey:
        """The public part."""
        return self._key

    def sign(self, data: bytes) -> bytes:
        """The raw signature in `key.scheme`.

        Source: securesystemslib 1.6 CryptoSigner: ECDSA in DER, RSA-PSS with a salt as long as the digest.
        """
        if isinstance(self._private, rsa.RSAPrivateKey):
            sha256 = hashes.SHA256()
            pss = padding.PSS(padding.MGF1(sha256), padding.PSS.DIGEST_LENGTH)
            return self._private.sign(data, pss, sha256)
        if isinstance(self._private, ec.EllipticCurvePrivateKey):
            return self._private.sign(data, ec.ECDSA(_HASHES[self._key.scheme]()))
        return self._private.sign(data)

    def sign_for_bundle(self, data: bytes) -> bytes:
        """The raw signature as cosign checks one by a key.

        Source: cosign 3.1, which loads every key that is given to it with SHA-256, on P-384 too, and RSA with
        PKCS #1 v1.5 (sigstore/sigstore, `signature.LoadVerifier`).
        """
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self._private, ec.EllipticCurvePrivateKey):
            return self._private.sign(data, ec.ECDSA(hashes.SHA256()))
        return self._private.sign(data)


def unwrap(text: str) -> str:
    """The PEM text inside `text` as CI systems hand it over; `text` itself when there is none.

    Undone are: base64 around the whole file, the two characters `\\n` in place of a line feed, CR LF, line
    feeds that became spaces, indentation.
    """
    text = _without_base64(text.strip())
    if "\\n" in text:
        text = text.replace("\\r", "").replace("\\n", "\n")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BLOCK.sub(_relined, text)


def holds_pem(text: str) -> bool:
    """Whether `text` is, or wraps, PEM."""
    return _LABEL.search(unwrap(text)) is not None


def is_encrypted(text: str) -> bool:
    """Whether the private key in this unwrapped text needs a password."""
    return "-----BEGIN ENCRYPTED PRIVATE KEY-----" in text or "Proc-Type: 4,ENCRYPTED" in text


def signer_from_pem(text: str, where: str, password: bytes | None) -> PemSigner:
    """The signer for the one private key in the unwrapped `text`; `where` names its source in errors.

    `password` is used only when the key is encrypted (`is_encrypted` tells).

    Raises: Misused, saying what there is instead and what to do.
    """
    block = _private_block(text, where)
    encrypted = is_encrypted(block)
    try:
        private = load_pem_private_key(block.encode(), password if encrypted else None)
    except UnsupportedAlgorithm as error:
        raise WrongKey(
            f"{where}: the private key is of an algorithm that is not supported: {MAKE_ONE}"
        ) from error
    except (ValueError, TypeError) as error:
        raise WrongKey(_unreadable(where, encrypted)) from error
    if not isinstance(private, CryptoPrivateKey):
        raise WrongKey(
            f"{where}: expected an Ed25519, ECDSA or RSA key, found {_algorithm(private)}: {MAKE_ONE}"
        )
    try:
        key = public_key_from_crypto(private.public_key(), where)
    except Malformed as error:
        raise WrongKey(f"{error}: {MAKE_ONE}") from error
    return PemSigner(private, key)


def public_key_from_text(text: str, where: str) -> PublicKey:
    """The public key in the unwrapped `text`; `where` names its source in errors.

    Raises: Misused for a certificate; Malformed for anything else that is no public key.
    """
    if "-----BEGIN CERTIFICATE-----" in text:
        raise WrongKey(
            f"{where}: expected a public key (PEM, BEGIN PUBLIC KEY), found a certificate: take the key out "
            "of it with `openssl x509 -pubkey -noout -in FILE`"
        )
    return public_key_from_pem(text, where)


def _unreadable(where: str, encrypted: bool) -> str:
    if encrypted:
        return f"{where}: the password does not open the key, or the key is damaged: check the password first"
    return f"{where}: the private key is damaged or cut short: copy the whole file again, or {MAKE_ONE}"


def _algorithm(private: object) -> str:
    return type(private).__name__.removeprefix("_").removesuffix("PrivateKey") or "another"


def _private_block(text: str, where: str) -> str:
    """The one block of PEM with a private key in it. Raises: Misused."""
    labels = _LABEL.findall(text)
    blocks = [match.group(0) for match in _BLOCK.finditer(text) if match.group(1) in _READ]
    if len(blocks) == 1:
        return blocks[0] + "\n"
    if len(blocks) > 1:
        raise WrongKey(
            f"{where}: expected one private key, found {len(blocks)}: give a file with one of them"
        )
    if any(label in _READ for label in labels):
        raise WrongKey(_unreadable(where, encrypted=False))
    found = next((_OTHERS[label] for label in labels if label in _OTHERS), None)
    raise WrongKey(
        f"{where}: expected a private key (PKCS #8 PEM, BEGIN PRIVATE KEY), found {found or _kind(text)}"
    )


def _kind(text: str) -> str:
    """What a text without a known block of PEM may be, in words that quote nothing of it."""
    if text.startswith("{"):
        return f"a JSON document; the old key files of securesystemslib are not read: {MAKE_ONE}"
    if text.startswith("ssh-"):
        return f"a public key of OpenSSH: {MAKE_ONE}"
    return f"something that is not PEM: give the whole file with its BEGIN and END lines, or {MAKE_ONE}"


def _without_base64(text: str) -> str:
    if "-----BEGIN" in text or not text:
        return text
    try:
        inner = base64.b64decode("".join(text.split()), validate=True).decode("ascii").strip()
    except (binascii.Error, ValueError):
        return text
    return inner if "-----BEGIN" in inner else text


def _relined(block: re.Match[str]) -> str:
    """One block with its base64 in lines of 64; one with headers (RFC 1421) only loses its indentation."""
    label, body = block.groups()
    joined = "".join(body.split())
    if _BODY.match(joined):
        lines = [joined[start : start + 64] for start in range(0, len(joined), 64)]
    else:
        lines = [line.strip() for line in body.strip().split("\n")]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"))
