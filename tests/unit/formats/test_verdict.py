from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.verdict import LayoutReport, Signer, StepReport, Verdict, encode_verdict
from intoto_action.reason import ExitCode, Finding, Reason, Sighting

_text = st.text(max_size=5)
_many = st.lists(_text, max_size=2).map(tuple)
_findings = st.builds(
    Finding,
    reason=st.sampled_from(Reason),
    expected=_text,
    found=_text,
    step=st.none() | _text,
    rule=st.none() | _text,
    artifacts=_many,
    sightings=st.lists(st.builds(Sighting, _text, _text, _text), max_size=2).map(tuple),
)
_verdicts = st.builds(
    Verdict,
    verdict=st.sampled_from(["pass", "deny", "error", "rehearsed"]),
    reason=st.none() | st.sampled_from(Reason),
    image=_text,
    layout=st.none() | st.builds(LayoutReport, _text, _many, _text, _text),
    steps=st.lists(
        st.builds(
            StepReport,
            _text,
            _many,
            st.integers(1, 3),
            st.lists(st.builds(Signer, _text, _text)).map(tuple),
            _text,
        ),
        max_size=2,
    ).map(tuple),
    explanation=st.lists(_findings, max_size=2).map(tuple),
    subject=_text,
    criteria=_many,
    notes=_many,
)


@given(_verdicts)
def test_a_verdict_that_was_encoded_is_read_back(verdict: Verdict) -> None:
    assert msgspec.json.decode(encode_verdict(verdict), type=Verdict) == verdict


@given(_verdicts)
def test_the_keys_of_the_contract_are_always_there(verdict: Verdict) -> None:
    document = msgspec.json.decode(encode_verdict(verdict))
    assert {"verdict", "reason", "image", "layout", "steps", "explanation"} <= set(document)
    assert document["reason"] == (verdict.reason.value if verdict.reason else None)


@given(_verdicts)
def test_only_a_pass_ends_with_zero(verdict: Verdict) -> None:
    assert (verdict.exit_code == 0) == (verdict.verdict == "pass")


@pytest.mark.parametrize(
    ("verdict", "reason", "code"),
    [
        ("pass", None, ExitCode.PASS),
        ("deny", Reason.THRESHOLD, ExitCode.DENIED),
        ("deny", Reason.REGISTRY_ERROR, ExitCode.INFRASTRUCTURE),
        ("deny", None, ExitCode.DENIED),
        ("error", Reason.REGISTRY_ERROR, ExitCode.INFRASTRUCTURE),
        ("error", None, ExitCode.INFRASTRUCTURE),
        ("rehearsed", None, ExitCode.REHEARSED),
    ],
)
def test_a_process_ends_with_the_code_of_its_verdict(
    verdict: str, reason: Reason | None, code: ExitCode
) -> None:
    assert Verdict(verdict=verdict, reason=reason).exit_code is code
