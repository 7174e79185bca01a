"""What is true of every workflow of the project, read from the files; and what the reusable one promises."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from make.cache import CHECKOUT

WORKFLOWS = sorted((CHECKOUT / ".github/workflows").glob("*.yml"))
REUSABLE = CHECKOUT / ".github/workflows/build-and-attest.yml"
ACTIONS = sorted((*CHECKOUT.glob("*/action.yml"), *CHECKOUT.glob(".github/actions/*/action.yml")))
COMMANDS = {"build": "build", "test": "test", "scan": "scan"}
STEPS = {"checkout": "source", "build": "build", "test": "test", "scan": "scan", "push": "push"}

workflows = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs(path: Path) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(path.read_text())["jobs"]
    return found


def steps(path: Path) -> Iterator[Mapping[str, Any]]:
    for job in jobs(path).values():
        yield from job.get("steps", [])


@workflows
def test_a_job_may_do_what_it_says_and_nothing_by_default(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for name, job in jobs(path).items():
        assert "permissions" in job, name
        assert "uses" in job or "timeout-minutes" in job, name


@workflows
def test_no_script_has_an_expression_in_it(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", ""), step
        command = step.get("with", {}).get("command", "")
        assert "${{" not in command or re.fullmatch(r"\$\{\{ inputs\.[a-z]+ \}\}", command), step


@workflows
def test_a_checkout_leaves_no_token_behind(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, step


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_an_action_of_somebody_else_is_pinned_and_ours_is_that_of_the_same_commit(path: Path) -> None:
    for line in re.findall(r"^ *(?:- )?uses: (.*)$", path.read_text(), re.MULTILINE):
        ours = r"\$/[\w./-]+|\./intoto-action/\w+ # zizmor: ignore\[self-repository\] .+"
        assert re.fullmatch(rf"{ours}|[\w-]+/[\w/-]+@[0-9a-f]{{40}} # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_version_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for path in (*WORKFLOWS, *ACTIONS):
        for name, version in re.findall(r"uses: ([\w-]+/[\w/-]+)@(.+)$", path.read_text(), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_only_the_job_that_signs_has_a_key_or_may_ask_for_an_identity() -> None:
    for name, job in jobs(REUSABLE).items():
        has_key = "secrets.key" in str(job)
        may_ask = "id-token" in job["permissions"]
        assert (has_key, may_ask) == ((True, True) if name == "sign" else (False, False)), name


def test_a_job_that_runs_a_command_of_the_caller_may_read_the_repository_and_nothing_else() -> None:
    for name, job in jobs(REUSABLE).items():
        runs = {step["with"]["command"] for step in job["steps"] if "command" in step.get("with", {})}
        of_the_caller = {command for command in runs if "inputs." in command}
        assert of_the_caller == ({f"${{{{ inputs.{COMMANDS[name]} }}}}"} if name in COMMANDS else set())
        if of_the_caller:
            assert job["permissions"] == {"contents": "read"}
            assert "secrets." not in str(job)


def test_the_job_that_signs_runs_nothing_but_actions_and_checks_out_nothing_but_the_layout() -> None:
    sign = jobs(REUSABLE)["sign"]
    assert not [step for step in sign["steps"] if "run" in step or "command" in step.get("with", {})]
    (checkout,) = (step for step in sign["steps"] if step["uses"].startswith("actions/checkout@"))
    assert checkout["with"]["sparse-checkout"] == "${{ inputs.layout }}"
    assert checkout["with"]["sparse-checkout-cone-mode"] is False


def test_what_is_signed_is_what_the_job_of_the_step_said() -> None:
    sign = jobs(REUSABLE)["sign"]
    signed = {
        step["with"]["step-name"]: step["with"]["link-sha256"]
        for step in sign["steps"]
        if step.get("with", {}).get("phase") == "sign"
    }
    assert signed == {name: f"${{{{ needs.{job}.outputs.link-sha256 }}}}" for name, job in STEPS.items()}


def test_no_job_but_the_last_two_can_write_to_a_registry_and_neither_runs_for_a_pull_request() -> None:
    found = jobs(REUSABLE)
    assert {name for name, job in found.items() if "packages" in job["permissions"]} == {"push", "sign"}
    assert "!startsWith(github.event_name, 'pull_request')" in found["push"]["if"]
    assert "github.event_name != 'merge_group'" in found["push"]["if"]
    assert "needs.push.result == 'success'" in found["sign"]["if"]


def test_all_inputs_and_secrets_are_used_and_described() -> None:
    text = REUSABLE.read_text()
    call = yaml.safe_load(text)[True]["workflow_call"]  # YAML 1.1 reads `on` as true
    for kind in ("inputs", "secrets"):
        for name, each in call[kind].items():
            assert each["description"].endswith("."), name
            assert f"{kind}.{name} " in text, name


def test_the_job_that_a_ruleset_names_needs_every_other_one() -> None:
    found = jobs(CHECKOUT / ".github/workflows/self-test.yml")
    assert set(found["all"]["needs"]) == set(found) - {"all"}


def test_the_self_test_is_for_three_systems_and_git_changes_no_byte_on_any() -> None:
    """git of Windows turns line ends where a repository does not say otherwise, and bash takes no CR."""
    found = jobs(CHECKOUT / ".github/workflows/self-test.yml")["hostile-workspace"]
    assert found["strategy"]["matrix"]["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    rules = (CHECKOUT / ".gitattributes").read_text().splitlines()
    assert [each for each in rules if not each.startswith("#")] == ["* -text"]


def test_the_self_test_records_a_command_only_where_record_can_run_one() -> None:
    for name, job in jobs(CHECKOUT / ".github/workflows/self-test.yml").items():
        systems = job.get("strategy", {}).get("matrix", {}).get("os", [job["runs-on"]])
        for step in job["steps"]:
            if "command" in step.get("with", {}) and any("ubuntu" not in each for each in systems):
                assert step["if"] == "runner.os == 'Linux'", (name, step)


MAY = {
    "read the repository": {"contents": "read"},
    "write packages": {"packages": "write"},
    "ask for the identity": {"id-token": "write"},
}
"""Permissions in the words of the table in docs/reusable-workflow.md."""


def test_each_job_of_the_reusable_workflow_may_do_what_the_table_says_and_nothing_else() -> None:
    page = (CHECKOUT / "docs/reusable-workflow.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\w, ]+) \| .* \|$", page, re.MULTILINE)
    told = {name: {k: v for each in may.split(", ") for k, v in MAY[each].items()} for name, may in rows}
    assert told == {name: job["permissions"] for name, job in jobs(REUSABLE).items()}


def test_the_login_takes_nothing_from_an_earlier_step_but_the_path() -> None:
    document = yaml.safe_load((CHECKOUT / ".github/actions/log-in/action.yml").read_text())
    (step,) = document["runs"]["steps"]
    assert step["shell"].startswith("bash --noprofile --norc -p ")
    nothing = {name for name, value in step["env"].items() if value == ""}
    before_us = {"BASH_ENV", "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "OPENSSL_CONF", "OPENSSL_MODULES"}
    assert nothing == before_us


def test_a_release_verifies_the_image_of_its_commit_and_asks_reviewers_before_it_is_published() -> None:
    found = jobs(CHECKOUT / ".github/workflows/release.yml")
    (verify,) = (step for step in found["check"]["steps"] if step.get("uses") == "$/verify")
    assert verify["with"]["image"] == "${{ steps.commit.outputs.image }}"
    assert verify["with"]["source-ref"] == "refs/heads/main"
    assert not {"link-dir", "rehearse", "on-deny"} & set(verify["with"])
    assert (found["publish"]["needs"], found["publish"]["environment"]) == ("check", "release")
