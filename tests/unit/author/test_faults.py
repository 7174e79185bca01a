"""What is wrong with a layout.yaml is told with line, column and what would be right."""

from __future__ import annotations

import pytest
from tests.parts.draft import HEAD, STEPS, Draft

GOOD = HEAD + STEPS
SOURCE = "source: {repository: octo/app}\n"


def only(faults: list[str]) -> str:
    assert len(faults) == 1, faults
    return faults[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("expires:", "expire:", "1:1: expected one of expires, readme"),
        (
            "name: build",
            "name: build\n    treshold: 1",
            "10:5: expected one of name, functionaries, threshold",
        ),
        ("name: build", "name: build\n    open: yes", "10:11: expected true or false, found 'yes'"),
        ("name: build", "name: build\n    threshold: '1'", "10:16: expected a whole number from 1"),
        ("name: build", "name: build\n    threshold: 0", "10:16: expected a whole number from 1"),
        ("name: build", "name: build\n    threshold: 2", "10:16: expected a threshold of 1 to 1"),
        ("name: build", "name: ../build", "9:11: expected a step name"),
        ("name: build", "name: checkout", "9:11: expected a name of its own for every step"),
        ("name: build", "name: [build]", "9:11: expected the name of a step, found a list"),
        ("- name: build\n    functionaries", "- functionaries", "9:5: expected the key name of the step"),
        ("[bob]", "[bob, bop]", "found 'bop' (did you mean 'bob'?)"),
        ("[bob]", "[]", "expected at least one functionary"),
        ("[bob]", "[bob, bob]", "expected every value once"),
        ("{key: alice.pub}", "{key: alice.pub, keys: [carl.pub]}", "3:10: expected key or keys"),
        ("{key: alice.pub}", "{keys: []}", "3:17: expected at least one path"),
        ("{key: alice.pub}", "{}", "3:10: expected {key: PATH}"),
        (
            "{key: alice.pub}",
            "{kye: alice.pub}",
            "3:11: expected one of key, keys, identities, identity, issuer, source-repository",
        ),
        ("{key: alice.pub}", "alice.pub", "3:10: expected {key: PATH}"),
        ("{key: alice.pub}", "{key: nobody.pub}", "3:16: expected something that can be read"),
        ("{key: alice.pub}", '{key: "a\\0b"}', "3:16: expected "),
        ("{key: alice.pub}", "{key: alice}", "found a private key"),
        ("{key: alice.pub}", "{key: keys/bob.pub}", "expected every key once, under one name"),
        ("{key: alice.pub}", "{kye: alice.pub}", "found 'kye' (did you mean 'key'?)"),
        ("{key: alice.pub}", "{identity: u, issuer: v}", "3:32: expected an issuer such as https://token"),
        ("CREATE Makefile", "CRAETE Makefile", "8:39: expected a rule that begins with one of CREATE"),
        ("CREATE Makefile", "CREATE ./Makefile", "8:39: expected a pattern of a relative path"),
        ("CREATE Makefile", "DELETE Makefile", "8:39: expected DELETE in expected_materials only"),
        ("CREATE Makefile", "{rule: CREATE x, optional: true}", "8:39: expected optional for a MATCH only"),
        ("CREATE Makefile", "{rule: CREATE x, maybe: true}", "8:56: expected one of rule, optional"),
        ("CREATE Makefile", "{optional: true}", "8:39: expected a rule as text"),
        ("CREATE Makefile", "[CREATE, x]", "8:39: expected a rule as text"),
        ("CREATE Makefile", "ALLOW *", "8:39: expected open: true for the step instead"),
        ("CREATE Makefile", "DISALLOW *, CREATE x", "8:39: expected DISALLOW * as the last rule only"),
        ("CREATE Makefile", "REQUIRE x*", "8:39: expected REQUIRE with one name"),
        ("CREATE Makefile", "REQUIRE x", "expected a rule after REQUIRE x that takes it"),
        ("CREATE Makefile", "CREATE x, REQUIRE x", "expected REQUIRE x in front of the rule that takes it"),
        (
            "FROM checkout",
            "FROM chekout",
            "11:26: expected MATCH … FROM a step of the layout, found 'chekout'",
        ),
        ("MATCH src/*", "MATCH lib/*", "11:26: expected products of 'checkout' that 'lib/*' matches"),
        ("MATCH src/*", "MATCH src/* IN /a", "expected IN with a relative directory"),
        ("WITH PRODUCTS", "WITH MATERIALS", "expected materials of 'checkout'"),
        ("expires: 6 months", "expires: soon", "1:10: expected an instant such as"),
        ("expires: 6 months", "expires: 6 months\nreadme: []", "2:9: expected a text, found a list"),
        ("expires: 6 months", "expires: 6 months\nexpires: 7 months", "2:1: expected every key once"),
        ("expires: 6 months", "expires: 6 months\nsubject: push", "2:10: expected {step: STEP"),
        ("expires: 6 months", "expires: 6 months\nsubject: {step: build}", "2:10: expected {step: STEP"),
        (
            "expires: 6 months",
            "expires: 6 months\ninspections: [sbom]",
            "2:15: expected a built-in inspection; there is source",
        ),
        ("expires: 6 months", "expires: 6 months\ninspections: [source]", "2:15: expected the key source"),
        ("expires: 6 months\n", "", "1:1: expected the key expires"),
    ],
)
def test_a_fault_is_told_where_it_is(draft: Draft, old: str, new: str, said: str) -> None:
    assert GOOD.count(old) >= 1
    faults = draft.faults(GOOD.replace(old, new, 1))
    assert any(said in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("artifact", "said"),
    [
        ("ghcr.io/octo/app", "does not begin with oci:"),
        ("oci:ghcr.io/octo/app:1.2", "neither tag nor digest"),
        ("oci:ghcr.io/octo/app@sha256:" + "0" * 64, "neither tag nor digest"),
        ("oci:GHCR.io/octo/App", "expected oci:REGISTRY/REPOSITORY"),
        ("oci:octo/app", "written out: oci:docker.io/octo/app"),
        ("oci:alpine", "written out: oci:docker.io/library/alpine"),
        ("oci:ghcr.io/octo/app#a//b", "which no name matches (L12)"),
        ("oci:", "expected oci:REGISTRY/REPOSITORY"),
    ],
)
def test_a_subject_is_the_whole_name_of_a_repository(draft: Draft, artifact: str, said: str) -> None:
    fault = only(draft.faults(f"subject: {{step: build, artifact: '{artifact}'}}\n" + GOOD))
    assert fault.startswith("1:34: ")
    assert said in fault


