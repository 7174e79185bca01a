"""Functionaries that are identities: what they become in the signed layout, and what is said of wrong ones."""

from __future__ import annotations

import pytest
from tests.parts.draft import HEAD, STEPS, Draft
from tests.parts.github_job import GITHUB_ISSUER

from intoto_action.author.show import layout_lines
from intoto_action.formats.functionary import functionary_lines
from intoto_action.formats.identity import CLAIMS_SCHEME, EXACT_SCHEME, Identity, identity_of
from intoto_action.formats.layout import Layout, encode_layout, parse_layout

APP = "https://github.com/octo/app"
BUILD = f"{APP}/.github/workflows/build.yml@refs/heads/main"
SHORT = "{repository: octo/app, workflow: build.yml, ref: refs/heads/main}"
EXACT = f"{{identity: {BUILD}, issuer: {GITHUB_ISSUER}}}"
SOURCE = "source: {repository: octo/app, refs: [refs/heads/main]}\n"


def by(alice: str, *, head: str = HEAD, steps: str = STEPS) -> str:
    assert "{key: alice.pub}" in head
    return head.replace("{key: alice.pub}", alice) + steps


def functionary(layout: Layout, step: str = "checkout") -> Identity:
    found = layout.step(step)
    assert found is not None
    (key,) = layout.functionaries(found)
    assert isinstance(key, Identity)
    return key


def only(faults: list[str]) -> str:
    assert len(faults) == 1, faults
    return faults[0]


class TestCompiled:
    def test_an_exact_identity_is_an_entry_of_securesystemslib(self, draft: Draft) -> None:
        layout = draft.layout(by(EXACT))
        assert functionary(layout) == identity_of(BUILD, GITHUB_ISSUER)
        entry = layout.keys[functionary(layout).keyid]
        assert (entry.keytype, entry.scheme) == ("sigstore-oidc", EXACT_SCHEME)

    def test_a_workflow_is_an_entry_that_only_we_read(self, draft: Draft) -> None:
        layout = draft.layout(by(SHORT))
        assert functionary(layout) == identity_of(BUILD, GITHUB_ISSUER, {"source-repository": APP})
        assert layout.keys[functionary(layout).keyid].scheme == CLAIMS_SCHEME

    def test_the_signed_bytes_are_read_as_the_same_layout(self, draft: Draft) -> None:
        layout = draft.layout(by(SHORT))
        assert parse_layout(encode_layout(layout), "root.layout") == layout

    def test_keys_and_identities_of_one_functionary_stand_side_by_side(self, draft: Draft) -> None:
        layout = draft.layout(by(f"{{key: alice.pub, identities: [{EXACT}, {SHORT}]}}"))
        step = layout.step("checkout")
        assert step is not None
        exact = identity_of(BUILD, GITHUB_ISSUER)
        claims = identity_of(BUILD, GITHUB_ISSUER, {"source-repository": APP})
        assert step.pubkeys == [draft.keyid("alice"), exact.keyid, claims.keyid]

    def test_what_layout_functionary_printed_can_be_pasted_and_named_as_a_key(self, draft: Draft) -> None:
        identity = identity_of(BUILD, GITHUB_ISSUER, {"source-repository": APP, "environment": "prod: eu"})
        printed = "\n".join(functionary_lines("alice", identity, {"source-owner-id": "65"}, "or so"))
        pasted = HEAD.replace("  alice: {key: alice.pub}", printed) + STEPS
        assert functionary(draft.layout(pasted)) == identity
        (draft.directory / "alice.yaml").write_text(printed)
        assert functionary(draft.layout(by("{key: alice.yaml}"))) == identity

    def test_its_reminders_are_told_as_warnings_of_the_file(self, draft: Draft) -> None:
        warnings = draft.compile(by(EXACT)).warnings
        told = {line.split("warning ")[1].split(":")[0]: line for line in warnings}
        assert told.keys() >= {"L36", "L37", "L38"}
        assert f"{draft.file}:3:10: warning L36" in told["L36"]


