"""The trusted root of a Sigstore instance: its certificate and timestamp authorities, its logs, and since when each is.

Source: sigstore/protobuf-specs, sigstore_trustroot.proto. Members that are not read here are passed over, as protobuf
wants it: the media type says what a document means.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from intoto_action.formats.spelling import quoted
from intoto_action.formats.strict_json import check_size, decode
from intoto_action.reason import Malformed

MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
LARGEST_ROOT = 4 << 20
_HOST = re.compile(r"https?://(?:\[([^]/]+)\]|([^][/:?#@]+))(?::[0-9]*)?(?:[/?#]|\Z)")

Instant = Annotated[datetime, Meta(tz=True)]


class Period(msgspec.Struct, frozen=True):
    """From `start` to `end`, both included; without an end it goes on."""

    start: Instant
    end: Instant | None = None

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at and (self.end is None or at <= self.end)


class TrustedKey(msgspec.Struct, frozen=True, rename="camel"):
    """A public key in DER; `key_details` says which kind, and which hash goes with it."""

    raw_bytes: bytes
    key_details: str
    valid_for: Period


class LogId(msgspec.Struct, frozen=True, rename="camel"):
    """How a log is called: a hash of its key, by rules that differ between logs."""

    key_id: bytes


class TrustedLog(msgspec.Struct, frozen=True, rename="camel"):
    """A transparency log, or one for certificates."""

    base_url: str
    public_key: TrustedKey
    log_id: LogId

    @property
    def host(self) -> str:
        """The host of its URL, which is the origin of a Rekor v2's checkpoints; empty when there is none."""
        match = _HOST.match(self.base_url)
        return (match[1] or match[2]) if match else ""


class TrustedCertificate(msgspec.Struct, frozen=True, rename="camel"):
    """A certificate in DER."""

    raw_bytes: bytes


class TrustedChain(msgspec.Struct, frozen=True):
    """Certificates from the one that issues or signs to the root."""

    certificates: Annotated[tuple[TrustedCertificate, ...], Meta(min_length=1)]


class TrustedAuthority(msgspec.Struct, frozen=True, rename="camel"):
    """An authority and its certificates in DER, the root last."""

    cert_chain: TrustedChain
    valid_for: Period
    uri: str = ""


class TrustedRootDocument(msgspec.Struct, frozen=True, rename="camel"):
    """All of an instance that verifiers need. An instance without timestamp authorities is one of Rekor v1 alone."""

    media_type: str
    tlogs: Annotated[tuple[TrustedLog, ...], Meta(min_length=1)]
    certificate_authorities: Annotated[tuple[TrustedAuthority, ...], Meta(min_length=1)]
    ctlogs: Annotated[tuple[TrustedLog, ...], Meta(min_length=1)]
    timestamp_authorities: tuple[TrustedAuthority, ...] = ()


def parse_trusted_root(document: bytes, where: str) -> TrustedRootDocument:
    """Raises: Malformed for what is none, or has no log, certificate authority or certificate log."""
    check_size(document, where, LARGEST_ROOT)
    try:
        root = decode(document, TrustedRootDocument, where)
    except Malformed as error:
        expected = "a Sigstore trusted root with a certificate authority, a CT log and a transparency log"
        raise Malformed(where, expected, error.found) from error
    if root.media_type != MEDIA_TYPE:
        raise Malformed(where, f"a Sigstore trusted root of type {MEDIA_TYPE}", quoted(root.media_type))
    return root
