"""The linters of the field: shellcheck over scripts, actionlint over composites made into workflows."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from make.cache import CHECKOUT
from tests.parts.tools import debian_command, tool

ACTIONS = ("record", "attach", "verify")
SCRIPTS = sorted(CHECKOUT.glob("*/*.sh"))


def lint(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(each) for each in argv],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}" or f"exit code {done.returncode}"


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shellcheck_finds_nothing_in_a_script(script: Path) -> None:
    assert lint(debian_command("shellcheck"), "--external-sources", script, cwd=script.parent) == ""


@pytest.mark.needs("shellcheck", "actionlint")
@pytest.mark.parametrize("action", ACTIONS)
def test_actionlint_finds_nothing_in_the_steps_of_an_action(action: str, tmp_path: Path) -> None:
    assert _lint_workflow(_as_workflow(action), tmp_path) == ""


@pytest.mark.needs("shellcheck", "actionlint")
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("steps.prepare.outputs.sign == 'true'", "steps.prepare.outputs.sign = 'true'"),
        ("inputs.key-password", "inputs.key-passwort"),
        ("steps.record.outputs.link-sha256", "steps.rekord.outputs.link-sha256"),
        ('cd -- "$GITHUB_WORKSPACE"', "cd -- $GITHUB_WORKSPACE"),
    ],
)
def test_actionlint_would_find_it(right: str, wrong: str, tmp_path: Path) -> None:
    workflow = json.dumps(_as_workflow("record"))
    quoted = (json.dumps(right)[1:-1], json.dumps(wrong)[1:-1])
    assert quoted[0] in workflow
    assert _lint_workflow(json.loads(workflow.replace(*quoted)), tmp_path) != ""


def _as_workflow(action: str) -> Mapping[str, Any]:
    """The composite as a reusable workflow: the same inputs, steps and outputs, which actionlint then checks."""
    document = yaml.safe_load((CHECKOUT / action / "action.yml").read_text())
    inputs = {name: {"type": "string", "default": ""} for name in document["inputs"]}
    outputs = {name: each["value"] for name, each in document["outputs"].items()}
    steps = [
        # actionlint hands scripts to shellcheck for the shells that it knows by name.
        {**step, "shell": "bash"} if "run" in step else step
        for step in document["runs"]["steps"]
    ]
    return {
        "on": {"workflow_call": {"inputs": inputs}},
        "permissions": {},
        "jobs": {"it": {"runs-on": "ubuntu-latest", "outputs": outputs, "steps": steps}},
    }


def _lint_workflow(workflow: Mapping[str, Any], folder: Path) -> str:
    path = folder / ".github" / "workflows" / "it.yml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(workflow, sort_keys=False))
    (folder / ".git").mkdir()
    return lint(
        tool("actionlint"), "-shellcheck", debian_command("shellcheck"), "-pyflakes=", path, cwd=folder
    )
