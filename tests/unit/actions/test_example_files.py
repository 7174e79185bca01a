"""The files of examples/ as somebody copies them: short, pinned, and each with the layout of just its steps.

That they work is in tests/e2e/test_examples.py.
"""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from make.cache import CHECKOUT

EXAMPLES = CHECKOUT / "examples"
WORKFLOWS = sorted([*EXAMPLES.glob("*/workflow.yml"), *EXAMPLES.glob("*/.gitlab-ci.yml")])
LAYOUTS = sorted([*EXAMPLES.glob("*/layout.yaml"), *EXAMPLES.glob("monorepo/*.yaml")])
OURS = "org/intoto-action/"


def by_example(path: Path) -> str:
    return path.relative_to(EXAMPLES).as_posix()


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def uses(path: Path) -> list[dict[str, Any]]:
    """The steps of a workflow that use an action of ours."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8")).get("jobs", {})
    steps = [step for job in jobs.values() for step in job["steps"]]
    return [step for step in steps if step.get("uses", "").startswith(OURS)]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=by_example)
def test_an_example_is_short_and_no_line_of_it_is_long(workflow: Path) -> None:
    assert len(lines(workflow)) <= (40 if workflow.parent.name == "one-job" else 60)
    assert max(map(len, lines(workflow))) <= 120


def test_every_action_is_pinned_to_a_commit_and_ours_to_one_everywhere() -> None:
    ours = set()
    for workflow in WORKFLOWS:
        for line in lines(workflow):
            if "uses:" not in line:
                continue
            pinned = re.fullmatch(r" *- uses: ([\w./-]+)@([0-9a-f]{40}) # (v[\d.]+|main)", line)
            assert pinned, f"{workflow}: {line}"
            if pinned[1].startswith(OURS):
                ours.add(pinned[2])
    assert len(ours) == 1


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=by_example)
def test_an_example_gives_no_input_that_an_action_does_not_have(workflow: Path) -> None:
    for step in uses(workflow):
        action = step["uses"].removeprefix(OURS).partition("@")[0]
        declared = yaml.safe_load((CHECKOUT / action / "action.yml").read_text(encoding="utf-8"))["inputs"]
        assert set(step["with"]) <= set(declared), step


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=by_example)
def test_whose_word_counts_is_nothing_that_an_earlier_step_can_set(workflow: Path) -> None:
    """GITHUB_ENV wins over `env:` of the workflow and of the job, so `${{ env.… }}` is what an earlier step says."""
    for step in uses(workflow):
        for name in ("layout-key", "attester"):
            assert "env." not in step["with"].get(name, "").partition("-----")[0], step


@pytest.mark.parametrize("layout", LAYOUTS, ids=by_example)
def test_a_layout_has_the_steps_that_its_workflow_records_in_their_order(layout: Path) -> None:
    (workflow,) = (each for each in WORKFLOWS if each.parent == layout.parent)
    text = workflow.read_text(encoding="utf-8")
    recorded = re.findall(r"step-name:? \"?([\w-]+|\$)|\{step: ([\w-]+)", text)
    names = [name or leg for name, leg in recorded if name != "$"]
    if workflow.parent.name == "matrix":  # the legs stand in front of the step that uses them
        assert 'step-name: "${{ matrix.step }}"' in text
    steps = [step["name"] for step in yaml.safe_load(layout.read_text(encoding="utf-8"))["steps"]]
    assert list(dict.fromkeys(names)) == steps


def test_a_pull_request_is_held_against_the_layout_of_main() -> None:
    assert (EXAMPLES / "pull-request/layout.yaml").read_bytes() == (
        EXAMPLES / "one-job/layout.yaml"
    ).read_bytes()


def test_every_example_is_in_the_table_has_a_page_and_is_executed() -> None:
    table = re.findall(
        r"^\| \[([\w-]+)\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(table) == sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
    tests = (CHECKOUT / "tests/e2e/test_examples.py").read_text(encoding="utf-8")
    parts = (CHECKOUT / "tests/parts/gitlab.py").read_text(encoding="utf-8")
    for workflow in WORKFLOWS:
        name = workflow.parent.name
        assert (workflow.parent / "README.md").is_file()
        assert (
            f'shop.run("{name}"' in tests or f'shop.run(\n        "{name}"' in tests or f'"{name}/' in parts
        )


def test_what_is_only_linted_says_so_in_its_first_lines() -> None:
    for name, word in {
        "registry-logins": "only linted",
        "deploy-gate": "no cluster",
        "gitlab": "no GitLab",
    }.items():
        (workflow,) = (each for each in WORKFLOWS if each.parent.name == name)
        assert word in "\n".join(lines(workflow)[:3])


@pytest.mark.parametrize("name", ["app.yaml", "app.yml", "app.json"])
def test_the_check_of_manifests_reads_every_file_that_a_cluster_is_given(name: str) -> None:
    (step,) = (each for each in uses(EXAMPLES / "gitops/workflow.yml") if "images-from" in each["with"])
    front, _, last = step["with"]["images-from"].rpartition("/")
    assert front == "k8s/**" and fnmatchcase(name, last)


def test_a_check_that_is_required_runs_for_every_pull_request() -> None:
    for name in ("gitops", "pull-request"):
        workflow = yaml.safe_load((EXAMPLES / name / "workflow.yml").read_text(encoding="utf-8"))
        assert workflow[True] == "pull_request"  # YAML 1.1 reads `on` as true


def test_no_login_writes_credentials_into_the_workspace_that_a_build_copies() -> None:
    for workflow in WORKFLOWS:
        jobs = yaml.safe_load(workflow.read_text(encoding="utf-8")).get("jobs", {})
        for step in (step for job in jobs.values() for step in job["steps"]):
            if step.get("uses", "").startswith("google-github-actions/auth@"):
                assert step["with"]["create_credentials_file"] is False, workflow
