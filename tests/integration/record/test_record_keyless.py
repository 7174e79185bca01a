"""Recording a step that an identity signs: on a Sigstore of real parts, and when these fail after the work is done."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.parts.desk import Ended, run
from tests.parts.github_job import GitHubJob
from tests.parts.loopback import HANG, Reply, refusal
from tests.parts.recording import Recorder
from tests.parts.sigstore import SIGSTORE, PrivateSigstore

from intoto_action.formats.certificate import Certificate
from intoto_action.formats.envelope import PAYLOAD_TYPE, Signature, encode_dsse, parse_envelope
from intoto_action.formats.identity import Identity, identity_of
from intoto_action.formats.key import Key, public_key_from_pem
from intoto_action.formats.layout import Layout, Step, encode_layout
from intoto_action.trust.keyless import TrustRoot
from intoto_action.trust.signature import check_signature

pytestmark = pytest.mark.needs(*SIGSTORE)
JOB = GitHubJob()
TOUCH = ("--products", "out", "--", "touch", "out")


@dataclass
class Job:
    """A job that records, on a Sigstore."""

    recorder: Recorder
    sigstore: PrivateSigstore

    def __call__(
        self,
        *words: str,
        job: GitHubJob = JOB,
        environ: dict[str, str] | None = None,
        trust_config: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        config = str(trust_config or self.sigstore.trust_config)
        here = self.sigstore.environ(job) if environ is None else environ
        return self.recorder("--keyless", "--sigstore", config, *words, key="", environ=here)

    @property
    def links(self) -> list[str]:
        return (
            sorted(each.name for each in self.recorder.links.iterdir())
            if self.recorder.links.exists()
            else []
        )

    @property
    def signed_by(self) -> Certificate:
        """Whose certificate is good for the one signed link."""
        (path,) = self.recorder.links.glob("*.link")
        envelope = parse_envelope(path.read_bytes(), str(path))
        root = TrustRoot(self.sigstore.trusted_root.read_bytes(), "the private Sigstore")
        certificate = root.certificate_of(envelope, envelope.signatures[0], str(path))
        assert certificate is not None
        return certificate

    def key(self, job: GitHubJob = JOB) -> Identity:
        return identity_of(job.identity, self.sigstore.issuer)

    def layout(self, *keys: Key) -> Path:
        """A layout with the step and these functionaries; nobody has signed it."""
        steps = [Step("build", [], [], [key.keyid for key in keys], [], 1)]
        layout = Layout(steps, [], {key.keyid: key.entry for key in keys}, "2050-01-01T00:00:00Z")
        path = self.recorder.base.parent / "root.layout"
        path.write_bytes(encode_dsse(PAYLOAD_TYPE, encode_layout(layout), (Signature("00", b"none"),)))
        return path


@pytest.fixture
def job(recorder: Recorder, sigstore: PrivateSigstore) -> Job:
    return Job(recorder, sigstore)


def resumed(stderr: str) -> list[str]:
    """The command that was printed ready to paste, as a shell splits it, without the name of the program."""
    (line,) = [line for line in stderr.splitlines() if line.startswith("    intoto-action sign ")]
    program, *words = shlex.split(line)
    assert program == "intoto-action"
    return words


class TestTheLink:
    def test_it_is_signed_as_the_job_and_named_by_its_exact_identity(self, job: Job) -> None:
        done = job(*TOUCH)
        assert done.returncode == 0, done.stderr
        assert job.links == [f"build.{job.key().keyid[:8]}.link"]
        assert (job.signed_by.identity, job.signed_by.issuer) == (JOB.identity, job.sigstore.issuer)
        (path,) = job.recorder.links.iterdir()
        root = TrustRoot(job.sigstore.trusted_root.read_bytes(), "it")
        assert check_signature(parse_envelope(path.read_bytes(), "it"), job.key(), root)

    def test_who_signed_is_printed_as_it_goes_into_a_layout(self, job: Job) -> None:
        called = GitHubJob(called="octo/shared/.github/workflows/build.yml@refs/tags/v1")
        done = job(*TOUCH, job=called)
        printed = done.stderr[done.stderr.index("# Goes below functionaries") :]
        assert f"\n    identity: {called.identity}\n    issuer: {job.sigstore.issuer}\n" in printed
        assert "\n    source-repository: https://github.com/octo/app\n" in printed
        assert done.stdout == ""

    def test_the_token_is_asked_for_after_the_command_and_all_that_it_left_have_ended(self, job: Job) -> None:
        seen: list[bool] = []

        def look() -> Iterator[Reply]:
            seen.append((job.recorder.base / "out").exists())
            yield from ()

        done = job(
            "--products", "out", "--", "sh", "-c", "sleep 0.3; touch out", environ=environ(job, look())
        )
        assert (done.returncode, seen) == (0, [True])

    def test_the_command_can_ask_for_no_token_and_sees_none(self, job: Job) -> None:
        here = environ(job) | {"INTOTO_ACTION_RECORD_IDENTITY_TOKEN": job.sigstore.token(JOB)}
        script = 'env; cat /proc/$PPID/environ "/proc/$(cut -d " " -f 4 /proc/$PPID/stat)/environ" | tr "\\0" "\\n"'
        done = job("--", "sh", "-c", f"{script}; true", environ=here)
        assert done.returncode == 0, done.stderr
        assert "GITHUB_SHA" in done.stdout
        for name, value in here.items():
            assert value not in done.stdout or not name.endswith("TOKEN")
        assert "ACTIONS_ID_TOKEN" not in done.stdout.replace("ACTIONS_ID_TOKEN_REQUEST_TOKEN=\n", "").replace(
            "ACTIONS_ID_TOKEN_REQUEST_URL=\n", ""
        )

    def test_a_token_on_the_command_line_is_not_there_for_the_command(self, job: Job) -> None:
        token = job.sigstore.token(JOB)
        ancestors = (
            'p=$PPID; while [ "$p" -gt 1 ]; do cat /proc/$p/cmdline; p=$(cut -d " " -f 4 /proc/$p/stat); done'
        )
        for words in (("--identity-token", token), (f"--identity-token={token}",)):
            done = job("--force", *words, "--", "sh", "-c", ancestors, environ={})
            assert done.returncode == 0, done.stderr
            assert "--identity-token" in done.stdout
            assert token not in done.stdout
        assert job.signed_by.identity == JOB.identity

    def test_a_token_in_the_variable_signs(self, job: Job) -> None:
        done = job(*TOUCH, environ={"GITLAB_CI": "true", "SIGSTORE_ID_TOKEN": job.sigstore.token(JOB)})
        assert done.returncode == 0, done.stderr
        assert job.signed_by.identity == JOB.identity

    def test_the_word_for_it_stands_where_a_key_does(self, job: Job) -> None:
        words = ("--key", "keyless:", "--sigstore", str(job.sigstore.trust_config))
        done = job.recorder(*words, *TOUCH, key="", environ=environ(job))
        assert done.returncode == 0, done.stderr

    def test_every_word_comes_from_the_environment_too(self, job: Job) -> None:
        here = environ(job) | {
            "INTOTO_ACTION_RECORD_KEYLESS": "true",
            "INTOTO_ACTION_RECORD_KEY": "",
            "INTOTO_ACTION_RECORD_SIGSTORE": str(job.sigstore.trust_config),
            "INTOTO_ACTION_RECORD_SIGNING_TIMEOUT": "30",
            "INTOTO_ACTION_RECORD_EXPECTED_IDENTITY": JOB.identity,
        }
        done = job.recorder(*TOUCH, key="", environ=here)
        assert done.returncode == 0, done.stderr
        assert job.signed_by.identity == JOB.identity

    def test_in_halves_the_second_one_signs(self, job: Job) -> None:
        before = len(job.sigstore.provider.asked)
        job.recorder.write("a", "a")
        state = job("--phase", "start", "--materials", "a").stdout.strip()
        assert len(job.sigstore.provider.asked) == before
        done = job("--phase", "stop", "--state", state)
        assert done.returncode == 0, done.stderr
        assert len(job.links) == 1


class TestBeforeTheCommand:
    def refused(
        self,
        job: Job,
        *words: str,
        environ: dict[str, str] | None = None,
        trust_config: Path | None = None,
    ) -> str:
        done = job(*words, *TOUCH, environ=environ, trust_config=trust_config)
        assert done.returncode == 2, done.stderr
        assert not (job.recorder.base / "out").exists()
        assert job.links == []
        return done.stderr

    def test_a_job_without_the_permission_is_told_the_line_to_add(self, job: Job) -> None:
        said = self.refused(job, environ=JOB.environ)
        assert "id-token: write" in said
        assert "--if-no-credentials unsigned" in said

    def test_a_fork_is_told_that_it_is_one(self, job: Job) -> None:
        said = self.refused(job, environ=fork(job))
        assert "pull request from a fork" in said
        assert "id-token" not in said

    def test_on_a_laptop_nobody_vouches(self, job: Job) -> None:
        assert "this is no CI job" in self.refused(job, environ={})

    def test_a_token_that_cannot_sign_is_refused(self, job: Job) -> None:
        said = self.refused(job, environ={"SIGSTORE_ID_TOKEN": job.sigstore.token(JOB, audience="other")})
        assert "expected a token for the audience 'sigstore', found one for 'other'" in said

    def test_a_private_repository_is_not_told_to_everybody(self, job: Job) -> None:
        event = job.recorder.base.parent / "event.json"
        event.write_text(json.dumps({"repository": {"private": True, "visibility": "private"}}))
        here = environ(job) | {"GITHUB_EVENT_PATH": str(event)}
        said = job.recorder("--keyless", *TOUCH, key="", environ=here)
        assert said.returncode == 2
        assert "this repository is private" in said.stderr
        assert "--allow-public-log" in said.stderr
        assert not (job.recorder.base / "out").exists()

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (("--expected-identity", "https://github.com/*"), "--expected-identity: expected an identity"),
            (("--sigstore", "prodution"), "did you mean 'production'?"),
            (("--sigstore", "https://tuf.example"), "expected --sigstore-root FILE"),
            (("--signing-timeout", "0"), "--signing-timeout"),
            (("--key", "key.pem"), "expected --key or --keyless, found both"),
        ],
    )
    def test_words_that_cannot_sign_are_refused(
        self, job: Job, words: tuple[str, ...], expected: str
    ) -> None:
        assert expected in self.refused(job, *words)

    def test_a_bare_trusted_root_is_refused(self, job: Job) -> None:
        assert "not known where to sign" in self.refused(job, trust_config=job.sigstore.trusted_root)

    def test_a_step_for_keys_only_is_refused(self, job: Job) -> None:
        key = public_key_from_pem(Path(f"{job.recorder.key}.pub").read_text(), "it")
        assert "found keys only" in self.refused(job, "--layout", str(job.layout(key)))


class TestWithoutCredentials:
    def test_a_fork_records_and_leaves_the_link_unsigned_when_asked_to(self, job: Job) -> None:
        done = job("--if-no-credentials", "unsigned", *TOUCH, environ=fork(job))
        assert done.returncode == 0, done.stderr
        assert job.links == ["build.link-unsigned"]
        assert "pull request from a fork" in done.stderr
        assert "so the link is not signed (--if-no-credentials unsigned)" in done.stderr

    def test_the_command_that_is_printed_signs_the_link_as_a_job(self, job: Job) -> None:
        done = job("--if-no-credentials", "unsigned", *TOUCH, environ=fork(job))
        ended = sign(job, resumed(done.stderr))
        assert (ended.code, job.links) == (0, [f"build.{job.key().keyid[:8]}.link"]), ended

    def test_where_there_are_credentials_it_signs_all_the_same(self, job: Job) -> None:
        assert job("--if-no-credentials", "unsigned", *TOUCH).returncode == 0
        assert job.links == [f"build.{job.key().keyid[:8]}.link"]


class TestInActions:
    @pytest.fixture
    def outputs(self, job: Job) -> Path:
        temporary = job.recorder.base.parent / "runner"
        temporary.mkdir()
        (temporary / "outputs").touch()
        job.recorder.environ |= {"GITHUB_OUTPUT": str(temporary / "outputs"), "RUNNER_TEMP": str(temporary)}
        return temporary / "outputs"

    def test_the_signer_is_an_output_to_paste(self, job: Job, outputs: Path) -> None:
        done = job("--github", *TOUCH)
        assert done.returncode == 0, done.stderr
        assert f"    identity: {JOB.identity}\n    issuer: {job.sigstore.issuer}\n" in outputs.read_text()

    def test_a_pull_request_signs_only_when_asked_to(self, job: Job, outputs: Path) -> None:
        request = GitHubJob.pull_request()
        assert job("--github", *TOUCH, job=request).returncode == 0
        assert job.links == ["build.link-unsigned"]
        assert job("--github", "--sign-pull-requests", *TOUCH, job=request).returncode == 0
        assert job.signed_by.identity.endswith("@refs/pull/7/merge")

    def test_a_link_that_could_not_be_signed_is_an_output_for_a_later_step(
        self, job: Job, outputs: Path, tmp_path: Path
    ) -> None:
        with job.sigstore.behind(tmp_path, fulcio=[refusal(403)]) as behind:
            assert job("--github", *TOUCH, trust_config=behind.trust_config).returncode == 2
        written = outputs.read_text()
        assert "build.link-unsigned" in written
        assert "sha256:" in written
        assert "\nfalse\n" in written


class TestAfterTheCommand:
    def test_a_link_that_the_log_did_not_take_is_kept_and_signed_later(
        self, job: Job, tmp_path: Path
    ) -> None:
        is_down = True

        def down() -> Iterator[Reply]:
            while is_down:
                yield refusal(503, "in maintenance")

        with job.sigstore.behind(tmp_path, rekor=down()) as behind:
            done = job("--signing-timeout", "2", *TOUCH, trust_config=behind.trust_config)
            assert done.returncode == 3
            assert job.links == ["build.link-unsigned"]
            said = done.stderr.splitlines()[-1]
            assert said.startswith(
                f"error: sigstore-unavailable: the log {behind.rekor.url}/api/v2: HTTP 503: in main"
            )
            words = resumed(done.stderr)
            payload = (job.recorder.links / "build.link-unsigned").read_bytes()
            is_down = False
            signed = sign(job, words)
        assert signed.code == 0, signed.err
        assert job.links == [f"build.{job.key().keyid[:8]}.link"]
        (path,) = job.recorder.links.iterdir()
        assert parse_envelope(path.read_bytes(), "it").payload == payload
        assert job.signed_by.identity == JOB.identity
        assert f"identity: {JOB.identity}" in signed.err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_link_whose_signing_is_cancelled_is_kept_and_signed_later(
        self, job: Job, tmp_path: Path, number: signal.Signals
    ) -> None:
        with job.sigstore.behind(tmp_path, rekor=[HANG]) as behind:
            words = ("--keyless", "--sigstore", str(behind.trust_config), *TOUCH)
            process = subprocess.Popen(
                job.recorder.argv(*words, key=""),
                cwd=job.recorder.base,
                env=job.recorder.environ | job.sigstore.environ(JOB),
                stderr=subprocess.PIPE,
                text=True,
            )
            until = time.monotonic() + 30
            while not behind.rekor.asked and time.monotonic() < until:
                time.sleep(0.05)
            process.send_signal(number)
            said = process.communicate(timeout=30)[1]
            assert (process.returncode, job.links) == (130, ["build.link-unsigned"]), said
            signed = sign(job, resumed(said))
        assert (signed.code, job.links) == (0, [f"build.{job.key().keyid[:8]}.link"]), signed

    def test_the_command_to_sign_later_says_all_that_was_said(self, job: Job, tmp_path: Path) -> None:
        folder = tmp_path / "it's here"
        folder.mkdir()
        with job.sigstore.behind(folder, fulcio=[refusal(403)]) as behind:
            flags = ("--allow-public-log", "--expected-identity", JOB.identity)
            words = resumed(job(*flags, *TOUCH, trust_config=behind.trust_config).stderr)
        link = job.recorder.links / "build.link-unsigned"
        assert words[:2] == ["sign", "--keyless"]
        assert words[2:4] == ["--sigstore", str(behind.trust_config)]
        assert words[4:10] == [*flags, "--step-name", "build", "--expect"]
        assert words[-1] == str(link)

    def test_a_link_of_an_earlier_run_that_waits_to_be_signed_is_not_lost(
        self, job: Job, tmp_path: Path
    ) -> None:
        with job.sigstore.behind(tmp_path, fulcio=[refusal(403), refusal(403)]) as behind:
            job("--products", "out", "--", "sh", "-c", "echo 1 > out", trust_config=behind.trust_config)
            second = job(
                "--products", "out", "--", "sh", "-c", "echo 2 > out", trust_config=behind.trust_config
            )
        assert len(job.links) == 2
        program, flag, _, _, *rest = resumed(second.stderr)
        assert sign(job, [program, flag, "--sigstore", str(job.sigstore.trust_config), *rest]).code == 0
        assert "build.link-unsigned" in job.links

    def test_another_identity_than_the_expected_one_signs_nothing(self, job: Job) -> None:
        done = job("--expected-identity", JOB.identity, *TOUCH, job=GitHubJob.tag())
        assert done.returncode == 2
        assert (
            f"--expected-identity: expected {JOB.identity}, found {GitHubJob.tag().identity}" in done.stderr
        )
        assert job.links == ["build.link-unsigned"]

    def test_an_identity_that_the_layout_does_not_name_signs_nothing_and_is_not_logged(
        self, job: Job, tmp_path: Path
    ) -> None:
        layout = job.layout(job.key(GitHubJob.tag()))
        with job.sigstore.behind(tmp_path) as behind:
            done = job("--layout", str(layout), *TOUCH, trust_config=behind.trust_config)
            assert behind.rekor.asked == []
        assert done.returncode == 2
        assert f"found {JOB.identity}" in done.stderr
        assert job.links == ["build.link-unsigned"]

    @pytest.mark.parametrize("claims", [{}, {"source-repository": "https://github.com/octo/app"}])
    def test_an_identity_that_the_layout_names_signs(self, job: Job, claims: dict[str, str]) -> None:
        pattern = "https://github.com/octo/app/.github/workflows/build.yml@refs/heads/*"
        functionary = identity_of(pattern, job.sigstore.issuer, claims)
        done = job("--layout", str(job.layout(functionary)), *TOUCH)
        assert done.returncode == 0, done.stderr
        assert len(job.links) == 1

    def test_a_claim_that_the_layout_demands_and_the_certificate_has_not_is_seen(self, job: Job) -> None:
        functionary = identity_of(JOB.identity, job.sigstore.issuer, {"source-owner-id": "9999"})
        assert job("--layout", str(job.layout(functionary)), *TOUCH).returncode == 2


def environ(job: Job, replies: Iterable[Reply] = ()) -> dict[str, str]:
    return job.sigstore.environ(JOB, replies=replies)


def fork(job: Job) -> dict[str, str]:
    """A run for a pull request from a fork: GitHub gives it no way to ask for a token."""
    event = job.recorder.base.parent / "event.json"
    sides = {"head": {"repo": {"full_name": "mallory/app"}}, "base": {"repo": {"full_name": "octo/app"}}}
    event.write_text(json.dumps({"pull_request": sides}))
    return GitHubJob.pull_request().environ | {"GITHUB_EVENT_PATH": str(event)}


def sign(job: Job, words: list[str]) -> Ended:
    return run(*words, cwd=job.recorder.base, environ=job.sigstore.environ(JOB))


def test_a_step_that_a_key_signs_imports_nothing_of_sigstore(recorder: Recorder) -> None:
    program = (
        "import sys\n"
        "from intoto_action.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print(sorted({each.split('.')[0] for each in sys.modules}))\n"
    )
    words = ["record", "--step-name", "build", "--key", str(recorder.key), "--link-dir", str(recorder.links)]
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--", "true"],
        cwd=recorder.base,
        env=recorder.environ | {"SIGSTORE_ID_TOKEN": "a token that nobody wants"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(list(recorder.links.iterdir())) == 1
    imported = set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))
    assert "intoto_action" in imported
    assert imported.isdisjoint(
        {"sigstore", "sigstore_models", "id", "pydantic", "tuf", "requests", "jwt", "in_toto"}
    )
