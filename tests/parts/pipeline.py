"""A pipeline as the README has it, on real engines and registries: a source tree becomes an image with its evidence.

Everything is done through the command line of the product and of buildah. Steps: checkout, build, push, scan.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.parts.desk import Ended, console_script
from tests.parts.desk import run as run_product
from tests.parts.registries import RunningRegistry

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "octo/app",
    "GITHUB_SHA": "c0ffee",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "1",
}
LAYOUT = """\
expires: 6 months
functionaries:
  builder: {{key: builder.pub}}
  scanner: {{key: scanner.pub}}
source: {{repository: https://github.com/octo/app, refs: [refs/heads/main]}}
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
    functionaries: [builder]
    expected_materials: ["MATCH image:app WITH PRODUCTS FROM build"]
  - name: scan
    functionaries: [scanner]
    expected_materials: ["MATCH oci:{name} WITH PRODUCTS FROM push"]
    expected_products: ["CREATE report.json"]
"""


@dataclass
class Pipeline:
    """A directory with keys, sources and links, and the environment in which all of it runs."""

    directory: Path
    environ: Mapping[str, str]
    links: str = "links"
    image: str = field(default="", init=False)

    def run(self, *words: str) -> Ended:
        """The product."""
        return run_product(*words, cwd=self.directory, environ={**self.environ, **GITHUB})

    def do(self, *words: str) -> str:
        """The product, which does as it is told; what it prints."""
        ended = self.run(*words)
        assert ended.code == 0, ended
        return ended.out

    def command(self, *argv: str | Path, cwd: str = ".", fails: bool = False) -> str:
        """Any other program; what it prints, on both streams."""
        done = subprocess.run(
            [str(each) for each in argv],
            cwd=self.directory / cwd,
            env={**self.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) == fails, (argv, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def record(self, step: str, key: str, *words: str) -> None:
        self.do("record", "--step-name", step, "--key", f"{key}.pem", "--link-dir", self.links, *words)

    def keys(self, **kinds: str) -> None:
        """A key NAME.pem of that kind, and NAME.pub."""
        for name, kind in kinds.items():
            self.do("keygen", "--no-password", "--type", kind, name)
            (self.directory / name).rename(self.directory / f"{name}.pem")

    def build(self, words: str = "hello") -> None:
        """Checkout and build: `iid` and the image `app` of the engine."""
        upstream = self.directory / "upstream"
        upstream.mkdir()
        (upstream / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
        (upstream / "app").write_text(words)
        shutil.rmtree(self.directory / "src", ignore_errors=True)
        self.record("checkout", "builder", "--products", "src", "--", "cp", "-r", "upstream", "src")
        shutil.rmtree(upstream)
        self.record(
            *("build", "builder", "--materials", "src", "--products", "image:app@iidfile:iid"),
            *("--", "buildah", "build", "--quiet", "--iidfile", "iid", "--tag", "app", "src"),
        )

    def sign_layout(self, name: str) -> None:
        (self.directory / "layout.yaml").write_text(LAYOUT.format(name=name))
        self.do("layout", "sign", "--force", "--key", "owner.pem", "layout.yaml")

    def push(self, name: str) -> None:
        """Push and scan the image as `name`; the layout is for that name."""
        self.sign_layout(name)
        self.record(
            *("push", "builder", "--materials", "image:app@iidfile:iid"),
            *("--products", f"oci:{name}@digestfile:digest", "--"),
            *("buildah", "push", "--quiet", "--tls-verify=false", "--digestfile", "digest"),
            *("app", f"docker://{name}:build"),
        )
        self.record(
            *("scan", "scanner", "--materials", f"oci:{name}@digestfile:digest"),
            *("--products", "report.json", "--", "sh", "-c", "echo '{}' > report.json"),
        )
        self.image = f"{name}@{(self.directory / 'digest').read_text().strip()}"

    def attach(self, *words: str) -> Ended:
        given = ("attach", self.image, "--layout", "root.layout", "--link-dir", self.links)
        return self.run(*given, "--layout-key", "owner.pub", "--key", "builder.pem", *words)

    def verify(self, image: str, *words: str) -> Ended:
        return self.run("verify", "--layout-key", "owner.pub", image, *words)

    def copy_to(self, directory: Path, environ: Mapping[str, str]) -> "Pipeline":
        """The same keys, sources and links in another place, for another registry."""
        shutil.copytree(self.directory, directory)
        return Pipeline(directory, environ)


def environ_for(
    registry: RunningRegistry, containers: Mapping[str, str], home: Path, *tools: Path
) -> Mapping[str, str]:
    """Engines and product as the registry's user, with our console script and these tools on the PATH."""
    logins = registry.environ(home)
    places = [str(Path(console_script()).parent), *(str(each.parent) for each in tools), containers["PATH"]]
    config = str(Path(logins["DOCKER_CONFIG"]) / "config.json")
    return {**containers, **logins, "REGISTRY_AUTH_FILE": config, "PATH": os.pathsep.join(places)}