class TestFaults:
    @pytest.mark.parametrize(
        ("alice", "said"),
        [
            ("{identity: x}", "3:10: expected the issuer that vouches for it"),
            (
                f'{{identity: "{BUILD}\\n", issuer: {GITHUB_ISSUER}}}',
                "3:21: expected an identity: the subject",
            ),
            ("{repository: octo/app, workflow: build.yml, ref: main}", "3:59: expected a ref such as"),
            ("{repository: octo/app, workflow: build.yml, reff: x}", "found 'reff' (did you mean 'ref'?)"),
            (
                f"{{key: alice.pub, identity: {BUILD}}}",
                "3:10: expected an identity alone, or identities: [ … ]",
            ),
            (f"{{identities: {EXACT}}}", "3:23: expected a list of identities"),
            ("{identities: []}", "3:23: expected at least one identity"),
            (f"{{identities: [{EXACT}, alice.pub]}}", "expected {identity: URI, issuer: URL}"),
            (
                f"{{identities: [{EXACT}, {EXACT}]}}",
                "expected every identity once, under one name, found the identity",
            ),
            (
                f"{{identity: {BUILD}, issuer: {GITHUB_ISSUER}, claims: {{event: push}}}}",
                "one of identity, issuer",
            ),
        ],
    )
    def test_a_fault_is_told_where_it_is(self, draft: Draft, alice: str, said: str) -> None:
        faults = draft.faults(by(alice))
        assert any(said in fault for fault in faults), faults

    def test_one_identity_under_two_names_is_an_error_however_it_is_written(self, draft: Draft) -> None:
        head = HEAD.replace(
            "{key: keys/bob.pub}", f"{{identity: {BUILD}, issuer: {GITHUB_ISSUER}, source-repository: {APP}}}"
        )
        fault = only(draft.faults(by(SHORT, head=head)))
        assert (
            fault == "4:8: expected every identity once, under one name, found the identity of 'alice' again"
        )

    def test_several_identities_of_one_functionary_cannot_meet_a_threshold(self, draft: Draft) -> None:
        other = EXACT.replace("build.yml", "other.yml")
        steps = STEPS.replace("[alice]", "[alice]\n    threshold: 2")
        fault = only(draft.faults(by(f"{{identities: [{EXACT}, {other}]}}", steps=steps)))
        assert "one key or identity of 'alice' in a step with a threshold above 1" in fault

    def test_an_identity_that_cannot_be_read_is_no_reason_to_doubt_a_threshold(self, draft: Draft) -> None:
        steps = STEPS.replace("[alice]", "[alice, bob]\n    threshold: 2")
        assert "issuer" in only(draft.faults(by("{identity: x}", steps=steps)))
        alice = f"{{identities: [{EXACT}, {{identity: x}}]}}"
        assert "issuer" in only(draft.faults(by(alice, steps=steps.replace("threshold: 2", "threshold: 3"))))

    def test_two_functionaries_whom_one_signer_fits_are_an_error_above_a_threshold_of_one(
        self, draft: Draft
    ) -> None:
        head = HEAD.replace("{key: keys/bob.pub}", EXACT)
        steps = STEPS.replace("[alice]", "[alice, bob]\n    threshold: 2")
        fault = only(draft.faults(by(SHORT, head=head, steps=steps)))
        assert "(L35)" in fault
        assert fault.startswith("6:5: ")

    def test_a_reusable_workflow_that_does_not_say_for_whom_is_an_error_where_it_stands(
        self, draft: Draft
    ) -> None:
        shared = EXACT.replace("octo/app", "octo/shared")
        fault = only(draft.faults(by(shared, head=SOURCE + HEAD)))
        assert fault.startswith(
            "4:10: expected source-repository https://github.com/octo/app beside a workflow of "
        )
        assert "(L36)" in fault

    def test_the_short_form_of_a_reusable_workflow_says_it(self, draft: Draft) -> None:
        shared = SHORT.replace("build.yml", "octo/shared/.github/workflows/build.yml")
        assert draft.layout(by(shared, head=SOURCE + HEAD))


def test_an_identity_is_shown_with_everything_that_it_demands(draft: Draft) -> None:
    layout = draft.layout(by(SHORT))
    keyid = functionary(layout).keyid[:8]
    lines = layout_lines(layout)
    place = lines.index(f"  {keyid}   identity {BUILD}")
    assert lines[place + 1 : place + 3] == [
        f"             issuer {GITHUB_ISSUER}",
        f"             source-repository {APP}",
    ]
    assert f"  signed by    1 of {keyid}" in lines
