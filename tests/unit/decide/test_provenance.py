"""Phase 11: provenance passes when it says what is demanded and its signer may say so; each break alone is seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.parts.chain import IMAGE_DIGEST, Chain, MemorySigner
from tests.parts.forge import Fault, Forge, GitHubJob
from tests.parts.keyless_signer import KeylessSigner
from tests.parts.provenance import JOB, by_github, by_github_until_2024, of_version_02, signed

from intoto_action.decide.demands import ProvenanceDemand, Revoked, Trust
from intoto_action.formats.identity import identity_of
from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Misused, Reason
from intoto_action.trust.keyless import SigstoreNeeded, TrustRoot

REPOSITORY = "https://github.com/octo/app"
BUILDER = JOB.identity
DEMAND = ProvenanceDemand(source_repository=REPOSITORY, source_ref="refs/heads/main", builder_id=BUILDER)
SHARED = "octo/shared/.github/workflows/build.yml@refs/tags/v1"
EVIL = GitHubJob(repository="evil/app", sha="c0ffee")


@pytest.fixture
def keyless(chain: Chain, forge: Forge, sigstore: TrustRoot) -> Chain:
    """A chain with provenance that its own job signed."""
    chain.sigstore = sigstore
    chain.provenance = [signed(by_github(), KeylessSigner(forge, JOB))]
    return chain


@pytest.fixture
def keyed(chain: Chain) -> Chain:
    """A chain with provenance that the root's key signed."""
    chain.provenance = [signed(by_github(), chain.root)]
    return chain


def reason(chain: Chain, demand: ProvenanceDemand = DEMAND, **changes: Any) -> Reason | None:
    return chain.verify(provenance=demand, **changes).reason


def explained(verdict: Verdict) -> str:
    return " | ".join(f"{each.where}: {each.expected} / {each.found}" for each in verdict.explanation)


def why(chain: Chain, demand: ProvenanceDemand = DEMAND, **changes: Any) -> str:
    """What is said of a chain whose provenance is a mismatch, and nothing else."""
    verdict = chain.verify(provenance=demand, **changes)
    assert verdict.reason is Reason.PROVENANCE_MISMATCH, explained(verdict)
    assert {each.reason for each in verdict.explanation} == {Reason.PROVENANCE_MISMATCH}
    return explained(verdict)


