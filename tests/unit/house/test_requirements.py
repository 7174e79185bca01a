import json
import re
import tomllib
from pathlib import Path

import pytest
from make import node_tools
from make.cache import CHECKOUT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = sorted((CHECKOUT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def entries(lock: Path) -> list[str]:
    """The requirements of a lock file, each as one line with its hashes, comments gone."""
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [entry.strip() for entry in "\n".join(lines).replace("\\\n", " ").splitlines() if entry.strip()]


def pins(name: str) -> dict[str, str]:
    """Versions by canonical name."""
    requirements = (
        Requirement(entry.split(" --hash")[0]) for entry in entries(CHECKOUT / f"requirements/{name}.txt")
    )
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in requirements}


def test_there_is_a_lock_for_what_runs_what_tests_go_node_and_the_locking_itself() -> None:
    assert [lock.stem for lock in LOCKS] == ["dev", "go", "lock", "node", "runtime"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_requirement_has_one_version_and_its_hashes(lock: Path) -> None:
    for entry in entries(lock):
        requirement, *hashes = entry.split(" --hash")
        assert re.search(r"==[0-9]", requirement), entry
        assert hashes, entry
        assert all(HASH.fullmatch(f"--hash{each.strip()}") for each in hashes), entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_says_nothing_of_where_it_was_made(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--(extra-)?index|--find-links|--trusted)", text, re.MULTILINE)
    assert not re.search(r"(^|\s)/\w", text), "an absolute path"


@pytest.mark.parametrize("name", node_tools.names())
def test_every_package_of_a_node_tool_has_its_checksum_and_no_place(name: str) -> None:
    lock = json.loads((node_tools.MODULES / name / "package-lock.json").read_text())
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    for path, package in packages.items():
        assert package["integrity"].startswith("sha512-"), path
        assert "resolved" not in package, path


@pytest.mark.parametrize("dependency", PROJECT["project"]["dependencies"])
def test_the_lock_of_what_runs_answers_every_dependency_of_the_project(dependency: str) -> None:
    wanted = Requirement(dependency)
    assert wanted.specifier.contains(pins("runtime")[canonicalize_name(wanted.name)])


def test_tests_run_on_the_versions_that_users_get() -> None:
    locked = pins("dev")
    assert {name: locked.get(name) for name in pins("runtime")} == pins("runtime")


def test_the_build_backend_that_tests_use_is_the_one_the_project_names() -> None:
    (backend,) = (Requirement(each) for each in PROJECT["build-system"]["requires"])
    assert str(backend.specifier) == f"=={pins('dev')[canonicalize_name(backend.name)]}"
