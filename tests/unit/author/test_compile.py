from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.parts.draft import HEAD, NOW, STEPS, Draft

from intoto_action.author.compile import compile_layout
from intoto_action.author.faults import BadLayout
from intoto_action.decide.lint import error_findings
from intoto_action.formats.inspection import SourceDemand, parse_run
from intoto_action.formats.key import Key
from intoto_action.formats.layout import encode_layout, parse_layout
from intoto_action.keys.keygen import generate

IMAGE = "oci:ghcr.io/octo/app"
CLOSED = ["DISALLOW", "*"]
KEY = generate("ed25519", None).public


def subject(step: str = "build") -> str:
    return f"subject: {{step: {step}, artifact: '{IMAGE}'}}\n"


class TestLists:
    def test_every_list_ends_with_disallow_absent_ones_too(self, draft: Draft) -> None:
        checkout, build = draft.layout(HEAD + STEPS).steps
        assert checkout.expected_materials == [CLOSED]
        assert checkout.expected_products == [["CREATE", "src/*"], ["CREATE", "Makefile"], CLOSED]
        assert build.expected_materials == [
            ["MATCH", "src/*", "WITH", "PRODUCTS", "FROM", "checkout"],
            CLOSED,
        ]

    def test_an_end_that_is_written_is_not_written_again(self, draft: Draft) -> None:
        assert draft.rules("[CREATE out/*, DISALLOW *]") == [["CREATE", "out/*"], CLOSED]

    def test_an_open_step_ends_with_allow_in_both_lists(self, draft: Draft) -> None:
        build = draft.layout(HEAD + STEPS + "    open: true\n").steps[1]
        assert build.expected_materials[-1] == ["ALLOW", "*"]
        assert build.expected_products == [["CREATE", "out/*"], ["ALLOW", "*"]]

    def test_a_match_of_one_name_demands_it_too_and_first(self, draft: Draft) -> None:
        rules = draft.rules("[CREATE out/*, MATCH Makefile WITH PRODUCTS FROM checkout]")
        assert rules == [
            ["REQUIRE", "Makefile"],
            ["CREATE", "out/*"],
            ["MATCH", "Makefile", "WITH", "PRODUCTS", "FROM", "checkout"],
            CLOSED,
        ]

    def test_a_match_with_a_prefix_demands_the_whole_name(self, draft: Draft) -> None:
        rules = draft.rules("[MATCH a.c IN sub/ WITH PRODUCTS IN src FROM checkout]")
        assert rules[0] == ["REQUIRE", "sub/a.c"]

    def test_a_match_that_is_optional_demands_nothing(self, draft: Draft) -> None:
        compiled = draft.compile(
            HEAD
            + STEPS.replace(
                "CREATE out/*", "{rule: MATCH Makefile WITH PRODUCTS FROM checkout, optional: true}"
            )
        )
        assert compiled.layout.steps[1].expected_products[0][0] == "MATCH"
        assert not any("L08" in each and ":13:" in each for each in compiled.warnings)

    def test_a_match_of_a_pattern_demands_nothing(self, draft: Draft) -> None:
        assert draft.rules("[MATCH src/* WITH PRODUCTS FROM checkout]")[0][0] == "MATCH"

    def test_a_require_that_is_written_stays_where_it_is(self, draft: Draft) -> None:
        written = "[MATCH src/* WITH MATERIALS FROM build, REQUIRE Makefile, "
        written += "MATCH Makefile WITH PRODUCTS FROM checkout]"
        assert [rule[:2] for rule in draft.rules(written)] == [
            ["MATCH", "src/*"],
            ["REQUIRE", "Makefile"],
            ["MATCH", "Makefile"],
            CLOSED,
        ]