class TestPassing:
    def test_provenance_of_the_job_that_signed_it_passes_and_is_told(self, keyless: Chain) -> None:
        verdict = keyless.verify(provenance=DEMAND)
        assert verdict.verdict == "pass", explained(verdict)
        assert f"provenance: built by {BUILDER} from {REPOSITORY} at refs/heads/main" in verdict.criteria
        assert any(BUILDER in note and "provenance 0" in note for note in verdict.notes)

    def test_each_demand_alone_passes(self, keyless: Chain) -> None:
        for demand in (
            ProvenanceDemand(source_repository=REPOSITORY),
            ProvenanceDemand(builder_id=BUILDER),
            ProvenanceDemand(source_repository=REPOSITORY, source_ref="refs/heads/*"),
            ProvenanceDemand(builder_id=BUILDER.replace("refs/heads/main", "refs/heads/*")),
            ProvenanceDemand(),
        ):
            assert reason(keyless, demand) is None

    def test_what_github_wrote_until_2024_passes(self, keyless: Chain, forge: Forge) -> None:
        keyless.provenance = [signed(by_github_until_2024(), KeylessSigner(forge, JOB))]
        assert reason(keyless, ProvenanceDemand(source_repository=REPOSITORY)) is None
        runner = "https://github.com/actions/runner/github-hosted"
        assert reason(keyless, ProvenanceDemand(builder_id=runner)) is None

    def test_version_02_passes(self, keyless: Chain, forge: Forge) -> None:
        keyless.provenance = [signed(of_version_02(), KeylessSigner(forge, JOB))]
        assert reason(keyless) is None

    @pytest.mark.parametrize("signer", ["root", "build", "scan"])
    def test_a_key_of_the_layout_may_vouch(self, chain: Chain, signer: str) -> None:
        by = chain.root if signer == "root" else chain.signers[signer]
        chain.provenance = [signed(by_github(), by)]
        assert reason(chain) is None

    def test_an_attester_may_vouch(self, chain: Chain) -> None:
        attester = MemorySigner()
        chain.outer = attester
        chain.provenance = [signed(by_github(), attester)]
        assert reason(chain, attesters=(attester.key,)) is None

    def test_a_reusable_workflow_is_the_builder_of_its_callers(self, keyless: Chain, forge: Forge) -> None:
        job = GitHubJob(called=SHARED, sha="c0ffee")
        keyless.provenance = [signed(by_github(job), KeylessSigner(forge, job))]
        demand = ProvenanceDemand(source_repository=REPOSITORY, builder_id=f"https://github.com/{SHARED}")
        assert reason(keyless, demand) is None
        assert "builder" in why(keyless, DEMAND)

    def test_one_that_passes_is_enough_wherever_it_stands(self, keyless: Chain, forge: Forge) -> None:
        good = keyless.provenance[0]
        bad = [
            signed(by_github(EVIL), KeylessSigner(forge, EVIL)),
            signed(by_github(), MemorySigner()),
            signed(b"{}", KeylessSigner(forge, EVIL)),
        ]
        for provenance in ([good, *bad], [*bad, good], [bad[0], good, *bad[1:]]):
            keyless.provenance = provenance
            assert reason(keyless) is None

    def test_what_nobody_demands_is_not_looked_at(self, chain: Chain) -> None:
        chain.provenance = [signed(b"{}", MemorySigner())]
        verdict = chain.verify()
        assert (verdict.verdict, verdict.notes) == ("pass", ())
        assert not any("provenance" in each for each in verdict.criteria)

    def test_an_image_is_any_of_the_subjects(self, keyed: Chain) -> None:
        document = by_github()
        document["subject"].insert(0, {"name": "other", "digest": {"sha256": "2b" * 32}})
        keyed.provenance = [signed(document, keyed.root)]
        assert reason(keyed) is None


class TestMissing:
    def test_none_at_all_is_missing(self, chain: Chain) -> None:
        assert reason(chain) is Reason.PROVENANCE_MISSING

    def test_without_an_image_there_is_none(self, keyed: Chain) -> None:
        assert keyed.verify_links(provenance=DEMAND).reason is Reason.PROVENANCE_MISSING

    def test_earlier_phases_come_first(self, chain: Chain) -> None:
        chain.link("build").present = False
        assert reason(chain) is Reason.LINK_MISSING


class TestDemands:
    """A provenance that is in order, and says something else."""

    @pytest.mark.parametrize(
        ("demand", "said"),
        [
            (
                ProvenanceDemand(source_repository="https://github.com/octo/other"),
                f"https://github.com/octo/other (--source-repository) / source repository {REPOSITORY}",
            ),
            (ProvenanceDemand(source_repository=f"{REPOSITORY}-2"), "--source-repository"),
            (ProvenanceDemand(source_repository="https://github.com/octo/ap"), "--source-repository"),
            (ProvenanceDemand(source_repository="https://github.com/Octo/app"), "--source-repository"),
            (ProvenanceDemand(source_repository="https://github.com/*"), "--source-repository"),
            (
                ProvenanceDemand(source_repository=REPOSITORY, source_ref="refs/tags/*"),
                "source ref refs/tags/* (--source-ref) / source ref refs/heads/main",
            ),
            (ProvenanceDemand(source_repository=REPOSITORY, source_ref="refs/heads/mai"), "--source-ref"),
            (
                ProvenanceDemand(builder_id=BUILDER.replace("build.yml", "release.yml")),
                f"(--builder-id) / builder {BUILDER}",
            ),
            (ProvenanceDemand(builder_id=BUILDER.partition("@")[0]), "--builder-id"),
        ],
    )
    @pytest.mark.parametrize("kind", ["keyless", "keyed"])
    def test_what_was_demanded_and_what_is_said_are_told(
        self, kind: str, demand: ProvenanceDemand, said: str, request: pytest.FixtureRequest
    ) -> None:
        chain: Chain = request.getfixturevalue(kind)
        assert said in why(chain, demand)

    def test_each_of_several_differences_is_told(self, keyed: Chain) -> None:
        demand = ProvenanceDemand(
            source_repository="https://github.com/a/b", source_ref="refs/heads/x", builder_id="https://x"
        )
        assert why(keyed, demand).count(" | ") == 2

    def test_a_ref_that_version_02_does_not_name_is_not_named(self, keyed: Chain) -> None:
        document = of_version_02()
        del document["predicate"]["invocation"]
        keyed.provenance = [signed(document, keyed.root)]
        assert "source repository not named" in why(keyed, ProvenanceDemand(source_repository=REPOSITORY))

    @pytest.mark.parametrize(
        "demand",
        [
            {"source_ref": "*"},
            {"source_ref": "refs/*/main"},
            {"source_ref": "refs/heads/**"},
            {"builder_id": "https://github.com/octo/*"},
            {"builder_id": "https://github.com/octo/*@refs/heads/main"},
            {"builder_id": "*"},
        ],
    )
    def test_a_star_is_only_at_the_end_of_a_ref(self, demand: dict[str, str]) -> None:
        with pytest.raises(Misused, match=r"one \* at the end"):
            ProvenanceDemand(**demand)


