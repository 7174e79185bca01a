"""What the Dockerfile says, without building it: tests/e2e/test_container_action.py does that."""

import json
import re

import pytest
import yaml
from make.cache import CHECKOUT

from intoto_action import __version__

TEXT = (CHECKOUT / "Dockerfile").read_text()
LINES = re.sub(r"\\\n\s*", "", TEXT).splitlines()
ARGUMENTS = dict(line.removeprefix("ARG ").split("=", 1) for line in LINES if line.startswith("ARG "))


def instructions(word: str, stage: str) -> list[str]:
    """The rest of each such line of a stage."""
    inside = False
    found = []
    for line in LINES:
        if line.startswith("FROM "):
            inside = line.endswith(f" AS {stage}")
        elif inside and line.startswith(f"{word} "):
            found.append(line.removeprefix(f"{word} "))
    return found


def test_everything_that_it_starts_from_is_pinned_by_digest_and_can_be_replaced() -> None:
    stages = set()
    for line in LINES:
        if line.startswith("FROM "):
            _, source, _, name = line.split()
            variable = re.fullmatch(r"\$\{(\w+)\}", source)
            assert source in stages or (
                variable and re.search(r"@sha256:[0-9a-f]{64}$", ARGUMENTS[variable[1]])
            )
            stages.add(name)
    assert not TEXT.lower().startswith(("# syntax", "#syntax"))


def test_nothing_is_fetched_but_packages_with_their_hashes() -> None:
    assert not [line for line in LINES if re.match(r"ADD |RUN .*(curl|wget|apt|git clone)", line)]
    (install,) = [line for line in LINES if "pip --python" in line]
    assert "--require-hashes --only-binary :all: --requirement /src/runtime.txt" in install
    assert "COPY requirements/runtime.txt /src/" in LINES


def test_the_cosign_inside_is_the_one_that_the_tests_run() -> None:
    module = (CHECKOUT / "tests/tools/cosign/go.mod").read_text()
    version = re.search(r"github.com/sigstore/cosign/v3 (v[\d.]+)", module)
    assert version and f":{version[1]}@" in ARGUMENTS["COSIGN"]


def test_the_python_inside_is_one_that_the_lock_has_wheels_for() -> None:
    installer = (CHECKOUT / "setup/install.sh").read_text()
    oldest, newest = (
        re.search(rf"^{word}=3\.(\d+)", installer, re.MULTILINE) for word in ("oldest", "newest")
    )
    found = re.search(r"python:3\.(\d+)\.\d+-slim-", ARGUMENTS["BASE"])
    assert oldest and newest and found
    assert int(oldest[1]) <= int(found[1]) <= int(newest[1])


def test_the_label_has_our_version() -> None:
    assert ARGUMENTS["VERSION"] == __version__


@pytest.mark.parametrize(("stage", "user"), [("image", "65532:65532"), ("action", "0:0")])
def test_only_the_container_action_is_root(stage: str, user: str) -> None:
    assert instructions("USER", stage)[-1] == user


def test_a_build_that_names_no_target_is_the_action_s() -> None:
    """GitHub's runner builds so."""
    assert [line for line in LINES if line.startswith("FROM ")][-1] == "FROM image AS action"


def test_the_action_runs_the_python_of_the_image() -> None:
    runs = yaml.safe_load((CHECKOUT / "action.yml").read_text())["runs"]
    (entrypoint,) = instructions("ENTRYPOINT", "image")
    python, *options, _ = json.loads(entrypoint)
    assert [runs["entrypoint"], *runs["args"][:-1]] == [python, *options]
    assert "-I" in options


def test_no_shell_is_between_the_words_and_python() -> None:
    for word in ("ENTRYPOINT", "CMD"):
        assert all(isinstance(json.loads(each), list) for each in instructions(word, "image"))


def test_the_build_gets_what_it_copies_and_no_secret_that_lies_about() -> None:
    patterns = [
        line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"
    ]
    assert patterns[0] == "*"
    copied = {line.split()[1].rstrip("/") for line in LINES if re.match(r"COPY (?!--from)", line)}
    assert {each[1:] for each in patterns if each.startswith("!")} == copied
