"""Tests whose parts are missing are never silently green."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from make.cache import CHECKOUT

PROBE = """
import pytest

from make import debian

debian.PACKAGES["nowhere-to-be-found"] = ("nowhere",)

@pytest.mark.needs("nowhere-to-be-found")
def test_with_an_engine() -> None:
    pass

def test_alone() -> None:
    pass
"""


def run_probe(folder: Path, *words: str, ci: str) -> "subprocess.CompletedProcess[str]":
    probe = folder / "test_probe.py"
    probe.write_text(PROBE)
    setting = [f"--rootdir={CHECKOUT}", f"--confcutdir={folder}", "-c", str(CHECKOUT / "pyproject.toml")]
    command = [sys.executable, "-m", "pytest", *setting, "-p", "tests.conftest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *words, str(probe)],
        cwd=CHECKOUT,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("distribution", [[], ["-n", "1"]], ids=["one process", "workers"])
def test_a_test_without_its_parts_is_left_out_and_the_summary_says_why(
    tmp_path: Path, distribution: list[str]
) -> None:
    done = run_probe(tmp_path, *distribution, ci="")
    assert done.returncode == 0, done.stdout
    assert "1 tests left out, because nowhere-to-be-found is not installed" in done.stdout
    assert "apt-get install --no-install-recommends nowhere" in done.stdout
    assert "::test_with_an_engine" in done.stdout
    assert "1 passed" in done.stdout


def test_a_run_of_which_all_was_left_out_is_no_failure(tmp_path: Path) -> None:
    assert run_probe(tmp_path, "-k", "engine", ci="").returncode == 0


def test_on_ci_a_test_without_its_parts_fails(tmp_path: Path) -> None:
    done = run_probe(tmp_path, ci="true")
    assert done.returncode == 1
    assert "nowhere-to-be-found is not installed; to get it in" in done.stdout
    assert "1 passed, 1 error" in done.stdout
