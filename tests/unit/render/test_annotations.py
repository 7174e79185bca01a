from __future__ import annotations

import msgspec
import pytest

from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Finding, Reason
from intoto_action.render.annotations import Line, annotation, workflow_commands


def test_a_finding_is_one_command_whatever_others_wrote_into_it(denied: Verdict) -> None:
    lines = workflow_commands([denied]).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"::error title=rule-violation ghcr.io/octo/app@sha256%3A{'a' * 64}::")
    assert 'step "build"' in lines[0]
    assert "(docs/reason-codes.md#rule-violation)" in lines[0]
    assert lines[1].startswith("::notice title=intoto-action::x\\x1b[31m\\n::error::")


def test_an_image_that_only_warns_gets_warnings(denied: Verdict) -> None:
    assert workflow_commands([denied], level="warning").startswith("::warning title=")


def test_a_percent_sign_cannot_smuggle_a_line_break(denied: Verdict) -> None:
    smuggled = msgspec.structs.replace(denied, notes=("%0A::error::x",))
    assert "::notice title=intoto-action::%250A::error::x" in workflow_commands([smuggled])


def test_no_more_than_ten_findings_are_annotated(denied: Verdict) -> None:
    (finding,) = denied.explanation
    findings = tuple(msgspec.structs.replace(finding, step=f"step {number}") for number in range(12))
    many = msgspec.structs.replace(denied, explanation=findings, notes=denied.notes * 12)
    lines = workflow_commands([many]).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error"] * 10 + ["::notice"] * 10


def test_a_step_that_failed_in_three_ways_is_one_annotation_that_counts_the_others(denied: Verdict) -> None:
    (finding,) = denied.explanation
    graver = msgspec.structs.replace(finding, reason=Reason.LINK_INVALID)
    twice = msgspec.structs.replace(denied, explanation=(finding, finding, graver), notes=())
    (line,) = workflow_commands([twice]).splitlines()
    assert line.startswith("::error title=link-invalid ")
    assert "And 2 more" in line


def test_a_pass_without_notes_says_nothing() -> None:
    assert workflow_commands([Verdict(verdict="pass")]) == ""


def test_a_finding_is_put_on_the_line_that_is_known(denied: Verdict) -> None:
    here = Line("in-toto/layout.yaml", 12)
    told = workflow_commands([denied], line_of=lambda verdict, finding: here)
    assert told.startswith("::error file=in-toto/layout.yaml,line=12,title=rule-violation ")
    assert "::notice title=" in told


def test_the_name_of_a_file_is_a_value_and_nothing_else(denied: Verdict) -> None:
    told = annotation("error", "x", line=Line("a,line=9,title=evil::b%0A/layout.yaml", 1))
    assert told.startswith("::error file=a%2Cline=9%2Ctitle=evil%3A%3Ab%250A/layout.yaml,line=1,title=")


@pytest.mark.parametrize(
    "name", ["a\n::error::x/layout.yaml", "\u202ea/layout.yaml", "a/" * 300 + "layout.yaml"]
)
def test_a_name_that_would_have_to_be_changed_is_left_out(name: str) -> None:
    assert annotation("error", "x", line=Line(name, 1)) == "::error title=intoto-action::x\n"


def test_no_line_is_looked_for_that_is_not_told(denied: Verdict) -> None:
    (finding,) = denied.explanation
    findings = tuple(msgspec.structs.replace(finding, step=f"step {number}") for number in range(12))
    asked: list[str | None] = []

    def line_of(verdict: Verdict, finding: Finding) -> None:
        asked.append(finding.step)

    workflow_commands([msgspec.structs.replace(denied, explanation=findings)] * 2, line_of=line_of)
    assert len(asked) == 10
