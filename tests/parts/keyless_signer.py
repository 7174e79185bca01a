"""Somebody who signs without a key, by a forge; and chains whose functionaries are identities."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from tests.parts.chain import Chain
from tests.parts.forge import Fault, Forge, GitHubJob, Log, Signed

from intoto_action.formats.envelope import PAYLOAD_TYPE, Envelope, Signature, Wrapper
from intoto_action.formats.identity import GITHUB_ISSUER, Identity, identity_of
from intoto_action.formats.material import encode_extension
from intoto_action.trust.keyless import TrustRoot


@dataclass
class KeylessSigner:
    """Signs as a job of GitHub, or as another identity; breaks one thing when told to."""

    forge: Forge
    job: GitHubJob | None = field(default_factory=GitHubJob)
    identity: str = ""
    issuer: str = GITHUB_ISSUER
    log: Log = Log.V2
    fault: Fault | None = None
    claims: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Identity:
        name = self.identity or (self.job.identity if self.job else "")
        return identity_of(name, self.issuer)

    def signature(self, data: bytes) -> Signature:
        signed = self.signed(data)
        extension = encode_extension(msgspec.json.encode(signed.material))
        return Signature("", signed.signature, {"extension": extension})

    def bundle(self, payload_type: str, payload: bytes) -> bytes:
        return self.forge.sign_dsse(
            payload_type,
            payload,
            job=self.job,
            identity=self.identity or None,
            issuer=self.issuer,
            claims=self.claims,
            log=self.log,
            fault=self.fault,
        ).bundle

    def signed(self, data: bytes) -> Signed:
        return self.forge.sign(
            data,
            job=self.job,
            identity=self.identity or None,
            issuer=self.issuer,
            claims=self.claims,
            log=self.log,
            fault=self.fault,
        )


def trust_root(forge: Forge) -> TrustRoot:
    """The root of the forge, as the product reads one."""
    return TrustRoot(forge.trusted_root.encode(), "the forge")


def enveloped(signer: KeylessSigner, payload: bytes, *, keyid: str = "") -> Envelope:
    """A DSSE envelope with one keyless signature."""
    bare = Envelope(Wrapper.DSSE, PAYLOAD_TYPE, payload, (), b"")
    signature = msgspec.structs.replace(signer.signature(bare.signed), keyid=keyid)
    return msgspec.structs.replace(bare, signatures=(signature,))


def by_identity(chain: Chain, step: str, signer: KeylessSigner, functionary: Identity | None = None) -> Chain:
    """Let an identity be the only functionary of a step, and `signer` sign its link."""
    listed = functionary or signer.key
    others = {
        keyid: entry for keyid, entry in chain.layout.keys.items() if keyid not in chain.step(step).pubkeys
    }
    chain.change_layout(keys={**others, listed.keyid: listed.entry})
    chain.change_step(step, pubkeys=[listed.keyid])
    chain.link(step).signed_by(signer)
    return chain