class TestSubject:
    @pytest.mark.parametrize("kind", ["keyless", "keyed"])
    def test_provenance_of_another_image_is_a_mismatch(
        self, kind: str, request: pytest.FixtureRequest, forge: Forge
    ) -> None:
        chain: Chain = request.getfixturevalue(kind)
        other = "sha256:" + "2b" * 32
        signer = chain.root if kind == "keyed" else KeylessSigner(forge, JOB)
        chain.provenance = [signed(by_github(digest=other), signer)]
        assert f"{IMAGE_DIGEST} / {other}" in why(chain)

    def test_the_same_name_with_another_digest_binds_nothing(self, keyed: Chain) -> None:
        document = by_github()
        document["subject"][0]["digest"] = {"sha512": "1a" * 64}
        keyed.provenance = [signed(document, keyed.root)]
        assert IMAGE_DIGEST in why(keyed)


class TestSigners:
    def test_a_strangers_key_is_nobody_and_what_it_signed_is_not_parsed(self, chain: Chain) -> None:
        for payload in (json.dumps(by_github()).encode(), b"{}"):
            chain.provenance = [signed(payload, MemorySigner())]
            assert "no valid signature by any of them" in why(chain)

    def test_a_strangers_key_needs_no_trust_root(self, chain: Chain) -> None:
        chain.provenance = [signed(by_github(), MemorySigner())]
        assert chain.sigstore is None
        assert reason(chain) is Reason.PROVENANCE_MISMATCH

    def test_provenance_by_a_key_passes_beside_a_keyless_one_without_a_trust_root(
        self, keyless: Chain
    ) -> None:
        keyless.sigstore = None
        keyless.provenance.append(signed(by_github(), keyless.root))
        assert reason(keyless) is None

    def test_a_keyless_one_alone_needs_a_trust_root(self, keyless: Chain) -> None:
        keyless.sigstore = None
        with pytest.raises(SigstoreNeeded):
            keyless.verify(provenance=DEMAND)

    def test_a_root_is_nobody_when_attesters_are_named(self, keyed: Chain) -> None:
        attester = MemorySigner()
        keyed.outer = attester
        said = why(keyed, attesters=(attester.key,))
        assert str(attester.key) in said
        assert str(keyed.root.key) not in said

    def test_a_functionary_is_nobody_when_attesters_are_named(self, chain: Chain) -> None:
        attester = MemorySigner()
        chain.outer = attester
        chain.provenance = [signed(by_github(), chain.signers["build"])]
        why(chain, attesters=(attester.key,))

    def test_a_revoked_key_vouches_for_nothing(self, chain: Chain) -> None:
        build = chain.signers["build"]
        chain.add_functionary("build", MemorySigner()).link("build").signed_by(MemorySigner())
        other = MemorySigner()
        chain.add_functionary("build", other).link("build").signed_by(other)
        chain.provenance = [signed(by_github(), build)]
        assert reason(chain) is None
        why(chain, revoked=Revoked(build.key.names))

    def test_a_revoked_identity_vouches_for_nothing(self, keyless: Chain, forge: Forge) -> None:
        revoked = Revoked(identities=(KeylessSigner(forge, JOB).key,))
        assert "which is revoked" in why(keyless, revoked=revoked)

    def test_an_identity_that_the_verifier_or_the_layout_names_is_revoked_by_its_keyid_too(
        self, keyless: Chain, forge: Forge
    ) -> None:
        """A certificate has no keyid: which identity was meant, only those who name it know."""
        identity = KeylessSigner(forge, JOB).key
        revoked = Revoked(frozenset({identity.keyid}))
        roots = Trust((keyless.root.key, identity))
        assert "which is revoked" in why(keyless, revoked=revoked, layout_trust=roots)
        keyless.change_layout(keys={**keyless.layout.keys, identity.keyid: identity.entry})
        assert "which is revoked" in why(keyless, revoked=revoked)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.CERTIFICATE_BY_A_PRIVATE_AUTHORITY,
            Fault.SCT_MISSING,
            Fault.ENTRY_MISSING,
        ],
    )
    def test_a_keyless_signature_that_does_not_hold_is_told(
        self, fault: Fault, keyless: Chain, forge: Forge
    ) -> None:
        keyless.provenance = [signed(by_github(), KeylessSigner(forge, JOB, fault=fault))]
        assert "does not hold" in why(keyless)

    def test_a_forge_that_the_verifier_does_not_know_is_nobody(self, keyless: Chain) -> None:
        keyless.provenance = [signed(by_github(), KeylessSigner(Forge(), JOB))]
        assert "does not hold" in why(keyless)

    def test_a_payload_that_was_changed_after_it_was_signed_is_nobodys(self, keyless: Chain) -> None:
        bundle = json.loads(keyless.provenance[0])
        bundle["dsseEnvelope"]["payload"] = json.loads(signed(by_github(EVIL), keyless.root))["dsseEnvelope"][
            "payload"
        ]
        keyless.provenance = [json.dumps(bundle).encode()]
        assert "does not hold" in why(keyless)


