"""An example of examples/, run as it is: in a repository of its own, by act, on a real registry and real engines.

Replaced in its files, and nothing else: `ghcr.io` and other hosts by a registry on loopback that has no referrers API
and wants a password; the owner's public key; the name of kaniko's image; in keyless ones the issuer, and `sigstore:` is
added, because no Sigstore but a private one is at hand. Our actions are those of this checkout, whatever commit is
named; other people's are the stand-ins of foreign_actions. grype and kubectl are stand-ins too.
"""

import json
import os
import re
import shutil
import subprocess
import tarfile
import textwrap
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from make.cache import CHECKOUT
from tests.parts.containers import container_storage
from tests.parts.desk import Ended
from tests.parts.desk import run as run_product
from tests.parts.foreign_actions import GRYPE, stand_ins
from tests.parts.github_job import GitHubJob
from tests.parts.key_material import pem, private_key
from tests.parts.registries import RunningRegistry, debian_registry
from tests.parts.runner import ACTIONS, ACTOR, REF, Ran, Runner
from tests.parts.sigstore import PrivateSigstore
from tests.parts.tools import debian_command, tool

EXAMPLES = CHECKOUT / "examples"
NEEDS = (
    *("act", "git", "actionlint", "cosign", "crane", "buildah", "podman", "runc", "skopeo", "docker"),
    *("buildx", "docker-registry", "htpasswd"),
)
"""What a test that asks for `example_repository` needs."""
PASSWORD = "correct horse"

_KANIKO = re.compile(r"gcr\.io/kaniko-project/executor:\S+")
_KANIKO_HERE = "localhost/kaniko:tests"
_SIGSTORE = 'sigstore: "${{ env.SIGSTORE }}"'
_HOSTS = ("ghcr.io", "harbor.example.com", "registry.gitlab.com")
_OWNER_KEY = re.compile(r"^( *)-----BEGIN PUBLIC KEY-----\n.*\n *-----END PUBLIC KEY-----\n", re.MULTILINE)
_MANIFEST = """\
apiVersion: v1
kind: Pod
metadata: {{name: app}}
spec: {{containers: [{{name: app, image: "{image}"}}]}}
"""
_KUBECTL = """\
#!/bin/sh
# Stand-in for kubectl: notes how it is called.
echo "$*" >>"$KEPT/kubectl"
[ "$1" != apply ] || exec cat >/dev/null
"""
_REGISTRIES = """\
unqualified-search-registries = []
[[registry]]
location = "{address}"
insecure = true
"""


