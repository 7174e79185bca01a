"""A chain without a key: layout, links and evidence signed by identities through the command line, and verified."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import pytest
from tests.parts.attached import Shelf
from tests.parts.desk import Ended, run
from tests.parts.github_job import GitHubJob
from tests.parts.loopback import HANG, Asked, Loopback, Reply, refusal
from tests.parts.sigstore import SIGSTORE, PrivateSigstore
from tests.parts.tuf_mirror import TufMirror

pytestmark = pytest.mark.needs(*SIGSTORE)
BUILD = GitHubJob()
OWNER = GitHubJob(repository="octo/policy", workflow="layout.yml", owner_id="65", repository_id="75")
OTHER = GitHubJob(workflow="other.yml")
ARTIFACT = "ghcr.io/octo/app"
LAYOUT = """\
expires: 6 months
functionaries:
  builder: {{repository: octo/app, workflow: build.yml, ref: refs/heads/main, issuer: "{issuer}"}}
source: {{repository: "https://github.com/octo/app", refs: [refs/heads/main]}}
subject: {{step: push, artifact: "oci:{artifact}"}}
steps:
  - name: push
    functionaries: [builder]
"""


@dataclass
class Bench:
    """A directory with a layout.yaml and an image, and a Sigstore."""

    directory: Path
    sigstore: PrivateSigstore
    shelf: Shelf

    def run(self, *words: str, job: GitHubJob | None = None, environ: dict[str, str] | None = None) -> Ended:
        here = environ if environ is not None else self.sigstore.environ(job) if job else {}
        return run(*words, cwd=self.directory, environ=here)

    def keyless(self, *words: str, job: GitHubJob = BUILD, trust_config: Path | None = None) -> Ended:
        return self.run(
            *words, "--keyless", "--sigstore", str(trust_config or self.sigstore.trust_config), job=job
        )

    def do(self, *words: str, job: GitHubJob = BUILD) -> Ended:
        ended = self.keyless(*words, job=job)
        assert ended.code == 0, ended
        return ended

    def layout(self) -> None:
        self.do("layout", "sign", "layout.yaml", job=OWNER)

    def link(self) -> None:
        product = f"oci:{ARTIFACT}@{self.shelf.digest}"
        front = ("record", "--keyless", "--sigstore", str(self.sigstore.trust_config))
        words = ("--step-name", "push", "--products", product, "--link-dir", "links", "--", "true")
        ended = self.run(*front, *words, job=BUILD)
        assert ended.code == 0, ended

    def attach(self, *words: str, job: GitHubJob = BUILD, trust_config: Path | None = None) -> Ended:
        given = ("attach", self.shelf.word, "--layout", "root.layout", "--link-dir", "links")
        return self.keyless(
            *given, "--layout-key", self.identity(OWNER), *words, job=job, trust_config=trust_config
        )

    def verify(self, *words: str, owner: GitHubJob = OWNER) -> Ended:
        given = ("verify", self.shelf.word, "--layout-key", self.identity(owner))
        return self.run(*given, "--sigstore", str(self.sigstore.trusted_root), *words)

    def identity(self, job: GitHubJob) -> str:
        return f"identity={job.identity},issuer={self.sigstore.issuer}"


@pytest.fixture
def bench(tmp_path: Path, sigstore: PrivateSigstore) -> Bench:
    made = Bench(tmp_path, sigstore, Shelf(tmp_path / "images"))
    (tmp_path / "layout.yaml").write_text(LAYOUT.format(issuer=sigstore.issuer, artifact=ARTIFACT))
    return made


def test_a_chain_that_identities_signed_passes(bench: Bench) -> None:
    bench.layout()
    bench.link()
    ended = bench.attach()
    assert ended.code == 0, ended
    assert ended.out.startswith("attached sha256:")
    verified = bench.verify()
    assert verified.code == 0, verified


def test_each_verb_prints_who_signed_as_it_goes_into_a_layout(bench: Bench) -> None:
    layout = bench.do("layout", "sign", "layout.yaml", job=OWNER)
    bench.link()
    attached = bench.attach()
    for ended, job in ((layout, OWNER), (attached, BUILD)):
        assert f"    identity: {job.identity}\n    issuer: {bench.sigstore.issuer}\n" in ended.err
        assert "# Goes below functionaries" not in ended.out


def test_a_layout_of_another_identity_does_not(bench: Bench) -> None:
    bench.layout()
    bench.link()
    assert bench.attach().code == 0
    ended = bench.verify(owner=OTHER)
    assert ended.code == 1
    assert "layout-signature" in ended.out + ended.err


def test_what_verify_would_deny_is_not_pushed(bench: Bench) -> None:
    bench.layout()
    bench.link()
    ended = bench.attach("--layout-key", bench.identity(OTHER), "--layout-threshold", "2")
    assert ended.code == 1
    assert bench.shelf.store().referrers(bench.shelf.image).descriptors == ()


def test_a_second_owner_signs_the_layout_and_the_first_one_only_once(bench: Bench) -> None:
    bench.layout()
    again = bench.keyless("layout", "sign", "--append", "layout.yaml", job=OWNER)
    assert again.code == 2
    assert "has not signed this layout yet" in again.err
    bench.do("layout", "sign", "--append", "layout.yaml", job=OTHER)
    bench.link()
    assert bench.attach("--layout-key", bench.identity(OTHER), "--layout-threshold", "2").code == 0


def test_an_attester_may_be_an_identity(bench: Bench) -> None:
    bench.layout()
    bench.link()
    assert bench.attach("--attester", bench.identity(OTHER), job=OTHER).code == 0
    assert bench.verify("--attester", bench.identity(OTHER)).code == 0
    assert bench.verify("--attester", bench.identity(BUILD)).code == 1


@pytest.mark.parametrize("verb", ["layout", "attach"])
def test_a_sigstore_that_is_away_leaves_nothing_behind(bench: Bench, tmp_path: Path, verb: str) -> None:
    def run(trust_config: Path) -> Ended:
        if verb == "layout":
            words = ("layout", "sign", "-o", "other.layout", "layout.yaml", "--signing-timeout", "2")
            return bench.keyless(*words, trust_config=trust_config)
        return bench.attach("--signing-timeout", "2", trust_config=trust_config)

    bench.layout()
    bench.link()
    folder = tmp_path / "behind"
    folder.mkdir()
    with bench.sigstore.behind(folder, rekor=repeat(refusal(502, "no upstream"))) as behind:
        ended = run(behind.trust_config)
    assert ended.code == 3
    assert "error: sigstore-unavailable: the log" in ended.err
    assert "HTTP 502: no upstream" in ended.err
    assert not (bench.directory / "other.layout").exists()
    assert bench.shelf.store().referrers(bench.shelf.image).descriptors == ()


class Closed:
    """A registry that wants to know who asks."""

    def answer(self, asked: Asked) -> Reply:
        return Reply(401, headers={"WWW-Authenticate": 'Basic realm="it"'})


@pytest.mark.parametrize("verb", ["attach", "verify"])
def test_a_credential_helper_gets_neither_a_token_nor_the_right_to_ask_for_one(
    bench: Bench, tmp_path: Path, verb: str
) -> None:
    bench.layout()
    bench.link()
    helper = tmp_path / "docker-credential-planted"
    helper.write_text(f"""#!/bin/sh\nenv > {tmp_path}/seen\necho '{{"Username": "a", "Secret": "b"}}'\n""")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text('{"credsStore": "planted"}')
    token = bench.sigstore.token(BUILD)
    environ = bench.sigstore.environ(BUILD) | {
        "DOCKER_CONFIG": str(tmp_path),
        "MY_TOKEN": token,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    words = ["--sigstore", str(bench.sigstore.trust_config), "--layout-key", bench.identity(OWNER)]
    words += ["--identity-token", token, "--timeout", "5"]
    if verb == "attach":
        words += ["--keyless", "--layout", "root.layout", "--link-dir", "links"]
    else:
        words += ["--vsa-key", "keyless:"]
    with Loopback(Closed()) as registry:
        image = f"{registry.url.removeprefix('http://')}/octo/app:1"
        assert bench.run(verb, image, *words, environ=environ).code == 3
    seen = (tmp_path / "seen").read_text()
    assert "DOCKER_CONFIG=" in seen
    assert token not in seen
    assert environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] not in seen


