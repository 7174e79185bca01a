"""The YAML of an identity: from words, and from what somebody has signed."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tests.parts.chain import MemorySigner
from tests.parts.forge import Fault, Forge, GitHubJob
from tests.parts.github_job import GITHUB_ISSUER
from tests.parts.keyless_signer import KeylessSigner

from intoto_action.author.propose import Proposal, propose_job, propose_signer, propose_workflow
from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.formats.functionary import parse_functionary
from intoto_action.formats.github_claims import parse_github_claims
from intoto_action.formats.identity import identity_of
from intoto_action.keys.sealing import seal, seal_bundle
from intoto_action.reason import Malformed, Misused

APP = "https://github.com/octo/app"
SHARED = GitHubJob(
    called="octo/shared/.github/workflows/build.yml@refs/tags/v1", environment="release to all"
)
PAYLOAD = b'{"_type": "link", "name": "build"}'


def printed(proposal: Proposal) -> str:
    return "\n".join(proposal.lines)


def without_comment_signs(proposal: Proposal) -> str:
    """As an author has it who demands everything that was proposed."""
    lines = [line.replace("# ", "", 1) if ": " in line else line for line in proposal.lines]
    return "\n".join(line for line in lines if not line.lstrip().startswith(("#", "Demand", "Goes")))


def propose(path: Path, document: bytes) -> Proposal:
    path.write_bytes(document)
    return propose_signer(path)


class TestFromWords:
    def test_what_is_printed_is_the_identity_of_the_job(self) -> None:
        proposal = propose_workflow("octo/app", "build.yml", "refs/heads/main", None)
        expected = identity_of(GitHubJob().identity, GITHUB_ISSUER, {"source-repository": APP})
        assert parse_functionary(printed(proposal).encode(), "printed") == proposal.identity == expected
        assert proposal.notes == ()

    def test_how_to_get_the_ids_is_said_and_an_empty_one_is_no_claim(self) -> None:
        proposal = propose_workflow("octo/app", "build.yml", "refs/heads/main", None)
        assert "gh api repos/octo/app -q '.id, .owner.id'" in printed(proposal)
        careless = printed(proposal).replace("# source-owner-id", "source-owner-id")
        with pytest.raises(Malformed, match="source-owner-id"):
            parse_functionary(careless.encode(), "printed")

    def test_a_reusable_workflow_is_said_to_be_one(self) -> None:
        word = "octo/shared/.github/workflows/build.yml"
        proposal = propose_workflow("octo/app", word, "refs/tags/v1", None)
        assert proposal.identity.identity == SHARED.identity
        assert proposal.notes == (
            "build.yml is a reusable workflow of https://github.com/octo/shared, called from https://github.com/octo/app",
        )

    def test_another_issuer_is_taken(self) -> None:
        issuer = "https://ghe.corp/_services/token"
        proposal = propose_workflow("https://ghe.corp/octo/app", "build.yml", "refs/heads/main", issuer)
        assert proposal.identity.issuer == issuer

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("octo", "build.yml", "refs/heads/main", None), "layout functionary, repository: expected"),
            (("octo/app", "build", "refs/heads/main", None), "did you mean 'build.yml'?"),
            (("octo/app", "build.yml", "main", None), "layout functionary, ref: expected"),
            (("octo/app", "build.yml", "refs/heads/main", "github"), "layout functionary, issuer: expected"),
            (
                ("https://ghe.corp/o/a", "build.yml", "refs/heads/main", None),
                "e.g. https://ghe.corp/_services/token",
            ),
        ],
    )
    def test_words_that_name_nobody_are_told(
        self, words: tuple[str, str, str, str | None], said: str
    ) -> None:
        with pytest.raises(Malformed) as caught:
            propose_workflow(*words)
        assert said in str(caught.value)


class TestFromAToken:
    @pytest.mark.parametrize("job", [GitHubJob(), GitHubJob.tag(), GitHubJob.pull_request(), SHARED])
    def test_it_is_what_a_certificate_of_the_same_job_says(
        self, forge: Forge, tmp_path: Path, job: GitHubJob
    ) -> None:
        claims = parse_github_claims({"iss": GITHUB_ISSUER, **job.token_claims}, "token")
        of_token = propose_job(claims)
        signed = propose(tmp_path / "x", seal(PAYLOAD_TYPE, PAYLOAD, KeylessSigner(forge, job)))
        assert of_token.identity == signed.identity
        assert of_token.optional.items() <= signed.optional.items()
        assert {"source-repository-id", "source-owner-id"} <= of_token.optional.keys()
        assert of_token.notes == signed.notes[1:]

    def test_a_server_of_its_own_is_known_by_its_issuer(self) -> None:
        issuer = "https://ghe.corp/_services/token"
        proposal = propose_job(parse_github_claims({"iss": issuer, **GitHubJob().token_claims}, "token"))
        assert proposal.identity.identity == GitHubJob().identity.replace("github.com", "ghe.corp")
        assert dict(proposal.identity.claims) == {"source-repository": "https://ghe.corp/octo/app"}


class TestFromWhatWasSigned:
    def test_it_is_the_certificate_s_with_the_source_repository(self, forge: Forge, tmp_path: Path) -> None:
        proposal = propose(tmp_path / "build.link", seal(PAYLOAD_TYPE, PAYLOAD, KeylessSigner(forge)))
        expected = identity_of(GitHubJob().identity, GITHUB_ISSUER, {"source-repository": APP})
        assert parse_functionary(printed(proposal).encode(), "printed") == proposal.identity == expected
        assert [each for each in proposal.notes if "neither it nor the signature is checked here" in each]

    def test_what_else_it_says_can_be_demanded_too(self, forge: Forge, tmp_path: Path) -> None:
        proposal = propose(tmp_path / "build.link", seal(PAYLOAD_TYPE, PAYLOAD, KeylessSigner(forge, SHARED)))
        whole = parse_functionary(without_comment_signs(proposal).encode(), "printed")
        assert dict(whole.claims) == {
            "source-repository": APP,
            "source-repository-id": "74",
            "source-owner-id": "65",
            "source-ref": "refs/heads/main",
            "runner-environment": "github-hosted",
            "event": "push",
            "environment": "release to all",
            "build-signer-digest": "c" * 40,
        }

    def test_of_a_workflow_of_the_source_its_own_ref_and_digest_are_not_said_twice(
        self, forge: Forge, tmp_path: Path
    ) -> None:
        proposal = propose(tmp_path / "build.link", seal(PAYLOAD_TYPE, PAYLOAD, KeylessSigner(forge)))
        assert not {"source-ref", "build-signer-digest"} & proposal.optional.keys()

    def test_evidence_and_other_bundles_are_read_too(self, forge: Forge, tmp_path: Path) -> None:
        document = seal_bundle(PAYLOAD_TYPE, PAYLOAD, KeylessSigner(forge, GitHubJob.tag()))
        assert propose(tmp_path / "bundle", document).identity.identity == GitHubJob.tag().identity

    def test_a_run_of_a_pull_request_is_noted(self, forge: Forge, tmp_path: Path) -> None:
        signer = KeylessSigner(forge, GitHubJob.pull_request())
        notes = propose(tmp_path / "build.link", seal(PAYLOAD_TYPE, PAYLOAD, signer)).notes
        assert any(each.startswith("refs/pull/7/merge is the ref of a pull request") for each in notes)

    def test_a_certificate_without_a_source_repository_is_noted(self, forge: Forge, tmp_path: Path) -> None:
        signer = KeylessSigner(forge, job=None, identity=GitHubJob().identity)
        notes = propose(tmp_path / "build.link", seal(PAYLOAD_TYPE, PAYLOAD, signer)).notes
        assert any("no source repository is demanded" in each for each in notes)

    def test_a_person_has_a_name_and_no_claims(self, forge: Forge, tmp_path: Path) -> None:
        signer = KeylessSigner(
            forge, job=None, identity="alice@octo.example", issuer="https://id.octo.example"
        )
        proposal = propose(tmp_path / "x", seal(PAYLOAD_TYPE, PAYLOAD, signer))
        assert "  alice:" in proposal.lines
        assert proposal.identity == signer.key

    @pytest.mark.parametrize("claim", ["source-repository", "environment", "event"])
    def test_a_claim_that_could_not_be_read_again_is_left_out(
        self, forge: Forge, tmp_path: Path, claim: str
    ) -> None:
        """Whoever may name an environment or run a CI server writes this: it must not become YAML of another kind."""
        signer = KeylessSigner(forge, claims={claim: "x\n  evil:\n    identity: y"})
        proposal = propose(tmp_path / "x", seal(PAYLOAD_TYPE, PAYLOAD, signer))
        assert "evil" not in printed(proposal)
        assert parse_functionary(printed(proposal).encode(), "printed") == proposal.identity

    def test_a_signature_that_does_not_hold_is_shown_all_the_same(self, forge: Forge, tmp_path: Path) -> None:
        signer = KeylessSigner(forge, fault=Fault.SCT_MISSING)
        proposal = propose(tmp_path / "x", seal(PAYLOAD_TYPE, PAYLOAD, signer))
        assert proposal.identity.identity == GitHubJob().identity

    def test_what_a_key_signed_names_no_identity(self, tmp_path: Path) -> None:
        with pytest.raises(Misused, match=r"goes into layout.yaml as \{key: PATH\}"):
            propose(tmp_path / "x", seal(PAYLOAD_TYPE, PAYLOAD, MemorySigner()))

    def test_two_signers_are_one_too_many(self, forge: Forge, tmp_path: Path) -> None:
        signers = (KeylessSigner(forge), KeylessSigner(forge, GitHubJob.tag()))
        documents = [json.loads(seal(PAYLOAD_TYPE, PAYLOAD, each)) for each in signers]
        signatures = [each["signatures"][0] for each in documents]
        with pytest.raises(Misused, match="expected one signer"):
            propose(tmp_path / "x", msgspec.json.encode({**documents[0], "signatures": signatures}))

    @pytest.mark.parametrize("content", [b"", b"{}", b"\x00", b"identity: x"])
    def test_what_is_no_signed_document_is_malformed(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(Malformed):
            propose(tmp_path / "x", content)

    def test_a_certificate_that_is_none_is_malformed(self, forge: Forge, tmp_path: Path) -> None:
        document = json.loads(seal(PAYLOAD_TYPE, PAYLOAD, KeylessSigner(forge)))
        document["signatures"][0]["extension"]["ext"]["certificate"] = {"rawBytes": "AAAA"}
        with pytest.raises(Malformed):
            propose(tmp_path / "x", json.dumps(document).encode())
