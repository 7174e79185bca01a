"""Legs of a matrix, attempts and runs: which links an image gets, in workflows that a real runner runs."""

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.parts.desk import run as run_product
from tests.parts.github_job import GitHubJob
from tests.parts.key_material import pem, private_key
from tests.parts.registries import RunningRegistry
from tests.parts.runner import ACTIONS, REF, Ran, Runner
from tests.parts.tools import tool

pytestmark = pytest.mark.needs("act", "git", "crane", "cosign")

LAYOUT = """\
expires: 6 months
functionaries: {{builder: {{key: builder.pub}}}}
source: {{repository: https://github.com/octo/app, refs: [refs/heads/main]}}
subject: {{step: build-a, artifact: "oci:{name}"}}
steps:
  - {{name: build-a, functionaries: [builder]}}
  - {{name: build-b, functionaries: [builder], open: true}}
"""

LEGS = """\
  {job}:
    strategy: {{matrix: {{leg: [a, b]}}}}
    {needs}
    runs-on: ubuntu-latest
    steps:
      - uses: {record}
        with:
          step-name: {step}
          phase: after
          products: {products}
          exclude: of-${{{{ matrix.leg }}}}
          key: ${{{{ secrets.KEY }}}}
          upload: true
"""

FAN_IN = """\
  {job}:
    needs: {needs}
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
"""

ATTACH = """\
      - uses: {attach}
        id: {step}
        with:
          image: {image}
          layout: root.layout
          layout-key: ${{{{ env.OWNER }}}}
          key: ${{{{ secrets.KEY }}}}
          {more}
"""

KEEP = """\
      - run: cp "${{ steps.attach.outputs.evidence-path }}" "$KEPT/"
"""


@dataclass
class Shop:
    """A repository with a signed layout, and its image in a registry."""

    runner: Runner
    image: str
    owner: str
    key: str

    def workflow(self, *jobs: str) -> str:
        head = f"on: push\npermissions: {{}}\nenv: {{OWNER: {json.dumps(self.owner)}}}\njobs:\n"
        return head + "".join(jobs)

    def legs(self, step: str, products: str, job: str = "legs", needs: str = "") -> str:
        record = f"{ACTIONS}/record@{REF}"
        return LEGS.format(record=record, step=step, products=products, job=job, needs=needs)

    def fan_in(self, *steps: str, job: str = "fan-in", needs: str = "legs") -> str:
        return FAN_IN.format(job=job, needs=needs) + "".join(steps)

    def attach(self, more: str = "", step: str = "attach") -> str:
        return ATTACH.format(attach=f"{ACTIONS}/attach@{REF}", image=self.image, more=more, step=step)

    def run(self, workflow: str, job: GitHubJob, *, again: bool = False) -> Ran:
        return self.runner.run(workflow, job=job, secrets={"KEY": self.key}, again=again)

    def artifacts(self) -> set[str]:
        return {each.name for each in self.runner.artifacts.iterdir()}

    def attempts(self) -> dict[str, str]:
        """Of each step whose link is in the evidence that was kept, the attempt that it is of."""
        bundle = json.loads((self.runner.kept / "evidence.json").read_text())
        links = _payload(bundle["dsseEnvelope"])["predicate"]["links"].values()
        payloads = [_payload(each) for each in links]
        return {each["name"]: each["environment"]["github"]["run_attempt"] for each in payloads}


def _payload(envelope: Mapping[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return payload


@pytest.fixture
def shop(runner: Runner, ghcr_like_registry: RunningRegistry, tmp_path: Path) -> Shop:
    (runner.tools[-1] / "cosign").symlink_to(tool("cosign"))
    name = f"{ghcr_like_registry.address}/octo/matrix"
    (tmp_path / "layer.tar").write_bytes(b"\0" * 10240)
    crane: list[str | Path] = [
        tool("crane"),
        "append",
        "--oci-empty-base",
        "--new_layer",
        tmp_path / "layer.tar",
    ]
    pushed = subprocess.run(
        [*crane, "--new_tag", f"{name}:build"], capture_output=True, text=True, check=True
    )
    owner, builder = private_key("p256"), private_key("ed25519")
    secret = {}
    for who, key in (("owner", owner), ("builder", builder)):
        secret[who] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (tmp_path / "owner.pem").write_text(secret["owner"])
    (tmp_path / "owner.pem").chmod(0o600)
    (tmp_path / "builder.pub").write_text(pem(builder.public_key()))
    (tmp_path / "layout.yaml").write_text(LAYOUT.format(name=name))
    assert run_product("layout", "sign", "--key", "owner.pem", "layout.yaml", cwd=tmp_path).code == 0
    shutil.copy2(tmp_path / "root.layout", runner.workspace)
    return Shop(runner, pushed.stdout.strip(), pem(owner.public_key()), secret["builder"])


def test_legs_meet_in_one_job_and_of_each_step_the_latest_attempt_of_this_run_counts(shop: Shop) -> None:
    """Four times: a run, the run again, another run, and a matrix that forgot to name its legs."""
    legs = shop.legs("build-${{ matrix.leg }}", f"oci:{shop.image}")
    whole = shop.workflow(legs, shop.fan_in(shop.attach(), KEEP))
    ran = shop.run(whole, GitHubJob(run_attempt="1"))
    assert ran.succeeded, ran.log
    assert ran.outputs("attach", "attach")["image"] == shop.image
    assert {name.rpartition("-")[0] for name in shop.artifacts()} == {
        "in-toto-link-build-a",
        "in-toto-link-build-b",
    }
    assert (len(shop.artifacts()), shop.attempts()) == (2, {"build-a": "1", "build-b": "1"})

    ran = shop.run(whole, GitHubJob(run_attempt="2"), again=True)
    assert ran.succeeded, ran.log
    assert (len(shop.artifacts()), shop.attempts()) == (4, {"build-a": "2", "build-b": "2"})
    assert ran.log.count("is of an earlier attempt of the run and is left out") == 2

    later = shop.fan_in(
        shop.attach(step="strict") + "        continue-on-error: true\n",
        "      - run: echo strict ${{ steps.strict.outcome }}\n",
        shop.attach("other-runs: true", step="loose"),
        job="later",
        needs="[]",
    )
    twice = shop.legs("build", f"oci:{shop.image}", job="twice", needs="needs: later")
    ran = shop.run(
        shop.workflow(later, twice, shop.fan_in(shop.attach(), needs="twice")), GitHubJob(run_id="9")
    )
    assert not ran.succeeded
    assert "strict failure" in ran.printed, ran.log
    assert ran.outputs("loose", "attach")["image"] == shop.image, ran.log
    other, same = ran.annotations("error")
    assert "expected links of this run, run 9 of octo/app" in other and "build-a." in other
    assert "two different links of step 'build'" in same
    assert "Give every leg of a matrix a step name of its own" in same
