"""The image, built from the Dockerfile, and the root action, which act builds from it and runs as GitHub does.

No image can be pulled here: a Debian with its Python is in the place of the pinned base, and the cosign of tests/tools
in the place of Sigstore's own image. The rest of the Dockerfile is run as it is.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.parts.container_runner import ContainerDaemon, in_container
from tests.parts.desk import run as run_product
from tests.parts.key_material import pem, private_key
from tests.parts.registries import RunningRegistry
from tests.parts.runner import ACTIONS, REF, Runner
from tests.parts.tools import tool

from intoto_action import __version__

pytestmark = pytest.mark.needs("act", "git", "crane", "cosign", "podman", "runc", "debootstrap")

BASE, COSIGN = "localhost/base:tests", "localhost/cosign:tests"
IMAGE, ACTION = "localhost/intoto-action:image", "localhost/intoto-action:action"
LAYOUT = """\
expires: 6 months
functionaries:
  builder: {{key: builder.pub}}
subject: {{step: push, artifact: "oci:{name}"}}
steps:
  - name: push
    functionaries: [builder]
"""
ODD = "a b'c\"d $(touch injected) `touch injected` ${HOME} ; % é\n--no-verify"


@dataclass(frozen=True)
class Built:
    """What runs the image, the sources that it was built from, and the same as a release has them.

    The action of a release names its image, which GitHub's runner fetches, in the place of the Dockerfile.
    """

    daemon: ContainerDaemon
    sources: Path
    released: Path

    def run(self, *words: str, options: Sequence[str] = ()) -> str:
        """Run it as strictly as an engine can: no root, no capability, nothing that can be written, /tmp neither."""
        strict = (
            "--read-only",
            "--read-only-tmpfs=false",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
        )
        done = subprocess.run(
            ["podman", "run", "--rm", "--network=host", *strict, *options, IMAGE, *words],
            env=dict(self.daemon.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def inspect(self, field: str) -> str:
        return self.daemon.podman(
            "image", "inspect", "--format", f"{{{{json .Config.{field}}}}}", IMAGE
        ).strip()


@pytest.fixture(scope="module")
def built(
    podman_daemon: ContainerDaemon,
    downloaded_actions: Mapping[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    folder = tmp_path_factory.mktemp("image")
    sources = folder / "intoto-action"
    shutil.copytree(downloaded_actions[f"{ACTIONS}@{REF}"], sources)
    text = (sources / "Dockerfile").read_text()
    for name, image in (("BASE", BASE), ("COSIGN", COSIGN)):
        text = re.sub(rf"^ARG {name}=.*$", f"ARG {name}={image}", text, flags=re.MULTILINE)
    (sources / "Dockerfile").write_text(text)
    podman_daemon.podman("tag", podman_daemon.debian("python3", "python3-venv", "ca-certificates"), BASE)
    (folder / "cosign/ko-app").mkdir(parents=True)
    shutil.copy2(tool("cosign"), folder / "cosign/ko-app/cosign")
    subprocess.run(["tar", "-C", folder / "cosign", "-cf", folder / "cosign.tar", "ko-app"], check=True)
    podman_daemon.podman("import", "--quiet", folder / "cosign.tar", COSIGN)
    secrets = [f"--secret=id={name},src={path}" for name, path in _company().items()]
    # As Docker writes it, so that act finds the layers made.
    words = ("build", "--format=docker", "--layers", "--network=host", *secrets)
    podman_daemon.podman(*words, "--build-arg=REVISION=abc", "--target=image", "--tag", IMAGE, sources)
    podman_daemon.podman(*words, "--tag", ACTION, sources)
    released = folder / "released"
    shutil.copytree(sources, released)
    text = (released / "action.yml").read_text()
    assert "image: Dockerfile\n" in text
    (released / "action.yml").write_text(text.replace("image: Dockerfile\n", f"image: docker://{ACTION}\n"))
    return Built(podman_daemon, sources, released)


def _company() -> Mapping[str, str]:
    """What this machine needs to reach an index, where it needs anything."""
    places = {"ca-bundle": os.environ.get("SSL_CERT_FILE", ""), "pip-conf": "/etc/pip.conf"}
    return {name: path for name, path in places.items() if path and Path(path).is_file()}


@dataclass
class Shop:
    """A repository with a signed layout and a link about an image that is in a registry; nothing is attached yet."""

    runner: Runner
    name: str
    image: str
    key: str

    def job(self, *steps: str) -> str:
        indented = textwrap.indent("".join(steps), "      ")
        return (
            f"on: push\npermissions: {{}}\njobs:\n  it:\n    runs-on: ubuntu-latest\n    steps:\n{indented}"
        )


def uses(step_id: str, inputs: Mapping[str, str], *, fails: bool = False) -> str:
    """A step with the root action."""
    step = {"id": step_id, "uses": f"{ACTIONS}@{REF}", "with": dict(inputs)}
    return yaml.safe_dump([step | ({"continue-on-error": True} if fails else {})], sort_keys=False)


@pytest.fixture
def shop(runner: Runner, built: Built, ghcr_like_registry: RunningRegistry, tmp_path: Path) -> Iterator[Shop]:
    runner.actions = {**runner.actions, f"{ACTIONS}@{REF}": built.released}
    name = f"{ghcr_like_registry.address}/octo/container"
    owner, builder = private_key("p256"), private_key("ed25519")
    secret = builder.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    desk = tmp_path / "desk"
    desk.mkdir()
    files = {
        "owner.pem": owner.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "builder.pem": secret,
        "owner.pub": pem(owner.public_key()),
        "builder.pub": pem(builder.public_key()),
        "layout.yaml": LAYOUT.format(name=name),
    }
    for each, text in files.items():
        (desk / each).write_text(text)
        (desk / each).chmod(0o644 if each.endswith(".pub") else 0o600)
    (desk / "app").write_text("hello\n")
    subprocess.run(["tar", "-cf", "app.tar", "app"], cwd=desk, check=True)
    pushed = subprocess.run(
        [tool("crane"), "append", "--oci-empty-base", "--new_layer=app.tar", f"--new_tag={name}:build"],
        cwd=desk,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (desk / "digest").write_text(pushed.partition("@")[2])
    signed = run_product("layout", "sign", "--key", "owner.pem", "layout.yaml", cwd=desk)
    recorded = run_product(
        *("record", "--step-name", "push", "--key", "builder.pem", "--link-dir", "links"),
        *("--products", f"oci:{name}@digestfile:digest", "--", "true"),
        cwd=desk,
    )
    assert (signed.code, recorded.code) == (0, 0), (signed, recorded)
    shutil.copytree(desk / "links", runner.workspace / "in-toto/links")
    for each in ("root.layout", "owner.pub"):
        shutil.copy2(desk / each, runner.workspace / "in-toto" / each)
    yield Shop(runner, name, pushed, secret)


def test_the_image_runs_as_anybody_and_writes_nothing(built: Built) -> None:
    assert built.run("--version") == f"intoto-action {__version__}\n"
    assert "Exit code 0: passed" in built.run("verify", "--help", options=["--user=4321:4321"])
    look = (
        "id -u; intoto-action --version; cosign version --json; echo HOME=$HOME; pwd; "
        "python3 -m pip --version; for each in pip gcc cc make; do command -v $each && echo LEFT; done; "
        "ls -d /src /pip && echo LEFT; true"
    )
    told = built.run("-c", look, options=["--entrypoint=sh"])
    assert told.startswith(f"65532\nintoto-action {__version__}\n")
    assert re.search(r'"gitVersion": "v3\.1', told)
    assert "HOME=/home/intoto\n/work\n" in told
    assert "No module named pip" in told
    assert "LEFT" not in told


def test_everything_in_the_image_is_root_s_and_nothing_makes_somebody_root(built: Built) -> None:
    with FilesOf(built) as root:
        assert not (root / "root" / ".cache").exists()
        for path in (root / "opt/intoto-action").rglob("*"):
            status = path.lstat()
            assert (status.st_uid, status.st_gid) == (0, 0), path
            assert path.is_symlink() or not status.st_mode & 0o022, path
        for path in root.rglob("*"):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                assert not mode & (stat.S_ISUID | stat.S_ISGID), path
        assert sorted(
            each.name for each in (root / "opt/intoto-action/bin").iterdir() if not each.is_symlink()
        ) == ["intoto-action"]
        packages = next((root / "opt/intoto-action/lib").glob("python3*/site-packages"))
        assert not [*packages.glob("pip*"), *root.glob("usr/local/lib/python3*/site-packages/pip*")]
        compiled = next((packages / "intoto_action/cli/__pycache__").glob("main.*.pyc"))
        assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", (
            "named by the hash of its source, which is not looked at"
        )
        secret = Path(_company().get("ca-bundle", "/dev/null")).read_bytes()[:2000]
        assert not secret or secret not in (root / "opt/intoto-action/pyvenv.cfg").read_bytes()
        assert not list((root / "run").rglob("ca-bundle"))


class FilesOf:
    """The files of the image, for as long as a block runs."""

    def __init__(self, built: Built) -> None:
        self._podman = built.daemon.podman

    def __enter__(self) -> Path:
        return Path(self._podman("image", "mount", IMAGE).strip())

    def __exit__(self, *_: object) -> None:
        self._podman("image", "umount", IMAGE)


def test_the_labels_say_what_it_is(built: Built) -> None:
    labels = {name.rpartition(".")[2]: text for name, text in json.loads(built.inspect("Labels")).items()}
    assert labels["title"] == "intoto-action"
    assert (labels["version"], labels["revision"], labels["licenses"]) == (__version__, "abc", "Apache-2.0")
    assert labels["source"].startswith("https://github.com/")
    assert built.inspect("User") == '"65532:65532"'


HOSTILE = """\
- run: |
    mkdir -p evil
    printf '#!/bin/sh\\ntouch "$GITHUB_WORKSPACE/stolen"\\nexit 0\\n' > evil/cosign
    cp evil/cosign evil/python3
    echo 'open("stolen", "w")' > evil/click.py
    echo 'open("stolen", "w")' > click.py
    chmod +x evil/*
    {
      echo "PATH=$PWD/evil:$PATH"
      echo "PYTHONPATH=$PWD/evil"
      echo "PYTHONSTARTUP=$PWD/evil/click.py"
      echo "INPUT_NO-VERIFY=true"
      echo "INTOTO_ACTION_VERIFY_ON_DENY=warn"
      echo "INTOTO_ACTION_ATTACH_NO_VERIFY=true"
      echo "COSIGN_REPOSITORY=127.0.0.1:9/elsewhere"
      echo "SIGSTORE_ID_TOKEN=evil"
    } >> "$GITHUB_ENV"
"""


def test_the_action_of_a_release_attaches_and_verifies_in_a_container(shop: Shop, built: Built) -> None:
    verify = {"verb": "verify", "layout-key": "in-toto/owner.pub"}
    attach = {
        **{
            "verb": "attach",
            "image": shop.image,
            "layout": "in-toto/root.layout",
            "link-dir": "in-toto/links",
        },
        **{"layout-key": "in-toto/owner.pub", "key": "${{ secrets.KEY }}", "other-runs": "true"},
        "tag": "1.0\nlatest\n",
    }
    steps = (
        "- uses: actions/checkout@v5\n- run: mkdir 'verdict of'\n",
        HOSTILE,
        uses("warned", verify | {"image": shop.image, "on-deny": "warn"}),
        uses("record", {"verb": "record", "image": shop.image}, fails=True),
        uses("odd-image", verify | {"image": ODD}, fails=True),
        uses("attach", attach),
        uses("verify", verify | {"image": f"{shop.name}:1.0", "report": "verdict of/it.json"}),
        *(f'- run: echo "{each} ${{{{ steps.{each}.outcome }}}}"\n' for each in ("record", "odd-image")),
        '- run: |\n    cp "${{ steps.verify.outputs.report-path }}" "$KEPT/"\n'
        '    echo "stray=$(find . / -xdev \\( -name injected -o -name stolen \\) 2>/dev/null | wc -l)"\n',
    )
    job = in_container(shop.runner, built.daemon, built.daemon.debian())
    ran = job.run(shop.job(*steps), secrets={"KEY": shop.key})
    assert ran.succeeded, ran.log
    for each in ("record", "odd-image"):
        assert f"{each} failure" in ran.printed, ran.log
    assert "stray=0" in ran.printed, ran.log
    warned = ran.outputs("warned", ".")
    assert (warned["verdict"], warned["reason"]) == ("deny", "no-attestation")
    assert any(
        "which would run your command inside of this action's image" in each
        for each in ran.annotations("error")
    )
    assert "verdict" not in ran.outputs("record", ".")
    assert ran.outputs("odd-image", ".")["reason"] == "invalid-reference"
    attached = ran.outputs("attach", ".")
    assert attached["image"] == shop.image
    assert attached["referrer"].startswith("sha256:")
    verified = ran.outputs("verify", ".")
    assert (verified["verdict"], verified["reason"], verified["image"]) == ("pass", "", shop.image)
    assert json.loads((shop.runner.kept / "it.json").read_text())["verdict"] == "pass"
    assert "### Attached" in ran.summary and "### PASS" in ran.summary
    assert shop.key.splitlines()[1] not in ran.log
    assert "Traceback" not in ran.log and "internal-error" not in ran.log
    shop.runner.workspace.chmod(0o755)
    outside = built.run(
        *("verify", "--layout-key", "owner.pub", f"{shop.name}:latest"),
        options=[f"--volume={shop.runner.workspace / 'in-toto'}:/work:ro", "--user=4321"],
    )
    assert "pass" in outside.lower()


def test_the_action_that_is_built_from_the_dockerfile_fails_the_job_for_a_denied_image(
    shop: Shop, built: Built
) -> None:
    inputs = {"verb": "verify", "image": shop.image, "layout-key": "in-toto/owner.pub"}
    shop.runner.actions = {**shop.runner.actions, f"{ACTIONS}@{REF}": built.sources}
    job = in_container(shop.runner, built.daemon, built.daemon.debian())
    ran = job.run(shop.job("- uses: actions/checkout@v5\n", uses("verify", inputs)))
    assert "docker build" in ran.log
    assert not ran.succeeded
    (error,) = ran.annotations("error")
    assert "no-attestation" in error
    assert ran.outputs("verify", ".")["verdict"] == "deny"
    assert "### DENIED" in ran.summary, ran.summary
