"""A VSA put into registries with and without the referrers API, beside what is attached already."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.parts.deployed import Deployed
from tests.parts.registries import PASSWORD, USERNAME, RunningRegistry
from tests.parts.tools import tool

from intoto_action.formats.evidence import PREDICATE_TYPE as EVIDENCE_TYPE
from intoto_action.formats.oci import BUNDLE, Manifest, parse_manifest
from intoto_action.formats.vsa import PREDICATE_TYPE


def manifests(app: Deployed) -> list[Manifest]:
    """What is attached to the image."""
    store = app.store()
    image = store.resolve(app.reference)
    listed = store.referrers(image)
    assert listed.complete
    parsed = [parse_manifest(store.read_manifest(each.digest, 1 << 20), "x") for each in listed.descriptors]
    return [each for each in parsed if isinstance(each, Manifest)]


def types(app: Deployed) -> list[str]:
    return sorted((each.annotations or {})["dev.sigstore.bundle.predicateType"] for each in manifests(app))


@pytest.fixture(params=["ghcr_like_registry", "referrers_registry", "docker_registry"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Deployed:
    registry: RunningRegistry = request.getfixturevalue(request.param)
    return Deployed(tmp_path / "app", registry)


@pytest.mark.needs("crane", "registry", "docker-registry", "cosign")
class TestEveryRegistry:
    def test_it_is_beside_the_evidence_and_in_the_manifest_that_cosign_writes(self, app: Deployed) -> None:
        app.issue()
        assert types(app) == sorted([EVIDENCE_TYPE, PREDICATE_TYPE])
        for each in manifests(app):
            assert (each.artifact_type, [layer.media_type for layer in each.layers]) == (BUNDLE, [BUNDLE])
            assert each.subject is not None
            assert (each.subject.digest, each.subject.size) == (app.content.digest, len(app.content.document))

    def test_what_others_attached_stays(self, app: Deployed) -> None:
        app.keygen("cosign", "ecdsa")
        bundle = app.forged(lambda statement: statement.update(predicateType="https://example.com/v1"))
        (app.directory / "other.json").write_bytes(bundle)
        attach = ("attach", "attestation", "--allow-http-registry", "--attestation", "other.json")
        app.command(tool("cosign"), *attach, app.image)
        app.issue()
        assert types(app) == sorted([EVIDENCE_TYPE, PREDICATE_TYPE, "https://example.com/v1"])

    def test_it_names_the_referrer_of_the_evidence(self, app: Deployed) -> None:
        store = app.store()
        (evidence,) = store.referrers(store.resolve(app.reference)).descriptors
        layer = manifests(app)[0].layers[0]
        said = app.statement()["predicate"]["inputAttestations"]
        digest = layer.digest.removeprefix("sha256:")
        assert said == [{"uri": f"{app.repository}@{evidence.digest}", "digest": {"sha256": digest}}]

    def test_an_image_that_was_verified_by_a_bundle_from_a_file_gets_it_too(self, app: Deployed) -> None:
        (app.directory / "evidence.json").write_bytes(app.chain.bundle())
        app.issue("--bundle", "evidence.json")
        assert types(app) == sorted([EVIDENCE_TYPE, PREDICATE_TYPE])


@pytest.mark.needs("docker-registry", "htpasswd")
def test_a_registry_that_wants_to_know_who_pushes_is_told(
    password_registry: RunningRegistry, tmp_path: Path
) -> None:
    assert (password_registry.username, password_registry.password) == (USERNAME, PASSWORD)
    app = Deployed(tmp_path / "app", password_registry)
    app.issue()
    assert types(app) == sorted([EVIDENCE_TYPE, PREDICATE_TYPE])


@pytest.mark.needs("crane")
def test_a_bundle_of_an_image_that_is_nowhere_gets_a_verdict_that_says_so(
    ghcr_like_registry: RunningRegistry, tmp_path: Path
) -> None:
    app = Deployed(tmp_path / "app", ghcr_like_registry)
    (app.directory / "evidence.json").write_bytes(app.chain.bundle())
    app.name = "octo/nowhere"
    ended = app.verify("--bundle", "evidence.json", "--vsa-key", "vsa.pem")
    assert ended.code == 3
    assert "a VSA of this image, which passed" in ended.out
