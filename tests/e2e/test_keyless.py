"""No key anywhere: a real image over two registries, on a private Sigstore; then read by everybody else's tools."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from tests.parts.keyless_pipeline import KeylessPipeline, job
from tests.parts.pipeline import environ_for
from tests.parts.registries import RunningRegistry
from tests.parts.sigstore import SIGSTORE, PrivateSigstore
from tests.parts.tools import tool

from intoto_action.formats.evidence import PREDICATE_TYPE

pytestmark = pytest.mark.needs("buildah", "cosign", "crane", "registry", *SIGSTORE)

REGISTRIES = ("ghcr_like_registry", "referrers_registry")
UNPACK = "import base64, json, sys; d = json.load(open(sys.argv[1])); "
UNPACK += "print(base64.b64decode(d['dsseEnvelope']['payload']).decode())"
ISSUER = "--certificate-oidc-issuer"
IDENTITY = "--certificate-identity"


@dataclass(frozen=True)
class Place:
    """A registry with an image and its evidence, and the pipeline that made it."""

    name: str
    pipeline: KeylessPipeline
    said: str


@pytest.fixture(scope="module")
def built(
    sigstore: PrivateSigstore,
    container_environ: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> KeylessPipeline:
    nowhere = RunningRegistry("127.0.0.1:9")
    home = tmp_path_factory.mktemp("home")
    environ = environ_for(nowhere, container_environ, home)
    pipeline = KeylessPipeline(tmp_path_factory.mktemp("keyless"), sigstore, environ)
    pipeline.build()
    return pipeline


@pytest.fixture(scope="module", params=REGISTRIES)
def place(
    request: pytest.FixtureRequest,
    built: KeylessPipeline,
    container_environ: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Place:
    registry: RunningRegistry = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("place")
    environ = environ_for(registry, container_environ, folder / "home", tool("cosign"))
    pipeline = built.copy_to(folder / "work", environ)
    name = f"{registry.address}/octo/keyless"
    pipeline.push(name)
    attached = pipeline.attach("--tag", "1.0", "--output", "bundle.json")
    assert attached.code == 0, attached
    return Place(name, pipeline, attached.out + attached.err)


def verdict(pipeline: KeylessPipeline, *words: str) -> Mapping[str, str]:
    ended = pipeline.verify(f"{pipeline.image}", "--format", "json", *words)
    found: dict[str, str] = json.loads(ended.out)
    return found


def test_layout_links_and_evidence_by_identities_pass_without_any_key(place: Place) -> None:
    verified = place.pipeline.verify(f"{place.name}:1.0")
    assert verified.code == 0, verified
    assert verified.out.startswith(f"PASS · {place.pipeline.image}")
    for workflow in ("build.yml", "release.yml", "scan.yml"):
        assert job(workflow).identity in verified.out
    assert not list(place.pipeline.directory.glob("*.pem"))


def test_attach_says_which_identity_signed(place: Place) -> None:
    assert job("release.yml").identity in place.said


def test_another_owner_is_not_the_layout_s(place: Place) -> None:
    pipeline = place.pipeline
    stranger = f"identity={job('scan.yml').identity},issuer={pipeline.sigstore.issuer}"
    ended = pipeline.run(
        "verify", *pipeline.instance, "--layout-key", stranger, pipeline.image, "--format", "json"
    )
    found = json.loads(ended.out)
    assert (ended.code, found["reason"]) == (1, "layout-signature")
    assert job("owner.yml").identity in str(found["explanation"])


def test_a_revoked_identity_counts_no_more(place: Place) -> None:
    scanner = f"identity={job('scan.yml').identity},issuer={place.pipeline.sigstore.issuer}"
    assert verdict(place.pipeline, "--revoked", scanner)["reason"] == "link-signature"


def test_the_bundle_as_a_file_needs_no_registry(place: Place) -> None:
    digest = place.pipeline.image.partition("@")[2]
    pipeline = place.pipeline
    words = ("verify", *pipeline.instance, "--layout-key", pipeline.owner, "--bundle", "bundle.json")
    assert pipeline.run(*words, "--digest", digest).code == 0


class TestOthersReadIt:
    """The attestation, by the verifiers of other people."""

    def test_cosign(self, place: Place) -> None:
        pipeline = place.pipeline
        words = ("verify-attestation", "--allow-http-registry", "--type", PREDICATE_TYPE)
        trusted = ("--trusted-root", str(pipeline.sigstore.trusted_root), ISSUER, pipeline.sigstore.issuer)
        good = (IDENTITY, job("release.yml").identity)
        bad = (IDENTITY, job("scan.yml").identity)
        pipeline.command(tool("cosign"), *words, *trusted, *good, pipeline.image)
        pipeline.command(tool("cosign"), *words, *trusted, *bad, pipeline.image, fails=True)

    @pytest.mark.needs("sigstore-verify")
    def test_sigstore_in_javascript(self, place: Place) -> None:
        pipeline = place.pipeline
        words = ("--trusted-root", str(pipeline.sigstore.trusted_root), ISSUER, pipeline.sigstore.issuer)
        good = (IDENTITY, job("release.yml").identity, "bundle.json")
        bad = (IDENTITY, job("scan.yml").identity, "bundle.json")
        pipeline.command(tool("sigstore-verify"), *words, *good)
        pipeline.command(tool("sigstore-verify"), *words, *bad, fails=True)

    def test_sigstore_in_python(self, place: Place) -> None:
        pipeline = place.pipeline
        digest = pipeline.image.partition("@")[2]
        words = ["--trust-config", str(pipeline.sigstore.trust_config), "verify", "identity"]
        words += ["--bundle", "bundle.json", "--cert-oidc-issuer", pipeline.sigstore.issuer, digest]
        pipeline.command(
            sys.executable, "-m", "sigstore", *words, "--cert-identity", job("release.yml").identity
        )
        pipeline.command(
            sys.executable, "-m", "sigstore", *words, "--cert-identity", job("scan.yml").identity, fails=True
        )


class TestOursReadsTheirs:
    def test_evidence_that_cosign_attested_keyless_passes(self, place: Place) -> None:
        """`cosign attest` signs a predicate that it is given; with ours in it, it is evidence like any other."""
        pipeline, sigstore = place.pipeline, place.pipeline.sigstore
        statement = pipeline.command("python3", "-c", UNPACK, "bundle.json")
        (pipeline.directory / "predicate.json").write_text(json.dumps(json.loads(statement)["predicate"]))
        copy = f"{place.name}-by-cosign"
        image = f"{copy}@{pipeline.image.partition('@')[2]}"
        pipeline.command("buildah", "push", "--quiet", "--tls-verify=false", "app", f"docker://{copy}:build")
        words = (
            "attest",
            "--yes",
            "--allow-http-registry",
            "--type",
            PREDICATE_TYPE,
            "--predicate",
            "predicate.json",
        )
        services = (
            "--signing-config",
            str(sigstore.signing_config),
            "--trusted-root",
            str(sigstore.trusted_root),
        )
        token = sigstore.token(job("release.yml"))
        pipeline.command(tool("cosign"), *words, *services, image, SIGSTORE_ID_TOKEN=token)
        verified = pipeline.verify(image, "--same-as", f"{copy}={place.name}")
        assert verified.code == 0, verified
