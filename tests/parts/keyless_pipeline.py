"""A pipeline in which nobody has a key: each step is done by a job of its own, vouched for by a private Sigstore.

Everything is done through the command line of the product, of buildah and of other people's verifiers. Steps: checkout
and build by build.yml, push by release.yml, scan by scan.yml; the layout is signed by owner.yml.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.parts.desk import Ended
from tests.parts.desk import run as run_product
from tests.parts.github_job import GitHubJob
from tests.parts.sigstore import PrivateSigstore

LAYOUT = """\
expires: 6 months
functionaries:
  builder: {{repository: octo/app, workflow: build.yml, ref: refs/heads/main, issuer: "{issuer}"}}
  releaser: {{repository: octo/app, workflow: release.yml, ref: refs/heads/*, issuer: "{issuer}"}}
  scanner:
    identity: https://github.com/octo/app/.github/workflows/scan.yml@refs/heads/main
    issuer: "{issuer}"
    source-repository: https://github.com/octo/app
    source-owner-id: "65"
source: {{repository: octo/app, refs: [refs/heads/main]}}
subject: {{step: push, artifact: "oci:{name}"}}
steps:
  - name: checkout
    functionaries: [builder]
    expected_products: ["CREATE src/*"]
  - name: build
    functionaries: [builder]
    expected_materials: ["MATCH src/* WITH PRODUCTS FROM checkout"]
    expected_products: ["CREATE image:app"]
  - name: push
    functionaries: [releaser]
    expected_materials: ["MATCH image:app WITH PRODUCTS FROM build"]
  - name: scan
    functionaries: [scanner]
    expected_materials: ["MATCH oci:{name} WITH PRODUCTS FROM push"]
    expected_products: ["CREATE report.json"]
"""


@dataclass
class KeylessPipeline:
    """A directory with sources and links, and the Sigstore that vouches for its jobs."""

    directory: Path
    sigstore: PrivateSigstore
    environ: Mapping[str, str]
    image: str = field(default="", init=False)

    @property
    def instance(self) -> tuple[str, str]:
        """The words that name the instance."""
        return ("--sigstore", str(self.sigstore.trust_config))

    @property
    def owner(self) -> str:
        """The owner of the layout, as PUB."""
        return f"identity={job('owner.yml').identity},issuer={self.sigstore.issuer}"

    def run(self, *words: str, as_job: GitHubJob | None = None, **more: str) -> Ended:
        """The product, in a job that may ask for tokens, or as somebody on a laptop."""
        vouched = self.sigstore.environ(as_job) if as_job else {}
        return run_product(*words, cwd=self.directory, environ={**self.environ, **vouched, **more})

    def do(self, *words: str, as_job: GitHubJob | None = None) -> str:
        ended = self.run(*words, as_job=as_job)
        assert ended.code == 0, ended
        return ended.out

    def command(self, *argv: str | Path, fails: bool = False, **more: str) -> str:
        """Any other program; what it prints on its standard output."""
        done = subprocess.run(
            [str(each) for each in argv],
            cwd=self.directory,
            env={**self.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) == fails, (argv, done.stdout, done.stderr)
        return done.stdout

    def record(self, step: str, workflow: str, *words: str) -> None:
        given = ("record", "--step-name", step, "--keyless", *self.instance, "--link-dir", "links")
        self.do(*given, *words, as_job=job(workflow))

    def build(self) -> None:
        """Checkout and build: `iid`, and the image `app` of the engine."""
        upstream = self.directory / "upstream"
        upstream.mkdir()
        (upstream / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
        (upstream / "app").write_text("hello, keyless")
        self.record("checkout", "build.yml", "--products", "src", "--", "cp", "-r", "upstream", "src")
        self.record(
            *("build", "build.yml", "--materials", "src", "--products", "image:app@iidfile:iid"),
            *("--", "buildah", "build", "--quiet", "--iidfile", "iid", "--tag", "app", "src"),
        )

    def push(self, name: str) -> None:
        """Sign the layout for that name, push and scan."""
        (self.directory / "layout.yaml").write_text(LAYOUT.format(name=name, issuer=self.sigstore.issuer))
        self.do(
            "layout", "sign", "--force", "--keyless", *self.instance, "layout.yaml", as_job=job("owner.yml")
        )
        self.record(
            *("push", "release.yml", "--materials", "image:app@iidfile:iid"),
            *("--products", f"oci:{name}@digestfile:digest", "--"),
            *("buildah", "push", "--quiet", "--tls-verify=false", "--digestfile", "digest"),
            *("app", f"docker://{name}:build"),
        )
        self.record(
            *("scan", "scan.yml", "--materials", f"oci:{name}@digestfile:digest"),
            *("--products", "report.json", "--", "sh", "-c", "echo '{}' > report.json"),
        )
        self.image = f"{name}@{(self.directory / 'digest').read_text().strip()}"

    def attach(self, *words: str) -> Ended:
        given = ("attach", self.image, "--layout", "root.layout", "--link-dir", "links", "--keyless")
        return self.run(*given, *self.instance, "--layout-key", self.owner, *words, as_job=job("release.yml"))

    def verify(self, image: str, *words: str) -> Ended:
        return self.run("verify", *self.instance, "--layout-key", self.owner, image, *words)

    def copy_to(self, directory: Path, environ: Mapping[str, str]) -> KeylessPipeline:
        """The same sources and links in another place, for another registry."""
        shutil.copytree(self.directory, directory)
        return KeylessPipeline(directory, self.sigstore, environ)


def job(workflow: str) -> GitHubJob:
    """A job of the one run."""
    return GitHubJob(workflow=workflow, sha="c0ffee", run_id="7")
