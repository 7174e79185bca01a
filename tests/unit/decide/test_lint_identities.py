"""The lint of identities: every check by one layout that breaks only that."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.parts.github_job import GITHUB_ISSUER

from intoto_action.decide.lint import Lint, Severity, error_findings, lint
from intoto_action.formats.identity import Identity, identity_of
from intoto_action.formats.inspection import SourceDemand, encode_source
from intoto_action.formats.key import Key
from intoto_action.formats.layout import Inspection, Layout, Rule, Step
from intoto_action.keys.keygen import generate
from intoto_action.reason import Reason

APP = "https://github.com/octo/app"
SHARED = "https://github.com/octo/shared"
OPEN: list[Rule] = [["ALLOW", "*"]]
CLOSED = ["DISALLOW", "*"]
IMAGE = "oci:ghcr.io/octo/app"
ALICE = generate("ed25519", None).public
REMINDERS = {"L37", "L38"}
"""What is said of every layout with identities and without a source."""


def workflow(file: str, ref: str = "refs/heads/main", repository: str = APP, **claims: str) -> Identity:
    named = {name.replace("_", "-"): value for name, value in claims.items()}
    return identity_of(f"{repository}/.github/workflows/{file}@{ref}", GITHUB_ISSUER, named)


CHECKOUT = workflow("checkout.yml", source_repository=APP)
BUILD = workflow("build.yml", source_repository=APP)


def layout_by(
    checkout: tuple[Key, ...] = (CHECKOUT,),
    build: tuple[Key, ...] = (BUILD,),
    source: SourceDemand | None = None,
    **of_build: Any,
) -> Layout:
    """A layout without a fault but for what its functionaries bring."""
    first = Step("checkout", [CLOSED], [["CREATE", "src/*"], CLOSED], [key.keyid for key in checkout], [], 1)
    second = Step(
        "build",
        [["MATCH", "src/*", "WITH", "PRODUCTS", "FROM", "checkout"], CLOSED],
        [["REQUIRE", IMAGE], ["CREATE", IMAGE], CLOSED],
        [key.keyid for key in build],
        [],
        1,
    )
    inspections = [] if source is None else [Inspection("source", OPEN, OPEN, encode_source(source))]
    keys = {key.keyid: key.entry for key in (*checkout, *build)}
    steps = [first, msgspec.structs.replace(second, **of_build)]
    return Layout(steps, inspections, keys, "2031-11-01T12:00:00Z")


def from_main(**demand: Any) -> SourceDemand:
    return SourceDemand(APP, ("refs/heads/main",), **demand)


def only(layout: Layout, id_: str) -> Lint:
    """The one fault there is, apart from what every layout with identities is told."""
    found = [each for each in lint(layout) if each.id not in REMINDERS - {id_}]
    assert [each.id for each in found] == [id_], found
    return found[0]


def ids(layout: Layout) -> set[str]:
    return {each.id for each in lint(layout)}


def test_keys_alone_are_told_nothing_of_identities() -> None:
    assert lint(layout_by((ALICE,), (generate("ed25519", None).public,))) == ()


class TestReminders:
    def test_with_a_source_and_exact_identities_only_that_they_must_sign_nothing_else_is_said(self) -> None:
        assert ids(layout_by(source=from_main())) == {"L37"}

    def test_who_is_a_functionary_signs_nothing_else(self) -> None:
        (fault,) = [each for each in lint(layout_by()) if each.id == "L37"]
        assert fault.severity is Severity.WARNING
        assert f"{CHECKOUT.identity} or 1 more" in fault.found
        assert "cosign sign-blob" in fault.found

    def test_without_a_source_a_command_could_have_signed(self) -> None:
        (fault,) = [each for each in lint(layout_by()) if each.id == "L38"]
        assert fault.severity is Severity.WARNING
        assert "--pass-oidc may have signed as" in fault.found

    def test_a_command_that_may_ask_for_a_token_shares_no_identity_with_another_step(self) -> None:
        layout = layout_by((ALICE, BUILD), (BUILD,), from_main(pass_oidc=("build",)))
        (fault,) = [each for each in lint(layout) if each.id == "L38"]
        assert (fault.step, fault.severity) == ("build", Severity.WARNING)
        assert "as which it could sign step 'checkout' too" in fault.found

    def test_one_that_shares_none_is_not_told_of(self) -> None:
        assert "L38" not in ids(layout_by(source=from_main(pass_oidc=("build",))))


class TestTooManyOrNobody:
    @pytest.mark.parametrize(
        "ref",
        ["refs/*", "refs/heads/*", "refs/heads/release/*", "refs/h*", "refs/pull/*", "refs/p*"],
    )
    def test_branches_that_anybody_may_make_are_told(self, ref: str) -> None:
        fault = only(layout_by(build=(workflow("build.yml", ref, source_repository=APP),)), "L26")
        assert fault.severity is Severity.WARNING
        assert fault.found.startswith(f"{ref} of {APP}")

    @pytest.mark.parametrize("ref", ["refs/tags/*", "refs/tags/v*", "refs/heads/main", "c" * 40])
    def test_tags_and_names_are_not(self, ref: str) -> None:
        assert ids(layout_by(build=(workflow("build.yml", ref, source_repository=APP),))) == REMINDERS

    def test_a_pull_request_is_told(self) -> None:
        pull = workflow("build.yml", "refs/pull/7/merge", source_repository=APP)
        assert "of a pull request" in only(layout_by(build=(pull,)), "L26").found

    @pytest.mark.parametrize("ref", ["refs/heads/*", "refs/pull/7/merge"])
    def test_the_ref_of_a_caller_is_looked_at_too(self, ref: str) -> None:
        called = workflow("build.yml", "refs/tags/v1", SHARED, source_repository=APP, source_ref=ref)
        assert only(layout_by(build=(called,)), "L26").key == called.keyid

    @pytest.mark.parametrize(
        "name",
        ["alice@octo.example", f"{APP}/.github/workflows/build.yml", "repo:octo/app:ref:refs/heads/main"],
    )
    def test_what_github_s_issuer_calls_nobody_is_told(self, name: str) -> None:
        nobody = identity_of(name, GITHUB_ISSUER)
        assert "which is nobody" in only(layout_by(build=(nobody,)), "L26").found

    def test_a_person_by_another_issuer_is_somebody(self) -> None:
        alice = identity_of("alice@octo.example", "https://accounts.octo.example")
        assert ids(layout_by(build=(alice,))) == REMINDERS

    def test_an_issuer_on_loopback_is_told(self) -> None:
        build = identity_of(BUILD.identity, "http://127.0.0.1:8080", {"source-repository": APP})
        assert "somebody else on every machine" in only(layout_by(build=(build,)), "L26").found


class TestReusableWorkflows:
    CALLED = workflow("build.yml", "refs/tags/v1", SHARED)

    def test_one_of_another_repository_must_state_whom_it_works_for(self) -> None:
        layout = layout_by(build=(self.CALLED,), source=from_main())
        fault = only(layout, "L36")
        assert (fault.severity, fault.key) == (Severity.ERROR, self.CALLED.keyid)
        assert f"source-repository {APP} beside a workflow of another repository" in fault.expected
        (finding,) = error_findings(layout)
        assert finding.reason is Reason.LAYOUT_INVALID
        assert self.CALLED.identity in finding.found

    def test_one_that_states_it_is_sound(self) -> None:
        stated = workflow("build.yml", "refs/tags/v1", SHARED, source_repository=APP)
        assert ids(layout_by(build=(stated,), source=from_main())) == {"L37"}

    def test_one_that_states_another_can_sign_nothing(self) -> None:
        stated = workflow("build.yml", "refs/tags/v1", SHARED, source_repository=SHARED)
        fault = only(layout_by(build=(stated,), source=from_main()), "L36")
        assert fault.severity is Severity.ERROR
        assert "which source demands of every link" in fault.expected

    def test_one_on_another_server_is_of_another_repository(self) -> None:
        elsewhere = workflow("build.yml", repository="https://ghe.corp/octo/app")
        assert only(layout_by(build=(elsewhere,), source=from_main()), "L36").severity is Severity.ERROR

    def test_one_on_gitlab_is_the_same_whoever_includes_it(self) -> None:
        shared = identity_of("https://gitlab.com/octo/ci//build.yml@refs/heads/main", "https://gitlab.com")
        assert only(layout_by(build=(shared,), source=from_main()), "L36").severity is Severity.ERROR

    def test_a_workflow_of_the_source_itself_needs_to_state_nothing(self) -> None:
        assert ids(layout_by(build=(workflow("build.yml"),), source=from_main())) == {"L37"}

    def test_without_a_source_every_workflow_should_state_it(self) -> None:
        layout = layout_by(build=(workflow("build.yml"),))
        assert only(layout, "L36").severity is Severity.WARNING
        assert error_findings(layout) == ()


class TestWhoCounts:
    def test_one_identity_under_two_keyids_is_there_once(self) -> None:
        twin = msgspec.structs.replace(BUILD, keyid="ab" * 32)
        fault = only(layout_by(build=(BUILD, twin)), "L19")
        assert (fault.severity, fault.step) == (Severity.ERROR, "build")

    def test_a_threshold_above_the_identities_is_never_met(self) -> None:
        assert only(layout_by(threshold=2), "L17").severity is Severity.ERROR

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (BUILD, workflow("build.yml", source_repository=SHARED)),
            (BUILD, workflow("build.yml", source_repository=APP, event="push")),
            (
                workflow("build.yml", "refs/tags/*", source_repository=APP),
                workflow("build.yml", "refs/tags/v1", source_repository=APP),
            ),
            (
                workflow("build.yml", "refs/tags/*", source_repository=APP),
                workflow("build.yml", "refs/tags/v*", source_repository=APP),
            ),
        ],
    )
    def test_above_a_threshold_of_one_nobody_is_two_functionaries(
        self, one: Identity, other: Identity
    ) -> None:
        fault = only(layout_by(build=(one, other), threshold=2), "L35")
        assert (fault.severity, fault.step, fault.field) == (Severity.WARNING, "build", "pubkeys")
        assert ids(layout_by(build=(one, other), threshold=1)) == REMINDERS

    def test_different_workflows_may_meet_a_threshold_together(self) -> None:
        other = workflow("second.yml", source_repository=APP)
        assert ids(layout_by(build=(BUILD, other, ALICE), threshold=3)) == REMINDERS

    @pytest.mark.parametrize(
        "checkout", [BUILD, workflow("build.yml", "refs/heads/*", source_repository=APP)]
    )
    def test_one_identity_for_every_step_can_make_up_the_chain(self, checkout: Identity) -> None:
        (fault,) = [each for each in lint(layout_by(checkout=(checkout,))) if each.id == "L20"]
        assert checkout.identity in fault.found

    def test_an_identity_that_signs_no_step_is_told(self) -> None:
        layout = layout_by()
        other = workflow("other.yml", source_repository=APP)
        layout = msgspec.structs.replace(layout, keys={**layout.keys, other.keyid: other.entry})
        assert only(layout, "L18").severity is Severity.WARNING

    def test_an_identity_whose_scheme_says_less_than_it_demands_cannot_be_read(self) -> None:
        layout = layout_by()
        entry = msgspec.structs.replace(BUILD.entry, scheme="Fulcio")
        layout = msgspec.structs.replace(layout, keys={**layout.keys, BUILD.keyid: entry})
        assert only(layout, "L18").severity is Severity.ERROR
