"""Stock tools enforce what `verify` said, with the policies of examples/, and refuse every VSA that they should."""

from __future__ import annotations

import json
import re
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.parts.chain import ARTIFACT, REPOSITORY, digests
from tests.parts.deployed import Deployed, payload_of
from tests.parts.desk import Ended
from tests.parts.github_job import GitHubJob
from tests.parts.images import small_image
from tests.parts.loopback import refusal
from tests.parts.provenance import V1, by_github, signed
from tests.parts.registries import RunningRegistry
from tests.parts.sigstore import SIGSTORE, PrivateSigstore
from tests.parts.tools import tool

from intoto_action.formats.vsa import LAYOUT_PASSED, PREDICATE_TYPE, VERIFIER_ID

KINDS = ("ed25519", "ecdsa", "ecdsa-p384", "rsa")
ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "examples" / "policies"
PLACEHOLDER = re.compile(r"-----BEGIN PUBLIC KEY-----\n.*?-----END PUBLIC KEY-----", re.DOTALL)


def deployed(
    registry: RunningRegistry, directory: Path, kind: str = "ecdsa", words: str = "hello"
) -> Deployed:
    """An image with evidence in a repository of its own."""
    return Deployed(directory, registry, kind=kind, content=small_image(words))


@pytest.fixture
def app(ghcr_like_registry: RunningRegistry, tmp_path: Path) -> Deployed:
    return deployed(ghcr_like_registry, tmp_path / "app")


def write_policies(app: Deployed) -> None:
    """The files of examples/policies, with the repository and the key of the app."""
    rego = (POLICIES / "cosign.rego").read_text()
    assert rego.count("ghcr.io/octo/app") == 2
    (app.directory / "cosign.rego").write_text(rego.replace("ghcr.io/octo/app", app.repository))
    kyverno = (POLICIES / "kyverno.yaml").read_text()
    assert (len(PLACEHOLDER.findall(kyverno)), kyverno.count("glob: ghcr.io/octo/*")) == (1, 1)
    kyverno = kyverno.replace("glob: ghcr.io/octo/*", f"glob: {app.registry.address}/octo/*")
    key = (app.directory / "vsa.pub").read_text().strip().replace("\n", "\n            ")
    (app.directory / "kyverno.yaml").write_text(PLACEHOLDER.sub(key, kyverno))


def write_pod(app: Deployed, spec: str) -> None:
    pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: app}}\nspec:\n  {spec}\n"
    (app.directory / "pod.yaml").write_text(pod)


def failed(statement: dict[str, Any]) -> None:
    statement["predicate"]["verificationResult"] = "FAILED"


def of_another_repository(statement: dict[str, Any]) -> None:
    digest = statement["predicate"]["resourceUri"].partition("@")[2]
    statement["predicate"]["resourceUri"] = f"ghcr.io/evil/app@{digest}"


def by_another_verifier(statement: dict[str, Any]) -> None:
    statement["predicate"]["verifier"]["id"] = "https://example.com/verifier"


def without_our_level(statement: dict[str, Any]) -> None:
    statement["predicate"]["verifiedLevels"] = ["SLSA_BUILD_LEVEL_3"]


def about_two_images(statement: dict[str, Any]) -> None:
    statement["subject"].append({"name": "another", "digest": {"sha256": "0" * 64}})


WRONG = (failed, of_another_repository, by_another_verifier, without_our_level)


def a_denial(app: Deployed) -> None:
    """Evidence whose scan saw another image is all that the image has."""
    app.chain.link("scan").change(materials={ARTIFACT: digests("9")})