@dataclass
class ExampleRepository:
    """A repository that has copied examples, with its keys, its layout and a registry.

    `desk` is the directory of the layout's owner. `secrets` are those of the repository, which `sign` fills.

    Its application is a static program, and its Dockerfile starts from nothing: no image can be pulled in tests.
    """

    runner: Runner
    registry: RunningRegistry
    desk: Path
    secrets: dict[str, str] = field(default_factory=dict)
    sigstore: PrivateSigstore | None = None

    def use(self, sigstore: PrivateSigstore) -> None:
        """Let jobs ask for tokens, and this Sigstore vouch for them."""
        self.sigstore = sigstore
        self.runner.variables_of = sigstore.environ
        self.runner.variables["SIGSTORE"] = str(sigstore.trust_config)

    @property
    def image(self) -> str:
        return f"{self.registry.address}/octo/app"

    @property
    def owner(self) -> str:
        """The public key of the layout's owner, as PEM."""
        return (self.desk / "owner.pub").read_text()

    def text(self, path: str) -> str:
        """A file of an example, with what has to be replaced."""
        text = (EXAMPLES / path).read_text()
        for host in _HOSTS:
            text = text.replace(host, self.registry.address)
        if self.sigstore:
            text = re.sub(r"(workflow: \w+\.yml, )", rf'\1issuer: "{self.sigstore.issuer}", ', text)
            text = re.sub(r"^( *)(keyless: true)$", rf"\1\2\n\1{_SIGSTORE}", text, flags=re.MULTILINE)
            text = re.sub(r"([{ ])(keyless: true[,}]|source-repository: )", rf"\1{_SIGSTORE}, \2", text)
        text = _KANIKO.sub(_KANIKO_HERE, text)
        return _OWNER_KEY.sub(lambda found: textwrap.indent(self.owner, found[1]), text)

    def sign(self, example: str, file: str = "layout.yaml") -> None:
        """Do what the example's README says: make keys and secrets, sign the layout, put it into in-toto/."""
        layout = self.text(f"{example}/{file}")
        for number, name in enumerate(sorted(set(re.findall(r"key: (\w+)\.pub", layout)))):
            key = private_key("ed25519", number)
            (self.desk / f"{name}.pub").write_text(pem(key.public_key()))
            self.secrets[f"{name.upper()}_KEY"] = _private_pem(key)
        (self.desk / file).write_text(layout)
        signed = run_product("layout", "sign", "--force", "--key", "owner.pem", file, cwd=self.desk)
        assert signed.code == 0, signed
        place = self.runner.workspace / "in-toto"
        place.mkdir(exist_ok=True)
        signed_as = "root.layout" if file == "layout.yaml" else file.replace(".yaml", ".layout")
        shutil.copy2(self.desk / "root.layout", place / signed_as)
        for each in (*self.desk.glob("*.pub"), self.desk / file):
            shutil.copy2(each, place)

    def run(
        self,
        example: str,
        job: GitHubJob | None = None,
        *,
        tamper: str = "",
        by: str = "",
        fork: bool = False,
        only: Sequence[str] = (),
    ) -> Ran:
        """Run the workflow of an example; `tamper` is a script that the stand-in for the action `by` runs."""
        workflow = self.text(f"{example}/workflow.yml")
        self.runner.actions = {**self.runner.actions, **stand_ins(workflow, self.runner.home / "foreign")}
        for used in set(re.findall(rf"uses: ({ACTIONS})/\w+@(\w+)", workflow)):
            self.runner.actions["@".join(used)] = self.runner.actions[f"{ACTIONS}@{REF}"]
        self.runner.variables |= {"TAMPER": tamper, "TAMPER_IN": by}
        return self.runner.run(workflow, job=job, secrets=self.secrets, fork=fork, only=only)

    def verify(self, *words: str) -> Ended:
        """The product, as whoever deploys has it: with the owner's key and a login, and nothing else."""
        environ = self.registry.environ(self.desk)
        if self.sigstore:
            words = (*words, "--sigstore", str(self.sigstore.trust_config))
        return run_product("verify", *words, "--layout-key", "owner.pub", cwd=self.desk, environ=environ)

    def tags(self) -> list[str]:
        """The tags of the image, but for those under which a registry without the referrers API has evidence."""
        return sorted(tag for tag in self._crane("ls", self.image).split() if not tag.startswith("sha256-"))

    def manifest(self, tag: str) -> dict[str, Any]:
        """The manifest or index of the image."""
        document: dict[str, Any] = json.loads(self._crane("manifest", f"{self.image}:{tag}"))
        return document

    def manifests(self, *images: str) -> None:
        """Kubernetes manifests that name these images, and no others, in k8s/."""
        shutil.rmtree(self.runner.workspace / "k8s", ignore_errors=True)
        self.runner.put(
            {f"k8s/{number}.yaml": _MANIFEST.format(image=image) for number, image in enumerate(images)}
        )

    def push_base(self, repository: str, tag: str = "1") -> str:
        """Push an image of one file, to build on; its name with its digest."""
        with tarfile.open(self.desk / "layer.tar", "w") as layer:
            layer.add(self.desk / "owner.pub", "etc/base")
        name = f"{self.registry.address}/{repository}:{tag}"
        words = ("append", "--oci-empty-base", "--new_layer", str(self.desk / "layer.tar"), "--new_tag")
        self._crane(*words, name)
        return self._crane("mutate", "--set-platform", "linux/amd64", "--tag", name, name).strip()

    def make_kaniko_image(self) -> None:
        """The image that has kaniko's executor, which stands in the workflow by a name of another registry."""
        folder = self.desk / "kaniko"
        folder.mkdir()
        shutil.copy2(tool("kaniko"), folder / "executor")
        (folder / "Dockerfile").write_text(
            "FROM scratch\nCOPY executor /kaniko/executor\n"
            'ENV DOCKER_CONFIG=/kaniko/.docker/\nENTRYPOINT ["/kaniko/executor"]\n'
        )
        environ = {**os.environ, **self.runner.variables}
        argv = ["buildah", "build", "--quiet", "--tag", _KANIKO_HERE, str(folder)]
        subprocess.run(argv, env=environ, capture_output=True, check=True)

    def link(self, step: str, image: str) -> Mapping[str, Any]:
        """What the link of a step says that is attached to an image."""
        trusted = ["--sigstore", str(self.sigstore.trust_config)] if self.sigstore else []
        words = ("evidence", "extract", "--layout-key", "owner.pub", *trusted, image, "evidence")
        extracted = run_product(*words, cwd=self.desk, environ=self.registry.environ(self.desk))
        assert extracted.code == 0, extracted
        (path,) = (self.desk / "evidence").glob(f"{step}.*.link")
        document: Mapping[str, Any] = json.loads(b64decode(json.loads(path.read_text())["payload"]))
        return document

    def _crane(self, *words: str) -> str:
        environ = dict(self.registry.environ(self.desk))
        argv = [str(tool("crane")), *words]
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def example_repository(runner: Runner, tmp_path: Path) -> Iterator[ExampleRepository]:
    """Needs NEEDS."""
    desk, tools, server = tmp_path / "desk", tmp_path / "tools-of-the-job", tmp_path / "registry"
    for folder in (desk, tools, server):
        folder.mkdir()
    (tools / "cosign").symlink_to(tool("cosign"))
    (tools / "docker").symlink_to(debian_command("docker"))
    (tools / "buildx").symlink_to(tool("buildx"))
    for name, script in {"grype": GRYPE, "kubectl": _KUBECTL}.items():
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    runner.tools = (*runner.tools, tools)
    with (server / "users").open("wb") as users:
        for each in (ACTOR, "robot$ci"):
            argv = [str(debian_command("htpasswd")), "-Bbn", each, PASSWORD]
            subprocess.run(argv, stdout=users, stderr=subprocess.DEVNULL, check=True)
    auth = f"auth: {{htpasswd: {{realm: tests, path: {server / 'users'}}}}}\n"
    with (
        debian_registry(server, auth, username=ACTOR, password=PASSWORD) as registry,
        container_storage() as engines,
    ):
        settings = runner.home / ".config/containers"
        settings.mkdir(parents=True)
        (settings / "registries.conf").write_text(_REGISTRIES.format(address=registry.address))
        runner.variables |= {name: engines[name] for name in _ENGINE_SETTINGS}
        owner = private_key("p256")
        (desk / "owner.pem").write_text(_private_pem(owner))
        (desk / "owner.pem").chmod(0o600)
        (desk / "owner.pub").write_text(pem(owner.public_key()))
        runner.put({"Dockerfile": 'FROM scratch\nCOPY app /app\nENTRYPOINT ["/app"]\n'})
        shutil.copy2(tool("actionlint"), runner.workspace / "app")
        yield ExampleRepository(
            runner, registry, desk, {"GITHUB_TOKEN": PASSWORD, "HARBOR_PASSWORD": PASSWORD}
        )


_ENGINE_SETTINGS = ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "BUILDAH_ISOLATION")


def _private_pem(key: object) -> str:
    raw: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined]
    return raw.decode()
