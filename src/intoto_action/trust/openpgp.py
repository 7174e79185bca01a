"""Signatures as gpg makes them: the only place where they are verified.

Nothing but arithmetic: no gpg is called, and no clock is read. Source: RFC 4880 section 5.2.4 (what is hashed);
securesystemslib 1.6 (`_gpg`: SHA-256 only), which hashes in this way whatever the signature itself says of its version,
type and hash, so all of that is looked at here first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from intoto_action.formats.envelope import Signature
from intoto_action.formats.gpg_key import GpgCryptoKey, GpgKey
from intoto_action.formats.openpgp import (
    BINARY,
    CREATED,
    EDDSA,
    EXPIRES_AFTER,
    HASHES,
    ISSUER,
    ISSUER_FINGERPRINT,
    RSA,
    SHA256,
    Hashed,
    read_hashed,
)
from intoto_action.formats.strict_json import decode_once
from intoto_action.reason import Malformed

OTHER_HEADERS = "other_headers"
STRONG: Mapping[int, type[hashes.HashAlgorithm]] = {
    SHA256: hashes.SHA256,
    9: hashes.SHA384,
    10: hashes.SHA512,
}
_SIGNERS_USER_ID = 28
_KNOWN = frozenset({CREATED, EXPIRES_AFTER, ISSUER, _SIGNERS_USER_ID, ISSUER_FINGERPRINT})
_IS_HEX = re.compile(r"(?:[0-9a-f]{2})+\Z")
_ED25519_LENGTH = 64


def is_by(key: GpgKey, signature: Signature, data: bytes, where: str) -> bool:
    """Whether the key made this signature, of a DSSE envelope or a Metablock, over `data`.

    Raises: Malformed when it is no signature of a document by gpg with SHA-256: of another kind, with another hash, or
    with an expiry, which a link and a layout do not have.
    """
    hashed = _hashed(signature, where)
    crypto = key.crypto()
    if hashed.algorithm != algorithm_of(crypto):
        return False
    if hashed.type != BINARY:
        raise Malformed(where, "a signature over a binary document", f"one of type 0x{hashed.type:02x}")
    if hashed.hash_algorithm != SHA256:
        found = HASHES.get(hashed.hash_algorithm, f"hash algorithm {hashed.hash_algorithm}")
        raise Malformed(where, "a GPG signature with SHA-256, as in-toto's readers take it", found)
    if hashed.seconds(EXPIRES_AFTER):
        raise Malformed(where, "a GPG signature without an expiry", "one that expires (default-sig-expire?)")
    if unknown := [each.type for each in hashed.subpackets if each.critical and each.type not in _KNOWN]:
        found = f"number {unknown[0]}"
        raise Malformed(where, "a GPG signature without critical subpackets that are not known here", found)
    return holds(crypto, signature.value, data, hashed)


def holds(
    crypto: GpgCryptoKey,
    value: bytes,
    data: bytes,
    hashed: Hashed,
    digests: Mapping[int, type[hashes.HashAlgorithm]] = STRONG,
) -> bool:
    """Whether `value` is a signature by the key over the data and the hashed part, with one of the `digests`."""
    algorithm = digests.get(hashed.hash_algorithm)
    if algorithm is None or hashed.algorithm != algorithm_of(crypto):
        return False
    digest = hashes.Hash(algorithm())
    for each in (data, hashed.raw, b"\x04\xff" + len(hashed.raw).to_bytes(4, "big")):
        digest.update(each)
    try:
        if isinstance(crypto, rsa.RSAPublicKey):
            # As an integer it lost its leading zeros (section 3.2), which PKCS #1 wants.
            whole = value.rjust((crypto.key_size + 7) // 8, b"\x00")
            crypto.verify(whole, digest.finalize(), padding.PKCS1v15(), Prehashed(algorithm()))
        elif len(value) == _ED25519_LENGTH:
            crypto.verify(value, digest.finalize())
        else:
            return False
    except InvalidSignature:
        return False
    return True


def algorithm_of(crypto: GpgCryptoKey) -> int:
    """The number that OpenPGP has for the key's algorithm."""
    return RSA if isinstance(crypto, rsa.RSAPublicKey) else EDDSA


def _hashed(signature: Signature, where: str) -> Hashed:
    text = decode_once(signature.beside[OTHER_HEADERS], str, f"{where}, {OTHER_HEADERS}")
    if not _IS_HEX.match(text):
        raise Malformed(where, f"{OTHER_HEADERS} in lower-case hex", "something else")
    return read_hashed(bytes.fromhex(text), f"{where}, {OTHER_HEADERS}")
