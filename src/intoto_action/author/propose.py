"""The identity of a workflow as its author puts it into layout.yaml: written down, or taken from what it signed.

What is taken from a link or a token is a proposal. Nobody has checked it here: who reads it says whether it is who
should sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from intoto_action.formats.certificate import Certificate
from intoto_action.formats.envelope import parse_envelope
from intoto_action.formats.functionary import functionary_lines, identity_from_texts, written_claim_fault
from intoto_action.formats.github_claims import GithubClaims
from intoto_action.formats.identity import CLAIMS, SOURCE_REPOSITORY, Identity, identity_of
from intoto_action.formats.workflow import workflow_of
from intoto_action.reason import WrongDocument
from intoto_action.store.files import read_capped
from intoto_action.trust.keyless import claimed_certificate

SIGNED_CAP = 32 << 20
"""Bytes of the largest signed document that is read: base64 makes four of three."""
PASTE = "# Goes below functionaries: of a layout.yaml, under a name of your choice. The file as it is serves as PUB."
_REMARK = "Demand these too, if they hold. Names can be registered again by somebody else; ids stay:"
_ASK_GITHUB = (
    "Names can be registered again by somebody else, ids cannot (gh api repos/{name} -q '.id, .owner.id'):"
)
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_OF_REUSABLE = ("build-signer-digest", "source-ref")
"""Claims worth demanding of a reusable workflow only: otherwise identity and source say the same."""


class Proposal(msgspec.Struct, frozen=True):
    """An identity, claims that its author may demand too, and what else should be known of it."""

    identity: Identity
    optional: Mapping[str, str]
    remark: str
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """YAML to paste under `functionaries:`, which is read as PUB too."""
        return [PASTE, *functionary_lines(_name(self.identity), self.identity, self.optional, self.remark)]


def propose_workflow(repository: str, workflow: str, ref: str, issuer: str | None) -> Proposal:
    """The identity of a workflow on a GitHub server, from words.

    Raises: Malformed for a word that names none.
    """
    texts = {"repository": repository, "workflow": workflow, "ref": ref}
    identity = identity_from_texts(texts | ({"issuer": issuer} if issuer else {}), "layout functionary")
    name = "/".join(dict(identity.claims)[SOURCE_REPOSITORY].split("/")[3:])
    ids = {"source-repository-id": "", "source-owner-id": ""}
    return Proposal(identity, ids, _ASK_GITHUB.format(name=name), tuple(_notes(identity)))


def propose_signer(path: Path) -> Proposal:
    """The identity that signed a link, or any other document, as its certificate says; nothing of it is verified.

    Raises: Misused when no identity signed it, or several; Malformed when it is no signed document.
    """
    envelope = parse_envelope(read_capped(path, SIGNED_CAP, "the link"), str(path), cap=SIGNED_CAP)
    claimed = [claimed_certificate(envelope, each, str(path)) for each in envelope.signatures]
    certificates = {str(each): each for each in claimed if each is not None}
    if not certificates:
        raise WrongDocument(
            f"expected a document that an identity signed, found no certificate in {path}: who signs with a key goes "
            "into layout.yaml as {key: PATH}, with the path of the .pub file"
        )
    if len(certificates) > 1:
        raise WrongDocument(
            f"expected one signer in {path}, found {len(certificates)}: {', '.join(certificates)}"
        )
    (certificate,) = certificates.values()
    note = (
        f"the certificate in {path} is taken as it stands there: neither it nor the signature is checked here"
    )
    return _proposal(
        certificate.identity, certificate.issuer, certificate.claims, (note,), f"{path}, certificate"
    )


def propose_job(claims: GithubClaims) -> Proposal:
    """The identity that Fulcio will make of this job's OIDC token. The provider vouches for it, and nobody else yet.

    Source: Fulcio's configuration for GitHub.
    """
    named = {
        SOURCE_REPOSITORY: claims.repository_uri,
        "source-repository-id": claims.repository_id,
        "source-owner-id": claims.repository_owner_id,
        "source-ref": claims.ref,
        "runner-environment": claims.runner_environment,
        "event": claims.event_name,
    }
    return _proposal(claims.builder, claims.iss, named, (), "the OIDC token")


def propose_certificate(certificate: Certificate, where: str) -> Proposal:
    """The identity of a certificate that has just been used, or that somebody has verified.

    Raises: Malformed when no layout can name it.
    """
    return _proposal(certificate.identity, certificate.issuer, certificate.claims, (), where)


def _proposal(
    identity: str, issuer: str, claims: Mapping[str, str], notes: tuple[str, ...], where: str
) -> Proposal:
    sound = {
        name: claims[name]
        for name in CLAIMS
        if name in claims and not written_claim_fault(name, claims[name])
    }
    demanded = {name: sound[name] for name in (SOURCE_REPOSITORY,) if name in sound}
    found = identity_of(identity, issuer, demanded, where)
    workflow = workflow_of(identity)
    is_reusable = workflow is not None and workflow.repository != demanded.get(SOURCE_REPOSITORY)
    left_out = {*demanded, *(() if is_reusable else _OF_REUSABLE)}
    optional = {name: value for name, value in sound.items() if name not in left_out}
    return Proposal(found, optional, _REMARK, (*notes, *_notes(found)))


def _notes(identity: Identity) -> Iterator[str]:
    """What is true of the identity and not to be seen in it."""
    workflow = workflow_of(identity.identity)
    if workflow is None:
        return
    if workflow.ref.startswith("refs/pull/"):
        yield (
            f"{workflow.ref} is the ref of a pull request: nobody else will have it again; put the ref of the branch "
            "or tag there that images are built from"
        )
    caller = dict(identity.claims).get(SOURCE_REPOSITORY)
    if caller is None:
        yield "no source repository is demanded: if others can call this workflow, they sign with the same identity"
    elif caller != workflow.repository:
        yield f"{workflow.file} is a reusable workflow of {workflow.repository}, called from {caller}"


def _name(identity: Identity) -> str:
    workflow = workflow_of(identity.identity)
    text = workflow.file.rpartition(".")[0] if workflow else identity.identity.partition("@")[0]
    return _NO_NAME.sub("-", text.rpartition("/")[2]).strip("-_") or "functionary"
