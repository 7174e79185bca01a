"""A rehearsal decides all but who signed, and whatever it decides is no pass."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.parts.chain import ARTIFACT, KEYS_ALONE, NOW, SOURCE, Chain, ChainLink, MemorySigner, digests
from tests.parts.forge import Forge
from tests.parts.keyless_signer import KeylessSigner

from intoto_action.decide.demands import Demands, ProvenanceDemand, Revoked, SameAs, Trust
from intoto_action.formats.evidence import parse_signed
from intoto_action.formats.identity import identity_of
from intoto_action.formats.layout import INSTANT, Inspection
from intoto_action.formats.link import encode_link, unsigned_file_name
from intoto_action.formats.verdict import Verdict
from intoto_action.reason import ExitCode, Misused, Reason
from intoto_action.verify.rehearse import rehearse_links
from intoto_action.verify.verify import verify_links

PULL_REQUEST = {
    "repository": "octo/app",
    "sha": "5eed",
    "ref": "refs/pull/7/merge",
    "event": "pull_request",
    "run_id": "8",
}


class Rehearsal:
    """The chain with its links unsigned, but for those of the steps in `signed`."""

    def __init__(self) -> None:
        self.chain = Chain()
        self.signed: list[str] = []
        self.more: list[tuple[str, bytes]] = []

    def unsigned(self) -> list[tuple[str, bytes]]:
        return [
            (unsigned_file_name(each.link.name), each.payload or encode_link(each.link))
            for each in self.chain.links
            if each.present and each.link.name not in self.signed
        ]

    def signed_links(self) -> list[tuple[str, bytes]]:
        return [
            (each.file_name, each.sealed())
            for each in self.chain.links
            if each.present and each.link.name in self.signed
        ]

    def demands(self, **changes: Any) -> Demands:
        layout = parse_signed(self.chain.sealed_layout(), "the layout")
        return self.chain.demands(**{"layout": layout, **changes})

    def verdict(self, **changes: Any) -> Verdict:
        unsigned = [*self.unsigned(), *self.more]
        demands = self.demands(**changes)
        return rehearse_links(self.signed_links(), unsigned, demands, at=self.chain.now, sigstore=KEYS_ALONE)

    def recorded_in(self, **github: str) -> Rehearsal:
        """Every link comes from this run."""
        for each in self.chain.links:
            environment: dict[str, object] = {
                "github": {**PULL_REQUEST, **github},
                "recorded": {"oidc": False},
            }
            each.change(environment=environment)
        return self

    def link(self, step: str) -> ChainLink:
        return self.chain.link(step)


@pytest.fixture
def rehearsal() -> Rehearsal:
    return Rehearsal()


def test_links_that_nobody_signed_are_rehearsed_and_never_pass(rehearsal: Rehearsal) -> None:
    verdict = rehearsal.verdict()
    assert (verdict.verdict, verdict.reason, verdict.exit_code) == ("rehearsed", None, ExitCode.REHEARSED)
    assert "who signed the links is NOT checked" in verdict.criteria[0]
    assert "no pass" in verdict.notes[0]


def test_nobody_is_said_to_have_signed_a_step_and_the_layout_s_functionaries_are_still_those_expected(
    rehearsal: Rehearsal,
) -> None:
    verdict = rehearsal.verdict()
    assert all(each.signers == () and each.verdict == "rehearsed" for each in verdict.steps)
    expected = [(str(rehearsal.chain.signers[each.name].key),) for each in verdict.steps]
    assert [each.functionaries for each in verdict.steps] == expected
    assert verdict.layout is not None
    assert verdict.layout.signers == (str(rehearsal.chain.root.key),)


def test_the_links_that_were_taken_are_named(rehearsal: Rehearsal) -> None:
    rehearsal.signed = ["build"]
    notes = "\n".join(rehearsal.verdict().notes)
    assert "step 'checkout' is rehearsed with checkout.link-unsigned" in notes
    assert f"step 'build' is rehearsed with {rehearsal.link('build').file_name}" in notes


def test_of_a_signed_link_the_payload_counts_whoever_signed_it(rehearsal: Rehearsal) -> None:
    rehearsal.signed = ["checkout", "build", "scan"]
    rehearsal.link("scan").signed_by(MemorySigner())
    assert rehearsal.verdict().verdict == "rehearsed"


def test_what_a_rehearsal_takes_is_refused_by_a_verification(rehearsal: Rehearsal) -> None:
    verdict = verify_links(
        rehearsal.unsigned(), None, rehearsal.demands(), at=rehearsal.chain.now, sigstore=KEYS_ALONE
    )
    assert (verdict.verdict, verdict.reason) == ("deny", Reason.LINK_MISSING)


def test_identities_among_the_functionaries_need_no_sigstore_for_a_rehearsal(
    rehearsal: Rehearsal, forge: Forge
) -> None:
    somebody = KeylessSigner(forge)
    rehearsal.chain.add_functionary("scan", somebody)
    rehearsal.chain.change_step("scan", pubkeys=[somebody.key.keyid])
    assert rehearsal.verdict().verdict == "rehearsed"


def test_an_identity_that_owns_the_layout_needs_it(rehearsal: Rehearsal) -> None:
    owner = identity_of("owner@example.com", "https://accounts.example.com")
    signature = {"keyid": "", "sig": "AAAA", "extension": {"kind": "x", "ext": {}}}
    document = msgspec.json.decode(rehearsal.chain.sealed_layout())
    document["signatures"] = [signature]
    rehearsal.chain.layout_document = msgspec.json.encode(document)
    verdict = rehearsal.verdict(layout_trust=Trust((owner,)))
    assert verdict.verdict in {"deny", "error"}
    assert verdict.exit_code not in {ExitCode.PASS, ExitCode.REHEARSED}


class TestEverythingElseIsDecidedAsEver:
    def test_the_layout_s_signature(self, rehearsal: Rehearsal) -> None:
        rehearsal.chain.layout_signers = [MemorySigner()]
        assert rehearsal.verdict().reason is Reason.LAYOUT_SIGNATURE

    def test_the_layout_s_end(self, rehearsal: Rehearsal) -> None:
        rehearsal.chain.change_layout(expires=(NOW - timedelta(days=1)).strftime(INSTANT))
        assert rehearsal.verdict().reason is Reason.LAYOUT_EXPIRED

    def test_a_revoked_layout(self, rehearsal: Rehearsal) -> None:
        layout = rehearsal.demands().layout
        assert layout is not None
        revoked = Revoked(layouts=frozenset({layout.sha256}))
        assert rehearsal.verdict(revoked=revoked).reason is Reason.LAYOUT_REVOKED

    def test_a_revoked_owner(self, rehearsal: Rehearsal) -> None:
        revoked = Revoked(keyids=frozenset({rehearsal.chain.root.key.keyid}))
        assert rehearsal.verdict(revoked=revoked).reason is Reason.LAYOUT_REVOKED

    def test_the_errors_of_lint(self, rehearsal: Rehearsal) -> None:
        rehearsal.chain.change_step("scan", expected_products=[["ALLOW", "*", "AND"]])
        assert rehearsal.verdict().reason is Reason.LAYOUT_INVALID

    def test_a_step_without_a_link(self, rehearsal: Rehearsal) -> None:
        rehearsal.link("scan").present = False
        verdict = rehearsal.verdict()
        assert (verdict.verdict, verdict.reason) == ("deny", Reason.LINK_MISSING)

    def test_a_command_that_failed(self, rehearsal: Rehearsal) -> None:
        rehearsal.link("scan").change(byproducts={"return-value": 1})
        assert rehearsal.verdict().reason is Reason.LINK_INVALID

    def test_a_link_of_another_step(self, rehearsal: Rehearsal) -> None:
        rehearsal.link("scan").payload = encode_link(rehearsal.link("build").link)
        assert rehearsal.verdict().reason is Reason.LINK_INVALID

    @pytest.mark.parametrize("payload", [b"", b"nonsense", b"{}", b"[" * 100_000])
    def test_a_payload_that_is_no_link(self, payload: bytes, rehearsal: Rehearsal) -> None:
        rehearsal.link("scan").present = False
        rehearsal.more = [("scan.link-unsigned", payload)]
        assert rehearsal.verdict().reason is Reason.LINK_INVALID

    def test_an_envelope_in_an_unsigned_link_s_place(self, rehearsal: Rehearsal) -> None:
        rehearsal.link("scan").payload = rehearsal.link("scan").sealed()
        assert rehearsal.verdict().reason is Reason.LINK_INVALID

    def test_a_file_that_is_called_like_a_link_and_is_none_although_another_is_there(
        self, rehearsal: Rehearsal
    ) -> None:
        rehearsal.signed = ["scan"]
        rehearsal.link("scan").document = b"{}"
        rehearsal.more = [("scan.link-unsigned", encode_link(rehearsal.link("scan").link))]
        assert rehearsal.verdict().reason is Reason.LINK_INVALID

    def test_the_rules(self, rehearsal: Rehearsal) -> None:
        rehearsal.link("scan").change(materials={ARTIFACT: digests("9")})
        verdict = rehearsal.verdict()
        assert (verdict.verdict, verdict.reason) == ("deny", Reason.RULE_VIOLATION)
        assert verdict.explanation[0].step == "scan"

    def test_one_commit(self, rehearsal: Rehearsal) -> None:
        rehearsal.recorded_in()
        rehearsal.link("scan").change(environment={"github": {**PULL_REQUEST, "sha": "another"}})
        assert rehearsal.verdict().reason is Reason.SOURCE_MISMATCH

    def test_one_run_when_demanded(self, rehearsal: Rehearsal) -> None:
        rehearsal.recorded_in()
        rehearsal.link("scan").change(environment={"github": {**PULL_REQUEST, "run_id": "9"}})
        assert rehearsal.verdict(same_run=True).reason is Reason.RUN_MISMATCH

    def test_a_foreign_inspection(self, rehearsal: Rehearsal) -> None:
        foreign = Inspection("mine", [["ALLOW", "*"]], [["ALLOW", "*"]], ["sh", "-c", "true"])
        rehearsal.chain.change_layout(inspect=[foreign])
        assert rehearsal.verdict().reason is Reason.INSPECTION_REFUSED


class TestSeveralLinksOfOneStep:
    def test_one_is_enough_for_a_threshold_and_a_note_says_so(self, rehearsal: Rehearsal) -> None:
        rehearsal.chain.add_functionary("scan", MemorySigner()).change_step("scan", threshold=2)
        verdict = rehearsal.verdict()
        assert verdict.verdict == "rehearsed"
        assert verdict.steps[-1].threshold == 2
        assert any("needs links by 2 functionaries" in each for each in verdict.notes)

    def test_two_must_agree_whatever_the_threshold_is(self, rehearsal: Rehearsal) -> None:
        other = msgspec.structs.replace(rehearsal.link("scan").link, materials={})
        rehearsal.more = [("scan.0a1b2c3d.link-unsigned", encode_link(other))]
        verdict = rehearsal.verdict()
        assert (verdict.verdict, verdict.reason) == ("deny", Reason.THRESHOLD)
        assert "scan.0a1b2c3d.link-unsigned" in verdict.explanation[0].where

    def test_a_bad_one_beside_a_good_one_denies(self, rehearsal: Rehearsal) -> None:
        failed = msgspec.structs.replace(rehearsal.link("scan").link, byproducts={"return-value": 1})
        rehearsal.more = [("scan.0a1b2c3d.link-unsigned", encode_link(failed))]
        assert rehearsal.verdict().reason is Reason.LINK_INVALID

    def test_the_same_twice_is_one(self, rehearsal: Rehearsal) -> None:
        rehearsal.more = [("scan.0a1b2c3d.link-unsigned", encode_link(rehearsal.link("scan").link))]
        assert rehearsal.verdict().verdict == "rehearsed"


class TestWhereAPullRequestComesFrom:
    @pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "merge_group"])
    def test_its_ref_and_its_event_are_told_and_not_denied(self, event: str, rehearsal: Rehearsal) -> None:
        verdict = rehearsal.recorded_in(event=event).verdict()
        assert verdict.verdict == "rehearsed"
        notes = [each for each in verdict.notes if "a release needs" in each]
        assert any("refs/heads/main" in each and "refs/pull/7/merge" in each for each in notes)
        assert len(notes) == len(set(notes)) <= 2

    def test_its_repository_is_denied(self, rehearsal: Rehearsal) -> None:
        verdict = rehearsal.recorded_in(repository="evil/app").verdict()
        assert (verdict.verdict, verdict.reason) == ("deny", Reason.SOURCE_MISMATCH)
        assert verdict.explanation[0].found == "https://github.com/evil/app"

    @pytest.mark.parametrize(
        "event", ["push", "workflow_dispatch", "workflow_run", "issue_comment", "pull", ""]
    )
    def test_another_run_s_ref_is_denied_as_ever(self, event: str, rehearsal: Rehearsal) -> None:
        verdict = rehearsal.recorded_in(event=event, ref="refs/heads/feature").verdict()
        assert (verdict.verdict, verdict.reason) == ("deny", Reason.SOURCE_MISMATCH)

    def test_an_event_that_the_layout_lists_needs_no_note(self, rehearsal: Rehearsal) -> None:
        run = [*SOURCE[:-2], "--event", "pull_request"]
        rehearsal.chain.change_layout(inspect=[Inspection("source", [["ALLOW", "*"]], [["ALLOW", "*"]], run)])
        verdict = rehearsal.recorded_in().verdict()
        assert verdict.verdict == "rehearsed"
        assert not any("a release needs" in each for each in verdict.notes)

    def test_a_link_that_names_no_run_is_denied(self, rehearsal: Rehearsal) -> None:
        rehearsal.link("scan").change(environment={})
        assert rehearsal.verdict().reason is Reason.SOURCE_MISMATCH

    def test_a_command_that_had_a_token_is_denied(self, rehearsal: Rehearsal) -> None:
        rehearsal.recorded_in()
        environment: dict[str, object] = {"github": PULL_REQUEST, "recorded": {"oidc": True}}
        rehearsal.link("scan").change(environment=environment)
        assert rehearsal.verdict().reason is Reason.SOURCE_MISMATCH


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": None},
        {"layout_trust": None},
        {"attesters": (MemorySigner().key,)},
        {"provenance": ProvenanceDemand()},
        {"subject_step": "build"},
        {"same_as": (SameAs("a.example/x", "b.example/x"),)},
    ],
)
def test_what_only_an_image_can_meet_is_refused(changes: dict[str, Any], rehearsal: Rehearsal) -> None:
    with pytest.raises(Misused):
        rehearsal.verdict(**changes)
