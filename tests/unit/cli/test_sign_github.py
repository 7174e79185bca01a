"""`sign --github`: what the runner gets, and the rules for what is proposed and for secrets that are not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.parts.chain import Chain

from intoto_action.cli.main import main
from intoto_action.formats.link import Link, encode_link
from intoto_action.github.outputs import parse_outputs
from intoto_action.keys.keygen import generate

PAYLOAD = encode_link(Link("build", ["make"], {}, {}, {"return-value": 0}, {}))
DIGEST = f"sha256:{hashlib.sha256(PAYLOAD).hexdigest()}"
PAIR = generate("ed25519", None)
SIGNED = f"build.{PAIR.public.keyid[:8]}.link"


@dataclass
class Job:
    """The files of a job, and its variables."""

    folder: Path

    def __post_init__(self) -> None:
        self.link.parent.mkdir()
        self.link.write_bytes(PAYLOAD)
        self.environ = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_OUTPUT": str(self.folder / "outputs"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "INTOTO_ACTION_SIGN_KEY": "env:INTOTO_ACTION_SIGNING_KEY",
            "INTOTO_ACTION_SIGN_STEP_NAME": "build",
            "INTOTO_ACTION_SIGNING_KEY": PAIR.private_pem.decode(),
        }

    @property
    def link(self) -> Path:
        return self.folder / "links" / "build.link-unsigned"

    def sign(self, *words: str, environ: Mapping[str, str] | None = None) -> Result:
        given = ["sign", "--github", "--expect", DIGEST, *words, str(self.link)]
        return CliRunner().invoke(main, given, env={**self.environ, **(environ or {})})

    def check(self, *words: str, environ: Mapping[str, str] | None = None) -> Result:
        return CliRunner().invoke(
            main, ["sign", "--check", "--github", *words], env={**self.environ, **(environ or {})}
        )

    @property
    def outputs(self) -> dict[str, str]:
        path = self.folder / "outputs"
        return parse_outputs(path.read_bytes(), str(path)) if path.exists() else {}

    @property
    def summary(self) -> str:
        path = self.folder / "summary"
        return path.read_text() if path.exists() else ""

    def fork(self) -> dict[str, str]:
        event = self.folder / "event.json"
        repositories = {
            "head": {"repo": {"full_name": "mallory/app"}},
            "base": {"repo": {"full_name": "o/a"}},
        }
        event.write_text(json.dumps({"pull_request": repositories}))
        return {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event)}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_the_outputs_of_a_signed_link(job: Job) -> None:
    ended = job.sign()
    assert ended.exit_code == 0, ended.stderr
    path = job.link.parent / SIGNED
    assert ended.stdout == f"{path}\n"
    outputs = dict(job.outputs)
    signer = outputs.pop("signer")
    assert signer.splitlines()[-1] == f"NAME: {{key: {PAIR.public.keyid[:8]}.pub}}"
    assert outputs == {"link-path": str(path), "link-sha256": DIGEST, "signed": "true"}
    assert "**Signed**" in job.summary and DIGEST in job.summary.replace("&#58;", ":")
    assert signer.splitlines()[-1] in job.summary


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "merge_group"])
def test_nothing_is_signed_for_what_is_proposed_unless_asked(job: Job, event: str) -> None:
    environ = {"GITHUB_EVENT_NAME": event}
    ended = job.sign(environ=environ)
    assert ended.exit_code == 0
    assert ended.stdout == f"{job.link}\n"
    assert ended.stderr.startswith("::notice title=intoto-action::") and event in ended.stderr
    assert job.outputs == {
        "link-path": str(job.link),
        "link-sha256": DIGEST,
        "signed": "false",
        "signer": "",
    }
    assert job.link.read_bytes() == PAYLOAD
    assert "**Not signed**" in job.summary
    assert job.sign("--sign-pull-requests", environ=environ).exit_code == 0
    assert job.outputs["signed"] == "true"


def test_no_variable_lets_a_pull_request_sign(job: Job) -> None:
    names = ("SIGN_PULL_REQUESTS", "SIGN_SIGN_PULL_REQUESTS", "RECORD_SIGN_PULL_REQUESTS")
    loose = {f"INTOTO_ACTION_{name}": "true" for name in names}
    job.sign(environ={"GITHUB_EVENT_NAME": "pull_request", **loose})
    assert job.outputs["signed"] == "false"


def test_a_link_that_was_changed_is_an_error_for_what_is_proposed_too(job: Job) -> None:
    job.link.write_bytes(PAYLOAD + b" ")
    ended = job.sign(environ={"GITHUB_EVENT_NAME": "pull_request"})
    assert ended.exit_code == 2
    assert "the link was changed" in ended.stderr
    assert job.outputs == {}


def test_an_error_is_one_annotation_and_the_usage_is_not_in_it(job: Job) -> None:
    ended = job.sign("--if-no-credentials", "no\n::set-output name=signed::true")
    assert ended.exit_code == 2
    usage, error = ended.stderr.splitlines()
    assert usage.startswith("Usage:")
    assert error.startswith("::error title=intoto-action::") and "\\n::set-output" in error


def test_without_github_an_error_is_a_line_for_a_person(job: Job) -> None:
    ended = CliRunner().invoke(
        main, ["sign", "--expect", DIGEST, str(job.link)], env={"GITHUB_ACTIONS": "true"}
    )
    assert ended.exit_code == 2
    assert ended.stderr.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize("verb", ["sign", "check"])
def test_a_key_that_is_not_there_says_which_input_and_why(job: Job, verb: str) -> None:
    act = job.check if verb == "check" else job.sign
    ended = act(environ={"INTOTO_ACTION_SIGNING_KEY": " "})
    assert ended.exit_code == 2
    (error,) = (line for line in ended.stderr.splitlines() if line.startswith("::error"))
    assert "the input key is empty" in error and "${{ secrets.NAME }}" in error
    assert job.outputs == {}


def test_a_fork_that_is_to_sign_is_told_why_it_cannot(job: Job) -> None:
    ended = job.check("--sign-pull-requests", environ={"INTOTO_ACTION_SIGNING_KEY": "", **job.fork()})
    assert ended.exit_code == 2
    assert "a pull request from a fork gets no secrets" in ended.stderr


def test_a_key_that_is_not_there_may_leave_the_link_unsigned(job: Job) -> None:
    environ = {"INTOTO_ACTION_SIGNING_KEY": ""}
    assert job.check("--if-no-credentials", "unsigned", environ=environ).exit_code == 0
    assert job.outputs == {"sign": "false"}
    assert job.sign("--if-no-credentials", "unsigned", environ=environ).exit_code == 0
    assert job.outputs["signed"] == "false"


def test_a_check_opens_no_key_and_says_that_it_will_be_signed(job: Job) -> None:
    ended = job.check(environ={"INTOTO_ACTION_SIGNING_KEY": "given"})
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "", "")
    assert job.outputs == {"sign": "true"}


def test_a_check_refuses_what_signing_would(job: Job) -> None:
    assert "found both" in job.check("--keyless").stderr
    assert "leave --expect and LINK out" in job.check("--expect", DIGEST).stderr
    nobody = job.check(environ={"INTOTO_ACTION_SIGN_KEY": ""})
    assert nobody.exit_code == 2 and "who signs?" in nobody.stderr
    keyless = job.check("--keyless", environ={"INTOTO_ACTION_SIGN_KEY": ""})
    assert keyless.exit_code == 2 and "id-token: write" in keyless.stderr


def test_signing_needs_a_link_and_what_it_must_be(job: Job) -> None:
    ended = CliRunner().invoke(main, ["sign", "--github", str(job.link)], env=job.environ)
    assert ended.exit_code == 2 and "--expect" in ended.stderr
    ended = CliRunner().invoke(main, ["sign", "--github", "--expect", DIGEST], env=job.environ)
    assert ended.exit_code == 2 and "LINK" in ended.stderr
    assert job.link.read_bytes() == PAYLOAD


def test_the_layout_is_held_against_the_step_before_and_against_the_signer_after(job: Job) -> None:
    layout = job.folder / "root.layout"
    layout.write_bytes(Chain().sealed_layout())
    ended = job.check("--layout", str(layout), environ={"INTOTO_ACTION_SIGN_STEP_NAME": "bild"})
    assert ended.exit_code == 2 and "did you mean" in ended.stderr
    assert job.check("--layout", str(layout)).exit_code == 0
    ended = job.sign("--layout", str(layout))
    assert ended.exit_code == 2
    assert "expected a functionary of step 'build'" in ended.stderr
    assert job.outputs["signed"] == "false" and job.outputs["link-path"] == str(job.link)
    assert job.link.read_bytes() == PAYLOAD


def test_a_password_that_is_wrong_leaves_the_link_and_says_so(job: Job) -> None:
    locked = generate("ed25519", b"right").private_pem.decode()
    environ = {"INTOTO_ACTION_SIGNING_KEY": locked, "INTOTO_ACTION_SIGN_PASSWORD_ENV": "P", "P": "wrong"}
    ended = job.sign(environ=environ)
    assert ended.exit_code == 2
    assert job.outputs["signed"] == "false"
    assert "**Not signed**" in job.summary and "password" in job.summary
    assert job.summary.endswith("<code>docs/reason-codes&#46;md&#35;wrong-key</code>\n")


def test_a_job_without_a_file_for_outputs_is_none(job: Job) -> None:
    ended = job.check(environ={"GITHUB_OUTPUT": ""})
    assert ended.exit_code == 2 and "GITHUB_OUTPUT" in ended.stderr