@pytest.mark.needs("cosign", "crane")
class TestCosign:
    def verify(self, app: Deployed, *, policy: bool = True, fails: bool = False) -> str:
        words = ["--allow-http-registry", "--insecure-ignore-tlog", "--type", PREDICATE_TYPE]
        if policy:
            write_policies(app)
            words += ["--policy", "cosign.rego"]
        return app.command(
            tool("cosign"), "verify-attestation", *words, "--key", "vsa.pub", app.image, fails=fails
        )

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_image_that_passed_is_accepted_whatever_the_key(
        self, kind: str, ghcr_like_registry: RunningRegistry, tmp_path: Path
    ) -> None:
        app = deployed(ghcr_like_registry, tmp_path / "app", kind)
        app.issue()
        self.verify(app)

    @pytest.mark.needs("registry")
    def test_it_is_found_by_the_referrers_api_too(
        self, referrers_registry: RunningRegistry, tmp_path: Path
    ) -> None:
        app = deployed(referrers_registry, tmp_path / "app")
        app.issue()
        self.verify(app)

    def test_an_image_with_evidence_and_no_vsa_is_refused(self, app: Deployed) -> None:
        app.verify()
        self.verify(app, fails=True)

    def test_an_image_that_was_denied_has_none(
        self, ghcr_like_registry: RunningRegistry, tmp_path: Path
    ) -> None:
        app = deployed(ghcr_like_registry, tmp_path / "app")
        a_denial(app)
        app.name += "-denied"
        app.push(app.name)
        ended = app.verify("--vsa-key", "vsa.pem", "--on-deny", "warn")
        assert (ended.code, ended.out.startswith("DENIED")) == (0, True)
        self.verify(app, fails=True)

    def test_a_bundle_file_that_cosign_attached_is_accepted(self, app: Deployed) -> None:
        (app.directory / "vsa.json").write_bytes(app.vsa())
        attach = ("attach", "attestation", "--allow-http-registry", "--attestation", "vsa.json")
        app.command(tool("cosign"), *attach, app.image)
        self.verify(app)

    @pytest.mark.parametrize("wrong", [*WRONG, about_two_images])
    def test_what_cosign_takes_without_a_policy_the_policy_refuses(self, wrong: Any, app: Deployed) -> None:
        app.attach(app.forged(wrong))
        self.verify(app, policy=False)
        self.verify(app, fails=True)

    def test_a_vsa_by_another_key_is_refused(self, app: Deployed) -> None:
        app.keygen("other", "ecdsa")
        app.attach(app.forged(lambda _: None, "other.pem"))
        self.verify(app, policy=False, fails=True)

    def test_a_vsa_of_another_image_is_refused(
        self, app: Deployed, ghcr_like_registry: RunningRegistry, tmp_path: Path
    ) -> None:
        other = deployed(ghcr_like_registry, tmp_path / "other", words="another")
        (other.directory / "vsa.pem").write_bytes((app.directory / "vsa.pem").read_bytes())
        app.attach(other.vsa())
        self.verify(app, policy=False, fails=True)

    def test_a_vsa_that_came_with_a_copy_of_the_image_is_refused(self, app: Deployed) -> None:
        bundle = app.vsa()
        app.name += "-copy"
        app.push(app.name)
        app.attach(bundle)
        self.verify(app, policy=False)
        self.verify(app, fails=True)

    def test_every_vsa_by_the_key_must_fit_so_one_key_serves_one_policy(self, app: Deployed) -> None:
        app.issue()
        app.attach(app.forged(of_another_repository))
        self.verify(app, fails=True)


@pytest.mark.needs("cosign", "crane")
class TestPolicyController:
    """The controller itself needs a cluster; its Rego is cosign's, which runs here in its place."""

    def rego(self, app: Deployed) -> str:
        document = yaml.safe_load((POLICIES / "policy-controller.yaml").read_text())
        (authority,) = document["spec"]["authorities"]
        assert authority["signatureFormat"] == "bundle"
        (attestation,) = authority["attestations"]
        assert attestation["predicateType"] == PREDICATE_TYPE
        text: str = attestation["policy"]["data"]
        assert text.startswith("package sigstore\ndefault isCompliant = false\n")
        text = text.replace("package sigstore", "package signature").replace("isCompliant", "allow")
        return text.replace("ghcr.io/octo/app", app.repository)

    def verify(self, app: Deployed, *, fails: bool = False) -> None:
        (app.directory / "controller.rego").write_text(self.rego(app))
        words = ["--allow-http-registry", "--insecure-ignore-tlog", "--type", PREDICATE_TYPE]
        words += ["--policy", "controller.rego", "--key", "vsa.pub", app.image]
        app.command(tool("cosign"), "verify-attestation", *words, fails=fails)

    def test_its_rego_accepts_an_image_that_passed(self, app: Deployed) -> None:
        app.issue()
        self.verify(app)

    @pytest.mark.parametrize("wrong", [*WRONG, about_two_images])
    def test_its_rego_refuses_what_is_wrong(self, wrong: Any, app: Deployed) -> None:
        app.attach(app.forged(wrong))
        self.verify(app, fails=True)


