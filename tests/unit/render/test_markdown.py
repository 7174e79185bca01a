from __future__ import annotations

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from intoto_action.formats.verdict import Flow, Signer, StepReport, Verdict
from intoto_action.reason import Finding, Reason
from intoto_action.render.markdown import markdown


def tags(told: str) -> set[str]:
    """The HTML elements that a renderer which lets raw HTML through makes of it."""
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(told)
    return set(re.findall(r"<([a-z0-9!]+)", rendered))


HARMLESS = {"h3", "h4", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "pre"}
FOLD = {"details", "summary", "ul", "li"}


def test_a_denial_is_a_heading_and_tables(denied: Verdict) -> None:
    told = markdown([denied])
    assert told.startswith("### DENIED&#58; rule-violation\n\n")
    assert "| <code>build</code> | <code>2 of ed25519 key bbbbbbbb, rsa key cccccccc</code> |" in told
    assert "| rule | <code>DISALLOW &#42;</code> |" in told
    assert "<code>docs/reason-codes&#46;md&#35;rule-violation</code>" in told
    assert tags(told) == HARMLESS | FOLD
    assert told.index("```mermaid") < told.index("| step | expected |")


def test_twenty_artifacts_are_in_a_fold_and_the_others_are_counted(denied: Verdict) -> None:
    (finding,) = denied.explanation
    many = msgspec.structs.replace(finding, artifacts=tuple(f"dist/{number}" for number in range(100, 123)))
    told = markdown([msgspec.structs.replace(denied, explanation=(many,))])
    _, _, fold = told.partition("<details><summary>23 artifacts</summary>\n\n")
    items = fold.partition("\n\n</details>")[0].splitlines()
    assert items[0] == "- <code>dist/100</code>"
    assert items[20:] == ["- and 3 more"]


def test_several_verdicts_are_counted_first(denied: Verdict) -> None:
    assert markdown([denied, denied]).startswith("2 verdicts&#58; 2 deny\n\n### DENIED")


@given(st.text(st.one_of(st.characters(), st.sampled_from("|`<>[]()*_#~!\\\n -+.1@given(st.text());"))))
def test_no_text_of_others_makes_an_element_or_a_cell(text: str) -> None:
    finding = Finding(
        reason=Reason.RULE_VIOLATION,
        expected=text,
        found=text,
        where=text,
        step=text,
        advice=text,
        artifacts=(text,),
    )
    verdict = Verdict(
        verdict="deny",
        reason=Reason.RULE_VIOLATION,
        image=text,
        steps=(StepReport(text, (text,), 1, (Signer(text, text),), "deny", (Flow(text, text),)),),
        explanation=(finding,),
        notes=(text,),
    )
    told = markdown([verdict])
    assert tags(told) <= HARMLESS | FOLD
    calm = markdown([Verdict(verdict="pass", image="x")])
    cells = {line.count("|") for line in told.splitlines() if line.startswith("|")}
    assert cells <= {3, 5}
    assert calm.count("\n") == markdown([Verdict(verdict="pass", image=text or "x")]).count("\n")
