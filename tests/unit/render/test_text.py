from __future__ import annotations

import re

import msgspec
import pytest

from intoto_action.formats.verdict import Signer, StepReport, Verdict
from intoto_action.reason import Finding, Reason
from intoto_action.render.text import findings, text, wants_colour

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def test_a_denial_says_what_why_where_and_what_next(denied: Verdict) -> None:
    lines = text([denied], colour=False).splitlines()
    assert lines == [
        f"DENIED: rule-violation · ghcr.io/octo/app@sha256:{'a' * 64}",
        f"  layout    sha256:{'c' * 64}",
        "            signed by ed25519 key 11111111",
        "            expires 2030-01-01T00:00:00Z",
        "            from the evidence",
        "  subject   not checked: the rules come first",
        "  criteria  the layout is signed by 1 of 1 keys",
        "  ok  checkout  expected ed25519 key aaaaaaaa; signed by ed25519 key aaaaaaaa (checkout.aaaaaaaa.link)",
        "  no  build     expected 2 of ed25519 key bbbbbbbb, rsa key cccccccc; signed by nobody",
        "  --  scan      expected ed25519 key dddddddd; signed by nobody",
        'denied: rule-violation · step "build" · build.bbbbbbbb.link',
        "  expected  no other materials than those of checkout",
        "  found     x\\x1b[31m\\n::error::|`<b>[bold]\\u202e",
        "  rule      DISALLOW *",
        "  artifact  src/main.py",
        "            x\\x1b[31m\\n::error::|`<b>[bold]\\u202e",
        f"  seen      checkout, products: sha256:{'1' * 64}",
        f"            build, materials: sha256:{'2' * 64}",
        "  Compare what the steps recorded: where a digest is another one for the first time, there the artifact "
        "was changed; what no step recorded came from outside.",
        "  docs: docs/reason-codes.md#rule-violation",
        "  note      x\\x1b[31m\\n::error::|`<b>[bold]\\u202e",
    ]


def test_long_identities_stand_under_each_other(denied: Verdict) -> None:
    wanted = (
        "https://github.com/octo/app/.github/workflows/build.yml@refs/heads/main (issuer https://a.example)"
    )
    found = wanted.replace("heads/main", "pull/7/merge")
    step = StepReport("build", (wanted,), 1, (Signer(found, "build.00.link"),), "deny")
    lines = text([msgspec.structs.replace(denied, steps=(step,))], colour=False).splitlines()
    assert f"  no  build  expected   {wanted}" in lines
    assert f"             signed by  {found} (build.00.link)" in lines


def test_a_pass_says_so_first() -> None:
    told = text([Verdict(verdict="pass", image="app@sha256:00", subject="by step push")], colour=False)
    assert told == "PASS · app@sha256:00\n  subject   by step push\n"


def test_several_verdicts_are_counted(denied: Verdict) -> None:
    told = text([denied, Verdict(verdict="pass"), denied], colour=False)
    assert told.endswith("\nPASS\n\n" + text([denied], colour=False) + "\n3 verdicts: 2 deny, 1 pass\n")


def test_colour_changes_no_character(denied: Verdict) -> None:
    coloured = text([denied], colour=True)
    assert "\x1b[1;31mDENIED: rule-violation" in coloured
    assert ANSI.sub("", coloured) == text([denied], colour=False)


def test_plain_text_has_no_escape_sequence(denied: Verdict) -> None:
    assert "\x1b" not in text([denied], colour=False)


def test_no_line_starts_a_workflow_command() -> None:
    finding = Finding(
        reason=Reason.LINK_INVALID,
        expected="a link",
        found="::stop-commands::x",
        artifacts=("a", "::add-mask::x", " ::warning::"),
        advice="::error::x",
    )
    verdict = Verdict(verdict="deny", reason=Reason.LINK_INVALID, image="::notice::", explanation=(finding,))
    assert not [line for line in text([verdict], colour=False).splitlines() if line.lstrip()[:2] == "::"]


def test_the_gravest_finding_comes_first(denied: Verdict) -> None:
    early = Finding(reason=Reason.LINK_MISSING, expected="a link", found="none", step="scan")
    both = msgspec.structs.replace(denied, explanation=(*denied.explanation, early))
    told = text([both], colour=False)
    assert told.index("denied: link-missing") < told.index("denied: rule-violation")
    assert findings(both.explanation).startswith('denied: link-missing · step "scan"\n')


def test_an_advice_of_the_finding_beats_the_one_of_its_reason() -> None:
    finding = Finding(reason=Reason.THRESHOLD, expected="2", found="1", advice="Ask Bob.")
    assert findings([finding]).splitlines()[-2:] == ["  Ask Bob.", "  docs: docs/reason-codes.md#threshold"]


def test_a_service_that_does_not_answer_is_an_error_and_no_denial() -> None:
    finding = Finding(reason=Reason.REGISTRY_ERROR, expected="an answer", found="none")
    assert findings([finding]).startswith("error: registry-error\n")


def test_artifacts_beyond_ten_are_counted() -> None:
    names = tuple(f"file{number}" for number in range(13))
    finding = Finding(reason=Reason.RULE_VIOLATION, expected="fewer", found="many", artifacts=names)
    told = findings([finding])
    assert "file9\n            and 3 more\n" in told
    assert "file10" not in told


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_advice_and_an_anchor(reason: Reason) -> None:
    lines = findings([Finding(reason=reason, expected="this", found="that")]).splitlines()
    assert lines[-1] == f"  docs: docs/reason-codes.md#{reason.value}"
    assert lines[-2].endswith(".")


@pytest.mark.parametrize(
    ("is_terminal", "environ", "colour"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "0"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    is_terminal: bool, environ: dict[str, str], colour: bool
) -> None:
    assert wants_colour(is_terminal=is_terminal, environ=environ) is colour
