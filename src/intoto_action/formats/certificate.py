"""What a signing certificate says of its holder: Fulcio's extensions, by the names that layouts use.

Source: Fulcio, docs/oid-info.md: 1.3.6.1.4.1.57264.1.N; N up to 6 hold the bare text, from 8 on DER UTF8Strings.
Nothing here says that the certificate is good: that is `trust`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from intoto_action.reason import Malformed

if TYPE_CHECKING:
    from cryptography import x509

ARC = "1.3.6.1.4.1.57264.1"
OIDS = {
    "build-signer-uri": 9,
    "build-signer-digest": 10,
    "runner-environment": 11,
    "source-repository": 12,
    "source-digest": 13,
    "source-ref": 14,
    "source-repository-id": 15,
    "source-owner": 16,
    "source-owner-id": 17,
    "build-config-uri": 18,
    "build-config-digest": 19,
    "event": 20,
    "run-invocation": 21,
    "visibility": 22,
    "environment": 23,
    "subject": 24,
}
_ISSUER_V1, _ISSUER_V2 = "issuer-v1", "issuer-v2"
_USER_NAME = f"{ARC}.7"
_UTF8_STRING = 0x0C
CERTIFICATE_CAP = 64 << 10


class Certificate(msgspec.Struct, frozen=True):
    """A leaf certificate: its one subject alternative name, the issuer of the token behind it, and the claims."""

    identity: str
    issuer: str
    claims: dict[str, str]

    def claim(self, name: str) -> str:
        """A claim's value, empty when the certificate has none."""
        return self.claims.get(name, "")

    def __str__(self) -> str:
        return f"{self.identity} (issuer {self.issuer or 'not named'})"


def parse_certificate(der: bytes, where: str) -> Certificate:
    """The facts of a DER certificate.

    Raises: Malformed for what is no certificate, names nobody or several, or says one thing twice.
    """
    from cryptography import x509

    if len(der) > CERTIFICATE_CAP:
        raise Malformed(where, f"a certificate of at most {CERTIFICATE_CAP} bytes", f"{len(der)} bytes")
    try:
        found = x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise Malformed(where, "an X.509 certificate in DER", "bytes that are none") from error
    return facts_of(found, where)


def facts_of(found: x509.Certificate, where: str) -> Certificate:
    """The facts of a certificate that somebody has read.

    Raises: Malformed as `parse_certificate` does.
    """
    from cryptography import x509

    names = _names_by_oid()
    texts: dict[str, str] = {}
    alternative = None
    unrecognized, alternatives = x509.UnrecognizedExtension, x509.SubjectAlternativeName
    try:
        for each in found.extensions:
            value = each.value
            if isinstance(value, unrecognized):
                if (name := names.get(each.oid)) is not None:
                    texts[name] = _text(value.value, name, where)
            elif isinstance(value, alternatives):
                alternative = value
        identity = _identity(alternative, where)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Malformed(where, "an X.509 certificate in DER", "bytes that are none") from error
    old, new = texts.pop(_ISSUER_V1, None), texts.pop(_ISSUER_V2, None)
    if old is not None and new is not None and old != new:
        raise Malformed(where, "one issuer in the certificate", f"two: {old[:200]!r} and {new[:200]!r}")
    return Certificate(identity, new or old or "", texts)


@cache
def _names_by_oid() -> Mapping[x509.ObjectIdentifier, str]:
    from cryptography import x509

    numbers = {_ISSUER_V1: 1, _ISSUER_V2: 8, **OIDS}
    return {x509.ObjectIdentifier(f"{ARC}.{number}"): name for name, number in numbers.items()}


def _identity(alternative: x509.SubjectAlternativeName | None, where: str) -> str:
    """The only subject alternative name: a URI, an e-mail address, or Fulcio's user name."""
    from cryptography import x509

    names = [] if alternative is None else list(alternative)
    if len(names) != 1:
        raise Malformed(where, "a certificate with one subject alternative name", f"one with {len(names)}")
    name = names[0]
    if isinstance(name, x509.UniformResourceIdentifier | x509.RFC822Name):
        return name.value
    if isinstance(name, x509.OtherName) and name.type_id.dotted_string == _USER_NAME:
        return _utf8_string(name.value, where)
    raise Malformed(where, "a URI, an e-mail address or a user name", type(name).__name__)


def _text(value: bytes, name: str, where: str) -> str:
    if name != _ISSUER_V1:
        return _utf8_string(value, where)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Malformed(where, "text in the certificate's claims", "bytes that are none") from error


def _utf8_string(der: bytes, where: str) -> str:
    """The text of a DER UTF8String that fills `der` whole (X.690, 8.1.3)."""
    expected = "a DER UTF8String in the certificate's claims"
    if len(der) < 2 or der[0] != _UTF8_STRING:
        raise Malformed(where, expected, "something else")
    length, start = der[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[2 : 2 + count]), 2 + count
    if not start <= len(der) == start + length:
        raise Malformed(where, expected, "one of another length")
    try:
        return der[start:].decode()
    except UnicodeDecodeError as error:
        raise Malformed(where, expected, "one that is not UTF-8") from error
