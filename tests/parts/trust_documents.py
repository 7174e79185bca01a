"""What clients know a Sigstore by: trusted root, signing config, client trust config (JSON of protobuf-specs)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

Document = dict[str, Any]


@dataclass(frozen=True)
class LogTrust:
    """A transparency or CT log: where it is, its key, and the id its entries or timestamps carry."""

    base_url: str
    public_der: bytes
    key_details: str
    log_id: bytes
    valid_from: datetime

    def document(self) -> Document:
        key = {
            "rawBytes": _b64(self.public_der),
            "keyDetails": self.key_details,
            "validFor": {"start": stamp(self.valid_from)},
        }
        return {
            "baseUrl": self.base_url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": key,
            "logId": {"keyId": _b64(self.log_id)},
        }


@dataclass(frozen=True)
class AuthorityTrust:
    """A certificate or timestamp authority: where it is, and its chain, the root last."""

    uri: str
    chain: Sequence[x509.Certificate]
    valid_from: datetime

    def document(self) -> Document:
        subject = self.chain[-1].subject
        organization, common_name = (
            subject.get_attributes_for_oid(kind)[0].value
            for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
        )
        certificates = [{"rawBytes": _b64(each.public_bytes(Encoding.DER))} for each in self.chain]
        return {
            "subject": {"organization": organization, "commonName": common_name},
            "uri": self.uri,
            "certChain": {"certificates": certificates},
            "validFor": {"start": stamp(self.valid_from)},
        }


def trusted_root(
    *,
    logs: Sequence[LogTrust],
    ct_logs: Sequence[LogTrust],
    certificate_authorities: Sequence[AuthorityTrust],
    timestamp_authorities: Sequence[AuthorityTrust],
) -> Document:
    return {
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [each.document() for each in logs],
        "certificateAuthorities": [each.document() for each in certificate_authorities],
        "ctlogs": [each.document() for each in ct_logs],
        "timestampAuthorities": [each.document() for each in timestamp_authorities],
    }


def signing_config(
    *, fulcio: str, rekor: str, rekor_version: int, tsa: str, issuer: str, valid_from: datetime
) -> Document:
    """Which services to sign with, by URL."""

    def service(url: str, version: int = 1) -> list[Document]:
        since = {"start": stamp(valid_from)}
        return [{"url": url, "majorApiVersion": version, "validFor": since, "operator": "tests"}]

    return {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": service(fulcio),
        "oidcUrls": service(issuer),
        "rekorTlogUrls": service(rekor, rekor_version),
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": service(tsa),
        "tsaConfig": {"selector": "ANY"},
    }


def trust_config(root: Document, config: Document) -> Document:
    """Both in one: what `--trust-config` of sigstore-python and `--sigstore FILE` of this project read."""
    return {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": root,
        "signingConfig": config,
    }


def stamp(instant: datetime) -> str:
    """RFC 3339 in UTC, as protobuf's JSON has it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