def test_nothing_that_attach_does_is_taken_from_the_environment(bench: Bench) -> None:
    bench.layout()
    bench.link()
    given = ("attach", bench.shelf.word, "--layout", "root.layout", "--link-dir", "links")
    for prefix in ("INTOTO_ACTION_ATTACH", "INTOTO_ACTION"):
        here = bench.sigstore.environ(BUILD) | {
            f"{prefix}_KEYLESS": "true",
            f"{prefix}_SIGSTORE": str(bench.sigstore.trust_config),
            f"{prefix}_ALLOW_PUBLIC_LOG": "true",
        }
        ended = bench.run(*given, environ=here)
        assert ended.code == 2
        assert "expected --key KEY" in ended.err


def test_a_sigstore_of_ones_own_is_found_by_its_repository_and_looked_at_once(
    bench: Bench, tmp_path: Path
) -> None:
    targets = {
        "trusted_root.json": bench.sigstore.trusted_root.read_bytes(),
        "signing_config.v0.2.json": bench.sigstore.signing_config.read_bytes(),
    }
    bench.layout()
    bench.link()
    with TufMirror(targets) as mirror:
        (tmp_path / "tuf-root.json").write_bytes(mirror.first_root)
        by_url = ("--sigstore", mirror.url, "--sigstore-root", "tuf-root.json")
        home = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": ""}
        given = ("attach", bench.shelf.word, "--layout", "root.layout", "--link-dir", "links", "--keyless")
        words = (*given, "--layout-key", bench.identity(OWNER), *by_url)
        ended = bench.run(*words, environ=bench.sigstore.environ(BUILD) | home)
        assert ended.code == 0, ended
        assert mirror.asked.count("timestamp.json") == 1
        mirror.reply = HANG
        verify = ("verify", bench.shelf.word, "--layout-key", bench.identity(OWNER), *by_url)
        ended = bench.run(*verify, "--timeout", "8", environ=home)
        assert ended.code == 0, ended
        assert "is taken as it was kept here, signed for use until " in ended.err
        ended = bench.run(*verify, "--timeout", "8", environ=home | {"HOME": str(tmp_path / "elsewhere")})
        assert ended.code == 3
        assert f"looking into the TUF repository {mirror.url} was not finished within" in ended.out
