"""What act does not tell, because it is kinder than GitHub, read off the files of the actions."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from make.cache import CHECKOUT

from intoto_action.cli import container_action
from intoto_action.cli.attach import attach
from intoto_action.cli.record import record
from intoto_action.cli.sign import sign
from intoto_action.cli.verify import verify

ACTIONS = ("record", "attach", "verify")
SHELL = "bash --noprofile --norc -p -e -o pipefail {0}"
LOADED_BEFORE_US = (
    *("BASH_ENV", "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"),
    *("DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH"),
    *("OPENSSL_CONF", "OPENSSL_MODULES", "GCONV_PATH", "SSLKEYLOGFILE"),
)
"""GCONV_PATH: with LOCPATH and LC_ALL, glibc loads from there what translates a locale's characters, in bash and in
Python. SSLKEYLOGFILE: urllib3 writes there what opens its connections, whatever -I says."""
INPUTS_ONLY = {
    *("key", "key-password", "keyless", "pass-oidc", "sign-pull-requests", "if-no-credentials"),
    *("link-path", "link-sha256", "github-token", "sigstore", "allow-public-log", "exclude"),
}
"""What concerns credentials, is of one job alone, or hides something from a link."""
GIVEN_TO_NOTHING = {("record", "github-token")}
WITHHELD = {
    (
        "verify",
        "github-token",
    ): "${{ inputs.link-dir == '' && inputs.rehearse != 'true' && inputs.github-token || '' }}"
}
"""Inputs that not every use of an action needs."""
"""Of the contract, and in no environment: no process that records holds a token."""

# The contract (docs and outside checks call exactly these).
INPUTS = {
    "record": "step-name command shell working-directory phase state link-path link-sha256 layout materials products "
    "exclude image-metadata key key-password keyless sigstore allow-public-log pass-oidc sign-pull-requests "
    "if-no-credentials upload link-dir github-token",
    "attach": "image layout link-dir layout-key file provenance tag key key-password keyless sigstore "
    "allow-public-log other-runs github-token",
    "verify": "image link-dir images-from layout layout-key attester rehearse source-repository source-ref "
    "builder-id on-deny report sigstore github-token",
}
OUTPUTS = {
    "record": "image link-path link-sha256 signed signer return-value outputs state",
    "attach": "image referrer evidence-path",
    "verify": "verdict reason failed-step image report-path",
}
AWAITED: Mapping[str, set[str]] = {
    "record": set(),
    "attach": set(),
    "verify": set(),
}
"""Flags that the actions pass on when asked, and the command line refuses until it has them."""
WRITTEN = {
    ("record", "Record"): set(OUTPUTS["record"].split()),
    ("record", "Look at who signs"): {"sign"},
    ("record", "Sign"): {"link-path", "link-sha256", "signed", "signer"},
    ("attach", "Find cosign"): {"cosign"},
    ("attach", "Attach"): set(OUTPUTS["attach"].split()),
    ("verify", "Verify"): set(OUTPUTS["verify"].split()),
}
"""What the command line writes under --github; its own tests say that it does."""

Document = Mapping[str, Any]


def text(action: str) -> str:
    return (CHECKOUT / action / "action.yml").read_text()


def document(action: str) -> Document:
    parsed: Document = yaml.safe_load(text(action))
    return parsed


def steps(action: str) -> list[Document]:
    found: list[Document] = document(action)["runs"]["steps"]
    return found


def scripts(action: str) -> Iterator[tuple[str, Document]]:
    """Each step that runs something, by name."""
    return ((step["name"], step) for step in steps(action) if "run" in step)


def step(action: str, name: str) -> Document:
    return next(each for each in steps(action) if each["name"] == name)


def variables(command: click.Command) -> set[str]:
    return {str(each.envvar) for each in command.params if isinstance(each, click.Option) and each.envvar}


def flags(command: click.Command) -> set[str]:
    return {name for each in command.params for name in each.opts}


@pytest.fixture(params=ACTIONS)
def action(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_action_is_checked_here() -> None:
    assert {path.parent.name for path in CHECKOUT.glob("*/action.yml")} == set(ACTIONS)
    assert [path.name for path in CHECKOUT.glob("action.y*ml")] == ["action.yml"], "the one with a container"


def test_inputs_and_outputs_are_those_of_the_contract(action: str) -> None:
    assert set(document(action)["inputs"]) == set(INPUTS[action].split())
    assert set(document(action)["outputs"]) == set(OUTPUTS[action].split())


def test_every_other_action_is_pinned_by_commit_and_says_its_version(action: str) -> None:
    lines = [
        line.strip() for line in text(action).splitlines() if line.strip().startswith(("uses:", "- uses:"))
    ]
    assert len(lines) == sum("uses" in step for step in steps(action))
    for line in lines:
        assert re.fullmatch(
            r"uses: actions/(upload|download)-artifact@[0-9a-f]{40} # v\d+\.\d+\.\d+", line
        ), line


def test_no_expression_is_part_of_a_script(action: str) -> None:
    for name, step in scripts(action):
        assert "${{" not in step["run"], name


def test_no_input_is_part_of_an_expression_that_becomes_code(action: str) -> None:
    """A shell, a directory or a condition made of an input would be code or a path of somebody else's."""
    for each in steps(action):
        assert "${{" not in str(each.get("shell", "")), each["name"]
        assert "working-directory" not in each, each["name"]


