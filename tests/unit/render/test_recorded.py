"""What record and sign say in the summary of a job, whatever a step, a command or a signer is called."""

import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from intoto_action.formats.link import Link
from intoto_action.formats.verdict import Verdict
from intoto_action.render.attached import attached, not_attached
from intoto_action.render.recorded import not_recorded, not_signed, recorded, signed

D = f"sha256:{'a' * 64}"
LINK = Link("build", ["bash", "make\nmake test"], {"a": {}, "b": {}}, {"c": {}}, {"return-value": 0}, {})  # type: ignore[dict-item]
ODD = st.text(st.one_of(st.characters(), st.sampled_from("|`<>[]()*_#~!\\\n -+.1@")))


def tags(told: str) -> set[str]:
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(told)
    return set(re.findall(r"<([a-z0-9!]+)", rendered))


def test_a_link_is_counted_and_its_command_is_one_line() -> None:
    told = recorded(LINK, D)
    assert told.startswith("### Recorded: step <code>build</code>\n\n| | |\n")
    assert "| materials | 2 |\n| products | 1 |\n" in told
    assert "| command | <code>bash make&#92;nmake test</code> |" in told
    assert tags(told) == {"h3", "code", "table", "thead", "tbody", "tr", "th", "td"}


def test_the_signer_can_be_pasted() -> None:
    told = signed("build", D, "ed25519 key aaaaaaaa", "# save it\nNAME: {key: a.pub}\n")
    assert "\n\n```yaml\n# save it\nNAME: {key: a.pub}\n```\n\n</details>\n" in told


def test_a_signer_cannot_end_the_block_that_it_stands_in() -> None:
    told = signed("build", D, "x", "a: b\n````\n</details><b>\n")
    assert "\n\n`````yaml\n" in told
    assert "b" not in tags(told)


@given(ODD)
def test_no_text_of_others_makes_an_element(text: str) -> None:
    link = Link(text, [text, text], {}, {}, {}, {})
    assert tags(recorded(link, D)) <= {"h3", "code", "table", "thead", "tbody", "tr", "th", "td"}
    assert tags(not_recorded(text, text)) <= {"h3", "code", "p"}
    assert tags(not_signed(text, text)) <= {"p", "strong", "code"}
    assert tags(signed(text, D, text, text)) <= {"p", "strong", "code", "details", "summary", "pre"}
    assert tags(attached(text, {"evidence": D}, Verdict(verdict="pass"))) <= {
        *("h3", "code", "table", "thead", "tbody", "tr", "th", "td")
    }
    assert "<b>" not in not_attached(Verdict(verdict="deny", image=text))


def test_what_was_attached_against_the_verdict_says_so() -> None:
    told = attached("x", {"evidence": D}, Verdict(verdict="deny"))
    assert "will not let it pass" in told and "### DENIED" in told
