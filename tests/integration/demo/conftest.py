"""The scripts of the demo's repository, and one release for all tests of a session."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intoto_action.demo import site as site_module
from intoto_action.demo.site import Site
from intoto_action.demo.steps import OWNER, STEPS

REPOSITORY = Path(site_module.__file__).parent / "repository"
Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Runs a script of the repository's ci/ in tmp_path."""

    def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-B", str(REPOSITORY / "ci" / name), *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)

    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The source tree, at tmp_path/src."""
    shutil.copytree(REPOSITORY, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "src"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A release that passes. Nobody may change it: `release` is a copy to play with."""
    site = Site(tmp_path_factory.mktemp("demo") / "release")
    site.root.mkdir()
    site.set_up()
    for name in (OWNER, *(step.name for step in STEPS)):
        site.make_key(name)
    site.sign_layout(datetime.now(UTC))
    for step in STEPS:
        site.record(step)
    site.attach(at=datetime.now(UTC))
    return site


@pytest.fixture
def release(finished: Site, tmp_path: Path) -> Site:
    """A copy of a release that passes."""
    return finished.copy(tmp_path / "release")