def test_a_subject_of_a_step_that_is_not_there_is_told(draft: Draft) -> None:
    fault = only(draft.faults("subject: {step: bild, artifact: 'oci:ghcr.io/octo/app'}\n" + GOOD))
    assert (
        fault
        == "1:17: expected a step of this layout (checkout, build), found 'bild' (did you mean 'build'?)"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{refs: [refs/heads/main]}", "1:9: expected the key repository of source"),
        ("{repository: octo}", "1:22: expected a repository: octo/app or https://github.com/octo/app"),
        ("{repository: 'https://github.com/octo/app.git'}", "leave .git out"),
        ("{repository: octo/app, refs: [main]}", "1:39: expected a ref such as refs/heads/main"),
        ("{repository: octo/app, refs: [refs/*/main]}", "a * that is not its last character"),
        ("{repository: octo/app, events: ['pull request']}", "1:41: expected an event such as push"),
        (
            "{repository: octo/app, any-commit: [scan]}",
            "1:45: expected a step of this layout (checkout, build)",
        ),
        (
            "{repository: octo/app, pass-oidc: [scan]}",
            "1:44: expected a step of this layout (checkout, build)",
        ),
        ("{repository: octo/app, any_commit: [build]}", "(did you mean 'any-commit'?)"),
        ("octo/app", "1:9: expected {repository: OWNER/NAME"),
    ],
)
def test_a_source_is_told_what_it_should_be(draft: Draft, source: str, said: str) -> None:
    assert said in only(draft.faults(f"source: {source}\n" + GOOD))


def test_a_step_cannot_have_the_name_of_the_inspection(draft: Draft) -> None:
    steps = STEPS.replace("name: checkout", "name: source").replace("FROM checkout", "FROM source")
    assert "other than that of the inspection" in only(draft.faults(SOURCE + HEAD + steps))


def test_a_functionary_of_no_step_is_told(draft: Draft) -> None:
    fault = only(draft.faults(HEAD + "  carl: {key: carl.pub}\n" + STEPS))
    assert fault == "5:3: expected every functionary in at least one step, found 'carl', who is in none"


def test_several_keys_of_one_functionary_cannot_meet_a_threshold(draft: Draft) -> None:
    head = HEAD.replace("{key: alice.pub}", "{keys: [alice.pub, carl.pub]}")
    fault = only(draft.faults(head + STEPS.replace("[alice]", "[alice]\n    threshold: 2")))
    assert "one person could meet the threshold alone" in fault


