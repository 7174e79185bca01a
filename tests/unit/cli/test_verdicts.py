"""What later steps of a job are told of verdicts."""

import pytest

from intoto_action.cli.verdicts import outputs
from intoto_action.formats.verdict import StepReport, Verdict
from intoto_action.reason import Finding, Reason

IMAGE = f"ghcr.io/octo/app@sha256:{'a' * 64}"
OTHER = f"ghcr.io/octo/other@sha256:{'b' * 64}"
PASSED = Verdict(verdict="pass", image=IMAGE)


def denied(image: str = OTHER, *, step: str | None = "build", reported: bool = True) -> Verdict:
    finding = Finding(reason=Reason.RULE_VIOLATION, expected="x", found="y", step=step)
    steps = (StepReport("checkout", (), 1, (), "pass"), StepReport("build", (), 1, (), "deny"))
    return Verdict(
        verdict="deny",
        reason=Reason.RULE_VIOLATION,
        image=image,
        explanation=(finding,),
        steps=steps if reported else (),
    )


def test_a_pass_names_the_image_and_nothing_else() -> None:
    assert outputs([PASSED]) == {"verdict": "pass", "reason": "", "failed-step": "", "image": IMAGE}


def test_of_several_the_first_that_did_not_pass_is_told() -> None:
    found = outputs([PASSED, denied(), Verdict(verdict="error", reason=Reason.REGISTRY_ERROR)])
    assert found["verdict"] == "deny"
    assert (found["reason"], found["failed-step"]) == ("rule-violation", "build")
    assert found["image"].split("\n") == [IMAGE, OTHER]


@pytest.mark.parametrize(("step", "failed"), [("scan", "scan"), (None, "")])
def test_without_a_report_of_the_steps_the_finding_names_it(step: str | None, failed: str) -> None:
    assert outputs([denied(step=step, reported=False)])["failed-step"] == failed


def test_what_no_digest_names_cannot_be_deployed() -> None:
    assert outputs([denied("ghcr.io/octo/app:1.0"), PASSED])["image"] == IMAGE
    assert outputs([Verdict(verdict="pass")])["image"] == ""
