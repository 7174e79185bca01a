"""The actions in jobs with `container:`, whose image has next to nothing."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.parts.container_runner import RUNNER_TEMP, ContainerDaemon, in_container
from tests.parts.desk import run as run_product
from tests.parts.key_material import pem, private_key
from tests.parts.registries import RunningRegistry
from tests.parts.runner import ACTIONS, REF, Runner
from tests.parts.tools import tool

pytestmark = pytest.mark.needs("act", "git", "podman", "runc", "debootstrap", "crane")

LAYOUT = """\
expires: 6 months
functionaries:
  builder: {{key: builder.pub}}
source: {{repository: https://github.com/octo/app, refs: [refs/heads/main]}}
subject: {{step: push, artifact: "oci:{name}"}}
steps:
  - name: push
    functionaries: [builder]
    expected_materials: ["ALLOW src/app"]
"""

WORKFLOW = f"""\
on: push
permissions: {{{{}}}}
jobs:
  it:
    runs-on: ubuntu-latest
    steps:
      - uses: {ACTIONS}/record@{REF}
        id: push
        with:
          step-name: push
          materials: src
          products: oci:{{name}}@digestfile:digest
          command: |
            tar -cf /tmp/app.tar -C src .
            crane append --oci-empty-base --new_layer /tmp/app.tar --new_tag {{name}}:b | cut -d@ -f2 > digest
          key: "${{{{{{{{ secrets.KEY }}}}}}}}"
      - uses: {ACTIONS}/attach@{REF}
        id: attach
        env: {{{{HTTPS_PROXY: "http://127.0.0.1:1"}}}}
        with:
          image: ${{{{{{{{ steps.push.outputs.image }}}}}}}}
          layout: in-toto/root.layout
          layout-key: {{owner}}
          key: "${{{{{{{{ secrets.KEY }}}}}}}}"
          tag: "1.0"
      - uses: {ACTIONS}/verify@{REF}
        id: verify
        with:
          image: {{name}}:1.0
          layout-key: {{owner}}
      - run: command -v git curl uv || echo "nothing but Python"
        shell: bash
"""


def test_a_debian_with_python3_venv_records_attaches_and_verifies(
    runner: Runner, podman_daemon: ContainerDaemon, ghcr_like_registry: RunningRegistry, tmp_path: Path
) -> None:
    name = f"{ghcr_like_registry.address}/octo/in-a-container"
    owner, builder = private_key("p256"), private_key("ed25519")
    (tmp_path / "owner.pem").write_bytes(
        owner.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "owner.pem").chmod(0o600)
    (tmp_path / "builder.pub").write_text(pem(builder.public_key()))
    (tmp_path / "layout.yaml").write_text(LAYOUT.format(name=name))
    signed = run_product("layout", "sign", "--key", "owner.pem", "layout.yaml", cwd=tmp_path)
    assert signed.code == 0, signed
    runner.put({"src/app": "hello\n", "in-toto/root.layout": (tmp_path / "root.layout").read_text()})
    image = podman_daemon.debian("python3-venv")
    boxed = in_container(runner, podman_daemon, image, mounts={tool("crane"): "/usr/local/bin/crane"})
    secret = builder.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    workflow = WORKFLOW.format(name=name, owner=json.dumps(pem(owner.public_key())))
    ran = boxed.run(workflow, secrets={"KEY": secret}, seconds=480)
    assert ran.succeeded, ran.log
    assert "nothing but Python\n" in ran.printed
    assert ran.printed.count("intoto-action is installed for this job (pip, ") == 1
    verified = ran.outputs("verify", "verify")
    assert (verified["verdict"], verified["image"]) == ("pass", ran.outputs("push")["image"])
    assert ran.outputs("push")["link-path"].startswith(f"{RUNNER_TEMP}/in-toto/links/push.")
    left = {path.name for path in runner.workspace.iterdir()}
    assert left == {".git", ".github", "src", "in-toto", "digest"}
    assert list((runner.home / "container-home").iterdir()) == []


def test_a_debian_with_no_python_says_what_to_add(runner: Runner, podman_daemon: ContainerDaemon) -> None:
    use = f"{{uses: {ACTIONS}/record@{REF}, with: {{step-name: build, command: make}}}}"
    workflow = f"on: push\npermissions: {{}}\njobs: {{it: {{runs-on: ubuntu-latest, steps: [{use}]}}}}\n"
    ran = in_container(runner, podman_daemon, podman_daemon.debian()).run(workflow)
    assert not ran.succeeded
    (said,) = ran.annotations("error")
    assert "expected a Python 3.11 to 3.14" in said
    assert "or install python3 and python3-venv in the container of the job" in said
