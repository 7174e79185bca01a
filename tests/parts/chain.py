"""A chain of custody that passes, and the ways to break it one at a time.

The chain is a source file that is checked out, built into an image, scanned and pushed, each step by a functionary of
its own. Everything is signed and packed by the functions of the product; `verify` decides over the outcome.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from intoto_action.decide.decide import Attestation, decide
from intoto_action.decide.demands import Demands, Trust
from intoto_action.formats.artifact import Digests
from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.evidence import Evidence, encode_evidence, parse_links, parse_signed
from intoto_action.formats.key import Key, PublicKey, public_key_from_crypto
from intoto_action.formats.layout import INSTANT, Inspection, Layout, Rule, Step, encode_layout
from intoto_action.formats.link import Link, encode_link, link_file_name
from intoto_action.formats.reference import Image
from intoto_action.formats.verdict import Verdict
from intoto_action.keys.interface import Signer
from intoto_action.keys.key_signer import KeySigner
from intoto_action.keys.sealing import seal, seal_bundle
from intoto_action.keys.sigstore_root import without_sigstore
from intoto_action.trust.keyless import TrustRoot

NOW = datetime(2031, 5, 1, 12, 0, 0, tzinfo=UTC)
KEYS_ALONE = without_sigstore()
"""Decisions that meet no identity."""
REPOSITORY = "ghcr.io/octo/app"
ARTIFACT = f"oci:{REPOSITORY}"
IMAGE_DIGEST = "sha256:" + "1a" * 32
SOURCE = [
    "intoto-action",
    "inspect",
    "source",
    "--repository",
    "https://github.com/octo/app",
    "--ref",
    "refs/heads/main",
]


def digests(letter: str) -> Digests:
    """The digests of an artifact whose content is known by one hex letter."""
    return Digests(sha256=letter * 64)


def digests_of(digest: str) -> Digests:
    """The digests of an artifact with `sha256:…`."""
    return Digests(sha256=digest.removeprefix("sha256:"))


class MemorySigner(KeySigner):
    """An Ed25519 key that exists for one test."""

    def __init__(self) -> None:
        self._private = ed25519.Ed25519PrivateKey.generate()
        self._key = public_key_from_crypto(self._private.public_key(), "test key")

    @property
    def key(self) -> PublicKey:
        return self._key

    @property
    def private_pem(self) -> bytes:
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)

    def sign_for_bundle(self, data: bytes) -> bytes:
        return self._private.sign(data)


@dataclass
class ChainLink:
    """A link before it is signed; change what you like."""

    link: Link
    signer: Signer
    file_name: str
    document: bytes | None = None
    payload: bytes | None = None
    present: bool = True

    def change(self, **fields: Any) -> Self:
        self.link = msgspec.structs.replace(self.link, **fields)
        return self

    def rename_to(self, step: str) -> Self:
        """Leave the link as it is, under the file name of another step."""
        self.file_name = link_file_name(step, self.signer.key.keyid)
        return self

    def signed_by(self, signer: Signer) -> Self:
        self.signer = signer
        self.file_name = link_file_name(self.link.name, signer.key.keyid)
        return self

    def sealed(self) -> bytes:
        return self.document or seal(PAYLOAD_TYPE, self.payload or encode_link(self.link), self.signer)


def step_of(name: str, key: Key, materials: list[Rule], products: list[Rule]) -> Step:
    closed: list[Rule] = [["DISALLOW", "*"]]
    return Step(name, [*materials, *closed], [*products, *closed], [key.keyid], [], 1)


@dataclass
class Chain:
    """The chain; `verify` packs it as evidence of `image` and decides."""

    root: MemorySigner = field(default_factory=MemorySigner)
    signers: dict[str, MemorySigner] = field(default_factory=dict)
    layout: Layout = field(init=False)
    links: list[ChainLink] = field(init=False)
    image: Image | None = field(default_factory=lambda: Image(REPOSITORY, IMAGE_DIGEST))
    statement_digest: str = IMAGE_DIGEST
    outer: Signer = field(init=False)
    layout_signers: list[Signer] = field(init=False)
    layout_document: bytes | None = None
    change_document: Callable[[bytes], bytes] = field(default=lambda document: document)
    now: datetime = NOW
    provenance: list[bytes] = field(default_factory=list)
    sigstore: TrustRoot | None = None

    def __post_init__(self) -> None:
        for name in ("checkout", "build", "scan"):
            self.signers.setdefault(name, MemorySigner())
        self.outer = self.root
        self.layout_signers = [self.root]
        github = {
            "repository": "octo/app",
            "sha": "c0ffee",
            "ref": "refs/heads/main",
            "event": "push",
            "run_id": "7",
        }
        environment: dict[str, object] = {"github": github, "recorded": {"oidc": False}}

        def link(name: str, materials: dict[str, Digests], products: dict[str, Digests]) -> ChainLink:
            made = Link(name, ["make", name], materials, products, {"return-value": 0}, dict(environment))
            signer = self.signers[name]
            return ChainLink(made, signer, link_file_name(name, signer.key.keyid))

        image = digests_of(IMAGE_DIGEST)
        self.links = [
            link("checkout", {}, {"src/app.py": digests("a")}),
            link("build", {"src/app.py": digests("a")}, {"src/app.py": digests("a"), ARTIFACT: image}),
            link("scan", {ARTIFACT: image}, {ARTIFACT: image, "report.json": digests("b")}),
        ]
        keys = {name: self.signers[name].key for name in ("checkout", "build", "scan")}
        source: list[Rule] = [["MATCH", "src/*", "WITH", "PRODUCTS", "FROM", "checkout"]]
        from_build: list[Rule] = [["MATCH", ARTIFACT, "WITH", "PRODUCTS", "FROM", "build"]]
        self.layout = Layout(
            steps=[
                step_of("checkout", keys["checkout"], [], [["CREATE", "src/*"]]),
                step_of(
                    "build", keys["build"], source, [["REQUIRE", ARTIFACT], *source, ["CREATE", ARTIFACT]]
                ),
                step_of(
                    "scan",
                    keys["scan"],
                    [["REQUIRE", ARTIFACT], *from_build],
                    [["REQUIRE", "report.json"], *from_build, ["CREATE", "report.json"]],
                ),
            ],
            inspect=[Inspection("source", [["ALLOW", "*"]], [["ALLOW", "*"]], list(SOURCE))],
            keys={key.keyid: key.entry for key in keys.values()},
            expires=(NOW + timedelta(days=90)).strftime(INSTANT),
        )

    def link(self, step: str) -> ChainLink:
        """The link of a step."""
        return next(each for each in self.links if each.link.name == step)

    def step(self, name: str) -> Step:
        """A step of the layout."""
        return next(step for step in self.layout.steps if step.name == name)

    def change_layout(self, **fields: Any) -> Self:
        self.layout = msgspec.structs.replace(self.layout, **fields)
        return self

    def change_step(self, name: str, **fields: Any) -> Self:
        steps = [
            msgspec.structs.replace(step, **fields) if step.name == name else step
            for step in self.layout.steps
        ]
        return self.change_layout(steps=steps)

    def add_functionary(self, step: str, signer: Signer) -> Self:
        keys = {**self.layout.keys, signer.key.keyid: signer.key.entry}
        self.change_layout(keys=keys)
        return self.change_step(step, pubkeys=[*self.step(step).pubkeys, signer.key.keyid])

    def add_link(self, step: str, signer: Signer) -> ChainLink:
        """A second link of the step, the same but for its signer."""
        added = replace(self.link(step), signer=signer, file_name=link_file_name(step, signer.key.keyid))
        self.links.append(added)
        return added

    def sealed_layout(self) -> bytes:
        if self.layout_document is not None:
            return self.layout_document
        payload = encode_layout(self.layout)
        sealed = [msgspec.json.decode(seal(PAYLOAD_TYPE, payload, signer)) for signer in self.layout_signers]
        document = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [signature for each in sealed for signature in each["signatures"]],
        }
        return msgspec.json.encode(document)

    def evidence(self) -> Evidence:
        raw = {each.file_name: each.sealed() for each in self.links if each.present}
        links, faults = parse_links(raw, "the evidence")
        return Evidence(parse_signed(self.sealed_layout(), "the layout"), links, {}, faults)

    def bundle(self) -> bytes:
        """The evidence as a signed bundle, as attach makes it."""
        statement = encode_evidence(self.evidence(), REPOSITORY, self.statement_digest)
        return seal_bundle(PAYLOAD_TYPE, self.change_document(statement), self.outer)

    def provenances(self) -> list[Attestation]:
        """The bundles of `provenance`, as they are handed to a decision."""
        return [
            Attestation(parse_envelope(each, f"provenance {number}"), f"provenance {number}")
            for number, each in enumerate(self.provenance)
        ]

    def demands(self, **changes: Any) -> Demands:
        return msgspec.structs.replace(Demands(layout_trust=Trust((self.root.key,))), **changes)

    def verify(self, **changes: Any) -> Verdict:
        """Decide over the packed evidence; `changes` are those of the demands."""
        attestation = Attestation(parse_envelope(self.bundle(), "the bundle"), "the bundle")
        demands, provenance = self.demands(**changes), self.provenances()
        return decide(attestation, self.image, demands, provenance, at=self.now, sigstore=self.sigstore)

    def verify_links(self, **changes: Any) -> Verdict:
        """Decide over the links as a directory, without an image."""
        return decide(self.evidence(), None, self.demands(**changes), at=self.now, sigstore=self.sigstore)
