"""Where the documentation explains what a person is told: each topic is a section, and nothing else is one."""

import re

import pytest
from make.cache import CHECKOUT

from intoto_action import reason
from intoto_action.reason import IntotoActionError, Misused, Reason, Trouble
from intoto_action.render.sentences import DOCS, anchor

PAGE = (CHECKOUT / DOCS).read_text()
HEADINGS = re.findall(r"^(#+) ([a-z-]+)$", PAGE, re.MULTILINE)


def test_the_page_has_a_section_for_each_reason_in_the_order_of_the_checks() -> None:
    assert [word for level, word in HEADINGS if level == "##"] == [each.value for each in Reason]


def test_and_one_for_each_trouble_behind_them() -> None:
    assert [word for level, word in HEADINGS if level == "###"] == [each.value for each in Trouble]
    assert PAGE.index("\n## Before anything is decided\n") > PAGE.index("\n## internal-error\n")


@pytest.mark.parametrize("topic", [*Reason, *Trouble])
def test_a_section_says_what_to_do(topic: Reason | Trouble) -> None:
    page, _, word = anchor(topic).partition("#")
    assert page == DOCS
    section = re.search(rf"^##+ {word}\n\n(.+?)(?=\n##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert topic in Reason or "*In Actions*: " in section[1]


def test_no_word_means_two_things() -> None:
    words = [each.value for each in (*Reason, *Trouble)]
    assert len(set(words)) == len(words)


def test_each_trouble_has_an_error_that_says_it_and_all_are_caught_as_one() -> None:
    errors = [each for each in vars(reason).values() if isinstance(each, type) and issubclass(each, Misused)]
    assert {each("x").topic for each in errors} == set(Trouble)
    assert IntotoActionError("x").topic is Reason.INTERNAL_ERROR