def test_the_shell_takes_neither_functions_nor_files_from_the_environment(action: str) -> None:
    for name, step in scripts(action):
        assert step["shell"] == SHELL, name
        nested = re.findall(r'"\$BASH"(?! -p )', step["run"])
        assert not nested, name


def test_what_is_loaded_before_us_is_nothing_wherever_a_key_or_a_token_is(action: str) -> None:
    """All steps but the one that runs the user's command, whose environment is the user's."""
    for name, step in scripts(action):
        if (action, name) in {("record", "Record"), ("record", "Name the artifact")}:
            continue
        assert {each: step["env"].get(each) for each in LOADED_BEFORE_US} == dict.fromkeys(
            LOADED_BEFORE_US, ""
        ), name


def test_what_may_take_long_is_not_below_a_shell_that_signals_would_end_alone(action: str) -> None:
    for name, step in scripts(action):
        last = step["run"].rstrip().splitlines()[-1].strip()
        only_writes_outputs = name in {"Name the artifact", "Look for links"}
        assert last.startswith("exec ") or only_writes_outputs, name


def test_every_output_of_a_step_that_is_used_is_written_by_it(action: str) -> None:
    written = {each["id"]: _written(action, each) for each in steps(action) if "id" in each}
    used = re.findall(r"steps\.([\w-]+)\.outputs\.([\w-]+)", text(action))
    assert used
    assert {(step_id, output) for step_id, output in used if output not in written[step_id]} == set()


def _written(action: str, step: Document) -> set[str]:
    """What the command line writes under --github, and `name=` in the scripts that a step runs."""
    by_command = WRITTEN.get((action, step["name"]), set())
    code = step["run"]
    for place in re.findall(r'"\$GITHUB_ACTION_PATH/([\w./-]+)"', code):
        code += (CHECKOUT / action / place).read_text()
    assert not by_command or re.search(r"--github|-m intoto_action\.cli\.job_cosign", code), step["name"]
    return by_command | set(re.findall(r"(?:'|\\n|\")([a-z][a-z0-9-]+)(?:=|\": )", code))


def test_every_input_reaches_a_step_or_says_that_it_does_not(action: str) -> None:
    for name, settings in document(action)["inputs"].items():
        used = bool(re.search(rf"inputs\.{name}\b", text(action)))
        assert used == ((action, name) not in GIVEN_TO_NOTHING), name
        assert used == ("given to nothing" not in settings["description"]), name
        assert used or "default" not in settings, name


def test_only_the_step_that_asks_a_registry_holds_the_token_of_the_job() -> None:
    for action, name in (("record", ""), ("attach", "Attach"), ("verify", "Verify")):
        for each in steps(action):
            told = str({**each, "name": ""})
            holds = re.search(r"inputs\.github-token|github\.token|secrets\.", told)
            assert bool(holds) == (each["name"] == name), each["name"]


def test_only_inputs_that_exist_are_used(action: str) -> None:
    assert set(re.findall(r"inputs\.([\w-]+)", text(action))) <= set(document(action)["inputs"])


def test_recording_sets_every_variable_that_the_command_line_reads() -> None:
    """An earlier step can set variables of a job; one that is set here, empty or not, is not theirs."""
    read = variables(record) | {"INTOTO_ACTION_RECORD_COMMAND", "INTOTO_ACTION_RECORD_SHELL"}
    assert read - step("record", "Record")["env"].keys() == set()


def test_an_input_of_record_defaults_to_a_variable_of_the_job_unless_it_is_about_credentials() -> None:
    for name in document("record")["inputs"]:
        variable = f"INTOTO_ACTION_RECORD_{name.upper().replace('-', '_')}"
        expressions = set(re.findall(rf"inputs\.{name} \|\| env\.(\w+)", text("record")))
        if name in INPUTS_ONLY:
            assert not expressions, name
        else:
            assert expressions == {variable}, name


@pytest.mark.parametrize("name", ["Look at who signs", "Sign"])
def test_signing_sets_every_variable_that_the_command_line_reads(name: str) -> None:
    assert (variables(sign) | {"SIGSTORE_ID_TOKEN"}) - step("record", name)["env"].keys() == set()


def test_what_is_looked_at_before_the_command_is_what_is_signed_with_after_it() -> None:
    before, after = (step("record", name)["env"] for name in ("Look at who signs", "Sign"))
    same = {"INTOTO_ACTION_WORKING_DIRECTORY", "INTOTO_ACTION_ALLOW_PUBLIC_LOG"}
    same |= {name for name in after if name.startswith("INTOTO_ACTION_SIGN_")}
    for name in same - {"INTOTO_ACTION_SIGN_EXPECT", "INTOTO_ACTION_SIGN_PASSWORD_ENV"}:
        assert before[name] == after[name], name