@pytest.mark.needs("slsa-verifier", "crane")
class TestSlsaVerifier:
    def verify(
        self, app: Deployed, *, fails: bool = False, file: str = "vsa.intoto.jsonl", **other: str
    ) -> str:
        words = {
            "subject-digest": app.content.digest,
            "attestation-path": file,
            "verifier-id": VERIFIER_ID,
            "resource-uri": app.image,
            "verified-level": LAYOUT_PASSED,
            "public-key-path": "vsa.pub",
        }
        words |= {name.replace("_", "-"): value for name, value in other.items()}
        flags = [each for name, value in words.items() for each in (f"--{name}", value)]
        return app.command(tool("slsa-verifier"), "verify-vsa", *flags, fails=fails)

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_image_that_passed_is_accepted_whatever_the_key(
        self, kind: str, ghcr_like_registry: RunningRegistry, tmp_path: Path
    ) -> None:
        app = deployed(ghcr_like_registry, tmp_path / "app", kind)
        app.issue("--vsa", "vsa.intoto.jsonl")
        assert "PASSED: SLSA verification passed" in self.verify(app)

    def test_with_demanded_provenance_it_is_accepted_for_build_level_1_and_not_2(self, app: Deployed) -> None:
        app.attach(signed(by_github(digest=app.content.digest), app.chain.root), V1)
        app.issue("--vsa", "vsa.intoto.jsonl", "--source-repository", "https://github.com/octo/app")
        self.verify(app, verified_level="SLSA_BUILD_LEVEL_1")
        self.verify(app, verified_level="SLSA_BUILD_LEVEL_2", fails=True)

    @pytest.fixture
    def issued(self, app: Deployed) -> Deployed:
        app.issue("--vsa", "vsa.intoto.jsonl")
        return app

    @pytest.mark.parametrize(
        ("flag", "value", "said"),
        [
            ("subject_digest", "sha256:" + "0" * 64, "expected digest not found"),
            ("resource_uri", "ghcr.io/evil/app@sha256:" + "0" * 64, "resource URI mismatch"),
            ("verifier_id", "https://example.com", "verifier ID mismatch"),
            ("verified_level", "SLSA_BUILD_LEVEL_1", "expected SLSA level not found"),
        ],
    )
    def test_it_is_accepted_for_nothing_else(
        self, flag: str, value: str, said: str, issued: Deployed
    ) -> None:
        assert said in self.verify(issued, fails=True, **{flag: value})

    def test_it_is_not_accepted_by_another_key(self, issued: Deployed) -> None:
        issued.keygen("other", "ecdsa")
        assert "no valid signature" in self.verify(issued, fails=True, public_key_path="other.pub")

    def test_one_that_says_failed_is_refused(self, issued: Deployed) -> None:
        envelope = issued.forged(failed)
        (issued.directory / "failed.intoto.jsonl").write_bytes(bare(envelope))
        assert "verification result is not Passed" in self.verify(
            issued, fails=True, file="failed.intoto.jsonl"
        )

    def test_a_bundle_it_does_not_read_which_is_why_the_suffix_has_a_meaning(self, app: Deployed) -> None:
        app.issue("--vsa", "vsa.sigstore.json")
        self.verify(app, fails=True, file="vsa.sigstore.json")

    def test_the_word_unevaluated_it_takes_for_a_number_which_is_why_it_is_left_out(
        self, issued: Deployed
    ) -> None:
        """When this fails, VSAs can say SLSA_BUILD_LEVEL_UNEVALUATED, as SLSA v1.2 has it."""

        def unevaluated(statement: dict[str, Any]) -> None:
            statement["predicate"]["verifiedLevels"].append("SLSA_BUILD_LEVEL_UNEVALUATED")

        (issued.directory / "more.intoto.jsonl").write_bytes(bare(issued.forged(unevaluated)))
        assert "invalid SLSA level" in self.verify(issued, fails=True, file="more.intoto.jsonl")

    def test_it_is_one_line(self, issued: Deployed) -> None:
        document = (issued.directory / "vsa.intoto.jsonl").read_bytes()
        assert (document.count(b"\n"), document[-1:]) == (1, b"\n")
        assert payload_of(document)["predicateType"] == PREDICATE_TYPE


