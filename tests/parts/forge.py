"""A whole Sigstore in memory that signs at once what a test wants, and breaks exactly one thing of it when told to.

    forge = Forge()
    signed = forge.sign(pae, job=GitHubJob(ref="refs/tags/v1"), fault=Fault.SCT_MISSING)
    signed.material, signed.signature, signed.bundle, forge.trusted_root

Certificates, SCTs, log entries, checkpoints and timestamps are real, made with keys of this object: sigstore-python's
own verifier accepts what has no fault and refuses each fault (tests/integration/parts/test_forge.py). Nothing is sent.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec
from tests.parts import trust_documents
from tests.parts.certificate_authority import Claims
from tests.parts.forge_faults import Fault, Form, Log, faults
from tests.parts.forged_signing import DOMAIN, Authorities, Signed, Signing, Subject
from tests.parts.github_job import GITHUB_ISSUER, GitHubJob
from tests.parts.logged import Dsse, Message
from tests.parts.trust_documents import AuthorityTrust, Document, LogTrust

__all__ = ["Fault", "Forge", "Form", "GitHubJob", "Log", "Signed", "faults"]

_YEAR = timedelta(days=365)
_NO_CLAIMS: Claims = MappingProxyType({})


class Forge:
    """An instance of Sigstore. Two are two instances that do not know each other.

    `now` is when things are signed if a signing does not say otherwise.
    """

    def __init__(self, now: datetime | None = None) -> None:
        here = datetime.now(UTC).replace(microsecond=0)
        self.now = now or here - timedelta(seconds=2)
        self._valid_from = min(self.now, here) - _YEAR
        valid_until = max(self.now, here) + 10 * _YEAR
        self._ours = Authorities(self._valid_from, valid_until)
        self._strangers = Authorities(self._valid_from, valid_until)

    def sign(
        self,
        data: bytes,
        *,
        job: GitHubJob | None = None,
        identity: str | None = None,
        issuer: str = GITHUB_ISSUER,
        claims: Claims = _NO_CLAIMS,
        log: Log = Log.V2,
        fault: Fault | None = None,
        at: datetime | None = None,
        curve: ec.EllipticCurve | None = None,
    ) -> Signed:
        """A signature over bytes (a message signature; of a link these bytes are the PAE).

        The certificate is for the job, or for an identity that makes no claims of its own; `claims` come on top. Its
        key is on P-256, or on another curve, which the log entry does not say.
        Raises ValueError for a fault that this way of signing cannot have.
        """
        who = Subject.of(job, identity, issuer, claims)
        return self._signing(who, log, fault, at, curve).make(Message(data))

    def sign_dsse(
        self,
        payload_type: str,
        payload: bytes,
        *,
        job: GitHubJob | None = None,
        identity: str | None = None,
        issuer: str = GITHUB_ISSUER,
        claims: Claims = _NO_CLAIMS,
        log: Log = Log.V2,
        fault: Fault | None = None,
        at: datetime | None = None,
    ) -> Signed:
        """A DSSE envelope in a bundle; otherwise as `sign`."""
        who = Subject.of(job, identity, issuer, claims)
        return self._signing(who, log, fault, at).make(Dsse(payload_type, payload))

    def _signing(
        self,
        who: Subject,
        log: Log,
        fault: Fault | None,
        at: datetime | None,
        curve: ec.EllipticCurve | None = None,
    ) -> Signing:
        at = at or self.now
        if fault is Fault.TIMESTAMP_BEFORE_ITS_AUTHORITY:
            at = self._timestamps_trusted_from - timedelta(days=1)
        return Signing(self._ours, self._strangers, who, log, fault, at, curve)

    @cached_property
    def trusted_root(self) -> str:
        """The trusted_root.json of this instance."""
        return json.dumps(self._trusted_root())

    @cached_property
    def trust_config(self) -> str:
        """A client trust config whose services are nowhere: for verifying only."""
        config = trust_documents.signing_config(
            fulcio=f"https://fulcio.{DOMAIN}",
            rekor=self._ours.rekor_v2.base_url,
            rekor_version=2,
            tsa=f"https://tsa.{DOMAIN}",
            issuer=GITHUB_ISSUER,
            valid_from=self._valid_from,
        )
        return json.dumps(trust_documents.trust_config(self._trusted_root(), config))

    @property
    def _timestamps_trusted_from(self) -> datetime:
        """Since when the trusted root takes timestamps, later than the authority has had its certificate."""
        return self._valid_from + timedelta(days=30)

    def _trusted_root(self) -> Document:
        since = self._valid_from
        ours = self._ours
        logs = [
            LogTrust(log.base_url, log.public_der, log.key_details, log.log_id, since)
            for log in (ours.rekor_v1, ours.rekor_v2)
        ]
        ct_log = LogTrust(
            f"https://ct.{DOMAIN}",
            ours.ct_log.public_der,
            "PKIX_ECDSA_P256_SHA_256",
            ours.ct_log.log_id,
            since,
        )
        fulcio = AuthorityTrust(f"https://fulcio.{DOMAIN}", ours.fulcio.chain, since)
        tsa = AuthorityTrust(f"https://tsa.{DOMAIN}", ours.tsa.chain, self._timestamps_trusted_from)
        return trust_documents.trusted_root(
            logs=logs, ct_logs=[ct_log], certificate_authorities=[fulcio], timestamp_authorities=[tsa]
        )