def test_only_the_step_that_signs_sees_the_key() -> None:
    for action, name in (("record", "Sign"), ("attach", "Attach")):
        for each in steps(action):
            values = each.get("env", {}).values()
            holds = re.search(r"\{\{ inputs\.key(-password)? \}\}", " ".join(map(str, values)))
            assert bool(holds) == (each["name"] == name), each["name"]


def test_the_step_that_runs_the_command_drops_what_a_token_is_asked_for_with() -> None:
    assert (
        "unset -v ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN"
        in step("record", "Record")["run"]
    )


@pytest.mark.parametrize(("action", "command"), [("attach", attach), ("verify", verify)])
def test_a_verifier_takes_everything_from_inputs_and_nothing_else(
    action: str, command: click.Command
) -> None:
    prefix = f"INTOTO_ACTION_{action.upper()}_"
    env = step(action, action.capitalize())["env"]
    for name in document(action)["inputs"]:
        if name in {"key", "key-password"}:
            continue
        value = env[prefix + name.upper().replace("-", "_")]
        assert WITHHELD.get((action, name), value) == value
        assert (action, name) in WITHHELD or value.startswith("${{ inputs." + name), name
    assert not variables(command), "and then the action must set them all"


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("attach/attach.sh", attach),
        ("verify/verify.sh", verify),
        ("record/prepare.sh", sign),
        ("record/sign.sh", sign),
    ],
)
def test_a_flag_that_an_action_passes_on_exists(script: str, command: click.Command) -> None:
    passed = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", _code(CHECKOUT / script)))
    assert passed - flags(command) == AWAITED[script.partition("/")[0]]


def test_what_loosens_a_rule_is_a_literal_on_the_command_line_and_asked_for_by_an_input() -> None:
    for script in ("record/prepare.sh", "record/sign.sh"):
        for flag in ("sign-pull-requests", "allow-public-log"):
            variable = f"INTOTO_ACTION_{flag.upper().replace('-', '_')}"
            assert f'flag --{flag} "${variable}"\n' in (CHECKOUT / script).read_text()
    for name in ("Look at who signs", "Sign"):
        env = step("record", name)["env"]
        assert env["INTOTO_ACTION_SIGN_PULL_REQUESTS"] == "${{ inputs.sign-pull-requests }}"
        assert env["INTOTO_ACTION_ALLOW_PUBLIC_LOG"] == "${{ inputs.allow-public-log }}"


def test_no_action_loosens_a_check() -> None:
    for path in (*CHECKOUT.glob("**/action.yml"), *CHECKOUT.glob("*/*.sh"), CHECKOUT / "Dockerfile"):
        assert not re.search(r"--no-verify|--force|--allow-http", _code(path)), path


CONTAINER = "."
"""The root action, which is `attach` and `verify` in a container."""


def test_the_container_action_has_the_inputs_and_outputs_of_attach_and_verify() -> None:
    both = set(INPUTS["attach"].split()) | set(INPUTS["verify"].split())
    assert set(document(CONTAINER)["inputs"]) == both | {"verb", "runner-paths"}
    assert set(document(CONTAINER)["outputs"]) == {*OUTPUTS["attach"].split(), *OUTPUTS["verify"].split()}


def test_the_container_reads_the_inputs_that_are_declared_and_no_others() -> None:
    """The runner sets those over what an earlier step set, and another variable INPUT_… would be that step's."""
    assert set(container_action.INPUTS) == set(document(CONTAINER)["inputs"])
    assert set(container_action.ATTACH) == set(INPUTS["attach"].split())
    assert set(container_action.VERIFY) == set(INPUTS["verify"].split())


def test_an_input_of_the_container_has_the_default_that_it_has_without_one() -> None:
    defaults = {
        name: settings["default"]
        for each in ("attach", "verify")
        for name, settings in document(each)["inputs"].items()
        if "default" in settings
    }
    found = {
        name: each["default"] for name, each in document(CONTAINER)["inputs"].items() if "default" in each
    }
    del found["runner-paths"]
    assert found == defaults


def test_no_input_is_part_of_what_the_container_runs() -> None:
    """Nor can `with: args` be, which the runner takes where an action has none of its own."""
    runs = document(CONTAINER)["runs"]
    assert set(runs) == {"using", "image", "entrypoint", "args"}
    assert "${{" not in json.dumps(runs)
    assert runs["args"][:-1] == ["-I", "-X", "utf8", "-m"]
    assert runs["args"][-1] == container_action.__name__


def _code(path: Path) -> str:
    """A script without its comments."""
    return "\n".join(line for line in path.read_text().splitlines() if not line.strip().startswith("#"))
