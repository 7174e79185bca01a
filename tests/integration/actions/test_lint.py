"""The linters of the field: shellcheck over scripts, actionlint and zizmor over workflows and composites."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from make.cache import CHECKOUT
from make.environment import locked_python
from tests.parts.tools import debian_command, tool

ACTIONS = ("record", "attach", "verify")
SCRIPTS = sorted(CHECKOUT.glob("*/*.sh"))
OURS = re.compile(r"(?<=uses: )(?:\$/|\./intoto-action/|org/intoto-action/?(?=[\w./-]*@))([\w./-]*)(?:@\S+)?")


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


def _workflows() -> Iterator[Path]:
    """Our own, and those among the examples."""
    yield from sorted((CHECKOUT / ".github/workflows").glob("*.yml"))
    for path in sorted((CHECKOUT / "examples").rglob("*.y*ml")):
        text = path.read_text()
        if re.search(r"^on:", text, re.MULTILINE) and re.search(r"^jobs:", text, re.MULTILINE):
            yield path


def _audited() -> Iterator[Path]:
    """What zizmor reads: workflows, actions and the settings of Dependabot."""
    yield from _workflows()
    yield from sorted(CHECKOUT.glob("*/action.yml"))
    yield from sorted(CHECKOUT.glob("action.yml"))
    yield from sorted(CHECKOUT.glob(".github/actions/*/action.yml"))
    yield CHECKOUT / ".github/dependabot.yml"


def _as_project(folder: Path) -> Path:
    """A copy of what is audited, and of the workflows in docs/, in which every reference to us is to a file beside it.

    actionlint 1.7.12 does not know `$/`, and of actions that are not in the project it cannot tell the inputs.
    """
    for path in _audited():
        copy = folder / path.relative_to(CHECKOUT)
        if path.is_relative_to(CHECKOUT / "examples"):
            copy = folder / ".github/workflows" / "-".join(path.relative_to(CHECKOUT).parts)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(OURS.sub(r"./\1", path.read_text()))
    for path in sorted((CHECKOUT / "docs").glob("*.md")):
        for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```$", path.read_text(), re.S | re.M)):
            if re.search(r"^on:", block, re.M) and re.search(r"^jobs:", block, re.M):
                (folder / ".github/workflows" / f"{path.stem}-{number}.yml").write_text(
                    OURS.sub(r"./\1", block)
                )
    (folder / ".git").mkdir()
    return folder


def _actionlint_all(folder: Path) -> str:
    files = sorted((folder / ".github/workflows").iterdir())
    return lint(
        tool("actionlint"), "-shellcheck", debian_command("shellcheck"), "-pyflakes=", *files, cwd=folder
    )


def _zizmor(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Nothing of the environment, which may hold a token of GitHub's and the word that it be used."""
    fixed = ("--offline", "--no-config", "--no-progress", "--strict-collection", "--persona=pedantic")
    return subprocess.run(
        [locked_python("dev").parent / "zizmor", *fixed, *words],
        env={"PATH": os.defpath, "HOME": os.devnull},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.needs("shellcheck", "actionlint")
def test_actionlint_finds_nothing_in_a_workflow(tmp_path: Path) -> None:
    assert _actionlint_all(_as_project(tmp_path)) == ""


def test_zizmor_finds_nothing_in_a_workflow_or_an_action() -> None:
    audited = list(_audited())
    done = _zizmor(*audited)
    assert done.returncode == 0, done.stdout + done.stderr
    completed = {line.rpartition(" completed ")[2] for line in done.stderr.splitlines()}
    assert {str(path) for path in audited} <= completed


def test_what_zizmor_is_told_to_ignore_is_there_and_has_a_reason() -> None:
    comments = [
        comment
        for path in _audited()
        for comment in re.findall(r"# zizmor: ignore\[[\w-]+\](.*)", path.read_text())
    ]
    assert all(comment.strip() for comment in comments)
    done = _zizmor("--no-ignores", "--format=json", "--no-exit-codes", *_audited())
    assert len(json.loads(done.stdout)) == len(comments)


@pytest.mark.needs("shellcheck", "actionlint")
@pytest.mark.parametrize(
    ("right", "wrong", "by"),
    [
        ("phase: after", "fase: after", {"actionlint"}),
        ("secrets.key-password", "secrets.key-passwort", {"actionlint"}),
        ("needs.push.outputs.image", "needs.push.outputs.imago", {"actionlint"}),
        (
            "- name: Push\n",
            '- name: Say\n        run: echo "${{ inputs.tags }}"\n      - name: Push\n',
            {"zizmor"},
        ),
        ("with: {persist-credentials: false}", "with: {fetch-depth: 1}", {"zizmor"}),
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7.0.1", {"zizmor"}),
        ("permissions: {}", "permissions: write-all", {"zizmor"}),
        ("uses: $/record", "uses: ./record", {"zizmor"}),
    ],
)
def test_a_linter_would_find_it(right: str, wrong: str, by: set[str], tmp_path: Path) -> None:
    project = _as_project(tmp_path / "project")
    text = (CHECKOUT / ".github/workflows/build-and-attest.yml").read_text()
    assert right in text
    broken = text.replace(right, wrong)
    (project / ".github/workflows/build-and-attest.yml").write_text(OURS.sub(r"./\1", broken))
    (tmp_path / "broken.yml").write_text(broken)
    found = {
        "actionlint": _actionlint_all(project) != "",
        "zizmor": _zizmor(tmp_path / "broken.yml").returncode != 0,
    }
    assert {name for name, finds in found.items() if finds} == by
