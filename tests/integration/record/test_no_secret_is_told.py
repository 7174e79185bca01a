"""Whatever fails: no token and no key stands in what is printed or written, a traceback that was asked for included."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

import pytest
from tests.parts.github_job import GitHubJob
from tests.parts.loopback import Asked, Loopback, Reply, refusal
from tests.parts.oidc_issuer import OidcIssuer
from tests.parts.recording import Recorder
from tests.parts.sigstore import SIGSTORE, PrivateSigstore

pytestmark = pytest.mark.needs(*SIGSTORE)
JOB = GitHubJob()
WORDS = ("--signing-timeout", "2", "--products", "out", "--", "touch", "out")
AS_ITSELF = "from intoto_action.cli.main import main"
WITH_A_FAULT_OF_OURS = f"""
import intoto_action.keys.certified as certified
class Fault(Exception): pass
def fail(token, *_):
    secret = token.secret
    try:
        raise ValueError("something that nobody expects")
    except ValueError as error:
        raise Fault("and something else") from error
certified.check_token = fail
{AS_ITSELF}
"""


@dataclass
class Echo:
    """A service that fails, and says in its error all that it was asked with."""

    status: int
    asked: list[Asked] = field(default_factory=list)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        return refusal(self.status, f"you sent {dict(asked.headers)} {asked.body.decode(errors='replace')}")


@dataclass
class Run:
    """Runs that fail, all tokens that were made meanwhile, and what came of it."""

    recorder: Recorder
    sigstore: PrivateSigstore
    secrets: set[str] = field(default_factory=set)
    said: str = ""

    def __call__(
        self, environ: dict[str, str], *words: str, config: Path | None = None, program: str = AS_ITSELF
    ) -> int:
        home = self.recorder.base.parent / "home"
        home.mkdir(exist_ok=True)
        environ = {
            **self.recorder.environ,
            **environ,
            "INTOTO_ACTION_DEBUG": "1",
            "HOME": str(home),
            "TMPDIR": str(home),
        }
        self.secrets |= {value for name, value in environ.items() if name.endswith("TOKEN") and value}
        front = ["record", "--step-name", "build", "--link-dir", str(self.recorder.links), "--keyless"]
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"{program}\nmain()",
                *front,
                "--sigstore",
                str(config or self.sigstore.trust_config),
                *words,
            ],
            cwd=self.recorder.base,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.said = done.stdout + done.stderr
        self._look()
        return done.returncode

    def _look(self) -> None:
        written = [
            path
            for path in self.recorder.base.parent.rglob("*")
            if path.is_file() and path != self.recorder.key
        ]
        texts = {str(path): path.read_bytes().decode(errors="replace") for path in written}
        texts["what was printed"] = self.said
        assert self.secrets
        for place, text in texts.items():
            assert "PRIVATE KEY" not in text, place
            for secret in self.secrets:
                for part in {secret, *secret.split(".")}:
                    assert len(part) < 16 or part not in text, place


@pytest.fixture
def fails(recorder: Recorder, sigstore: PrivateSigstore, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = Run(recorder, sigstore)
    make = OidcIssuer.token

    def token(*given: object) -> str:
        made: str = make(*given)  # type: ignore[arg-type]  # as they came
        header, payload, signature = made.split(".")
        run.secrets |= {made, f"{header}.{payload}", payload, signature}
        return made

    monkeypatch.setattr(OidcIssuer, "token", token)
    return run


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
@pytest.mark.parametrize("service", ["fulcio", "rekor", "tsa"])
def test_a_service_that_repeats_what_it_was_asked_with(
    fails: Run, tmp_path: Path, service: str, status: int
) -> None:
    with Loopback(echo := Echo(status)) as loopback:
        config = tmp_path / "config.json"
        url = getattr(fails.sigstore.services, service)
        config.write_text(fails.sigstore.trust_config.read_text().replace(url, loopback.url))
        assert fails(fails.sigstore.environ(JOB), *WORDS, config=config) in {2, 3}
    assert echo.asked
    assert "you sent" in fails.said


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_token_server_that_repeats_what_it_was_asked_with(fails: Run, status: int) -> None:
    with Loopback(echo := Echo(status)) as loopback:
        here = fails.sigstore.environ(JOB) | {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{loopback.url}/?a=b"}
        assert fails(here, *WORDS) == 3
    assert echo.asked
    assert "you sent" in fails.said


def failing(
    change: Callable[[Run], dict[str, str]], *words: str
) -> tuple[Callable[[Run], dict[str, str]], tuple[str, ...]]:
    return change, words


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        failing(
            lambda run: run.sigstore.environ(JOB),
            "--expected-identity",
            "https://github.com/o/r@refs/heads/x",
        ),
        failing(lambda run: run.sigstore.environ(JOB, born=-3600)),
        failing(lambda run: run.sigstore.environ(JOB, born=3600)),
        failing(lambda run: run.sigstore.environ(JOB, audience="other")),
        failing(lambda run: run.sigstore.environ(JOB, claims={"iat": None})),
        failing(lambda run: run.sigstore.environ(JOB, claims={"exp": "soon"})),
        failing(lambda run: run.sigstore.environ(JOB, claims={"iss": "https://elsewhere.example"})),
        failing(lambda run: {"SIGSTORE_ID_TOKEN": run.sigstore.token(JOB, born=-3600)}),
        failing(lambda run: {"SIGSTORE_ID_TOKEN": run.sigstore.token(JOB)[:-40]}),
        failing(lambda run: {"SIGSTORE_ID_TOKEN": f"{run.sigstore.token(JOB)}.more"}),
        failing(lambda run: {"SIGSTORE_ID_TOKEN": "ghp_16C7e42F292c6912E7710c838347Ae178B4a"}),
        failing(
            lambda run: {"INTOTO_ACTION_RECORD_IDENTITY_TOKEN": run.sigstore.token(JOB, audience="other")}
        ),
    ],
)
def test_a_token_that_is_not_good(
    fails: Run, environ: Callable[[Run], dict[str, str]], words: tuple[str, ...]
) -> None:
    assert fails(environ(fails), *words, *WORDS) in {2, 3}
    assert "error: " in fails.said


def test_a_token_on_the_command_line_that_is_not_good(fails: Run) -> None:
    token = fails.sigstore.token(JOB, audience="other")
    assert fails({}, "--identity-token", token, *WORDS) == 2
    assert fails({}, f"--identity-token={token}", "--phase", "backwards", *WORDS) == 2


def test_a_command_that_holds_a_token_makes_no_link(fails: Run) -> None:
    token = fails.sigstore.token(JOB)
    for name in ("SIGSTORE_ID_TOKEN", "INTOTO_ACTION_RECORD_IDENTITY_TOKEN"):
        assert fails({name: token}, "--", "true", token) == 2
        assert f"the value of the environment variable {name}" in fails.said


@pytest.mark.parametrize("reply", [Reply(200, b"<html>"), Reply(200, b"{}"), refusal(503)])
def test_services_that_say_nothing_of_use(fails: Run, tmp_path: Path, reply: Reply) -> None:
    for service in ("fulcio", "rekor", "tsa"):
        with fails.sigstore.behind(tmp_path, **{service: repeat(reply)}) as behind:
            assert fails(fails.sigstore.environ(JOB), *WORDS, config=behind.trust_config) == 3


def test_a_fault_of_ours_that_is_looked_into(fails: Run) -> None:
    assert fails(fails.sigstore.environ(JOB), *WORDS, program=WITH_A_FAULT_OF_OURS) == 1
    assert "something that nobody expects" in fails.said
    assert "Traceback" in fails.said
    assert "secret = token.secret" not in fails.said


def test_a_signed_link_holds_no_token_either(fails: Run) -> None:
    assert fails(fails.sigstore.environ(JOB), *WORDS) == 0
    assert [path.suffix for path in fails.recorder.links.iterdir()] == [".link"]
