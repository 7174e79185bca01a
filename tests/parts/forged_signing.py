"""One signing of the forge, stage by stage, and what each fault breaks in the stage it belongs to."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.parts.certificate_authority import CertificateAuthority, Claims, for_use, identify
from tests.parts.ct_log import CtLog
from tests.parts.forge_faults import Fault, Log, faults
from tests.parts.github_job import GitHubJob
from tests.parts.logged import Dsse, Logged, Message, canonical, entry_of
from tests.parts.timestamp_authority import REJECTION, TimestampAuthority
from tests.parts.transparency_log import TransparencyLog
from tests.parts.trust_documents import Document

DOMAIN = "forge.test"
_CERTIFICATE = timedelta(minutes=10)
_OUTSIDE = timedelta(hours=1)
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_OLD_BUNDLE = "application/vnd.dev.sigstore.bundle+json;version="


@dataclass(frozen=True)
class Signed:
    """What a signing gave. `data` is what the signature is over: for a DSSE envelope its PAE."""

    data: bytes
    signature: bytes
    certificate: x509.Certificate
    material: Document
    content: Document

    @property
    def bundle(self) -> bytes:
        """A Sigstore bundle 0.3."""
        return json.dumps(
            {"mediaType": _BUNDLE, "verificationMaterial": self.material, **self.content}
        ).encode()

    def old_bundle(self, version: str) -> bytes:
        """A bundle of version 0.1 or 0.2, with the certificate in a chain."""
        material = {**self.material, "x509CertificateChain": {"certificates": [self.material["certificate"]]}}
        del material["certificate"]
        media_type = _OLD_BUNDLE + version
        return json.dumps(
            {"mediaType": media_type, "verificationMaterial": material, **self.content}
        ).encode()


class Authorities:
    """Everybody whose word a verifier takes. Strangers have the same names as ours, and other keys."""

    def __init__(self, valid_from: datetime, valid_until: datetime) -> None:
        self.fulcio = CertificateAuthority(DOMAIN, valid_from, valid_until)
        self.ct_log = CtLog()
        self.tsa = TimestampAuthority(DOMAIN, valid_from, valid_until)
        self.rekor_v1 = TransparencyLog(
            f"rekor.{DOMAIN}",
            ec.generate_private_key(ec.SECP256R1()),
            f"rekor.{DOMAIN} - 5577006791947779410",
            earlier=4000,
        )
        self.rekor_v2 = TransparencyLog(f"log.{DOMAIN}", ed25519.Ed25519PrivateKey.generate())

    def log(self, log: Log) -> TransparencyLog:
        return self.rekor_v2 if log is Log.V2 else self.rekor_v1


@dataclass(frozen=True)
class Subject:
    """Who a certificate is for."""

    identity: str
    issuer: str
    claims: Claims

    @classmethod
    def of(cls, job: GitHubJob | None, identity: str | None, issuer: str, claims: Claims) -> Subject:
        if job is None and identity is None:
            job = GitHubJob()
        own: Claims = job.certificate_claims if job else {}
        name = identity or (job.identity if job else "")
        return cls(name, issuer, {**own, **claims})


class Signing:
    """One signing, a method a stage; what a fault breaks is in the stage it belongs to."""

    def __init__(
        self,
        ours: Authorities,
        strangers: Authorities,
        who: Subject,
        log: Log,
        fault: Fault | None,
        at: datetime,
        curve: ec.EllipticCurve | None = None,
    ) -> None:
        self._ours, self._strangers = ours, strangers
        self._who, self._log, self._fault = who, log, fault
        self._at = at
        self._key = ec.generate_private_key(curve or ec.SECP256R1())

    def make(self, content: Message | Dsse) -> Signed:
        if self._fault is not None and self._fault not in faults(self._log, content.form):
            raise ValueError(f"{self._fault.name} is no fault of {content.form.name} in {self._log.name}")
        certificate = self._certificate()
        signature = self._signature(content)
        material = {
            "certificate": {"rawBytes": _b64(certificate.public_bytes(Encoding.DER))},
            "tlogEntries": self._entries(content, signature, certificate),
        }
        if self._log is not Log.V1:
            timestamps = [{"signedTimestamp": _b64(each)} for each in self._timestamps(signature)]
            material["timestampVerificationData"] = {"rfc3161Timestamps": timestamps}
        if self._fault is Fault.ENTRY_MISSING:
            del material["tlogEntries"]
        return Signed(content.data, signature, certificate, material, self._content(content, signature))

    def _certificate(self) -> x509.Certificate:
        private = self._fault is Fault.CERTIFICATE_BY_A_PRIVATE_AUTHORITY
        authority = (self._strangers if private else self._ours).fulcio
        usage, use = "digital_signature", ExtendedKeyUsageOID.CODE_SIGNING
        match self._fault:
            case Fault.CERTIFICATE_NOT_FOR_SIGNATURES:
                usage = "key_agreement"
            case Fault.CERTIFICATE_NOT_FOR_CODE:
                use = ExtendedKeyUsageOID.CLIENT_AUTH
        draft = authority.draft(self._key.public_key(), self._at, self._at + _CERTIFICATE)
        draft = for_use(draft, usage, use)
        other = identify(draft, "https://example.com/other", self._who.issuer, {})
        draft = identify(draft, self._who.identity, self._who.issuer, self._who.claims)
        ours, theirs = self._ours.ct_log, self._strangers.ct_log
        match self._fault:
            case Fault.SCT_MISSING:
                promises = []
            case Fault.SCT_BY_ANOTHER_LOG:
                promises = authority.promises(draft, [theirs], self._at)
            case Fault.SCT_OF_ANOTHER_CERTIFICATE:
                promises = authority.promises(other, [ours], self._at)
            case Fault.TWO_SCTS:
                promises = authority.promises(draft, [ours, theirs], self._at)
            case _:
                promises = authority.promises(draft, [ours], self._at)
        return authority.issue(draft, promises)

    def _signature(self, content: Message | Dsse) -> bytes:
        match self._fault:
            case Fault.SIGNATURE_BY_ANOTHER_KEY:
                return _sign(ec.generate_private_key(ec.SECP256R1()), content.data)
            case Fault.SIGNATURE_OVER_ANOTHER_ARTIFACT:
                return _sign(self._key, content.another().data)
            case _:
                return _sign(self._key, content.data)

    def _content(self, content: Message | Dsse, signature: bytes) -> Document:
        match self._fault:
            case Fault.DIGEST_OF_ANOTHER_ARTIFACT:
                return content.another().field(signature)
            case Fault.TWO_SIGNATURES:
                return content.field(signature, _sign(self._key, content.data))
            case _:
                return content.field(signature)

    def _entries(
        self, content: Message | Dsse, signature: bytes, certificate: x509.Certificate
    ) -> list[Document]:
        logged = Logged(content, signature, certificate)
        match self._fault:
            case Fault.ENTRY_OF_ANOTHER_ARTIFACT:
                logged = Logged(content.another(), signature, certificate)
            case Fault.SIGNATURE_SWAPPED:
                logged = Logged(content, _sign(self._key, content.data), certificate)
            case Fault.ENTRY_OF_ANOTHER_CERTIFICATE:
                logged = Logged(content, signature, self._certificate())
        if self._fault is Fault.TWO_ENTRIES:
            return [self._entry(logged), self._entry(logged)]
        return [self._entry(logged)]

    def _entry(self, logged: Logged) -> Document:
        stray = self._fault is Fault.ENTRY_IN_ANOTHER_LOG
        log = (self._strangers if stray else self._ours).log(self._log)
        kind, version, spec = entry_of(logged, self._log)
        match self._fault:
            case Fault.ENTRY_OF_UNKNOWN_KIND:
                kind = "intoto"
            case Fault.ENTRY_OF_UNKNOWN_VERSION:
                version = "0.0.9"
        body = canonical({"apiVersion": version, "kind": kind, "spec": spec})
        index = log.append(body)
        if self._fault is Fault.ENTRY_CHANGED_AFTERWARDS:
            body += b"\n"
        entry = {
            "logIndex": str(log.global_index(index)),
            "logId": {"keyId": _b64(log.log_id)},
            "kindVersion": {"kind": kind, "version": version},
            "canonicalizedBody": _b64(body),
        }
        if self._fault is not Fault.PROOF_MISSING:
            entry["inclusionProof"] = self._proof(log, index)
        if self._log is not Log.V2:
            entry |= self._promise(log, index, body)
        return entry

    def _proof(self, log: TransparencyLog, index: int) -> Document:
        root_hash = log.root_hash
        stranger = self._strangers.log(self._log)
        checkpoint = log.signed_note(log.note(root_hash))
        match self._fault:
            case Fault.PROOF_OF_ANOTHER_ENTRY:
                index = 0
            case Fault.CHECKPOINT_BY_ANOTHER_LOG:
                checkpoint = stranger.signed_note(log.note(root_hash))
            case Fault.CHECKPOINT_FORGED:
                checkpoint = stranger.signed_note(log.note(root_hash), log.key_hint)
            case Fault.CHECKPOINT_OF_ANOTHER_TREE:
                checkpoint = log.signed_note(log.note(stranger.root_hash))
        proof: Document = {
            "logIndex": str(index),
            "rootHash": _b64(root_hash),
            "treeSize": str(log.size),
            "hashes": [_b64(each) for each in log.path(index)],
        }
        return (
            proof
            if self._fault is Fault.CHECKPOINT_MISSING
            else proof | {"checkpoint": {"envelope": checkpoint}}
        )

    def _promise(self, log: TransparencyLog, index: int, body: bytes) -> Document:
        """The time a Rekor v1 says an entry came in, and its promise (SET) that it is in: over both and the entry."""
        seconds = int(self._witnessed().timestamp())
        promised = seconds
        if self._fault is Fault.PROMISE_FOR_ANOTHER_TIME:
            promised += int(_OUTSIDE.total_seconds())
        payload = {
            "body": _b64(body),
            "integratedTime": promised,
            "logID": log.log_id.hex(),
            "logIndex": log.global_index(index),
        }
        stray = self._fault is Fault.PROMISE_BY_ANOTHER_LOG
        signature = (self._strangers.rekor_v1 if stray else log).sign(canonical(payload))
        document: Document = {"integratedTime": str(seconds)}
        if self._fault is not Fault.PROMISE_MISSING:
            document["inclusionPromise"] = {"signedEntryTimestamp": _b64(signature)}
        return document

    def _timestamps(self, signature: bytes) -> list[bytes]:
        tsa, at = self._ours.tsa, self._witnessed()
        match self._fault:
            case Fault.TIMESTAMP_MISSING:
                return []
            case Fault.TIMESTAMP_BY_ANOTHER_AUTHORITY:
                return [self._strangers.tsa.respond(signature, at)]
            case Fault.TIMESTAMP_OF_ANOTHER_SIGNATURE:
                return [tsa.respond(hashlib.sha256(signature).digest(), at)]
            case Fault.TIMESTAMP_OUTSIDE_CERTIFICATE:
                return [tsa.respond(signature, at + _OUTSIDE)]
            case Fault.TIMESTAMP_NOT_GRANTED:
                return [tsa.respond(signature, at, REJECTION)]
            case Fault.TIMESTAMP_GARBLED:
                return [b"no timestamp"]
            case Fault.TIMESTAMP_REPEATED:
                return [tsa.respond(signature, at)] * 2
            case _:
                return [tsa.respond(signature, at)]

    def _witnessed(self) -> datetime:
        """When others say that the signature was there."""
        match self._fault:
            case Fault.CERTIFICATE_EXPIRED:
                return self._at + _OUTSIDE
            case Fault.CERTIFICATE_NOT_YET_VALID:
                return self._at - _OUTSIDE
            case _:
                return self._at + timedelta(seconds=1)


def _sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
