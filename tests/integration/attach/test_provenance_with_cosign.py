"""Provenance on an image of a real registry: cosign reads ours, and we read what cosign wrote."""

import base64
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.parts.desk import Desk, Ended, desk_at
from tests.parts.github_job import GitHubJob
from tests.parts.images import push_image
from tests.parts.provenance import JOB, by_github
from tests.parts.registries import RunningRegistry
from tests.parts.sigstore import SIGSTORE, PrivateSigstore
from tests.parts.tools import tool

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import Reference
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry

REGISTRIES = ["ghcr_like_registry", "referrers_registry"]
SOURCE = ("--source-repository", "https://github.com/octo/app", "--source-ref", "refs/heads/main")


@dataclass(frozen=True)
class Pushed:
    """The desk's image in a registry."""

    desk: Desk
    image: str
    environ: Mapping[str, str]
    same_as: tuple[str, str]

    def attach(self, *words: str) -> Ended:
        given = ("attach", self.image, "--layout", "root.layout", "--link-dir", "links", *self.same_as)
        keys = ("--layout-key", "owner.pub", "--key", "owner.pem")
        return self.desk.run(*given, *keys, *words, environ=self.environ)

    def verify(self, *words: str) -> Ended:
        given = ("verify", self.image, "--layout-key", "owner.pub", *self.same_as, *words)
        return self.desk.run(*given, environ=self.environ)

    def cosign(
        self, *words: str | Path, environ: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        argv = [str(tool("cosign")), *map(str, words), "--allow-http-registry", self.image]
        return subprocess.run(
            argv,
            cwd=self.desk.directory,
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def predicate_seen_by_cosign(self, *words: str | Path) -> dict[str, object]:
        """The statement that `cosign verify-attestation` prints; it has to verify one."""
        done = self.cosign("verify-attestation", *words)
        assert done.returncode == 0, done.stderr
        (line,) = done.stdout.splitlines()
        payload: dict[str, object] = json.loads(base64.b64decode(json.loads(line)["payload"]))
        return payload


@pytest.fixture
def pushed(tmp_path: Path) -> Callable[[RunningRegistry], Pushed]:
    def push(registry: RunningRegistry) -> Pushed:
        desk = desk_at(tmp_path / "desk")
        name = f"octo/{tmp_path.name.replace('_', '-').strip('-').lower()}"
        path = f"{tool('cosign').parent}{os.pathsep}{os.environ['PATH']}"
        environ = {**os.environ, **registry.environ(tmp_path), "PATH": path}
        reference = Reference(registry.address, name, "1.0")
        store = open_store(reference, deadline=Deadline(60), environ=environ)
        assert isinstance(store, Registry)
        push_image(store, desk.shelf.content, "1.0")
        image = f"{registry.address}/{name}@{desk.shelf.digest}"
        return Pushed(desk, image, environ, ("--same-as", f"{registry.address}/{name}=ghcr.io/octo/app"))

    (tmp_path / "desk").mkdir()
    return push


@pytest.fixture(scope="session")
def used_sigstore(sigstore: PrivateSigstore, tmp_path_factory: pytest.TempPathFactory) -> PrivateSigstore:
    """An instance whose log has an entry: cosign leaves the index of the first one (0) out, which others demand."""
    folder = tmp_path_factory.mktemp("first-entry")
    (folder / "blob").write_text("first")
    services = ("--signing-config", sigstore.signing_config, "--trusted-root", sigstore.trusted_root)
    argv = [tool("cosign"), "sign-blob", "--yes", "--bundle", folder / "bundle", *services, folder / "blob"]
    environ = {**sigstore.environ(), "HOME": str(folder)}
    subprocess.run([str(each) for each in argv], env=environ, capture_output=True, timeout=120, check=True)
    return sigstore


@pytest.mark.needs("cosign", "crane", "registry")
@pytest.mark.parametrize("push_with", ["cosign", "native"])
@pytest.mark.parametrize("name", REGISTRIES)
def test_cosign_verifies_provenance_by_a_key(
    request: pytest.FixtureRequest,
    pushed: Callable[[RunningRegistry], Pushed],
    name: str,
    push_with: str,
) -> None:
    there = pushed(request.getfixturevalue(name))
    told = ("--builder-id", JOB.identity, *SOURCE, "--link-dir", "links", "-o", "provenance.json")
    assert there.desk.run("provenance", there.image, *told, environ=there.environ).code == 0
    ended = there.attach("--provenance", "provenance.json", "--push-with", push_with)
    assert ended.code == 0, ended
    seen = there.predicate_seen_by_cosign(
        "--type", "slsaprovenance1", "--key", "owner.pub", "--insecure-ignore-tlog"
    )
    assert seen == json.loads((there.desk.directory / "provenance.json").read_text())
    stranger = there.cosign(
        *("verify-attestation", "--type", "slsaprovenance1"),
        *("--key", "scan.pub", "--insecure-ignore-tlog"),
    )
    assert stranger.returncode != 0
    assert there.verify(*SOURCE, "--builder-id", JOB.identity).code == 0
    assert there.verify("--source-repository", "https://github.com/evil/app").code == 1


@pytest.mark.needs("cosign", "crane")
def test_cosign_verifies_the_older_form(
    ghcr_like_registry: RunningRegistry, pushed: Callable[[RunningRegistry], Pushed]
) -> None:
    there = pushed(ghcr_like_registry)
    told = ("--builder-id", JOB.identity, *SOURCE, "--slsa-version", "0.2", "-o", "provenance.json")
    assert there.desk.run("provenance", there.image, *told, environ=there.environ).code == 0
    assert there.attach("--provenance", "provenance.json").code == 0
    seen = there.predicate_seen_by_cosign(
        "--type", "slsaprovenance02", "--key", "owner.pub", "--insecure-ignore-tlog"
    )
    assert seen["_type"] == "https://in-toto.io/Statement/v0.1"
    assert there.verify(*SOURCE, "--builder-id", JOB.identity).code == 0


@pytest.mark.needs("cosign", "crane", *SIGSTORE)
def test_provenance_that_a_job_attests_with_cosign_is_demanded_beside_our_evidence(
    ghcr_like_registry: RunningRegistry,
    pushed: Callable[[RunningRegistry], Pushed],
    used_sigstore: PrivateSigstore,
) -> None:
    there = pushed(ghcr_like_registry)
    assert there.attach().code == 0
    trust = ("--sigstore", str(used_sigstore.trust_config))
    assert "provenance-missing" in there.verify(*SOURCE, *trust).out
    _attest(there, used_sigstore, GitHubJob(repository="evil/app"), by_github(JOB)["predicate"])
    assert "provenance-mismatch" in there.verify(*SOURCE, *trust).out
    _attest(there, used_sigstore, JOB, by_github(JOB)["predicate"])
    passed = there.verify(*SOURCE, "--builder-id", JOB.identity, *trust)
    assert passed.code == 0, passed.out
    assert JOB.identity in passed.out
    other = there.verify(*SOURCE, "--builder-id", GitHubJob(workflow="release.yml").identity, *trust)
    assert (other.code, "provenance-mismatch" in other.out) == (1, True)


@pytest.mark.needs("cosign", "crane", *SIGSTORE)
def test_a_pull_request_that_attests_what_the_branch_would_say_is_denied(
    ghcr_like_registry: RunningRegistry,
    pushed: Callable[[RunningRegistry], Pushed],
    used_sigstore: PrivateSigstore,
) -> None:
    there = pushed(ghcr_like_registry)
    assert there.attach().code == 0
    _attest(there, used_sigstore, GitHubJob.pull_request(sha=JOB.sha), by_github(JOB)["predicate"])
    denied = there.verify(*SOURCE, "--sigstore", str(used_sigstore.trust_config))
    assert denied.code == 1
    assert "refs/pull/7/merge, as its certificate says" in denied.out


def _attest(there: Pushed, sigstore: PrivateSigstore, job: GitHubJob, predicate: object) -> None:
    (there.desk.directory / "predicate.json").write_text(json.dumps(predicate))
    services = ("--signing-config", sigstore.signing_config, "--trusted-root", sigstore.trusted_root)
    words = ("attest", "--yes", "--type", "slsaprovenance1", "--predicate", "predicate.json", *services)
    done = there.cosign(*words, environ=sigstore.environ(job))
    assert done.returncode == 0, done.stderr
