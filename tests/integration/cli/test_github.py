"""`verify --github` and `attach --github`: what the runner of a job gets."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.parts.desk import Desk, Ended
from tests.parts.hostile_registry import HostileRegistry, log_in
from tests.parts.hostile_registry import Reply as RegistryReply
from tests.parts.images import sha256

from intoto_action.cli.details import MOST, tell_details
from intoto_action.formats.oci import BUNDLE, OCI_MANIFEST
from intoto_action.github.outputs import parse_outputs


@dataclass
class Job:
    """A desk in a job: its files, and its variables, which are those of the run of the chain."""

    desk: Desk

    def __post_init__(self) -> None:
        self.temporary.mkdir()
        github = self.desk.chain.link("build").link.environment["github"]
        assert isinstance(github, dict)
        self.environ = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(self.temporary / "outputs"),
            "GITHUB_STEP_SUMMARY": str(self.temporary / "summary"),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": github["repository"],
            "GITHUB_SHA": github["sha"],
            "GITHUB_RUN_ID": github["run_id"],
            "RUNNER_TEMP": str(self.temporary),
        }

    @property
    def temporary(self) -> Path:
        return self.desk.directory / "runner"

    def attach(self, *words: str, environ: Mapping[str, str] | None = None) -> Ended:
        return self.desk.attach("--github", *words, environ={**self.environ, **(environ or {})})

    def verify(self, *words: str, environ: Mapping[str, str] | None = None) -> Ended:
        return self.desk.verify("--github", *words, environ={**self.environ, **(environ or {})})

    @property
    def outputs(self) -> dict[str, str]:
        path = self.temporary / "outputs"
        return parse_outputs(path.read_bytes(), str(path)) if path.exists() else {}

    @property
    def summary(self) -> str:
        path = self.temporary / "summary"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def job(desk: Desk) -> Job:
    return Job(desk)


def annotations(ended: Ended) -> list[str]:
    return [line for line in ended.err.splitlines() if line.startswith("::")]


def test_what_was_attached_is_told_and_then_verified(job: Job) -> None:
    ended = job.attach()
    assert ended.code == 0, ended
    outputs = dict(job.outputs)
    evidence = Path(outputs.pop("evidence-path"))
    assert evidence.parent.parent == job.temporary / "in-toto"
    assert "mediaType" in json.loads(evidence.read_text())
    assert outputs.keys() == {"image", "referrer"}
    assert outputs["image"] == job.desk.shelf.digest
    assert ended.out == f"attached {outputs['referrer']} to {outputs['image']}\n"
    assert "### Attached" in job.summary and "```mermaid" in job.summary

    assert job.verify().code == 0
    outputs = dict(job.outputs)
    report = Path(outputs.pop("report-path"))
    assert json.loads(report.read_text())["verdict"] == "pass"
    assert outputs["image"] == job.desk.shelf.digest
    assert (outputs["verdict"], outputs["reason"], outputs["failed-step"]) == ("pass", "", "")
    assert "### PASS" in job.summary


def test_a_denial_is_an_annotation_and_a_summary(job: Job) -> None:
    ended = job.verify()
    assert ended.code == 1
    (line,) = annotations(ended)
    assert line.startswith("::error title=no-attestation ")
    assert (job.outputs["verdict"], job.outputs["reason"]) == ("deny", "no-attestation")
    assert "### DENIED&#58; no-attestation" in job.summary
    (line,) = annotations(job.verify("--on-deny", "warn"))
    assert line.startswith("::warning title=no-attestation ")


def test_the_report_goes_where_it_is_asked_for(job: Job) -> None:
    job.verify("--report", "x.md")
    assert job.outputs["report-path"] == str(job.desk.directory / "x.md")
    assert "DENIED" in (job.desk.directory / "x.md").read_text()


def test_wrong_words_are_an_annotation_and_no_verdict(job: Job) -> None:
    ended = job.verify("--layout-key", "nowhere.pub", "--on-deny", "warn")
    assert ended.code == 2
    (line,) = annotations(ended)
    assert line.startswith("::error title=intoto-action::") and "nowhere.pub" in line
    assert job.outputs == {}


def test_nothing_of_the_environment_changes_a_verdict_even_under_github(job: Job) -> None:
    names = (
        "ON_DENY",
        "LAYOUT",
        "LAYOUT_KEY",
        "ATTESTER",
        "SAME_AS",
        "SUBJECT_STEP",
        "BUNDLE",
        "REPORT",
        "GITHUB",
    )
    loose = {f"INTOTO_ACTION_VERIFY_{name}": "warn" for name in names}
    assert job.verify(environ=loose).code == 1
    assert job.desk.verify(environ=loose | job.environ).code == 1
    assert len(list(job.temporary.glob("outputs"))) == 1


def test_without_github_nothing_is_handed_to_a_runner(job: Job) -> None:
    ended = job.desk.verify(environ=job.environ)
    assert ended.code == 1 and not annotations(ended)
    assert job.desk.attach(environ={**job.environ, "GITHUB_RUN_ID": "6"}).code == 0
    assert job.outputs == {} and job.summary == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [("GITHUB_RUN_ID", "6"), ("GITHUB_SHA", "b" * 40), ("GITHUB_REPOSITORY", "mallory/app")],
)
def test_links_of_another_run_are_attached_only_when_asked(job: Job, name: str, value: str) -> None:
    loose = {name: value, "INTOTO_ACTION_ATTACH_OTHER_RUNS": "true"}
    ended = job.attach(environ=loose)
    assert ended.code == 2
    (line,) = annotations(ended)
    assert "expected links of this run" in line
    assert job.outputs == {}
    assert job.desk.verify().code == 1
    assert job.attach("--other-runs", environ=loose).code == 0


def test_what_verify_would_deny_is_not_attached_and_the_summary_says_why(job: Job) -> None:
    build = job.desk.chain.link("build")
    (job.desk.directory / "links" / build.file_name).unlink()
    ended = job.attach()
    assert ended.code == 1
    (line,) = annotations(ended)
    assert line.startswith("::error title=link-missing ")
    assert "### Not attached" in job.summary
    assert job.outputs == {}


def test_a_job_that_names_no_directory_for_files_is_none(job: Job) -> None:
    ended = job.verify(environ={"RUNNER_TEMP": ""})
    assert ended.code == 2 and "RUNNER_TEMP" in ended.err


def test_one_line_says_that_all_is_well_and_the_rest_is_folded(job: Job) -> None:
    assert job.attach().code == 0
    lines = job.verify().out.splitlines()
    assert lines[0] == f"PASS · {job.desk.shelf.digest}"
    assert lines[1] == "::group::What was verified" and lines[-1] == "::endgroup::"
    assert not any(line.lstrip().startswith("::") for line in lines[2:-1])
    assert any("signed by" in line for line in lines[2:-1])


def test_what_is_denied_is_never_folded(job: Job) -> None:
    assert "::group::" not in job.verify().out


@pytest.mark.parametrize(("verb", "heading"), [("attach", "Not attached"), ("verify", "Not verified")])
def test_what_keeps_a_verb_from_its_work_is_in_the_summary(job: Job, verb: str, heading: str) -> None:
    ended = getattr(job, verb)("--layout-key", "nowhere|`x`.pub")
    assert ended.code == 2
    assert job.summary.startswith(f"\n### {heading}\n\n")
    assert "nowhere&#124;&#96;x&#96;" in job.summary


def test_a_registry_that_is_away_is_in_outputs_annotations_and_the_summary(job: Job) -> None:
    nobody = "127.0.0.1:9/octo/app:1.0"
    given = ("--layout-key", "owner.pub", "--timeout", "1", "--github", "--on-deny", "warn")
    ended = job.desk.run("verify", nobody, *given, environ=job.environ)
    assert ended.code == 3
    assert (job.outputs["verdict"], job.outputs["reason"]) == ("error", "registry-error")
    (line,) = annotations(ended)
    assert line.startswith("::error title=registry-error ") and "docs/reason-codes.md#registry-error" in line
    assert "### ERROR&#58; registry-error" in job.summary and "127&#46;0&#46;0&#46;1&#58;9" in job.summary
    words = ("attach", nobody, "--layout", "root.layout", "--link-dir", "links", "--key", "owner.pem")
    ended = job.desk.run(*words, "--timeout", "1", "--github", environ=job.environ)
    assert ended.code == 3
    (line,) = annotations(ended)
    assert "docs/reason-codes.md#registry-error" in line
    assert "### Not attached" in job.summary


class TestDetails:
    """RUNNER_DEBUG=1, which GitHub sets for the secret ACTIONS_STEP_DEBUG."""

    def details(self, job: Job, registry: HostileRegistry, **environ: str) -> list[str]:
        log_in(job.temporary / "home", registry.address, password="s3cret-word")
        given = ("--layout-key", "owner.pub", "--timeout", "20", "--github")
        variables = {**job.environ, "DOCKER_CONFIG": str(job.temporary / "home"), **environ}
        ended = job.desk.run("verify", f"{registry.address}/octo/app:1.0", *given, environ=variables)
        assert ended.code == 1
        assert "s3cret-word" not in ended.err and "Basic" not in ended.err
        return [line for line in ended.err.splitlines() if line.startswith("::debug::")]

    @pytest.fixture
    def registry(self, job: Job) -> Iterator[HostileRegistry]:
        with HostileRegistry() as registry:
            registry.put(job.desk.shelf.content, "1.0")
            bundle = job.desk.chain.bundle()
            referrer = json.dumps(msgspec.to_builtins(job.desk.shelf.referrer(bundle))).encode()
            registry.keep_manifest(sha256(referrer), referrer)
            registry.documents[f"/v2/octo/app/blobs/{sha256(bundle)}"] = RegistryReply(body=bundle)
            described = {"mediaType": OCI_MANIFEST, "digest": sha256(referrer), "size": len(referrer)}
            registry.keep_referrers(job.desk.shelf.digest, [{**described, "artifactType": BUNDLE}])
            yield registry

    def test_they_are_requests_and_candidates_and_never_a_secret(
        self, job: Job, registry: HostileRegistry
    ) -> None:
        told = self.details(job, registry, RUNNER_DEBUG="1")
        assert any(
            f"::debug::GET http://{registry.address}/v2/octo/app/manifests/1.0: 200," in line for line in told
        )
        (candidate,) = (line for line in told if line.startswith("::debug::attestation sha256:"))
        assert candidate.endswith(": deny, subject-unbound")

    @pytest.mark.parametrize("value", ["", "0", "true"])
    def test_nobody_is_told_who_did_not_ask(self, job: Job, registry: HostileRegistry, value: str) -> None:
        assert self.details(job, registry, RUNNER_DEBUG=value) == []

    def test_a_line_is_one_line_and_there_are_not_more_than_somebody_reads(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tell_details({"RUNNER_DEBUG": "1"})
        log = logging.getLogger("intoto_action.tests")
        try:
            log.debug("a%sb", "\n::error::x%0A\x1b[31m")
            for number in range(MOST + 5):
                log.debug("%d", number)
        finally:
            logging.getLogger("intoto_action").handlers = []
            logging.getLogger("intoto_action").setLevel(logging.NOTSET)
        lines = capsys.readouterr().err.splitlines()
        assert lines[0] == "::debug::a\\n::error::x%250A\\x1b[31mb"
        assert (len(lines), lines[-1]) == (MOST + 1, "::debug::more is not told")