class TestCertificates:
    """What the certificate says wins over what its holder writes."""

    def lies(self, chain: Chain, forge: Forge, job: GitHubJob, **signer: Any) -> Chain:
        """Provenance that says JOB, signed by another job."""
        chain.provenance = [signed(by_github(), KeylessSigner(forge, job, **signer))]
        return chain

    def test_a_job_cannot_name_another_builder(self, keyless: Chain, forge: Forge) -> None:
        job = GitHubJob(workflow="other.yml", sha="c0ffee")
        said = why(self.lies(keyless, forge, job))
        assert f"builder {job.identity}, as its certificate says" in said
        assert f"builder {BUILDER}" in said
        assert " | " not in said

    def test_another_repository_cannot_name_this_one(self, keyless: Chain, forge: Forge) -> None:
        said = why(self.lies(keyless, forge, EVIL))
        assert "source repository https://github.com/evil/app, as its certificate says" in said

    def test_another_caller_of_the_same_workflow_cannot_name_this_repository(
        self, keyless: Chain, forge: Forge
    ) -> None:
        ours, theirs = (
            GitHubJob(repository=name, called=SHARED, sha="c0ffee") for name in ("octo/app", "evil/app")
        )
        keyless.provenance = [signed(by_github(ours), KeylessSigner(forge, theirs))]
        demand = ProvenanceDemand(source_repository=REPOSITORY, builder_id=f"https://github.com/{SHARED}")
        said = why(keyless, demand)
        assert "evil/app, as its certificate says" in said
        assert " | " not in said

    def test_a_pull_request_cannot_name_the_branch(self, keyless: Chain, forge: Forge) -> None:
        job = GitHubJob.pull_request(called=SHARED, sha="c0ffee")
        main = GitHubJob(called=SHARED, sha="c0ffee")
        keyless.provenance = [signed(by_github(main), KeylessSigner(forge, job))]
        demand = ProvenanceDemand(source_repository=REPOSITORY, source_ref="refs/heads/main")
        said = why(keyless, demand)
        assert "source ref refs/pull/7/merge, as its certificate says / source ref refs/heads/main" in said
        assert " | " not in said

    def test_a_job_cannot_name_another_commit(self, keyless: Chain, forge: Forge) -> None:
        said = why(self.lies(keyless, forge, GitHubJob(sha="d" * 40)))
        assert f"commit {'d' * 40}, as its certificate says / commit c0ffee" in said
        assert " | " not in said

    def test_a_commit_that_nobody_named_is_no_contradiction(self, keyless: Chain, forge: Forge) -> None:
        document = by_github()
        document["predicate"]["buildDefinition"]["resolvedDependencies"] = []
        keyless.provenance = [signed(document, KeylessSigner(forge, JOB))]
        assert reason(keyless) is None

    def test_a_self_hosted_runner_cannot_be_githubs(self, keyless: Chain, forge: Forge) -> None:
        job = GitHubJob(sha="c0ffee", runner="self-hosted")
        keyless.provenance = [signed(by_github_until_2024(), KeylessSigner(forge, job))]
        runner = "https://github.com/actions/runner/github-hosted"
        assert f"builder {runner}" in why(keyless, ProvenanceDemand(builder_id=runner))

    @pytest.mark.parametrize(
        "issuer",
        ["https://oidc.ci.example.com", "https://evil.example/github.com", "https://github.com.evil"],
    )
    def test_an_issuer_elsewhere_does_not_speak_for_githubs_builders(
        self, issuer: str, keyless: Chain, forge: Forge
    ) -> None:
        said = why(self.lies(keyless, forge, JOB, issuer=issuer))
        assert f"issuer {issuer}" in said
        assert " | " not in said

    def test_a_builder_elsewhere_speaks_for_sources_here_only_when_it_is_demanded(
        self, keyless: Chain, forge: Forge
    ) -> None:
        """A CI service that names in a certificate whatever repository its users tell it to build."""
        builder, issuer = "https://ci.example.com/evil/pipeline", "https://ci.example.com"
        document = by_github()
        document["predicate"]["runDetails"]["builder"]["id"] = builder
        signer = KeylessSigner(forge, JOB, identity=builder, issuer=issuer, claims={"build-signer": builder})
        keyless.provenance = [signed(document, signer)]
        assert "--builder-id" in why(keyless, ProvenanceDemand(source_repository=REPOSITORY))
        assert reason(keyless, ProvenanceDemand(source_repository=REPOSITORY, builder_id=builder)) is None

    def test_enterprise_server_speaks_for_itself(self, keyless: Chain, forge: Forge) -> None:
        server = "https://ghe.corp.example"
        document = json.loads(json.dumps(by_github()).replace("https://github.com", server))
        claims = {
            "build-signer": f"{server}/{JOB.workflow_ref}",
            "source-repository": f"{server}/octo/app",
        }
        signer = KeylessSigner(forge, JOB, issuer=f"{server}/_services/token", claims=dict(claims))
        keyless.provenance = [signed(document, signer)]
        assert reason(keyless, ProvenanceDemand(source_repository=f"{server}/octo/app")) is None

    def test_an_identity_that_is_no_build_vouches_for_none(self, keyless: Chain, forge: Forge) -> None:
        person = KeylessSigner(forge, None, identity="dev@example.com", issuer="https://id.example.com")
        keyless.provenance = [signed(by_github(), person)]
        assert "builder not named" in why(keyless)

    def test_a_functionary_without_a_key_is_believed_for_its_certificate_only(
        self, keyless: Chain, forge: Forge
    ) -> None:
        person = KeylessSigner(forge, None, identity="dev@example.com", issuer="https://id.example.com")
        listed = identity_of("dev@example.com", "https://id.example.com")
        keyless.outer = person
        keyless.provenance = [signed(by_github(), person)]
        assert "builder not named" in why(keyless, attesters=(listed,))

    def test_a_claim_that_the_certificate_lacks_is_not_taken_from_the_provenance(
        self, keyless: Chain, forge: Forge
    ) -> None:
        for name, said in (("source-repository", "source repository"), ("source-ref", "source ref")):
            signer = KeylessSigner(forge, JOB, claims={name: None})  # type: ignore[dict-item]
            keyless.provenance = [signed(by_github(), signer)]
            assert f"{said} not named, as its certificate says" in why(keyless)


