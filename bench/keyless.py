"""Keyless signatures beside sigstore-python and cosign: one, a hundred with one trust root, and a whole image."""

from __future__ import annotations

import os
import sysconfig
import tempfile
import time
from pathlib import Path

from bench.row import Row, Run, side_by_side, timed
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
from tests.parts.attached import chain_about
from tests.parts.chain import ARTIFACT, REPOSITORY, ChainLink, digests_of, step_of
from tests.parts.forge import Forge, GitHubJob
from tests.parts.images import push_image, small_image
from tests.parts.keyless_signer import KeylessSigner, by_identity
from tests.parts.registries import crane_registry
from tests.parts.tools import tool

from intoto_action.deadline import Deadline
from intoto_action.formats.envelope import PAYLOAD_TYPE, encode_dsse, pae
from intoto_action.formats.evidence import PREDICATE_TYPE, parse_signed
from intoto_action.formats.identity import GITHUB_ISSUER
from intoto_action.formats.link import Link, encode_link, link_file_name
from intoto_action.formats.reference import Image, parse_registry_reference
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry
from intoto_action.trust.keyless import TrustRoot
from intoto_action.trust.signature import check_signature

LINKS = 100
OURS = Path(sysconfig.get_path("scripts")) / "intoto-action"


def main() -> list[Row]:
    forge = Forge()
    return [*signatures(forge), *whole_image(forge)]


def signatures(forge: Forge) -> list[Row]:
    """Read and verify links, and the same number of bundles with the library that both use."""
    signer = KeylessSigner(forge)
    payload = encode_link(Link("build", ["make"], {}, {}, {"return-value": 0}, {}))
    data = pae(PAYLOAD_TYPE, payload)
    bundles = [signer.signed(data).bundle for _ in range(LINKS)]
    links = [encode_dsse(PAYLOAD_TYPE, payload, (signer.signature(data),)) for _ in range(LINKS)]
    key = signer.key
    who = policy.Identity(identity=GitHubJob().identity, issuer=GITHUB_ISSUER)
    root = forge.trusted_root.encode()

    def ours(documents: list[bytes]) -> Run:
        def run() -> float:
            trust = TrustRoot(root, "the forge")
            start = time.perf_counter()
            for document in documents:
                if check_signature(parse_signed(document, "a link"), key, trust) is None:
                    raise AssertionError("a good link was refused")
            return time.perf_counter() - start

        return run

    def theirs(documents: list[bytes]) -> Run:
        def run() -> float:
            verifier = Verifier(trusted_root=TrustedRoot.from_file(str(file)))
            start = time.perf_counter()
            for document in documents:
                verifier.verify_artifact(data, Bundle.from_json(document), who)
            return time.perf_counter() - start

        return run

    with tempfile.TemporaryDirectory(prefix="intoto-action-bench-") as name:
        file = Path(name) / "trusted_root.json"
        file.write_bytes(root)
        return [
            *side_by_side(
                "verify one keyless link",
                ours(links[:1]),
                {"sigstore-python, one bundle": (theirs(bundles[:1]), 1.0)},
                rounds=41,
            ),
            *side_by_side(
                f"verify {LINKS} keyless links",
                ours(links),
                {f"sigstore-python, {LINKS} bundles": (theirs(bundles), 1.0)},
                rounds=5,
            ),
        ]


def whole_image(forge: Forge) -> list[Row]:
    """`verify IMAGE` of a layout of four steps by three identities, beside cosign on the bundle that holds it all.

    cosign checks one signature and hands the payload on; ours checks six, and decides.
    """
    with (
        tempfile.TemporaryDirectory(prefix="intoto-action-bench-") as name,
        crane_registry(Path(name)) as registry,
    ):
        place = Path(name)
        (place / "trust_config.json").write_text(forge.trust_config)
        (place / "trusted_root.json").write_text(forge.trusted_root)
        owner, image = attach_chain(forge, f"{registry.address}/octo/app")
        identity, issuer = owner.key.identity, owner.key.issuer
        ours: list[str | Path] = [OURS, "verify", "--layout-key", f"identity={identity},issuer={issuer}"]
        ours += [
            "--sigstore",
            "trust_config.json",
            "--same-as",
            f"{registry.address}/octo/app={REPOSITORY}",
            image,
        ]
        cosign: list[str | Path] = [tool("cosign"), "verify-attestation", "--allow-http-registry"]
        cosign += ["--trusted-root", "trusted_root.json", "--type", PREDICATE_TYPE]
        cosign += ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer, image]
        return side_by_side(
            "verify IMAGE, keyless, 4 steps",
            timed(ours, place),
            {"cosign verify-attestation, its bundle": (timed(cosign, place), 2.5)},
            rounds=11,
        )


def attach_chain(forge: Forge, repository: str) -> tuple[KeylessSigner, str]:
    """An image with the evidence of its chain: who signed the layout and the evidence, and the image's name."""
    owner = KeylessSigner(forge, GitHubJob(workflow="release.yml"))
    reference = parse_registry_reference(repository)
    store = open_store(reference, deadline=Deadline(60), environ=os.environ, push_with="native")
    if not isinstance(store, Registry):
        raise TypeError("expected a registry")
    content = small_image()
    push_image(store, content, "1.0")
    chain = chain_about(content.digest, sigstore=TrustRoot(forge.trusted_root.encode(), "the forge"))
    for step in ("checkout", "build", "scan"):
        by_identity(chain, step, KeylessSigner(forge, job(f"{step}.yml")))
    signer = KeylessSigner(forge, job("build.yml"))
    artifact: list[list[str]] = [
        ["REQUIRE", ARTIFACT],
        ["MATCH", ARTIFACT, "WITH", "PRODUCTS", "FROM", "build"],
    ]
    digests = digests_of(content.digest)
    push = Link("push", ["push"], {ARTIFACT: digests}, {ARTIFACT: digests}, {"return-value": 0}, {})
    chain.links.append(ChainLink(push, signer, link_file_name("push", signer.key.keyid)))
    chain.change_layout(steps=[*chain.layout.steps, step_of("push", signer.key, artifact, artifact)])
    chain.layout_signers = [owner]
    chain.outer = owner
    store.attach(Image(reference.name, content.digest), chain.bundle(), PREDICATE_TYPE)
    return owner, f"{repository}@{content.digest}"


def job(workflow: str) -> GitHubJob:
    """A job of the one run that the chain's links name."""
    return GitHubJob(workflow=workflow, sha="c0ffee", run_id="7")