class TestSubject:
    def test_the_image_is_demanded_and_may_be_created(self, draft: Draft) -> None:
        assert draft.rules("[CREATE out/*]", head=subject() + HEAD) == [
            ["REQUIRE", IMAGE],
            ["CREATE", "out/*"],
            ["CREATE", IMAGE],
            CLOSED,
        ]

    @pytest.mark.parametrize(
        "rule", [f"CREATE {IMAGE}", "CREATE oci:*", f"MODIFY {IMAGE}", "ALLOW oci:ghcr.io/*"]
    )
    def test_a_rule_that_takes_the_image_is_enough(self, draft: Draft, rule: str) -> None:
        rules = draft.rules(f"['{rule}']", head=subject() + HEAD)
        assert rules == [["REQUIRE", IMAGE], rule.split(), CLOSED]

    def test_an_image_that_must_match_another_step_may_not_be_created(self, draft: Draft) -> None:
        steps = STEPS.replace("CREATE Makefile", f"'CREATE {IMAGE}'")
        steps = steps.replace("CREATE out/*", f"'MATCH {IMAGE} WITH PRODUCTS FROM checkout'")
        build = draft.layout(subject() + HEAD + steps).steps[1]
        match = ["MATCH", IMAGE, "WITH", "PRODUCTS", "FROM", "checkout"]
        assert build.expected_products == [["REQUIRE", IMAGE], match, CLOSED]

    def test_a_rule_for_deleted_files_does_not_take_the_image(self, draft: Draft) -> None:
        rules = draft.rules("[DISALLOW tmp/*]", head=subject() + HEAD)
        assert ["CREATE", IMAGE] in rules

    def test_an_open_step_only_demands_it(self, draft: Draft) -> None:
        rules = draft.rules("[]", head=subject() + HEAD, more="    open: true\n")
        assert rules == [["REQUIRE", IMAGE], ["ALLOW", "*"]]

    def test_no_other_step_gets_it(self, draft: Draft) -> None:
        assert all(
            IMAGE not in rule for rule in draft.layout(subject() + HEAD + STEPS).steps[0].expected_products
        )


class TestSource:
    def test_it_becomes_an_inspection_that_a_stock_verifier_passes_anywhere(self, draft: Draft) -> None:
        text = "source: {repository: octo/app, refs: [refs/heads/main, refs/tags/v*], events: [push], "
        text += "any-commit: [build], pass-oidc: [checkout]}\n"
        (inspection,) = draft.layout(text + HEAD + STEPS).inspect
        assert inspection.name == "source"
        assert inspection.expected_materials == inspection.expected_products == [["ALLOW", "*"]]
        assert parse_run(inspection.run, "run") == SourceDemand(
            "https://github.com/octo/app",
            ("refs/heads/main", "refs/tags/v*"),
            ("push",),
            ("build",),
            ("checkout",),
        )

    def test_a_layout_without_it_has_no_inspection(self, draft: Draft) -> None:
        assert draft.layout(HEAD + STEPS).inspect == []

    def test_it_may_be_named_under_inspections_too(self, draft: Draft) -> None:
        text = "source: {repository: octo/app}\ninspections: [source]\n"
        assert len(draft.layout(text + HEAD + STEPS).inspect) == 1

    def test_without_refs_its_author_is_warned(self, draft: Draft) -> None:
        compiled = draft.compile("source: {repository: octo/app}\n" + HEAD + STEPS)
        assert any("warning L34" in warning for warning in compiled.warnings)


class TestPeople:
    def test_a_step_lists_the_keys_of_its_functionaries(self, draft: Draft) -> None:
        layout = draft.layout(HEAD + STEPS.replace("[alice]", "[alice, bob]"))
        assert layout.steps[0].pubkeys == [draft.keyid("alice"), draft.keyid("bob")]
        assert set(layout.keys) == {draft.keyid("alice"), draft.keyid("bob")}
        assert layout.steps[0].threshold == 1

    def test_a_functionary_may_have_several_keys(self, draft: Draft) -> None:
        head = HEAD.replace("{key: alice.pub}", "{keys: [alice.pub, carl.pub]}")
        assert draft.layout(head + STEPS).steps[0].pubkeys == [draft.keyid("alice"), draft.keyid("carl")]

    def test_a_threshold_is_kept(self, draft: Draft) -> None:
        steps = STEPS.replace("[alice]", "[alice, bob]\n    threshold: 2")
        assert draft.layout(HEAD + steps).steps[0].threshold == 2


