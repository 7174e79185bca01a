"""The README's commands, as they stand there, on a registry of this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.parts.registries import RunningRegistry
from tests.parts.tools import tool

README = Path(__file__).parents[2] / "README.md"


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
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL))
    assert commands.count("export IMAGE=ghcr.io/octo/app") == 1
    script = commands.replace("export IMAGE=ghcr.io/octo/app", f"export IMAGE={image}")
    registries = tmp_path / "registries.conf"
    registries.write_text(f'[[registry]]\nlocation = "{ghcr_like_registry.address}"\ninsecure = true\n')
    path = os.pathsep.join((str(Path(sys.executable).parent), str(tool("cosign").parent), container_environ["PATH"]))
    environ = {
        **container_environ,
        "PATH": path,
        "SOURCE": source.as_uri(),
        "SCANNER": "echo '{}'",
        "CONTAINERS_REGISTRIES_CONF": str(registries),
    }
    desk = tmp_path / "desk"
    desk.mkdir()
    done = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=desk, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout
    assert (desk / "evidence" / "report.json").read_text() == "{}\n"
