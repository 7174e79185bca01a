from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intoto_action.render.escape import (
    annotation_message,
    annotation_property,
    code,
    markdown,
    terminal,
    visible,
)

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\x1b\x07\n\r\t\x85\u2028\u2029\u202a\u202e\u2066\u2069\u200b\ufeff|`<>[]()*_#@:%,!&~"
        ),
    )
)
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def unseen(text: str) -> list[str]:
    return [each for each in text if unicodedata.category(each) in UNSEEN]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("src/main.py", "src/main.py"),
        ("größe/ファイル", "größe/ファイル"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("evil\u202egpj.exe", "evil\\u202egpj.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_cannot_be_seen_is_written_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    assert visible("a" * 20, limit=5) == "aaaaa… (20 characters)"


@given(HOSTILE)
def test_nothing_unseen_reaches_any_output(text: str) -> None:
    for escaped in (visible, terminal, markdown, code, annotation_message, annotation_property):
        assert unseen(escaped(text)) == []


@given(HOSTILE, st.integers(1, 50))
def test_no_output_grows_beyond_its_bound(text: str, limit: int) -> None:
    assert len(visible(text, limit=limit)) <= 10 * limit + 40


@given(HOSTILE, st.sampled_from(["", " ", "\t", "  "]))
def test_no_line_of_a_log_is_a_workflow_command(text: str, space: str) -> None:
    for hostile in (text, f"{space}::error::{text}", f"{text}##[add-mask]{text}"):
        shown = terminal(hostile)
        assert not shown.lstrip().startswith("::")
        assert "##[" not in shown


@given(HOSTILE)
@example("- a list")
@example("12- a list")
@example("| a | table |")
def test_no_construct_of_markdown_or_html_survives(text: str) -> None:
    shown = markdown(text)
    assert not re.search(r"[|`<>\[\]()*_~!@:\\\"'{}$^?=;.+]", re.sub(r"&#\d+;", "", shown))
    assert not re.search(r"&(?!#\d+;)|#(?!\d+;)", shown)
    assert not re.match(r"\d*-", shown)


@given(HOSTILE)
def test_a_browser_shows_the_visible_text(text: str) -> None:
    assert html.unescape(markdown(text)) == visible(text).strip()


@given(HOSTILE)
def test_an_annotation_cannot_end_its_command_or_its_property(text: str) -> None:
    assert not re.search(r"%(?!25)", annotation_message(text))
    assert not re.search(r"[:,]", annotation_property(text))


def test_markup_of_rich_is_text_like_any_other() -> None:
    assert terminal("[bold red]x[/]") == "[bold red]x[/]"