class TestRest:
    def test_a_command_is_a_list_or_split_as_a_shell_does(self, draft: Draft) -> None:
        one = draft.layout(HEAD + STEPS + "    expected_command: make 'all of it'\n")
        other = draft.layout(HEAD + STEPS + "    expected_command: [make, all of it]\n")
        assert one.steps[1].expected_command == other.steps[1].expected_command == ["make", "all of it"]

    def test_nothing_is_resolved(self, draft: Draft) -> None:
        steps = STEPS.replace("name: checkout", "name: no").replace("FROM checkout", "FROM no")
        layout = draft.layout("readme: 2030-01-31\n" + HEAD + steps)
        assert (layout.readme, layout.steps[0].name) == ("2030-01-31", "no")

    def test_the_layout_is_one_that_our_own_reader_takes(self, draft: Draft) -> None:
        layout = draft.layout(subject() + "source: {repository: octo/app}\n" + HEAD + STEPS)
        assert parse_layout(encode_layout(layout), "layout") == layout
        assert error_findings(layout) == ()

    def test_a_length_of_time_counts_from_now(self, draft: Draft) -> None:
        compiled = draft.compile(HEAD + STEPS)
        assert (compiled.layout.expires, compiled.lives_for) == ("2031-11-01T12:00:00Z", "6 months")

    def test_an_instant_is_kept(self, draft: Draft) -> None:
        compiled = draft.compile(HEAD.replace("6 months", "2032-01-31T12:00:00Z") + STEPS)
        assert (compiled.layout.expires, compiled.lives_for) == ("2032-01-31T12:00:00Z", None)

    def test_an_end_far_away_is_a_warning(self, draft: Draft) -> None:
        compiled = draft.compile(HEAD.replace("6 months", "9 years") + STEPS)
        assert any("layout.yaml:1:10: warning L23" in warning for warning in compiled.warnings)

    def test_warnings_are_in_the_order_of_the_file(self, draft: Draft) -> None:
        compiled = draft.compile(
            "source: {repository: octo/app}\n" + HEAD + STEPS + "    expected_command: make\n"
        )
        lines = [int(each.removeprefix(f"{draft.file}:").split(":")[0]) for each in compiled.warnings]
        assert len(lines) >= 2
        assert lines == sorted(lines)


def _read_key(_: str) -> Key:
    return KEY


_LINES = (HEAD + STEPS + subject() + "source: {repository: octo/app, refs: [refs/heads/main]}\n").splitlines()


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_layout_with_any_changes_compiles_or_is_bad(data: st.DataObject) -> None:
    lines = list(_LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        line = lines[place]
        cut = data.draw(st.integers(0, len(line)))
        piece = data.draw(
            st.text(max_size=6) | st.sampled_from([" ", ": ", "- ", "[]", "{}", "''", "MATCH * ", '"\\0"'])
        )
        lines[place] = data.draw(
            st.sampled_from([line[:cut] + piece + line[cut:], line[:cut], piece, line * 2])
        )
    raw = "\n".join(lines).encode("utf-8", "surrogatepass")
    try:
        compiled = compile_layout(raw, "layout.yaml", read_key=_read_key, at=NOW)
    except BadLayout as error:
        assert error.faults
        return
    assert error_findings(parse_layout(encode_layout(compiled.layout), "layout")) == ()


def test_equal_files_compile_to_equal_bytes(draft: Draft) -> None:
    at = datetime(2031, 1, 1, tzinfo=UTC)
    one, other = (encode_layout(draft.compile(HEAD + STEPS, at).layout) for _ in range(2))
    assert one == other