def bare(bundle: bytes) -> bytes:
    """The DSSE envelope of a bundle, alone."""
    return json.dumps(json.loads(bundle)["dsseEnvelope"]).encode()


@pytest.mark.needs("kyverno", "crane")
class TestKyverno:
    def admit(self, app: Deployed, spec: str | None = None, *, fails: bool = False) -> str:
        spec = spec or f"containers: [{{name: app, image: '{app.image}'}}]"
        write_pod(app, spec)
        write_policies(app)
        words = ("apply", "kyverno.yaml", "--resource", "pod.yaml", "--registry", "--remove-color")
        said = app.command(tool("kyverno"), *words, "--table", "--detailed-results", fails=fails)
        assert ("│ Pass" in said) != fails, said
        return said

    def test_a_pod_with_an_image_that_passed_is_admitted(self, app: Deployed) -> None:
        app.issue()
        self.admit(app)

    def test_a_tag_beside_the_digest_changes_nothing(self, app: Deployed) -> None:
        app.issue()
        image = f"{app.repository}:1.0@{app.content.digest}"
        self.admit(app, f"containers: [{{name: app, image: '{image}'}}]")

    def test_an_image_without_a_vsa_is_denied(self, app: Deployed) -> None:
        assert "an image has no VSA by this key" in self.admit(app, fails=True)

    def test_a_tag_alone_is_denied(self, app: Deployed) -> None:
        app.issue()
        spec = f"containers: [{{name: app, image: '{app.repository}:1.0'}}]"
        assert "does not have a digest" in self.admit(app, spec, fails=True)

    @pytest.mark.parametrize("kind", ["initContainers", "ephemeralContainers"])
    def test_every_kind_of_container_is_looked_at(
        self, kind: str, app: Deployed, ghcr_like_registry: RunningRegistry, tmp_path: Path
    ) -> None:
        app.issue()
        other = deployed(ghcr_like_registry, tmp_path / "other", words="another")
        spec = f"containers: [{{name: app, image: '{app.image}'}}]\n  {kind}: [{{name: x, image: '{other.image}'}}]"
        assert "an image has no VSA by this key" in self.admit(app, spec, fails=True)

    @pytest.mark.parametrize("wrong", WRONG)
    def test_a_vsa_that_says_something_else_is_denied(self, wrong: Any, app: Deployed) -> None:
        app.attach(app.forged(wrong))
        assert "does not say that this image passed" in self.admit(app, fails=True)

    @pytest.mark.parametrize("last", [failed, of_another_repository])
    def test_of_several_by_the_key_the_last_that_is_listed_counts(self, last: Any, app: Deployed) -> None:
        good = app.vsa()
        app.attach(app.forged(last))
        app.attach(good)
        self.admit(app)
        app.attach(app.forged(last))
        assert "does not say that this image passed" in self.admit(app, fails=True)

    def test_a_vsa_by_another_key_is_denied(self, app: Deployed) -> None:
        app.keygen("other", "ecdsa")
        app.attach(app.forged(lambda _: None, "other.pem"))
        assert "an image has no VSA by this key" in self.admit(app, fails=True)

    def test_a_vsa_of_another_image_is_denied(
        self, app: Deployed, ghcr_like_registry: RunningRegistry, tmp_path: Path
    ) -> None:
        other = deployed(ghcr_like_registry, tmp_path / "other", words="another")
        (other.directory / "vsa.pem").write_bytes((app.directory / "vsa.pem").read_bytes())
        app.attach(other.vsa())
        assert "an image has no VSA by this key" in self.admit(app, fails=True)

    def test_a_vsa_that_came_with_a_copy_of_the_image_is_denied(self, app: Deployed) -> None:
        bundle = app.vsa()
        app.name += "-copy"
        app.push(app.name)
        app.attach(bundle)
        assert "does not say that this image passed" in self.admit(app, fails=True)


