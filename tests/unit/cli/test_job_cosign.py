"""Which cosign a job's attach gets: its own, the pinned release, or none; and what is said of it."""

import hashlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.parts.forge import Forge
from tests.parts.keyless_signer import trust_root
from tests.parts.loopback import Asked, Loopback, Reply

from intoto_action.attach.cosign_release import Release, file_for
from intoto_action.cli.job_cosign import main
from intoto_action.github.outputs import parse_outputs

FILE = file_for(platform.system(), platform.machine())
BINARY = b"#!/bin/sh\necho genuine\n"
IDENTITY, ISSUER = "releaser@example.test", "https://accounts.example.test"


@dataclass
class Job:
    folder: Path
    url: str
    forge: Forge
    replies: dict[str, Reply]

    @property
    def environ(self) -> dict[str, str]:
        temporary = self.folder / "temp"
        temporary.mkdir(exist_ok=True)
        output = str(self.folder / "output")
        return {"RUNNER_TEMP": str(temporary), "GITHUB_OUTPUT": output, "PATH": "/usr/bin:/bin"}

    def sign(self, data: bytes) -> None:
        bundle = self.forge.sign(data, identity=IDENTITY, issuer=ISSUER).bundle
        self.replies[f"/{FILE}.sigstore.json"] = Reply(body=bundle)

    def find(self, *words: str) -> int:
        digests = {FILE: hashlib.sha256(BINARY).hexdigest()}
        release = Release(
            version="3.1.2", base_url=self.url, identity=IDENTITY, issuer=ISSUER, digests=digests
        )
        return main(words, self.environ, release=release, open_root=lambda: trust_root(self.forge))

    def own(self, version: str) -> Path:
        """A cosign of the job's, beside another command."""
        path = self.folder / "bin" / "cosign"
        path.parent.mkdir()
        path.write_text(f'#!/bin/sh\necho \'{{"gitVersion": "{version}"}}\'\n')
        path.chmod(0o755)
        (path.parent / "other").touch()
        return path

    @property
    def output(self) -> str:
        return parse_outputs((self.folder / "output").read_bytes(), "output")["cosign"]


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


@pytest.fixture
def job(forge: Forge, tmp_path: Path) -> Iterator[Job]:
    replies: dict[str, Reply] = {}

    class Site:
        def answer(self, asked: Asked) -> Reply:
            return replies.get(asked.path, Reply(404))

    with Loopback(Site()) as server:
        job = Job(tmp_path, server.url, forge, replies)
        replies[f"/{FILE}"] = Reply(body=BINARY)
        job.sign(BINARY)
        yield job


def test_a_cosign_of_the_job_is_taken_and_nothing_that_lies_beside_it(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    own = job.own("v3.1.0")
    assert job.find(str(own)) == 0
    command = Path(job.output)
    assert command.resolve() == own
    assert list(command.parent.iterdir()) == [command]
    assert command.is_relative_to(job.folder / "temp")
    assert capsys.readouterr().out == f"cosign is {own}\n"


@pytest.mark.parametrize("version", ["v3.1.0", "v2.4.3"], ids=["the job's", "fetched"])
def test_what_an_earlier_step_left_there_is_not_put_before_the_path(job: Job, version: str) -> None:
    own = str(job.own(version))
    assert job.find(own) == 0
    known = Path(job.output).parent
    for place in (known, known.parent / "cosign-3.1.2", known.parent / "cosign-of-the-job"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "docker-credential-evil").touch()
    assert job.find(own) == 0
    command = Path(job.output)
    assert list(command.parent.iterdir()) == [command]


def test_an_old_cosign_of_the_job_is_passed_over_for_the_release(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert job.find(str(job.own("v2.4.3"))) == 0
    command = Path(job.output)
    assert command.read_bytes() == BINARY
    assert command.is_relative_to(job.folder / "temp")
    said = capsys.readouterr().out
    assert "'v2.4.3' is too old" in said
    assert said.endswith("cosign 3.1.2 was fetched from its release, and is what its authors signed\n")
    assert said.count("\n") == 1


def test_a_job_that_cannot_fetch_it_goes_on_and_is_told_once(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    job.replies.clear()
    assert job.find() == 0
    assert job.output == ""
    said = capsys.readouterr().out
    assert said.startswith(f"cosign cannot be fetched: fetching {job.url}/{FILE}.sigstore.json: expected 200")
    assert said.endswith("attach writes to the registry itself, and what it writes is the same\n")
    assert said.count("\n") == 1


def test_what_is_not_the_release_fails_the_job_and_is_no_reason_to_go_on(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    job.sign(b"another file")
    assert job.find() == 2
    assert not (job.folder / "output").exists()
    assert list((job.folder / "temp").iterdir()) == []
    said = capsys.readouterr().out
    assert said.startswith(f"::error title=cosign::{job.url}/{FILE}.sigstore.json: expected a signature over")
    assert "Nothing of it was run" in said
    assert said.endswith(" (docs/reason-codes.md#wrong-place)\n")


def test_outside_of_a_job_it_says_what_is_missing(
    job: Job, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([], {"GITHUB_OUTPUT": str(tmp_path / "output")}) == 2
    assert "RUNNER_TEMP" in capsys.readouterr().out