def test_a_layout_without_steps_demands_nothing(draft: Draft) -> None:
    faults = draft.faults(HEAD + "steps: []\n")
    assert any("without steps nothing is demanded" in fault for fault in faults)


def test_all_faults_are_told_in_one_go_in_the_order_of_the_file(draft: Draft) -> None:
    text = GOOD.replace("6 months", "never").replace("CREATE Makefile", "CRATE x").replace("[bob]", "[bop]")
    text = text.replace("FROM checkout", "FROM chekout").replace("open", "opne")
    faults = draft.faults(text + "    opne: true\nreadme: {}\n")
    assert [fault.partition(":")[0] for fault in faults] == ["1", "4", "8", "10", "11", "13", "14"]


def test_a_rule_that_cannot_be_read_is_no_reason_to_doubt_the_others(draft: Draft) -> None:
    text = GOOD.replace("CREATE src/*, CREATE Makefile", "CRATE src/*, REQUIRE src/a")
    assert "CRATE" in only(draft.faults(text))


def test_a_step_without_a_name_is_no_reason_to_doubt_who_names_it(draft: Draft) -> None:
    assert "the name of a step" in only(draft.faults(GOOD.replace("name: checkout", "name: ''")))


def test_a_key_that_cannot_be_read_is_no_reason_to_doubt_a_threshold(draft: Draft) -> None:
    text = GOOD.replace("alice.pub", "nobody.pub").replace("[alice]", "[alice, bob]\n    threshold: 2")
    assert "nobody.pub" in only(draft.faults(text))


@pytest.mark.parametrize("text", ["", "[]", "just text", "a: [", "a: &b c", "\x00"])
def test_what_is_no_layout_at_all_is_told(draft: Draft, text: str) -> None:
    assert only(draft.faults(text)).startswith(("1:", "2:"))


class TestMatchesThatFindSomething:
    """No false alarm: the other list may hold what the MATCH asks for."""

    @pytest.mark.parametrize(
        ("made", "asked"),
        [
            ("CREATE src/*", "MATCH * WITH PRODUCTS FROM checkout"),
            ("CREATE *", "MATCH src/main.c WITH PRODUCTS FROM checkout"),
            ("CREATE src/*.c", "MATCH src/main* WITH PRODUCTS FROM checkout"),
            ("CREATE src/?ain.c", "MATCH src/main.c WITH PRODUCTS FROM checkout"),
            ("CREATE src/[lm]ain.c", "MATCH src/main.c WITH PRODUCTS FROM checkout"),
            ("MODIFY src/a", "MATCH src/* WITH PRODUCTS FROM checkout"),
            ("ALLOW src/a", "MATCH src/* WITH PRODUCTS FROM checkout"),
            ("CREATE src/a", "MATCH a IN lib WITH PRODUCTS IN src FROM checkout"),
            ("CREATE src/*", "MATCH *.c WITH PRODUCTS IN src/sub/ FROM checkout"),
        ],
    )
    def test_patterns_that_share_a_name(self, draft: Draft, made: str, asked: str) -> None:
        text = GOOD.replace("CREATE src/*, CREATE Makefile", f"'{made}'")
        assert draft.layout(text.replace("MATCH src/* WITH PRODUCTS FROM checkout", f"'{asked}'"))

    def test_an_open_step_may_hold_anything(self, draft: Draft) -> None:
        text = GOOD.replace("expected_products: [CREATE src/*, CREATE Makefile]", "open: true")
        assert draft.layout(text)

    @pytest.mark.parametrize(
        ("made", "asked"),
        [
            ("CREATE src/*", "MATCH lib/* WITH PRODUCTS FROM checkout"),
            ("CREATE src/a", "MATCH src/a/* WITH PRODUCTS FROM checkout"),
            ("CREATE src/?", "MATCH src/ab WITH PRODUCTS FROM checkout"),
            ("CREATE lib/*", "MATCH a WITH PRODUCTS IN src FROM checkout"),
        ],
    )
    def test_patterns_that_share_none_are_told(self, draft: Draft, made: str, asked: str) -> None:
        text = GOOD.replace("CREATE src/*, CREATE Makefile", f"'{made}'")
        text = text.replace("MATCH src/* WITH PRODUCTS FROM checkout", f"'{asked}'")
        assert "which lets none through (L33)" in only(draft.faults(text))


def test_ten_thousand_faults_are_told_within_seconds(draft: Draft) -> None:
    rules = "".join(f"\n      - CRATE {number}" for number in range(10_000))
    faults = draft.faults(GOOD.replace("expected_products: [CREATE out/*]", f"expected_products:{rules}"))
    assert len(faults) == 10_000
