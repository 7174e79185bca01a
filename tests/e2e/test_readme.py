"""The commands of the README and of the quickstart, as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.parts.github_job import GitHubJob
from tests.parts.registries import RunningRegistry
from tests.parts.sigstore import SIGSTORE, PrivateSigstore
from tests.parts.tools import tool

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A git repository with an application and its Dockerfile."""
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY app.py /app.py\n")
    (directory / "app.py").write_text("print('hello')\n")
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
    for words in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "--message", "Begin"]):
        subprocess.run(["git", "-C", str(directory), *words], check=True)
    return directory


@pytest.mark.needs("cosign", "crane", "buildah")
def test_the_commands_of_the_readme_work_as_they_stand(
    ghcr_like_registry: RunningRegistry,
    container_environ: Mapping[str, str],
    source: Path,
    tmp_path: Path,
) -> None:
    image = f"{ghcr_like_registry.address}/readme/app"
    commands = _commands(ROOT / "README.md")
    assert commands.count("export IMAGE=ghcr.io/octo/app") == 1
    script = commands.replace("export IMAGE=ghcr.io/octo/app", f"export IMAGE={image}")
    registries = tmp_path / "registries.conf"
    registries.write_text(f'[[registry]]\nlocation = "{ghcr_like_registry.address}"\ninsecure = true\n')
    environ = {**container_environ, "SOURCE": source.as_uri(), "SCANNER": "echo '{}'"}
    environ["CONTAINERS_REGISTRIES_CONF"] = str(registries)
    desk = tmp_path / "desk"
    done = _run(script, desk, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout
    assert (desk / "evidence" / "report.json").read_text() == "{}\n"


@pytest.mark.needs("cosign", "buildah")
def test_the_commands_of_the_quickstart_work_as_they_stand(
    container_environ: Mapping[str, str], tmp_path: Path
) -> None:
    desk = tmp_path / "desk"
    done = _run(_commands(ROOT / "docs" / "quickstart.md"), desk, container_environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASS") == 3
    assert "DENIED: rule-violation" in done.stdout


@pytest.mark.needs("cosign", "crane", "buildah", *SIGSTORE)
def test_the_commands_without_keys_of_the_readme_work_on_a_sigstore_of_one_s_own(
    ghcr_like_registry: RunningRegistry,
    container_environ: Mapping[str, str],
    sigstore: PrivateSigstore,
    source: Path,
    tmp_path: Path,
) -> None:
    """As they stand, but for the words that name another Sigstore than the public one, and its issuer."""
    image = f"{ghcr_like_registry.address}/readme/keyless"
    registries = tmp_path / "registries.conf"
    registries.write_text(f'[[registry]]\nlocation = "{ghcr_like_registry.address}"\ninsecure = true\n')
    environ = {**container_environ, "IMAGE": image, "CONTAINERS_REGISTRIES_CONF": str(registries)}
    desk = tmp_path / "desk"
    built = _run(f"buildah build --quiet --tag app {source}", desk, environ)
    assert built.returncode == 0, built.stderr
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    said = ""
    for block, workflow in zip(blocks, ("layout.yml", "release.yml", ""), strict=True):
        words = block.replace("--keyless", f"--keyless --sigstore {sigstore.trust_config}")
        words = words.replace(" verify ", f" verify --sigstore {sigstore.trust_config} ")
        words = words.replace("layout functionary", f"layout functionary --issuer {sigstore.issuer}")
        words = words.replace("ref: refs/heads/main}", f'ref: refs/heads/main, issuer: "{sigstore.issuer}"}}')
        vouched = sigstore.environ(GitHubJob(workflow=workflow)) if workflow else {}
        done = _run(words, desk, {**environ, **vouched})
        assert done.returncode == 0, done.stdout + done.stderr
        said = done.stdout
    assert said.startswith(f"PASS · {image}@sha256:")
    assert "https://github.com/octo/app/.github/workflows/release.yml@refs/heads/main" in said


def _commands(page: Path) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL))


def _run(script: str, desk: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    desk.mkdir(exist_ok=True)
    places = (str(Path(sys.executable).parent), str(tool("cosign").parent), environ["PATH"])
    return subprocess.run(
        ["bash", "-eu", "-c", script],
        cwd=desk,
        env={**environ, "PATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
