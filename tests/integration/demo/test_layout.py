"""The layout.yaml that the demo shows is one that a person should write."""

from datetime import UTC, datetime

from intoto_action.author.sign import compile_file
from intoto_action.demo.site import Site
from intoto_action.demo.steps import STEPS


def test_it_has_nothing_that_its_author_should_look_at_again(finished: Site) -> None:
    compiled = compile_file(finished.root / "layout.yaml", at=datetime.now(UTC))
    assert compiled.warnings == ()


def test_it_names_the_steps_that_are_recorded(finished: Site) -> None:
    compiled = compile_file(finished.root / "layout.yaml", at=datetime.now(UTC))
    assert [step.name for step in compiled.layout.steps] == [step.name for step in STEPS]


def test_every_step_has_a_functionary_of_its_own(finished: Site) -> None:
    layout = compile_file(finished.root / "layout.yaml", at=datetime.now(UTC)).layout
    assert all(len(step.pubkeys) == 1 for step in layout.steps)
    assert len({step.pubkeys[0] for step in layout.steps}) == len(layout.steps)


def test_everything_is_accounted_for(finished: Site) -> None:
    layout = compile_file(finished.root / "layout.yaml", at=datetime.now(UTC)).layout
    ends = {
        tuple(rules[-1])
        for step in layout.steps
        for rules in (step.expected_materials, step.expected_products)
    }
    assert ends == {("DISALLOW", "*")}
