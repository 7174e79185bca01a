"""What is signed, the two forms of a bundle, and the entries a Rekor keeps of them."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.parts.forge_faults import Form, Log
from tests.parts.trust_documents import Document

from intoto_action.formats.envelope import pae


@dataclass(frozen=True)
class Message:
    """Bytes under a message signature."""

    data: bytes
    form = Form.MESSAGE

    def another(self) -> Message:
        return Message(b"not " + self.data)

    def field(self, *signatures: bytes) -> Document:
        """The part of a bundle that holds the signature."""
        digest = {"algorithm": "SHA2_256", "digest": _b64(hashlib.sha256(self.data).digest())}
        return {"messageSignature": {"messageDigest": digest, "signature": _b64(signatures[0])}}


@dataclass(frozen=True)
class Dsse:
    """A payload in a DSSE envelope."""

    payload_type: str
    payload: bytes
    form = Form.DSSE

    @property
    def data(self) -> bytes:
        return pae(self.payload_type, self.payload)

    def another(self) -> Dsse:
        return Dsse(self.payload_type, b"not " + self.payload)

    def field(self, *signatures: bytes) -> Document:
        """The part of a bundle that holds the envelope."""
        return {
            "dsseEnvelope": {
                "payload": _b64(self.payload),
                "payloadType": self.payload_type,
                "signatures": [{"sig": _b64(each)} for each in signatures],
            }
        }


@dataclass(frozen=True)
class Logged:
    """What a log is asked to keep."""

    content: Message | Dsse
    signature: bytes
    certificate: x509.Certificate


def entry_of(logged: Logged, log: Log) -> tuple[str, str, Document]:
    """Kind, version and spec of the entry: `hashedrekord`, or in a Rekor v1 for an envelope `dsse`."""
    if log is Log.V2:
        return "hashedrekord", "0.0.2", {"hashedRekordV002": _hashedrekord_v2(logged)}
    if isinstance(logged.content, Dsse):
        return "dsse", "0.0.1", _dsse_v1(logged, logged.content)
    return "hashedrekord", "0.0.1", _hashedrekord_v1(logged)


def canonical(document: Document) -> bytes:
    """RFC 8785, for the ASCII strings and whole numbers that are in entries."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _hashedrekord_v2(logged: Logged) -> Document:
    verifier = {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "x509Certificate": {"rawBytes": _b64(logged.certificate.public_bytes(Encoding.DER))},
    }
    digest = hashlib.sha256(logged.content.data).digest()
    return {
        "data": {"algorithm": "SHA2_256", "digest": _b64(digest)},
        "signature": {"content": _b64(logged.signature), "verifier": verifier},
    }


def _hashedrekord_v1(logged: Logged) -> Document:
    return {
        "data": {"hash": _hash_v1(logged.content.data)},
        "signature": {
            "content": _b64(logged.signature),
            "publicKey": {"content": _pem_v1(logged.certificate)},
        },
    }


def _dsse_v1(logged: Logged, content: Dsse) -> Document:
    envelope = content.field(logged.signature)["dsseEnvelope"]
    return {
        "envelopeHash": _hash_v1(json.dumps(envelope).encode()),
        "payloadHash": _hash_v1(content.payload),
        "signatures": [{"signature": _b64(logged.signature), "verifier": _pem_v1(logged.certificate)}],
    }


def _hash_v1(data: bytes) -> Document:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _pem_v1(certificate: x509.Certificate) -> str:
    return _b64(certificate.public_bytes(Encoding.PEM))


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
