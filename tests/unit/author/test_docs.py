"""docs/layouts.md does not say what is not so: its layouts compile, its expansions are those of the compiler."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.parts.draft import Draft

import intoto_action.decide
from intoto_action.author import read, read_functionaries, read_steps
from intoto_action.formats.layout import Layout
from intoto_action.formats.rule import join_rule
from intoto_action.keys.keygen import generate

PAGE = (Path(__file__).parents[3] / "docs" / "layouts.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
EXPANSIONS = re.findall(
    r"```yaml\n((?:(?!```).)*)```(?:(?!```).)*<!-- (.*?) -->\n```text\n(.*?)```", PAGE, re.DOTALL
)
ROWS = re.findall(r"^\| (L\d\d) \| (error|warning) \|", PAGE, re.MULTILINE)


@pytest.fixture
def page(draft: Draft) -> Draft:
    """A draft with a key for every path that the page names."""
    for path in {*re.findall(r"keys/[a-z0-9-]+\.pub", PAGE)}:
        (draft.directory / path).write_text(generate("ed25519", None).public.pem)
    return draft


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_layout_of_the_page_compiles(page: Draft, text: str) -> None:
    assert page.layout(text).steps


def test_there_are_as_many_layouts_and_expansions_as_were_written() -> None:
    assert (len(EXAMPLES), len(EXPANSIONS)) == (5, 3)


@pytest.mark.parametrize(("text", "what", "lines"), EXPANSIONS)
def test_every_expansion_of_the_page_is_the_compilers(page: Draft, text: str, what: str, lines: str) -> None:
    field, _, name = what.partition(" of ")
    assert expansion(page.layout(text), field, name) == lines.splitlines()


def expansion(layout: Layout, field: str, name: str) -> list[str]:
    if field == "run":
        return [join_rule(each.run) for each in layout.inspect if each.name == name]
    step = layout.step(name)
    assert step is not None
    return [join_rule(rule) for rule in getattr(step, field)]


def test_every_check_of_the_lint_is_in_the_table_and_no_other() -> None:
    room = Path(intoto_action.decide.__file__ or "").parent
    code = "".join(path.read_text(encoding="utf-8") for path in room.glob("lint*.py"))
    assert [row[0] for row in ROWS] == sorted({*re.findall(r'"(L\d\d)"', code)})


@pytest.mark.parametrize(
    "keys", [read.KEYS, read_steps.STEP_KEYS, read.SOURCE_KEYS, read_functionaries.FUNCTIONARY_KEYS]
)
def test_every_key_is_in_a_table(keys: tuple[str, ...]) -> None:
    assert all(f"\n| `{key}` | " in PAGE for key in keys)
