"""A job of GitHub Actions: the script, outputs both ways, and the rules for pull requests."""

import json
import os
from pathlib import Path

import pytest
from tests.parts.recording import Recorder

from intoto_action.github.outputs import parse_outputs

D = "ab" * 32


@pytest.fixture
def outputs(recorder: Recorder) -> Path:
    temporary = recorder.base.parent / "runner"
    temporary.mkdir()
    path = temporary / "outputs"
    path.touch()
    recorder.environ.update(
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_OUTPUT": str(path),
            "GITHUB_STATE": "",
            "RUNNER_TEMP": str(temporary),
        }
    )
    return path


def read(path: Path) -> dict[str, str]:
    return parse_outputs(path.read_bytes(), str(path))


def test_the_action_gets_its_outputs(recorder: Recorder, outputs: Path) -> None:
    products = (
        "--products",
        f"oci:ghcr.io/o/app@sha256:{D}",
        "--products",
        f"oci:ghcr.io/o/app@sha256:{D}#linux/arm64",
    )
    done = recorder("--github", *products, "--", "true")
    assert done.returncode == 0, done.stderr
    (link,) = recorder.links.iterdir()
    found = read(outputs)
    assert found["image"] == f"ghcr.io/o/app@sha256:{D}"
    assert found["link-path"] == str(link)
    assert found["link-sha256"].startswith("sha256:")
    assert (found["signed"], found["return-value"], found["outputs"], found["state"]) == (
        "true",
        "0",
        "{}",
        "",
    )
    assert "BEGIN PUBLIC KEY" in found["signer"] and "NAME: {key: " in found["signer"]


def test_the_command_has_outputs_of_its_own_which_are_handed_back(recorder: Recorder, outputs: Path) -> None:
    first = 'echo "image=evil" >>"$GITHUB_OUTPUT"; echo "s=1" >>"$GITHUB_STATE"'
    script = first + '; printf "a<<E\\nx\\ny\\nE\\n" >>"$GITHUB_OUTPUT"'
    assert recorder("--github", "--", "sh", "-c", script).returncode == 0
    found = read(outputs)
    assert found["image"] == ""
    assert json.loads(found["outputs"]) == {"image": "evil", "a": "x\ny"}


def test_an_output_cannot_end_the_heredoc_that_holds_it(recorder: Recorder, outputs: Path) -> None:
    script = "printf 'a<<E\\nghadelimiter_x\\nsigned=true\\nE\\n' >>\"$GITHUB_OUTPUT\"; exit 3"
    assert recorder("--github", "--", "sh", "-c", script).returncode == 3
    found = read(outputs)
    assert (found["signed"], found["return-value"], found["link-path"]) == ("false", "3", "")


def test_outputs_that_the_runner_would_refuse_are_told(recorder: Recorder, outputs: Path) -> None:
    done = recorder("--github", "--", "sh", "-c", 'echo nonsense >>"$GITHUB_OUTPUT"')
    assert done.returncode == 2
    assert "name=value" in done.stderr
    found = read(outputs)
    (link,) = recorder.links.iterdir()
    assert (found["outputs"], found["signed"], found["link-path"]) == ("{}", "true", str(link))


def test_the_outputs_are_there_when_the_step_cannot_be_recorded_after_the_command(
    recorder: Recorder, outputs: Path
) -> None:
    done = recorder("--github", "--products", "none", "--", "sh", "-c", 'echo "a=b" >>"$GITHUB_OUTPUT"')
    assert done.returncode == 2
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("::error"))
    assert "--products none: nothing matches it" in error
    found = read(outputs)
    assert json.loads(found["outputs"]) == {"a": "b"}
    assert (found["return-value"], found["signed"], found["link-path"]) == ("0", "false", "")


def test_nothing_is_said_of_a_command_that_never_ran(recorder: Recorder, outputs: Path) -> None:
    assert recorder("--github", "--products", "oci:ghcr.io/o/app:1", "--", "true").returncode == 2
    assert read(outputs) == {}


