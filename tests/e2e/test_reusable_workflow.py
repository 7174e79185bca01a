"""build-and-attest.yml, called by a workflow of another repository: buildah builds, skopeo pushes, a runner runs it."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import run as run_command

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from make.cache import CHECKOUT
from tests.parts.desk import run as run_product
from tests.parts.github_job import GitHubJob
from tests.parts.key_material import pem, private_key
from tests.parts.registries import RunningRegistry
from tests.parts.runner import ACTIONS, REF, Ran, Runner
from tests.parts.sigstore import SIGSTORE, PrivateSigstore
from tests.parts.tools import tool

pytestmark = pytest.mark.needs("act", "git", "crane", "cosign", "buildah", "skopeo")

FILE = ".github/workflows/build-and-attest.yml"
CALLED = f"{ACTIONS}/{FILE}@{REF}"

LAYOUT = """\
expires: 6 months
functionaries:
  release: {functionary}
source: {{repository: https://github.com/octo/app, refs: [refs/heads/main]}}
subject: {{step: push, artifact: "oci:{name}"}}
steps:
  - name: checkout
    functionaries: [release]
    expected_products: ["CREATE src/*", "CREATE .git*", "CREATE in-toto/*"]
  - name: build
    functionaries: [release]
    expected_materials: ["MATCH * WITH PRODUCTS FROM checkout"]
    expected_products: ["CREATE image.tar"]
  - name: test
    functionaries: [release]
    expected_materials: ["MATCH image.tar WITH PRODUCTS FROM build", "MATCH * WITH PRODUCTS FROM checkout"]
  - name: scan
    functionaries: [release]
    expected_materials: ["MATCH image.tar WITH PRODUCTS FROM build", "MATCH * WITH PRODUCTS FROM checkout"]
    expected_products: ["CREATE report.json"]
  - name: push
    functionaries: [release]
    expected_materials: ["MATCH image.tar WITH PRODUCTS FROM build"]
"""

CALLER = """\
on: {event}
permissions: {{}}
jobs:
  release:
    permissions: {{contents: read, id-token: write, packages: write}}
    uses: {called}
    with:
      image: {name}
      tags: |
        1.0
        latest
      build: |
        env > "$KEPT/build.env"; tr '\\0' '\\n' < /proc/$PPID/environ > "$KEPT/record.env"
        buildah build --quiet --tag {tag} src
        buildah push --quiet {tag} oci-archive:image.tar
      test: {test}
      scan: {scan}
      scan-products: report.json
      layout-key: {owner}
      archive: {archive}
      {signs}
    secrets:
      {secrets}
"""


LOOKS_AT_THE_IMAGE = 'test "$(tar -tf image.tar | grep -c blobs/sha256/.)" -gt 2'


@dataclass
class Shop:
    """A repository that calls the workflow, its registry and its keys."""

    runner: Runner
    name: str
    owner: str
    secrets: dict[str, str]
    signs: str
    job: GitHubJob
    desk: Path

    def run(
        self,
        *,
        test: str = LOOKS_AT_THE_IMAGE,
        scan: str = "echo '{}' > report.json",
        archive: str = "image.tar",
    ) -> Ran:
        words = "\n      ".join(f"{name.lower()}: ${{{{ secrets.{name} }}}}" for name in self.secrets)
        words = words.replace("registry_password", "registry-password")
        workflow = CALLER.format(
            called=CALLED,
            name=self.name,
            tag=self.name.rpartition("/")[2],
            event=self.job.event,
            test=json.dumps(test),
            scan=json.dumps(scan),
            owner=json.dumps(self.owner),
            archive=archive,
            signs=self.signs,
            secrets=words or "{}",
        )
        return self.runner.run(workflow, job=self.job, secrets=self.secrets)

    def verify(self, *words: str) -> None:
        """The tag, by somebody outside. Asserts that it passes."""
        ended = run_product(
            "verify", *words, f"{self.name}:1.0", cwd=self.desk, environ={"HOME": str(self.runner.home)}
        )
        assert ended.code == 0, ended

    def crane(self, *words: str) -> str:
        environ = {**os.environ, "HOME": str(self.runner.home)}
        done = run_command([tool("crane"), *words], env=environ, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


def jobs_of_the_workflow() -> Mapping[str, Mapping[str, object]]:
    found: Mapping[str, Mapping[str, object]] = yaml.safe_load((CHECKOUT / FILE).read_text())["jobs"]
    return found


def open_shop(
    runner: Runner,
    registry: RunningRegistry,
    storage: Mapping[str, str],
    folder: Path,
    repository: str,
    functionary: str = "{key: release.pub}",
    signs: str = "",
) -> Shop:
    (runner.tools[-1] / "cosign").symlink_to(tool("cosign"))
    name = f"{registry.address}/{repository}"
    desk = folder / "desk"
    desk.mkdir()
    owner, release = private_key("p256"), private_key("ed25519")
    (desk / "owner.pem").write_bytes(owner.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (desk / "owner.pem").chmod(0o600)
    (desk / "owner.pub").write_text(pem(owner.public_key()))
    (desk / "release.pub").write_text(pem(release.public_key()))
    (desk / "layout.yaml").write_text(LAYOUT.format(name=name, functionary=functionary))
    signed = run_product("layout", "sign", "--key", "owner.pem", "layout.yaml", cwd=desk)
    assert signed.code == 0, signed
    settings = runner.home / ".config/containers/registries.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[[registry]]\nlocation = "{registry.address}"\ninsecure = true\n')
    runner.put(
        {
            "src/Dockerfile": "FROM scratch\nCOPY app /app\n",
            "src/app": "hello\n",
            ".gitignore": "image.tar\nreport.json\ndigest\n",
            "in-toto/root.layout": (desk / "root.layout").read_text(),
        }
    )
    runner.variables |= {
        name: storage[name] for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "BUILDAH_ISOLATION")
    }
    runner.token_jobs = [
        name
        for name, job in jobs_of_the_workflow().items()
        if "id-token" in dict(job["permissions"])  # type: ignore[call-overload]
    ]
    secret = release.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    secrets = {} if signs else {"KEY": secret}
    return Shop(runner, name, pem(owner.public_key()), secrets, signs, GitHubJob(called=CALLED), desk)


@pytest.fixture
def shop(
    runner: Runner,
    ghcr_like_registry: RunningRegistry,
    container_environ: Mapping[str, str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Shop]:
    repository = "octo/" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[-40:].strip("-")
    yield open_shop(runner, ghcr_like_registry, container_environ, tmp_path, repository)


def test_a_caller_gets_an_image_with_evidence_and_only_the_job_that_signs_had_a_key(
    runner: Runner,
    password_registry: RunningRegistry,
    container_environ: Mapping[str, str],
    tmp_path: Path,
) -> None:
    shop = open_shop(runner, password_registry, container_environ, tmp_path, "octo/app")
    shop.secrets["REGISTRY_PASSWORD"] = password_registry.password
    shop.signs = f"registry-username: {password_registry.username}"
    ran = shop.run()
    assert ran.succeeded, ran.log
    attached = ran.outputs("attach", "attach")
    assert re.fullmatch(rf"{re.escape(shop.name)}@sha256:[0-9a-f]{{64}}", attached["image"])
    assert attached["referrer"].startswith("sha256:")
    assert {"1.0", "latest", "run-30433642-1"} <= set(shop.crane("ls", shop.name).split())
    assert shop.crane("digest", f"{shop.name}:1.0").strip() == attached["image"].partition("@")[2]
    shop.verify("--layout-key", "owner.pub")
    for name in ("build.env", "record.env"):
        seen = (runner.kept / name).read_text()
        assert "GITHUB_JOB=build\n" in seen
        assert not any(secret in seen for secret in shop.secrets.values())
    assert "PRIVATE KEY" not in ran.log


@pytest.mark.needs(*SIGSTORE)
def test_a_caller_without_a_key_signs_as_the_workflow_that_it_called(
    runner: Runner,
    ghcr_like_registry: RunningRegistry,
    container_environ: Mapping[str, str],
    sigstore: PrivateSigstore,
    tmp_path: Path,
) -> None:
    identity = f"identity: 'https://github.com/{CALLED}', issuer: '{sigstore.issuer}'"
    shop = open_shop(
        runner,
        ghcr_like_registry,
        container_environ,
        tmp_path,
        "octo/keyless-workflow",
        functionary=f"{{{identity}, source-repository: 'https://github.com/octo/app'}}",
        signs=f"keyless: true\n      sigstore: {sigstore.trust_config}",
    )
    runner.variables_of = sigstore.environ
    ran = shop.run()
    assert ran.succeeded, ran.log
    assert f"identity: https://github.com/{CALLED}" in ran.outputs("sign-build")["signer"]
    assert "ACTIONS_ID_TOKEN" not in (runner.kept / "record.env").read_text()
    shop.verify(
        *("--layout-key", "owner.pub", "--sigstore", str(sigstore.trust_config)),
        *(
            "--source-repository",
            "https://github.com/octo/app",
            "--builder-id",
            f"https://github.com/{CALLED}",
        ),
    )


def test_an_image_that_another_job_put_in_the_place_of_the_built_one_is_denied(shop: Shop) -> None:
    swap = 'cp image.tar evil.tar; tar -rf evil.tar .gitignore; cp evil.tar "$ARTIFACTS/in-toto-image-1/image.tar"'
    ran = shop.run(test=swap)
    assert not ran.succeeded
    assert "rule-violation" in ran.log and 'step "push"' in ran.log, ran.log
    assert shop.crane("ls", shop.name).split() == ["run-30433642-1"]


def test_a_link_that_another_job_put_in_the_place_of_the_recorded_one_is_not_signed(shop: Shop) -> None:
    swap = 'sed -i "s/image.tar/other.tar/" "$ARTIFACTS/in-toto-build-1/build.link-unsigned"'
    ran = shop.run(test=swap, scan="")
    assert not ran.succeeded
    assert "the link was changed after it was recorded" in ran.log, ran.log
    assert not ran.outputs("attach", "attach")
    assert shop.crane("ls", shop.name).split() == ["run-30433642-1"]


def test_a_pull_request_pushes_nothing_and_signs_nothing(shop: Shop) -> None:
    shop.job = GitHubJob.pull_request()
    ran = shop.run(test="", scan="")
    assert ran.succeeded, ran.log
    assert {each.name for each in shop.runner.artifacts.iterdir()} == {
        f"in-toto-{each}-1" for each in ("checkout", "image", "build")
    }
    assert "NAME_UNKNOWN" in shop.crane("ls", shop.name)
    assert not ran.outputs("attach", "attach") and not ran.outputs("sign-build")


def test_an_archive_that_no_artifact_could_hand_on_is_refused_before_anything_is_built(shop: Shop) -> None:
    ran = shop.run(archive="out/image.tar")
    assert not ran.succeeded
    (said,) = ran.annotations("error")
    assert said.startswith("archive: expected a name without directories")
    assert not (shop.runner.kept / "build.env").exists()
