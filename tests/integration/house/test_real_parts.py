"""The real parts are the versions they are pinned to, run here, and leave nothing behind."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from make import go_tools
from make.cache import CHECKOUT
from tests.parts.containers import container_storage
from tests.parts.tools import Unobtainable, debian_command, tool


def run(*command: str | Path, environ: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in command], env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def modules_of(name: str) -> str:
    """The modules that a binary says it was built from."""
    return run(go_tools.toolchain(), "version", "-m", tool(name))


@pytest.mark.needs("cosign")
def test_cosign_is_the_version_of_its_go_mod() -> None:
    assert re.search(r"GitVersion:\s+v3\.1\.2$", run(tool("cosign"), "version"), re.MULTILINE)


@pytest.mark.needs("crane")
def test_crane_is_the_version_of_its_go_mod() -> None:
    assert run(tool("crane"), "version") == "v0.21.9\n"


@pytest.mark.needs("in-toto-golang")
def test_in_toto_golang_verifies_layouts() -> None:
    assert "--layout" in run(tool("in-toto-golang"), "verify", "--help")


@pytest.mark.needs("slsa-verifier")
def test_slsa_verifier_is_the_version_of_its_go_mod_and_verifies_summaries() -> None:
    assert "github.com/slsa-framework/slsa-verifier/v2\tv2.7.1\t" in modules_of("slsa-verifier")
    assert "--public-key-path" in run(tool("slsa-verifier"), "verify-vsa", "--help")


@pytest.mark.needs("kyverno")
def test_kyverno_is_the_version_of_its_go_mod_and_applies_policies() -> None:
    assert "github.com/kyverno/kyverno\tv1.19.1\t" in modules_of("kyverno")
    assert "--resource" in run(tool("kyverno"), "apply", "--help")


@pytest.mark.needs("buildx", "buildkitd", "kaniko")
def test_the_builders_are_the_versions_of_their_go_mods() -> None:
    assert "github.com/docker/buildx\tv0.38.2\t" in modules_of("buildx")
    assert "github.com/moby/buildkit\tv0.34.2\t" in modules_of("buildkitd")
    assert "github.com/chainguard-dev/kaniko\tv1.25.6\t" in modules_of("kaniko")


@pytest.mark.needs("fulcio", "rekor-server", "timestamp-server")
def test_the_services_of_sigstore_are_the_versions_of_their_go_mods() -> None:
    assert "github.com/sigstore/fulcio\tv1.8.8\t" in modules_of("fulcio")
    assert "github.com/sigstore/rekor-tiles/v2\tv2.3.0\t" in modules_of("rekor-server")
    assert "github.com/sigstore/timestamp-authority/v2\tv2.1.3\t" in modules_of("timestamp-server")


@pytest.mark.needs("timestamp-server")
def test_the_timestamp_server_listens_only_on_loopback() -> None:
    refused = subprocess.run(
        [tool("timestamp-server"), "-host", "0.0.0.0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    assert refused.returncode == 1
    assert "is not a loopback address" in refused.stderr


@pytest.mark.needs("sigstore-verify")
def test_sigstore_verify_says_how_it_is_called() -> None:
    done = subprocess.run([tool("sigstore-verify")], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: sigstore-verify --trusted-root FILE" in done.stderr


@pytest.mark.needs("sigstore-verify")
def test_a_node_tool_that_does_not_install_says_npm_s_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "broken-node"
    module.mkdir()
    gone = {"dependencies": {"gone": "file:gone.tgz"}}
    packages = {"": gone, "node_modules/gone": {"version": "1.0.0", "resolved": "file:gone.tgz"}}
    (module / "package.json").write_text(json.dumps(gone))
    (module / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    monkeypatch.setattr("make.node_tools.MODULES", tmp_path)
    monkeypatch.setattr("make.node_tools.cache_directory", lambda: tmp_path / "cache")
    with pytest.raises(Unobtainable, match=r"npm error .*no such file or directory.*gone\.tgz"):
        tool("broken-node")
    assert list((tmp_path / "cache").rglob("broken-node/broken-node")) == []


@pytest.mark.needs("registry")
def test_the_registry_with_referrers_says_where_it_listens_and_only_on_loopback() -> None:
    process = subprocess.Popen(
        [tool("registry")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        assert re.fullmatch(r"listening on 127\.0\.0\.1:[0-9]+\n", process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=10)
    refused = subprocess.run(
        [tool("registry"), "-address", "0.0.0.0:0"], capture_output=True, text=True, check=False, timeout=10
    )
    assert refused.returncode == 1
    assert "is not a loopback address" in refused.stderr


def test_a_tool_that_does_not_build_says_go_s_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "broken"
    module.mkdir()
    (module / "go.mod").write_text("module broken\n\ngo 1.20\n")
    (module / "go.sum").touch()
    (module / "main.go").write_text("package main\n\nfunc main() { nothing.Like(it) }\n")
    monkeypatch.setattr("make.go_tools.MODULES", tmp_path)
    monkeypatch.setattr("make.go_tools.cache_directory", lambda: tmp_path / "cache")
    with pytest.raises(Unobtainable, match="undefined: nothing"):
        tool("broken")
    assert list((tmp_path / "cache").rglob("broken/broken")) == []


def test_a_tool_that_is_not_pinned_is_refused_by_name() -> None:
    with pytest.raises(Unobtainable, match="no Go tool 'witness' in tests/tools"):
        tool("witness")


@pytest.mark.needs("podman", "buildah", "runc", "registry")
def test_engines_build_and_run_in_a_storage_that_is_gone_afterwards(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    shutil.copy2(tool("registry"), context / "registry")
    (context / "Dockerfile").write_text('FROM scratch\nCOPY registry /registry\nRUN ["/registry", "-h"]\n')
    with container_storage() as environ:
        assert run("podman", "images", "--quiet", environ=environ) == ""
        run("buildah", "bud", "--network=host", "-t", "localhost/probe:1", context, environ=environ)
        ran = run(
            "podman", "run", "--rm", "--network=host", "localhost/probe:1", "/registry", "-h", environ=environ
        )
        assert "the loopback address" in ran
        run("podman", "run", "-d", "--network=host", "localhost/probe:1", "/registry", environ=environ)
    storage = Path(environ["CONTAINERS_STORAGE_CONF"]).parent
    assert not storage.exists()
    assert str(storage) not in Path("/proc/mounts").read_text()


@pytest.mark.needs("docker", "gpg", "skopeo", "docker-registry", "htpasswd", "softhsm2-util")
@pytest.mark.parametrize("command", ["docker", "gpg", "skopeo", "docker-registry", "softhsm2-util"])
def test_commands_of_packages_run(command: str) -> None:
    assert run(debian_command(command), "--version")


def test_the_console_script_is_installed_from_this_checkout() -> None:
    script = shutil.which("intoto-action")
    assert script is not None
    assert Path(script).is_relative_to(CHECKOUT / "build")
    assert "Usage: intoto-action" in run(script, "--help", environ={"PATH": os.defpath})