def test_the_summary_says_what_was_recorded_and_who_signed(recorder: Recorder, outputs: Path) -> None:
    summary = outputs.parent / "summary"
    recorder.environ["GITHUB_STEP_SUMMARY"] = str(summary)
    script = "echo '# of the command' >>\"$GITHUB_STEP_SUMMARY\""
    assert recorder("--github", "--", "sh", "-c", script).returncode == 0
    told = summary.read_text()
    assert told.startswith("# of the command\n\n### Recorded: step <code>")
    assert "**Signed**" in told and read(outputs)["signer"].splitlines()[-1] in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--products", "none", "--", "true"), "nothing matches it"),
        (("--", "false"), "the command ended with 1"),
    ],
)
def test_the_summary_says_why_there_is_no_link(
    recorder: Recorder, outputs: Path, words: tuple[str, ...], said: str
) -> None:
    summary = outputs.parent / "summary"
    recorder.environ["GITHUB_STEP_SUMMARY"] = str(summary)
    assert recorder("--github", *words).returncode != 0
    assert "### Not recorded: step <code>" in summary.read_text() and said in summary.read_text()


def test_the_script_of_a_workflow_runs_as_the_runner_runs_it(recorder: Recorder, outputs: Path) -> None:
    script = "set -o | grep -E 'errexit|pipefail'\necho \"it's $((1 + 1))\"\nfalse\necho unreachable\n"
    environ = {"INTOTO_ACTION_RECORD_COMMAND": script}
    done = recorder("--github", "--record-failure", environ=environ)
    assert done.returncode == 1
    assert [line.split()[1] for line in done.stdout.splitlines()[:2]] == ["on", "on"]
    assert "it's 2" in done.stdout and "unreachable" not in done.stdout
    assert recorder.link()["command"] == ["bash", script]
    assert sorted(os.listdir(outputs.parent)) == ["outputs"]


def test_another_shell_runs_the_script(recorder: Recorder, outputs: Path) -> None:
    environ = {"INTOTO_ACTION_RECORD_COMMAND": "print(6 * 7)", "INTOTO_ACTION_RECORD_SHELL": "python3 -I {0}"}
    done = recorder("--github", environ=environ)
    assert done.stdout == "42\n"
    assert recorder.link()["command"] == ["python3 -I {0}", "print(6 * 7)"]


def test_a_command_and_a_script_are_one_too_many(recorder: Recorder, outputs: Path) -> None:
    done = recorder("--github", "--", "touch", "ran", environ={"INTOTO_ACTION_RECORD_COMMAND": "true"})
    assert done.returncode == 2
    assert not (recorder.base / "ran").exists()


def test_without_github_the_variable_of_the_script_is_nothing(recorder: Recorder) -> None:
    done = recorder("--materials", ".", environ={"INTOTO_ACTION_RECORD_COMMAND": "touch ran"})
    assert done.returncode == 2
    assert not (recorder.base / "ran").exists()


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "pull_request_review"])
def test_nothing_is_signed_in_pull_requests_unless_asked(
    recorder: Recorder, outputs: Path, event: str
) -> None:
    environ = {"GITHUB_EVENT_NAME": event}
    done = recorder("--github", "--", "true", environ=environ)
    assert done.returncode == 0
    assert event in done.stderr
    assert read(outputs)["signed"] == "false"
    assert not list(recorder.links.glob("*.link"))
    assert recorder("--github", "--sign-pull-requests", "--", "true", environ=environ).returncode == 0
    assert read(outputs)["signed"] == "true"


def test_the_command_line_alone_signs_in_pull_requests_as_told(recorder: Recorder, outputs: Path) -> None:
    assert recorder("--", "true", environ={"GITHUB_EVENT_NAME": "pull_request"}).returncode == 0
    assert list(recorder.links.glob("*.link"))


def test_a_missing_secret_leaves_the_link_unsigned_when_that_is_wanted(
    recorder: Recorder, outputs: Path
) -> None:
    words = ("--github", "--if-no-credentials", "unsigned", "--", "true")
    done = recorder(*words, key="env:SIGNING_KEY", environ={"SIGNING_KEY": ""})
    assert done.returncode == 0, done.stderr
    assert "SIGNING_KEY" in done.stderr
    assert read(outputs)["signed"] == "false"


def test_the_state_of_a_started_step_is_an_output(recorder: Recorder, outputs: Path) -> None:
    recorder.write("src/a")
    done = recorder("--github", "--phase", "start", "--materials", "src", key="")
    assert done.returncode == 0, done.stderr
    assert read(outputs)["state"] == done.stdout.strip()


def test_a_job_without_a_file_for_outputs_is_told(recorder: Recorder) -> None:
    done = recorder("--github", "--", "true")
    assert done.returncode == 2
    assert "GITHUB_OUTPUT" in done.stderr
