from __future__ import annotations

import msgspec

from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Reason
from intoto_action.render.annotations import workflow_commands


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