@pytest.mark.needs("cosign", "crane", *SIGSTORE)
class TestKeyless:
    """A workflow that does nothing but verify signs as itself; Rekor's record of it is in the bundle."""

    VERIFIER = GitHubJob(repository="octo/security", workflow="verify.yml")

    def issue(self, app: Deployed, sigstore: PrivateSigstore, *words: str) -> Ended:
        keyless = ("--vsa-key", "keyless:", "--sigstore", str(sigstore.trust_config))
        return app.verify(*keyless, *words, job=sigstore.environ(self.VERIFIER))

    def accepts(
        self, app: Deployed, sigstore: PrivateSigstore, job: GitHubJob, *, fails: bool = False
    ) -> str:
        write_policies(app)
        words = ["--allow-http-registry", "--type", PREDICATE_TYPE, "--policy", "cosign.rego"]
        words += ["--trusted-root", str(sigstore.trusted_root)]
        words += ["--certificate-identity", job.identity, "--certificate-oidc-issuer", sigstore.issuer]
        return app.command(tool("cosign"), "verify-attestation", *words, app.image, fails=fails)

    def test_cosign_accepts_it_by_the_identity_of_the_workflow(
        self, app: Deployed, sigstore: PrivateSigstore
    ) -> None:
        ended = self.issue(app, sigstore)
        assert ended.code == 0, ended
        assert f"signed by {self.VERIFIER.identity} (issuer {sigstore.issuer})" in ended.out
        self.accepts(app, sigstore, self.VERIFIER)
        self.accepts(app, sigstore, GitHubJob(), fails=True)

    def test_an_identity_that_is_an_attester_is_refused_and_nothing_is_attached(
        self, app: Deployed, sigstore: PrivateSigstore
    ) -> None:
        attester = f"identity={self.VERIFIER.identity},issuer={sigstore.issuer}"
        (app.directory / "root.pub").write_text(app.chain.root.key.pem)
        ended = self.issue(app, sigstore, "--attester", attester, "--attester", "root.pub")
        assert (ended.code, ended.out) == (2, "")
        assert "an attester (--attester)" in ended.err
        self.accepts(app, sigstore, self.VERIFIER, fails=True)

    def test_a_sigstore_that_is_away_is_3_and_the_verdict_says_that_the_image_passed(
        self, app: Deployed, sigstore: PrivateSigstore, tmp_path: Path
    ) -> None:
        with sigstore.behind(tmp_path, fulcio=repeat(refusal(502, "no upstream"))) as behind:
            keyless = ("--vsa-key", "keyless:", "--sigstore", str(behind.trust_config))
            words = ("--signing-timeout", "2", "--format", "json")
            ended = app.verify(*keyless, *words, job=sigstore.environ(self.VERIFIER))
        verdict = json.loads(ended.out)
        assert (ended.code, verdict["verdict"], verdict["reason"]) == (3, "error", "sigstore-unavailable")
        assert verdict["explanation"][0]["expected"] == "a VSA of this image, which passed"

    def test_a_job_without_a_token_is_told_before_anything_is_decided(
        self, app: Deployed, sigstore: PrivateSigstore
    ) -> None:
        ended = app.verify("--vsa-key", "keyless:", "--sigstore", str(sigstore.trust_config))
        assert (ended.code, ended.out) == (2, "")
        assert "token" in ended.err


@pytest.mark.needs("cosign", "slsa-verifier", "kyverno", "crane")
def test_the_commands_of_the_documentation_work_as_they_stand(app: Deployed) -> None:
    first, *others = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "vsa.md").read_text(), re.DOTALL)
    script = "".join(others)
    for known, here, times in (
        ("ghcr.io/octo/app@sha256:…", app.image, 1),
        ("verify --layout-key", f"verify --same-as {app.repository}={REPOSITORY} --layout-key", 2),
    ):
        assert script.count(known) == times
        script = script.replace(known, here)
    for name in ("vsa.pem", "vsa.pub"):
        (app.directory / name).unlink()
    tools = [tool(name).parent for name in ("cosign", "slsa-verifier", "kyverno")]
    app.command("bash", "-euc", first)
    write_policies(app)
    write_pod(app, f"containers: [{{name: app, image: '{app.image}'}}]")
    said = app.command("bash", "-euc", script, places=tools)
    assert said.count("PASS · ") == 2
    assert "PASSED: SLSA verification passed" in said
    assert "pass: 1, fail: 0" in said, said
