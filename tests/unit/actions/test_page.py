"""The workflows on the page about the actions, as far as they can be checked without running them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from make.action_files import PAGE
from make.cache import CHECKOUT

PAGES = (PAGE, "README.md")
PREFIX = "org/intoto-action/"


def blocks() -> Iterator[str]:
    for page in PAGES:
        yield from re.findall(r"```yaml\n(.*?)```", (CHECKOUT / page).read_text(), re.DOTALL)


def steps_in(parsed: object) -> Iterator[Mapping[str, Any]]:
    """Each step of a workflow, or of a part of one."""
    if isinstance(parsed, dict):
        if "uses" in parsed or "run" in parsed:
            yield parsed
        else:
            for each in parsed.values():
                yield from steps_in(each)
    if isinstance(parsed, list):
        for each in parsed:
            yield from steps_in(each)


def ours() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for block in blocks():
        for step in steps_in(yaml.safe_load(block)):
            if str(step.get("uses", "")).startswith(PREFIX):
                yield step["uses"].removeprefix(PREFIX).partition("@")[0], step


def document(action: str) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = yaml.safe_load((CHECKOUT / action / "action.yml").read_text())
    return parsed


def test_all_three_are_shown() -> None:
    assert {action for action, _ in ours()} == {"record", "attach", "verify"}


def test_what_is_given_are_inputs_and_what_is_needed_is_given() -> None:
    for action, step in ours():
        inputs = document(action)["inputs"]
        given = set(step["with"])
        assert given <= set(inputs), step
        assert {name for name, each in inputs.items() if each.get("required")} <= given, step
        assert action != "record" or "step-name" in given, step


def test_outputs_that_are_used_exist() -> None:
    names = {action: set(document(action)["outputs"]) for action in ("record", "attach", "verify")}
    for block in blocks():
        mine = {
            str(step.get("id")): action
            for action, step in (
                (each["uses"].removeprefix(PREFIX).partition("@")[0], each)
                for each in steps_in(yaml.safe_load(block))
                if str(each.get("uses", "")).startswith(PREFIX)
            )
        }
        for step_id, output in re.findall(r"steps\.([\w-]+)\.outputs\.([\w-]+)", block):
            assert step_id not in mine or output in names[mine[step_id]], (step_id, output)


def test_a_key_is_never_text_in_a_workflow() -> None:
    for _, step in ours():
        assert str(step["with"].get("key", "${{ secrets.")).startswith("${{ secrets."), step


def test_whose_word_counts_is_nothing_that_an_earlier_step_can_set() -> None:
    """GITHUB_ENV wins over `env:` of the workflow and of the job, so `${{ env.… }}` is what an earlier step says."""
    for _, step in ours():
        for name in ("layout-key", "attester"):
            assert "env." not in str(step["with"].get(name, "")).partition("-----")[0], step


def test_everybody_else_s_actions_are_pinned() -> None:
    for block in blocks():
        for step in steps_in(yaml.safe_load(block)):
            uses = str(step.get("uses", ""))
            assert not uses or uses.startswith(PREFIX) or re.search(r"@[0-9a-f]{40}$", uses), uses


def test_normal_use_is_five_lines_at_most() -> None:
    page = (CHECKOUT / PAGE).read_text()
    normal = re.search(r"## Normal use\n(.*?)\n## ", page, re.DOTALL)
    assert normal is not None
    shown = re.findall(r"```yaml\n(.*?)```", normal[1], re.DOTALL)
    assert len(shown) == 3
    assert all(len(block.splitlines()) <= 5 for block in shown)
