"""A denied verdict in which every field is filled, by somebody hostile where that is possible."""

from __future__ import annotations

import pytest

from intoto_action.formats.verdict import LayoutReport, Signer, StepReport, Verdict
from intoto_action.reason import Finding, Reason, Sighting

HOSTILE = "x\x1b[31m\n::error::|`<b>[bold]\u202e"


@pytest.fixture
def denied() -> Verdict:
    finding = Finding(
        reason=Reason.RULE_VIOLATION,
        expected="no other materials than those of checkout",
        found=HOSTILE,
        where="build.bbbbbbbb.link",
        step="build",
        rule="DISALLOW *",
        artifacts=("src/main.py", HOSTILE),
        sightings=(
            Sighting("checkout", "products", f"sha256:{'1' * 64}"),
            Sighting("build", "materials", f"sha256:{'2' * 64}"),
        ),
    )
    return Verdict(
        verdict="deny",
        reason=Reason.RULE_VIOLATION,
        image=f"ghcr.io/octo/app@sha256:{'a' * 64}",
        layout=LayoutReport("c" * 64, ("ed25519 key 11111111",), "2030-01-01T00:00:00Z", "the evidence"),
        steps=(
            StepReport(
                "checkout",
                ("ed25519 key aaaaaaaa",),
                1,
                (Signer("ed25519 key aaaaaaaa", "checkout.aaaaaaaa.link"),),
                "pass",
            ),
            StepReport("build", ("ed25519 key bbbbbbbb", "rsa key cccccccc"), 2, (), "deny"),
            StepReport("scan", ("ed25519 key dddddddd",), 1),
        ),
        explanation=(finding,),
        subject="not checked: the rules come first",
        criteria=("the layout is signed by 1 of 1 keys",),
        notes=(HOSTILE,),
    )