def _another_type(document: dict[str, Any]) -> None:
    document["predicateType"] = "https://spdx.dev/Document"


def _no_builder(document: dict[str, Any]) -> None:
    document["predicate"]["runDetails"]["builder"] = {}


def _another_build_type(document: dict[str, Any]) -> None:
    document["predicate"]["buildDefinition"]["buildType"] = "https://tekton.dev/chains/v2/slsa"


def _more_parameters(document: dict[str, Any]) -> None:
    document["predicate"]["buildDefinition"]["externalParameters"]["inputs"] = {"debug": "true"}


def _two_commits(document: dict[str, Any]) -> None:
    dependencies = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    dependencies.append({**dependencies[0], "digest": {"gitCommit": "d" * 40}})


class TestForm:
    """Signed by somebody who may, and not what it should be."""

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (_another_type, "predicateType"),
            (_no_builder, "documented shape"),
            (_another_build_type, "https://tekton.dev/chains/v2/slsa"),
            (_more_parameters, "inputs"),
            (_two_commits, "one commit"),
        ],
    )
    @pytest.mark.parametrize("kind", ["keyless", "keyed"])
    def test_what_cannot_be_read_is_a_mismatch(
        self,
        kind: str,
        spoil: Callable[[dict[str, Any]], None],
        said: str,
        request: pytest.FixtureRequest,
        forge: Forge,
    ) -> None:
        chain: Chain = request.getfixturevalue(kind)
        document = by_github()
        spoil(document)
        signer = chain.root if kind == "keyed" else KeylessSigner(forge, JOB)
        chain.provenance = [signed(document, signer)]
        assert said in why(chain)

    def test_one_key_twice_is_a_mismatch(self, keyed: Chain) -> None:
        payload = json.dumps(by_github()).encode()
        keyed.provenance = [signed(payload[:-1] + b', "subject": []}', keyed.root)]
        assert "twice" in why(keyed)


