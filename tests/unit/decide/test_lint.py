"""The lint of layouts: every check by one layout that breaks only that, and honest layouts that break none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_toto.exceptions import RuleVerificationError
from in_toto.models.layout import Inspection as StockInspection
from in_toto.models.layout import Layout as StockLayout
from in_toto.models.layout import Step as StockStep
from in_toto.models.link import Link as StockLink
from in_toto.models.metadata import Envelope as StockEnvelope
from in_toto.verifylib import verify_item_rules

from intoto_action.decide.lint import Lint, Severity, error_findings, lint, lint_expiry, lint_wrapper
from intoto_action.formats.envelope import Wrapper, parse_envelope
from intoto_action.formats.inspection import SourceDemand, encode_source
from intoto_action.formats.key import PublicKey
from intoto_action.formats.layout import Inspection, Layout, Rule, Step, encode_layout, parse_layout
from intoto_action.keys.keygen import generate
from intoto_action.reason import Reason

CLOSED = ["DISALLOW", "*"]
IMAGE = "oci:ghcr.io/octo/app"
NOW = datetime(2031, 5, 1, 12, 0, 0, tzinfo=UTC)
ALICE, BOB = (generate("ed25519", None).public for _ in range(2))
OPEN = [["ALLOW", "*"]]


def match(pattern: str, step: str, kind: str = "PRODUCTS") -> Rule:
    return ["MATCH", pattern, "WITH", kind, "FROM", step]


def step(name: str, key: PublicKey, **fields: Any) -> Step:
    return msgspec.structs.replace(Step(name, [CLOSED], [CLOSED], [key.keyid], [], 1), **fields)


CHECKOUT = step("checkout", ALICE, expected_products=[["CREATE", "src/*"], CLOSED])
BUILD = step(
    "build",
    BOB,
    expected_materials=[match("src/*", "checkout"), CLOSED],
    expected_products=[["REQUIRE", IMAGE], ["CREATE", IMAGE], CLOSED],
)
GOOD = Layout([CHECKOUT, BUILD], [], {key.keyid: key.entry for key in (ALICE, BOB)}, "2031-11-01T12:00:00Z")


def with_build(**fields: Any) -> Layout:
    return msgspec.structs.replace(GOOD, steps=[CHECKOUT, msgspec.structs.replace(BUILD, **fields)])


def with_products(*rules: Rule) -> Layout:
    """Step build with these expected_products, and the image demanded so that nothing else is said."""
    return with_build(expected_products=[["REQUIRE", IMAGE], ["CREATE", IMAGE], *rules, CLOSED])


def with_materials(*rules: Rule) -> Layout:
    return with_build(expected_materials=[*rules, CLOSED])


def only(layout: Layout, id_: str) -> Lint:
    found = [each for each in lint(layout) if each.id == id_]
    assert len(found) == 1, lint(layout)
    others = [each.id for each in lint(layout) if each.id != id_ and each.severity is Severity.ERROR]
    assert others == []
    return found[0]


def test_a_good_layout_has_no_fault_at_all() -> None:
    assert lint(GOOD) == ()


ERRORS: list[tuple[str, Layout, str]] = [
    ("L01", with_build(expected_materials=[match("src/*", "checkout")]), "expected_materials"),
    ("L01", with_build(expected_materials=[["DISALLOW", "*.exe"]]), "expected_materials"),
    ("L01", with_build(expected_materials=[["ALLOW", "**"]]), "expected_materials"),
    ("L02", with_build(expected_materials=[]), "expected_materials"),
    ("L03", with_materials(CLOSED, match("src/*", "checkout")), "expected_materials"),
    ("L04", with_materials(match("src/*", "chekout")), "expected_materials"),
    ("L05", with_products(match("a*", "build")), "expected_products"),
    ("L05", with_materials(match("a*", "build", "MATERIALS")), "expected_materials"),
    ("L07", with_products(["REQUIRE", "*.txt"], ["CREATE", "*.txt"]), "expected_products"),
    ("L07", with_products(["REQUIRE", "a.txt"]), "expected_products"),
    (
        "L07",
        with_products(["REQUIRE", "a.txt"], ["DISALLOW", "*.txt"], ["CREATE", "a*"]),
        "expected_products",
    ),
    (
        "L07",
        with_products(["ALLOW", "*.txt"], ["REQUIRE", "a.txt"], ["CREATE", "a.txt"]),
        "expected_products",
    ),
    (
        "L07",
        with_products(["CREATE", "a.txt"], ["REQUIRE", "a.txt"], ["MODIFY", "a.txt"]),
        "expected_products",
    ),
    ("L09", with_materials(["CREATE", "src/*"]), "expected_materials"),
    ("L09", with_products(["DELETE", "src/*"]), "expected_products"),
    ("L10", with_materials(["ALLOW", "*"]), "expected_materials"),
    ("L10", with_materials(["ALLOW", "**"]), "expected_materials"),
    ("L12", with_materials(["ALLOW", "./src/*"]), "expected_materials"),
    ("L12", with_materials(["ALLOW", "/src/*"]), "expected_materials"),
    ("L12", with_materials(["ALLOW", "src//*"]), "expected_materials"),
    ("L12", with_materials(["ALLOW", "src/../*"]), "expected_materials"),
    ("L12", with_materials(["ALLOW", "src/"]), "expected_materials"),
    ("L12", with_materials(["DISALLOW", "src\\*"]), "expected_materials"),
    ("L12", with_materials(["ALLOW", ""]), "expected_materials"),
    ("L12", with_materials(["ALLOW", "a\nb"]), "expected_materials"),
    (
        "L15",
        with_materials(["MATCH", "*", "IN", "s*c", "WITH", "PRODUCTS", "FROM", "checkout"]),
        "expected_materials",
    ),
    (
        "L15",
        with_materials(["MATCH", "*", "WITH", "PRODUCTS", "IN", "/src", "FROM", "checkout"]),
        "expected_materials",
    ),
    ("L17", with_build(threshold=2), "threshold"),
    ("L17", with_build(threshold=0), "threshold"),
    ("L17", with_build(pubkeys=[]), "threshold"),
    ("L18", with_build(pubkeys=[BOB.keyid, "0" * 64]), "pubkeys"),
    ("L19", with_build(pubkeys=[BOB.keyid, BOB.keyid]), "pubkeys"),
    ("L24", with_build(name="../build"), ""),
    ("L32", with_materials(["MATCH", "src/*", "FROM", "checkout"]), "expected_materials"),
]


@pytest.mark.parametrize(("id_", "layout", "field"), ERRORS)
def test_an_error_is_found_and_refuses_the_layout(id_: str, layout: Layout, field: str) -> None:
    found = only(layout, id_)
    assert found.severity is Severity.ERROR
    assert found.field == field
    assert found.step == layout.steps[1].name
    (finding, *_) = error_findings(layout)
    assert finding.reason is Reason.LAYOUT_INVALID
    assert finding.found.endswith(f"(lint {id_})")


WARNINGS: list[tuple[str, Layout]] = [
    ("L06", msgspec.structs.replace(GOOD, steps=[BUILD, CHECKOUT])),
    ("L07", with_products(["MODIFY", "*.txt"], ["REQUIRE", "a.txt"], ["CREATE", "a.txt"])),
    ("L08", with_products(["CREATE", "report.json"])),
    ("L08", with_materials(match("src/a", "checkout"))),
    ("L11", with_products(["ALLOW", "out/*"])),
    ("L13", with_materials(match("src/**/x", "checkout"))),
    ("L13", with_materials(match("src/[ab]", "checkout"))),
    ("L18", msgspec.structs.replace(with_build(pubkeys=[ALICE.keyid]), keys=GOOD.keys)),
    ("L20", with_build(pubkeys=[ALICE.keyid, BOB.keyid])),
    ("L25", with_build(expected_command=["make"])),
    ("L28", with_materials(match("src/{VERSION}*", "checkout"))),
    ("L29", with_build(expected_products=[["CREATE", "out/*"], CLOSED])),
    ("L33", with_materials(match("lib/*", "checkout"))),
    (
        "L34",
        msgspec.structs.replace(
            GOOD,
            inspect=[Inspection("source", OPEN, OPEN, encode_source(SourceDemand("https://github.com/o/a")))],
        ),
    ),
]


@pytest.mark.parametrize(("id_", "layout"), WARNINGS)
def test_a_warning_is_found_and_refuses_nothing(id_: str, layout: Layout) -> None:
    assert only(layout, id_).severity is Severity.WARNING
    assert error_findings(layout) == ()


def test_a_layout_without_steps_is_refused() -> None:
    assert [each.id for each in lint(Layout([], [], {}, GOOD.expires))][:1] == ["L31"]


def test_two_steps_of_one_name_are_refused() -> None:
    layout = msgspec.structs.replace(GOOD, steps=[CHECKOUT, BUILD, BUILD])
    assert "L24" in {each.id for each in lint(layout) if each.severity is Severity.ERROR}


def test_one_key_under_two_keyids_does_not_count_twice() -> None:
    keys = {**GOOD.keys, BOB.go_keyid: msgspec.structs.replace(BOB.entry, keyid=BOB.go_keyid)}
    layout = msgspec.structs.replace(with_build(pubkeys=[BOB.keyid, BOB.go_keyid], threshold=2), keys=keys)
    assert {each.id for each in lint(layout) if each.severity is Severity.ERROR} == {"L17", "L19"}


def test_keyids_whose_file_names_are_the_same_are_refused() -> None:
    twin = ALICE.keyid[:8] + "0" * 56
    keys = {**GOOD.keys, twin: msgspec.structs.replace(BOB.entry, keyid=twin)}
    layout = msgspec.structs.replace(with_build(pubkeys=[ALICE.keyid, twin]), keys=keys)
    assert only(layout, "L19").severity is Severity.ERROR


@pytest.mark.parametrize("keyid", ["../../../x", "ABCDEF0123456789", "abc", ""])
def test_a_keyid_that_is_no_file_name_is_refused(keyid: str) -> None:
    keys = {**GOOD.keys, keyid: msgspec.structs.replace(BOB.entry, keyid=keyid)}
    layout = msgspec.structs.replace(with_build(pubkeys=[BOB.keyid, keyid]), keys=keys)
    assert "L18" in {each.id for each in lint(layout) if each.severity is Severity.ERROR}


def test_a_key_that_calls_itself_otherwise_is_refused() -> None:
    keys = {**GOOD.keys, BOB.keyid: msgspec.structs.replace(BOB.entry, keyid=ALICE.keyid)}
    assert only(msgspec.structs.replace(GOOD, keys=keys), "L18").severity is Severity.ERROR


def test_a_match_from_an_inspection_is_refused() -> None:
    inspection = Inspection("source", OPEN, OPEN, ["true"])
    layout = msgspec.structs.replace(with_materials(match("src/*", "source")), inspect=[inspection])
    assert "an inspection: those come after all steps" in only(layout, "L04").found


def test_of_a_foreign_inspection_only_the_grammar_of_its_rules_is_looked_at() -> None:
    foreign = Inspection("untar", [], [["CREATE", "x"], ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "no"]], [])
    assert error_findings(msgspec.structs.replace(GOOD, inspect=[foreign])) == ()
    bad = msgspec.structs.replace(foreign, expected_products=[["MATCH", "*"]])
    assert only(msgspec.structs.replace(GOOD, inspect=[bad]), "L32").step == "untar"


def test_a_finding_names_step_and_rule() -> None:
    (finding,) = error_findings(with_materials(["ALLOW", "./a b"]))
    assert (finding.step, finding.rule) == ("build", "ALLOW './a b'")
    assert finding.where == "the layout, step 'build', expected_materials, rule 1"


def test_an_optional_product_is_no_warning_when_another_step_cannot_do_without_it() -> None:
    checkout = msgspec.structs.replace(CHECKOUT, expected_products=[["CREATE", "src/a"], CLOSED])
    build = msgspec.structs.replace(
        BUILD, expected_materials=[["REQUIRE", "src/a"], match("src/a", "checkout"), CLOSED]
    )
    assert lint(msgspec.structs.replace(GOOD, steps=[checkout, build])) == ()


@pytest.mark.parametrize("at", [timedelta(days=-1), timedelta(0)])
def test_a_layout_that_has_ended_is_an_error(at: timedelta) -> None:
    (fault,) = lint_expiry(GOOD, GOOD.expires_at - at)
    assert (fault.id, fault.severity) == ("L23", Severity.ERROR)


def test_a_layout_that_lives_for_years_is_a_warning() -> None:
    assert lint_expiry(GOOD, NOW) == ()
    (fault,) = lint_expiry(GOOD, NOW - timedelta(days=900))
    assert (fault.id, fault.severity) == ("L23", Severity.WARNING)


def test_the_older_wrapper_is_a_warning() -> None:
    assert [each.id for each in lint_wrapper(Wrapper.METABLOCK)] == ["L27"]
    assert lint_wrapper(Wrapper.DSSE) == ()


def stock_layout(*steps: StockStep, inspections: tuple[StockInspection, ...] = ()) -> Layout:
    """A layout as the in-toto API makes one, read by us."""
    layout = StockLayout(steps=list(steps), inspect=list(inspections))
    layout.keys = {
        key.keyid: {
            "keytype": key.keytype,
            "scheme": key.scheme,
            "keyval": {"public": key.public},
            "keyid": key.keyid,
        }
        for key in (ALICE, BOB)
    }
    layout.set_relative_expiration(months=3)
    envelope = parse_envelope(msgspec.json.encode(StockEnvelope.from_signable(layout).to_dict()), "layout")
    return parse_layout(envelope.payload, "layout")


def stock_step(name: str, key: PublicKey, materials: list[Rule], products: list[Rule]) -> StockStep:
    made = StockStep(name=name, pubkeys=[key.keyid], expected_materials=materials, expected_products=products)
    made.set_expected_command_from_string("make all")
    return made


def test_the_layout_of_in_totos_own_demo_is_accepted_once_its_lists_are_closed() -> None:
    """Steps, rules and inspection of in-toto/demo, with the two lists closed that it leaves open."""
    clone = stock_step("clone", BOB, [CLOSED], [["CREATE", "demo-project/foo.py"], CLOSED])
    update = stock_step(
        "update-version",
        BOB,
        [match("demo-project/*", "clone"), CLOSED],
        [["MODIFY", "demo-project/foo.py"], CLOSED],
    )
    package = stock_step(
        "package",
        ALICE,
        [match("demo-project/*", "update-version"), CLOSED],
        [["CREATE", "demo-project.tar.gz"], CLOSED],
    )
    untar = StockInspection(
        name="untar",
        expected_materials=[match("demo-project.tar.gz", "package"), ["ALLOW", "keys"], CLOSED],
        expected_products=[match("demo-project/foo.py", "update-version"), ["ALLOW", "keys"]],
    )
    untar.set_run_from_string("tar xzf demo-project.tar.gz")
    layout = stock_layout(clone, update, package, inspections=(untar,))
    assert error_findings(layout) == ()


def test_a_tutorial_layout_whose_lists_do_not_end_is_refused_with_what_to_write() -> None:
    steps = (
        stock_step("checkout", BOB, [], [["CREATE", "src/*"]]),
        stock_step("build", ALICE, [match("src/*", "checkout")], [["CREATE", "app"]]),
    )
    findings = error_findings(stock_layout(*steps))
    assert len(findings) == 4
    assert all("DISALLOW * (or ALLOW *, said openly) as the last rule" in each.expected for each in findings)


_NAMES = ("a", "b", "src/a", "src/b")
_patterns = st.sampled_from([*_NAMES, "*", "src/*", "?", "[ab]", "s*b"])
_kinds = st.sampled_from(["CREATE", "MODIFY", "DELETE", "ALLOW", "DISALLOW", "REQUIRE"])
_rules = st.lists(
    st.tuples(_kinds, _patterns).map(list)
    | st.tuples(_patterns, st.sampled_from(["MATERIALS", "PRODUCTS"])).map(
        lambda each: match(each[0], "s", each[1])
    ),
    max_size=4,
)
_artifacts = st.dictionaries(
    st.sampled_from(_NAMES), st.sampled_from("12").map(lambda each: {"sha256": each * 64})
)


@given(_rules, _artifacts, _artifacts, st.sampled_from(["materials", "products"]))
def test_what_is_said_never_to_pass_never_passes_in_toto(
    rules: list[Rule], materials: dict[str, Any], products: dict[str, Any], which: str
) -> None:
    closed = [*rules, CLOSED]
    link = StockEnvelope.from_signable(StockLink(name="s", materials=materials, products=products))
    try:
        verify_item_rules("s", which, closed, {"s": link.get_payload()})
    except RuleVerificationError:
        return
    layout = with_build(name="s", **{f"expected_{which}": closed})
    faults = [each for each in lint(layout) if each.field == f"expected_{which}"]
    assert not [each for each in faults if each.id == "L07" and "that takes it (" in each.expected]
    unmet = [each for each in faults if each.id == "L07" and "knows no patterns" in each.expected]
    assert not unmet


def test_every_layout_that_is_read_can_be_linted() -> None:
    for layout in (GOOD, *(each[1] for each in ERRORS), *(each[1] for each in WARNINGS)):
        assert lint(msgspec.json.decode(encode_layout(layout), type=Layout)) == lint(layout)
