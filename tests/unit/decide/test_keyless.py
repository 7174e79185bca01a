"""Chains whose layouts are signed, or whose steps are done, by identities: each way to fail, by its code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.parts.chain import Chain, MemorySigner
from tests.parts.forge import Fault, Forge, GitHubJob
from tests.parts.keyless_signer import KeylessSigner, by_identity, trust_root

from intoto_action.decide.decide import decide
from intoto_action.decide.demands import Revoked, Trust
from intoto_action.formats.identity import GITHUB_ISSUER, Identity, identity_of
from intoto_action.formats.inspection import SourceDemand, encode_source
from intoto_action.formats.layout import Inspection
from intoto_action.formats.link import link_file_name
from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Reason
from intoto_action.trust.keyless import SigstoreNeeded, TrustRoot

MAIN = GitHubJob(sha="c0ffee", run_id="7")
"""The job that the links of the chain name in their environment."""
STRANGER = GitHubJob(repository="evil/app", sha="c0ffee", run_id="7")
CALLED_BY_A_STRANGER = replace(STRANGER, called=MAIN.job_workflow_ref)
"""A workflow that others can call has one identity, whoever does."""


@pytest.fixture
def keyless(chain: Chain, forge: Forge, sigstore: TrustRoot) -> Chain:
    """A chain whose build is done by an identity, the other steps with keys."""
    chain.sigstore = sigstore
    return by_identity(chain, "build", KeylessSigner(forge, MAIN))


def denied(verdict: Verdict) -> Reason | None:
    return verdict.reason


def found(verdict: Verdict) -> str:
    return " | ".join(f"{each.expected} / {each.found}" for each in verdict.explanation)


def with_source(chain: Chain, **demand: Any) -> Chain:
    run = encode_source(SourceDemand("https://github.com/octo/app", **demand))
    everything = [["ALLOW", "*"]]
    return chain.change_layout(inspect=[Inspection("source", everything, everything, run)])


class TestPassing:
    def test_a_step_by_an_identity_passes_beside_steps_by_keys(self, keyless: Chain) -> None:
        verdict = keyless.verify()
        assert verdict.verdict == "pass", found(verdict)
        build = next(step for step in verdict.steps if step.name == "build")
        assert [signer.who for signer in build.signers] == [f"{MAIN.identity} (issuer {GITHUB_ISSUER})"]

    def test_layout_links_and_evidence_by_identities_alone_pass(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot
    ) -> None:
        owner = KeylessSigner(forge, job=None, identity="owner@example.com", issuer="https://id.example.com")
        chain.sigstore = sigstore
        for step in ("checkout", "build", "scan"):
            by_identity(
                chain, step, KeylessSigner(forge, GitHubJob(workflow=f"{step}.yml", sha="c0ffee", run_id="7"))
            )
        chain.layout_signers = [owner]
        chain.outer = KeylessSigner(forge, GitHubJob(workflow="scan.yml"))
        verdict = chain.verify(layout_trust=Trust((owner.key,)))
        assert verdict.verdict == "pass", found(verdict)

    def test_evidence_in_a_statement_of_the_earlier_type_passes(self, keyless: Chain) -> None:
        """As `cosign attest` writes it."""
        keyless.change_document = lambda document: document.replace(b"/Statement/v1", b"/Statement/v0.1")
        assert keyless.verify().verdict == "pass"

    def test_the_name_of_the_file_means_nothing(self, keyless: Chain) -> None:
        keyless.link("build").file_name = link_file_name("build", "ab" * 32)
        assert keyless.verify().verdict == "pass"

    def test_a_functionary_with_claims_and_a_ref_of_any_name_is_met(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot
    ) -> None:
        chain.sigstore = sigstore
        job = GitHubJob.tag(sha="c0ffee", run_id="7")
        wanted = identity_of(
            "https://github.com/octo/app/.github/workflows/build.yml@refs/tags/*",
            GITHUB_ISSUER,
            {"source-repository": "https://github.com/octo/app", "source-owner-id": "65"},
        )
        by_identity(chain, "build", KeylessSigner(forge, job), wanted)
        chain.link("build").change(environment={})
        with_source(chain)
        verdict = chain.verify()
        assert verdict.verdict == "pass", found(verdict)

    def test_without_a_root_it_is_asked_for(self, keyless: Chain) -> None:
        keyless.sigstore = None
        with pytest.raises(SigstoreNeeded):
            keyless.verify()

    def test_a_layout_of_a_stranger_is_denied_before_any_root_is_asked_for(self, keyless: Chain) -> None:
        keyless.sigstore = None
        keyless.layout_signers = [MemorySigner()]
        assert denied(keyless.verify()) is Reason.LAYOUT_SIGNATURE


class TestWhoSigned:
    @pytest.mark.parametrize(
        "job",
        [
            GitHubJob.pull_request(sha="c0ffee"),
            GitHubJob.tag(sha="c0ffee"),
            GitHubJob(workflow="other.yml", sha="c0ffee"),
            STRANGER,
            GitHubJob(called="octo/shared/.github/workflows/build.yml@refs/heads/main"),
        ],
    )
    def test_another_workflow_ref_or_repository_is_an_identity_mismatch(
        self, keyless: Chain, forge: Forge, job: GitHubJob
    ) -> None:
        keyless.link("build").signed_by(KeylessSigner(forge, job))
        verdict = keyless.verify()
        assert denied(verdict) is Reason.IDENTITY_MISMATCH
        assert [(each.expected, each.found) for each in verdict.explanation] == [
            (MAIN.identity, job.identity)
        ]
        assert verdict.explanation[0].step == "build"

    @pytest.mark.parametrize(
        ("job", "words"),
        [
            (GitHubJob.pull_request(sha="c0ffee"), "signs with its merge ref"),
            (GitHubJob.tag(sha="c0ffee"), "for another branch or tag"),
        ],
    )
    def test_what_a_mismatch_mostly_means_is_said(
        self, keyless: Chain, forge: Forge, job: GitHubJob, words: str
    ) -> None:
        keyless.link("build").signed_by(KeylessSigner(forge, job))
        assert words in keyless.verify().explanation[0].advice

    def test_another_issuer_is_an_identity_mismatch(self, keyless: Chain, forge: Forge) -> None:
        keyless.link("build").signed_by(KeylessSigner(forge, MAIN, issuer="https://token.evil.example"))
        verdict = keyless.verify()
        assert denied(verdict) is Reason.IDENTITY_MISMATCH
        assert found(verdict) == f"issuer {GITHUB_ISSUER} / issuer https://token.evil.example"

    def test_the_same_shared_workflow_called_from_another_repository_is_an_identity_mismatch(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot
    ) -> None:
        chain.sigstore = sigstore
        called = "octo/shared/.github/workflows/build.yml@refs/tags/v1"
        wanted = identity_of(
            f"https://github.com/{called}",
            GITHUB_ISSUER,
            {"source-repository": "https://github.com/octo/app"},
        )
        signer = KeylessSigner(forge, GitHubJob(repository="evil/app", called=called, sha="c0ffee"))
        by_identity(chain, "build", signer, wanted)
        verdict = chain.verify()
        assert denied(verdict) is Reason.IDENTITY_MISMATCH
        assert "source-repository https://github.com/evil/app" in found(verdict)
        assert "has the same identity whoever calls it" in verdict.explanation[0].advice

    def test_the_same_name_of_another_owner_is_an_identity_mismatch(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot
    ) -> None:
        chain.sigstore = sigstore
        wanted = identity_of(MAIN.identity, GITHUB_ISSUER, {"source-owner-id": "65"})
        by_identity(chain, "build", KeylessSigner(forge, GitHubJob(sha="c0ffee", owner_id="66")), wanted)
        verdict = chain.verify()
        assert denied(verdict) is Reason.IDENTITY_MISMATCH
        assert found(verdict) == "source-owner-id 65 / source-owner-id 66"
        assert "registered again" in verdict.explanation[0].advice

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.CERTIFICATE_BY_A_PRIVATE_AUTHORITY,
            Fault.CERTIFICATE_EXPIRED,
            Fault.SCT_MISSING,
            Fault.ENTRY_OF_ANOTHER_ARTIFACT,
            Fault.TIMESTAMP_BY_ANOTHER_AUTHORITY,
            Fault.ENTRY_MISSING,
        ],
    )
    def test_proofs_that_do_not_hold_are_no_signature(
        self, keyless: Chain, forge: Forge, fault: Fault
    ) -> None:
        keyless.link("build").signed_by(KeylessSigner(forge, MAIN, fault=fault))
        verdict = keyless.verify()
        assert denied(verdict) is Reason.LINK_SIGNATURE
        assert "that does not hold" in found(verdict)

    def test_the_signature_of_another_instance_is_none(self, keyless: Chain) -> None:
        keyless.link("build").signed_by(KeylessSigner(Forge(), MAIN))
        assert denied(keyless.verify()) is Reason.LINK_SIGNATURE

    def test_a_key_that_calls_itself_by_the_identity_s_keyid_is_nobody(self, keyless: Chain) -> None:
        key = MemorySigner()
        keyless.link("build").signer = key
        assert denied(keyless.verify()) is Reason.LINK_SIGNATURE

    def test_the_link_of_one_step_signed_again_as_another_s_is_refused(self, keyless: Chain) -> None:
        keyless.link("checkout").document = keyless.link("build").sealed()
        assert denied(keyless.verify()) in {Reason.LINK_INVALID, Reason.LINK_SIGNATURE}


class TestThresholds:
    def two(self, chain: Chain, first: Identity, second: Identity) -> Chain:
        keys = {**chain.layout.keys, first.keyid: first.entry, second.keyid: second.entry}
        chain.change_layout(keys=keys)
        return chain.change_step("build", pubkeys=[first.keyid, second.keyid], threshold=2)

    def test_one_identity_that_fits_two_functionaries_counts_once(self, keyless: Chain, forge: Forge) -> None:
        exact = identity_of(MAIN.identity, GITHUB_ISSUER)
        claims = identity_of(MAIN.identity, GITHUB_ISSUER, {"event": "push"})
        self.two(keyless, exact, claims)
        again = keyless.add_link("build", KeylessSigner(forge, MAIN))
        again.file_name = link_file_name("build", "cd" * 32)
        assert denied(keyless.verify()) is Reason.THRESHOLD

    def test_two_identities_of_two_functionaries_meet_a_threshold_of_two(
        self, keyless: Chain, forge: Forge
    ) -> None:
        other = GitHubJob(workflow="second.yml", sha="c0ffee", run_id="7")
        self.two(
            keyless, identity_of(MAIN.identity, GITHUB_ISSUER), identity_of(other.identity, GITHUB_ISSUER)
        )
        keyless.add_link("build", KeylessSigner(forge, other))
        assert keyless.verify().verdict == "pass"

    def test_a_key_and_an_identity_meet_a_threshold_of_two(self, keyless: Chain, forge: Forge) -> None:
        key = MemorySigner()
        keyless.add_functionary("build", key)
        keyless.change_step("build", threshold=2)
        keyless.add_link("build", key)
        assert keyless.verify().verdict == "pass"

    def test_roots_of_both_kinds_meet_a_threshold_and_one_of_them_does_not(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot
    ) -> None:
        chain.sigstore = sigstore
        owner = KeylessSigner(forge, job=None, identity="owner@example.com", issuer="https://id.example.com")
        trust = Trust((chain.root.key, owner.key), 2)
        assert denied(chain.verify(layout_trust=trust)) is Reason.LAYOUT_SIGNATURE
        chain.layout_signers = [chain.root, owner]
        assert chain.verify(layout_trust=trust).verdict == "pass"

    def test_one_owner_who_fits_two_roots_counts_once(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot
    ) -> None:
        chain.sigstore = sigstore
        owner = KeylessSigner(forge, MAIN)
        chain.layout_signers = [owner]
        twice = Trust((owner.key, identity_of(MAIN.identity, GITHUB_ISSUER, {"event": "push"})), 2)
        verdict = chain.verify(layout_trust=twice)
        assert denied(verdict) is Reason.LAYOUT_SIGNATURE
        assert "only" in found(verdict)


class TestLayoutAndEvidence:
    def test_a_layout_by_another_identity_says_whose_it_is(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot
    ) -> None:
        chain.sigstore = sigstore
        chain.layout_signers = [KeylessSigner(forge, STRANGER)]
        verdict = chain.verify(layout_trust=Trust((KeylessSigner(forge, MAIN).key,)))
        assert denied(verdict) is Reason.LAYOUT_SIGNATURE
        assert STRANGER.identity in found(verdict)

    def test_evidence_by_an_attester_who_is_an_identity_passes(self, keyless: Chain, forge: Forge) -> None:
        keyless.outer = KeylessSigner(forge, MAIN)
        assert keyless.verify(attesters=(keyless.outer.key,)).verdict == "pass"

    def test_evidence_by_another_identity_is_refused_before_it_is_read(
        self, keyless: Chain, forge: Forge
    ) -> None:
        keyless.outer = KeylessSigner(forge, STRANGER)
        keyless.change_document = lambda document: document.replace(b"links", b"limks")
        verdict = keyless.verify(attesters=(KeylessSigner(forge, MAIN).key,))
        assert denied(verdict) is Reason.ATTESTATION_SIGNATURE
        assert STRANGER.identity in found(verdict)

    def test_a_revoked_identity_counts_no_more_whatever_the_layout_calls_it(
        self, keyless: Chain, forge: Forge
    ) -> None:
        anywhere = identity_of(
            "https://github.com/octo/app/.github/workflows/build.yml@refs/heads/*", GITHUB_ISSUER
        )
        verdict = keyless.verify(revoked=Revoked(identities=(anywhere,)))
        assert denied(verdict) is Reason.LINK_SIGNATURE
        assert "which is revoked" in found(verdict)

    def test_a_revoked_keyid_of_an_identity_counts_no_more(self, keyless: Chain, forge: Forge) -> None:
        keyid = KeylessSigner(forge, MAIN).key.keyid
        assert denied(keyless.verify(revoked=Revoked(frozenset({keyid})))) is Reason.LINK_SIGNATURE

    def test_a_revoked_keyid_takes_its_identity_out_of_every_entry_that_it_fits(
        self, keyless: Chain, forge: Forge
    ) -> None:
        """As one of a key does, under whatever other keyid the key is listed too."""
        build = KeylessSigner(forge, MAIN)
        pattern = identity_of(MAIN.identity.replace("heads/main", "heads/*"), GITHUB_ISSUER)
        keyless.change_layout(keys={**keyless.layout.keys, pattern.keyid: pattern.entry})
        keyless.change_step("build", pubkeys=[build.key.keyid, pattern.keyid])
        assert keyless.verify().verdict == "pass"
        revoked = Revoked(frozenset({build.key.keyid}))
        assert denied(keyless.verify(revoked=revoked)) is Reason.LINK_SIGNATURE
        keyless.layout_signers = [keyless.root, build]
        roots = Trust((keyless.root.key, build.key, pattern), 2)
        assert denied(keyless.verify(layout_trust=roots)) is None
        assert denied(keyless.verify(layout_trust=roots, revoked=revoked)) is Reason.LAYOUT_REVOKED

    def test_a_root_that_is_a_revoked_identity_is_a_revoked_layout(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot
    ) -> None:
        chain.sigstore = sigstore
        owner = KeylessSigner(forge, MAIN)
        chain.layout_signers = [owner]
        verdict = chain.verify(layout_trust=Trust((owner.key,)), revoked=Revoked(identities=(owner.key,)))
        assert denied(verdict) is Reason.LAYOUT_REVOKED


class TestSource:
    """Where a keyless link comes from is what its certificate says, and its environment may not say otherwise."""

    def build(self, chain: Chain, forge: Forge, job: GitHubJob, **environment: str) -> Chain:
        wanted = identity_of(job.identity, GITHUB_ISSUER)
        by_identity(chain, "build", KeylessSigner(forge, job), wanted)
        recorded: dict[str, object] = {"recorded": {"oidc": False}}
        github = {
            "repository": job.repository,
            "sha": job.sha,
            "ref": job.ref,
            "event": job.event,
            "run_id": job.run_id,
            **environment,
        }
        chain.link("build").change(environment={**recorded, "github": github})
        return chain

    @pytest.mark.parametrize(
        ("job", "said"),
        [
            (CALLED_BY_A_STRANGER, "https://github.com/evil/app"),
            (GitHubJob.tag(sha="c0ffee", run_id="7"), "ref refs/tags/v1.2.0"),
            (GitHubJob(event="pull_request_target", sha="c0ffee", run_id="7"), "event pull_request_target"),
            (GitHubJob(event="workflow_run", sha="c0ffee", run_id="7"), "event workflow_run"),
            (GitHubJob(event="merge_request_event", sha="c0ffee", run_id="7"), "event merge_request_event"),
            (
                GitHubJob(event="external_pull_request_event", sha="c0ffee", run_id="7"),
                "external_pull_request",
            ),
        ],
    )
    def test_a_certificate_of_another_source_is_a_source_mismatch(
        self, keyless: Chain, forge: Forge, job: GitHubJob, said: str
    ) -> None:
        verdict = self.build(keyless, forge, job).verify()
        assert denied(verdict) is Reason.SOURCE_MISMATCH
        assert said in found(verdict)

    @pytest.mark.parametrize(
        ("field", "lie"),
        [
            ("repository", "octo/other"),
            ("sha", "badc0de"),
            ("ref", "refs/heads/release"),
            ("event", "workflow_dispatch"),
            ("run_id", "8"),
        ],
    )
    def test_an_environment_that_contradicts_the_certificate_is_a_source_mismatch(
        self, keyless: Chain, forge: Forge, field: str, lie: str
    ) -> None:
        verdict = self.build(keyless, forge, MAIN, **{field: lie}).verify()
        assert denied(verdict) is Reason.SOURCE_MISMATCH
        assert "as its certificate says" in found(verdict)

    def test_an_environment_cannot_mend_what_the_certificate_says(self, keyless: Chain, forge: Forge) -> None:
        verdict = self.build(keyless, forge, CALLED_BY_A_STRANGER, repository="octo/app").verify()
        assert denied(verdict) is Reason.SOURCE_MISMATCH

    def test_a_link_without_an_environment_is_known_by_its_certificate(
        self, keyless: Chain, forge: Forge
    ) -> None:
        self.build(keyless, forge, MAIN)
        keyless.link("build").change(environment={})
        verdict = keyless.verify()
        assert verdict.verdict == "pass", found(verdict)

    def test_a_certificate_that_names_no_repository_is_a_source_mismatch(
        self, keyless: Chain, forge: Forge
    ) -> None:
        signer = KeylessSigner(forge, job=None, identity="octo@example.com", issuer="https://id.example.com")
        by_identity(keyless, "build", signer)
        verdict = keyless.verify()
        assert denied(verdict) is Reason.SOURCE_MISMATCH
        assert "names no repository" in found(verdict)

    def test_another_commit_in_the_certificate_is_a_source_mismatch_also_without_source(
        self, keyless: Chain, forge: Forge
    ) -> None:
        keyless.change_layout(inspect=[])
        self.build(keyless, forge, GitHubJob(sha="badc0de", run_id="7"), sha="c0ffee")
        verdict = keyless.verify()
        assert denied(verdict) is Reason.SOURCE_MISMATCH
        assert "commit badc0de" in found(verdict)

    def test_another_run_in_the_certificate_is_a_run_mismatch_when_one_run_is_wanted(
        self, keyless: Chain, forge: Forge
    ) -> None:
        self.build(keyless, forge, MAIN)
        assert keyless.verify(same_run=True).verdict == "pass"
        keyless.change_layout(inspect=[])
        self.build(keyless, forge, GitHubJob(sha="c0ffee", run_id="8"), run_id="7")
        assert denied(keyless.verify(same_run=True)) is Reason.RUN_MISMATCH

    def test_another_attempt_of_the_run_is_the_same_run(self, keyless: Chain, forge: Forge) -> None:
        self.build(keyless, forge, GitHubJob(sha="c0ffee", run_id="7", run_attempt="3"))
        assert keyless.verify(same_run=True).verdict == "pass"

    def test_a_command_that_had_the_token_is_a_source_mismatch_unless_it_may(
        self, keyless: Chain, forge: Forge
    ) -> None:
        self.build(keyless, forge, MAIN)
        link = keyless.link("build")
        link.change(environment={**link.link.environment, "recorded": {"oidc": True}})
        assert denied(keyless.verify()) is Reason.SOURCE_MISMATCH
        with_source(keyless, pass_oidc=("build",))
        assert keyless.verify().verdict == "pass"


def test_a_decision_with_a_root_is_the_same_twice(keyless: Chain) -> None:
    assert keyless.verify() == keyless.verify()


def test_evidence_under_the_root_of_another_instance_is_denied(keyless: Chain) -> None:
    evidence = keyless.evidence()
    root = trust_root(Forge())
    verdict = decide(evidence, None, keyless.demands(), at=keyless.now, sigstore=root)
    assert denied(verdict) is Reason.LINK_SIGNATURE


def test_two_signatures_of_one_link_by_a_key_and_an_identity_are_one_link(keyless: Chain) -> None:
    """A file counts once, however many functionaries signed it."""
    key = MemorySigner()
    keyless.add_functionary("build", key)
    keyless.change_step("build", threshold=2)
    link = keyless.link("build")
    by_both = msgspec.json.decode(link.sealed())
    payload = msgspec.json.decode(link.sealed())["payload"]
    link_of_key = msgspec.json.decode(keyless.add_link("build", key).sealed())
    assert link_of_key["payload"] == payload
    keyless.links.pop()
    by_both["signatures"] += link_of_key["signatures"]
    link.document = msgspec.json.encode(by_both)
    assert denied(keyless.verify()) is Reason.THRESHOLD