class TestTheClosest:
    def test_the_one_that_got_furthest_is_explained(self, keyless: Chain, forge: Forge) -> None:
        near = GitHubJob.tag(sha="c0ffee")
        keyless.provenance = [
            signed(by_github(), MemorySigner()),
            signed(b"{}", KeylessSigner(forge, JOB)),
            signed(by_github(digest="sha256:" + "2b" * 32), KeylessSigner(forge, JOB)),
            signed(by_github(EVIL), KeylessSigner(forge, EVIL)),
            signed(by_github(near), KeylessSigner(forge, near)),
        ]
        demand = ProvenanceDemand(source_repository=REPOSITORY, source_ref="refs/heads/main")
        said = why(keyless, demand)
        assert said.startswith("provenance 4: ")
        assert "refs/tags/v1.2.0" in said

    def test_each_step_further_is_nearer(self, keyless: Chain, forge: Forge) -> None:
        keyless.provenance = []
        for number, bundle in enumerate(
            (
                signed(by_github(), MemorySigner()),
                signed(b"{}", KeylessSigner(forge, JOB)),
                signed(by_github(digest="sha256:" + "2b" * 32), KeylessSigner(forge, JOB)),
                signed(by_github(EVIL), KeylessSigner(forge, EVIL)),
            )
        ):
            keyless.provenance.append(bundle)
            assert why(keyless).startswith(f"provenance {number}")
