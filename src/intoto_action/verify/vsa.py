"""The VSA of an image that passed: what it says, and who must not sign it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version

import msgspec

from intoto_action import __version__
from intoto_action.decide.attestation import Attestation
from intoto_action.decide.binding import bound_repositories
from intoto_action.decide.chain import Chain
from intoto_action.decide.decide import Outcome
from intoto_action.decide.demands import Demands
from intoto_action.formats.envelope import Envelope
from intoto_action.formats.identity import SOURCE_REPOSITORY, Identity, identity_of
from intoto_action.formats.key import Key
from intoto_action.formats.layout import Layout
from intoto_action.formats.reference import Image
from intoto_action.formats.verdict import PASS
from intoto_action.formats.vsa import ResourceDescriptor, encode_vsa, passed_vsa
from intoto_action.keys.sigstore_root import SigstoreRoot
from intoto_action.reason import Misused, Reason, Unavailable, WrongKey
from intoto_action.trust.signature import examine

VERSIONS = {"intoto-action": __version__, "in-toto": version("in-toto")}
"""What decided. in-toto's verifylib has the last word over thresholds and artifact rules."""

_WHOSE = frozenset({SOURCE_REPOSITORY, "source-repository-id", "source-owner-id"})
"""The claims that tell one caller of a workflow from another."""


class Holder(msgspec.Struct, frozen=True):
    """A key or identity that the decision counts on, and as what, in words."""

    key: Key
    role: str


class UnsignedVsa(msgspec.Struct, frozen=True):
    """What is to be signed about an image that passed, and who must not be the one to sign it."""

    image: Image
    statement: bytes
    holders: tuple[Holder, ...]


def unsigned_vsa(outcome: Outcome, demands: Demands, *, at: datetime) -> UnsignedVsa | None:
    """The VSA of an outcome; None when the image did not pass, or there is no image.

    Raises: Misused when nothing says what the image is called where it is deployed from.
    """
    verdict, image, chain, attestation = outcome.verdict, outcome.image, outcome.chain, outcome.attestation
    if verdict.verdict != PASS or not (image and chain and attestation and verdict.layout):
        return None
    vsa = passed_vsa(
        f"{_repository(image, chain, demands)}@{image.digest}",
        layout=verdict.layout.sha256,
        evidence=_described(attestation, image),
        provenance=(_described(vouched.attestation, image),) if (vouched := outcome.provenance) else (),
        versions=VERSIONS,
        at=at,
    )
    holders = (*named_holders(demands), *_functionaries(chain.layout), *_builder(outcome))
    return UnsignedVsa(image, encode_vsa(vsa, image), holders)


def named_holders(demands: Demands) -> tuple[Holder, ...]:
    """Whom the verifier's own words name: they are known before anything is decided."""
    roots = demands.layout_trust.keys if demands.layout_trust else ()
    return (
        *(Holder(key, "an owner of the layout (--layout-key)") for key in roots),
        *(Holder(key, "an attester (--attester)") for key in demands.attesters),
    )


def refuse_key_of(key: Key, holders: Iterable[Holder]) -> None:
    """Refuse a VSA key that the decision counts on: whoever holds it could say of itself that it did well.

    Raises: Misused, saying as what the decision counts on it.
    """
    for holder in holders:
        if holder.key.fingerprint == key.fingerprint:
            raise _refusal(str(key), holder)


def refuse_signer_of(sealed: Envelope, holders: tuple[Holder, ...], sigstore: SigstoreRoot) -> None:
    """The same for a sealed VSA: who an identity is, only its certificate says.

    Raises: Misused likewise; Unavailable when the signature cannot be checked here.
    """
    keys = tuple(_any_job_of(holder.key) for holder in holders)
    signatures = sigstore.deciding(lambda root: examine(sealed, keys, root, "the VSA"))
    for signed_by in signatures.fits:
        pairs = zip(keys, holders, strict=True)
        raise _refusal(str(signed_by), next(holder for key, holder in pairs if key is signed_by.key))
    if signatures.faults:
        raise Unavailable(
            f"{signatures.faults[0]}: the VSA was signed, but by the trust root of --sigstore its signature does not "
            "hold, and nobody could rely on it",
            Reason.SIGSTORE_UNAVAILABLE,
        )


def _any_job_of(key: Key) -> Key:
    """An identity whatever its jobs say of themselves: the same workflow has others, without the environment, say.

    Called from another repository, or from one registered again under the same name, it is somebody else.
    """
    if not isinstance(key, Identity):
        return key
    return msgspec.structs.replace(key, claims=tuple(each for each in key.claims if each[0] in _WHOSE))


def _refusal(signer: str, holder: Holder) -> Misused:
    return WrongKey(
        f"--vsa-key: expected somebody on whom this decision does not count, found {signer}, which is {holder.role} "
        "and could say of its own work that it passed: give VSAs a key (`intoto-action keygen`) or a workflow of "
        "their own"
    )


def _functionaries(layout: Layout) -> Iterator[Holder]:
    """Every key of the layout: those of no step may sign evidence too."""
    for key in layout.all_functionaries():
        steps = ", ".join(repr(step.name) for step in layout.steps if key.keyid in step.pubkeys)
        yield Holder(key, f"a functionary of {steps}" if steps else "a key of the layout")


def _builder(outcome: Outcome) -> Iterator[Holder]:
    """Whoever's certificate vouched for the provenance; who did it by a key is among the others."""
    certificate = outcome.provenance.certificate if outcome.provenance else None
    if certificate is None:
        return
    source = certificate.claim(SOURCE_REPOSITORY)
    claims = {SOURCE_REPOSITORY: source} if source else {}
    key = identity_of(certificate.identity, certificate.issuer, claims, "the builder's certificate")
    yield Holder(key, "the builder that vouched for its provenance")


def _repository(image: Image, chain: Chain, demands: Demands) -> str:
    """What the image is called where it is deployed from: its own repository, or where it has none the layout's."""
    if image.repository is not None:
        return image.repository
    repositories = sorted(bound_repositories(chain, image, demands))
    if len(repositories) == 1:
        return repositories[0]
    raise Misused(
        f"--vsa-key: expected one name for the image, found {', '.join(repositories)}: a VSA says where the image is "
        "deployed from, so verify it by its name in a registry"
    )


def _described(attestation: Attestation, image: Image) -> ResourceDescriptor:
    """The bundle's digest; its referrer's name where others can read it."""
    place = f"{image.repository}@{attestation.referrer}" if image.repository and attestation.referrer else ""
    return ResourceDescriptor(uri=place, digest={"sha256": sha256(attestation.envelope.raw).hexdigest()})
