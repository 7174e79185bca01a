"""What of release.yml is bash and git, and the layouts that its images and those of other callers have."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from make.cache import CHECKOUT
from tests.parts.desk import run as run_product

pytestmark = pytest.mark.needs("git")

RELEASE = yaml.safe_load((CHECKOUT / ".github/workflows/release.yml").read_text())["jobs"]
IMAGE = "ghcr.io/org/intoto-action/action@sha256:" + "ab" * 32
ACTION = "name: in-toto\ninputs:\n  image:\n    required: true\nruns:\n  using: docker\n  image: Dockerfile\n"
GIT = ("git", "-c", "user.name=tests", "-c", "user.email=tests@example.test", "-c", "core.hooksPath=")


def script(job: str, name: str) -> str:
    (found,) = (step["run"] for step in RELEASE[job]["steps"] if step["name"] == name)
    return str(found)


PREPARE = script("candidate", "Put the digest into action.yml")
CHECK = script("check", "The commit is that of the candidate")
ON_MAIN = script("check", "All the rest of it is on main")


def call(*argv: str, cwd: Path, **variables: str) -> tuple[int, str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(cwd), **variables}
    done = subprocess.run(
        argv, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def commit(tree: Path) -> None:
    assert call(*GIT, "add", "--all", cwd=tree)[0] == 0
    assert call(*GIT, "commit", "--quiet", "--message=x", cwd=tree)[0] == 0


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    assert call("git", "init", "--quiet", cwd=folder)[0] == 0
    (folder / "action.yml").write_text(ACTION)
    (folder / "pyproject.toml").write_text('version = "1.2.3"\n')
    commit(folder)
    return folder


def bash(text: str, tree: Path, **variables: str) -> tuple[int, str]:
    """As GitHub's runner runs a `run` without a shell of its own."""
    path = tree.parent / "script"
    path.write_text(text)
    return call("bash", "-e", str(path), cwd=tree, **variables)


def prepare(tree: Path, version: str = "1.2.3", image: str = IMAGE) -> tuple[int, str]:
    return bash(PREPARE, tree, VERSION=version, IMAGE=image)


def check(tree: Path, tag: str = "v1.2.3") -> tuple[int, str]:
    return bash(CHECK, tree, GITHUB_REF_NAME=tag, GITHUB_OUTPUT=str(tree.parent / "outputs"))


def test_the_commit_of_a_candidate_names_the_image_and_is_the_one_that_a_tag_may_have(tree: Path) -> None:
    assert prepare(tree)[0] == 0
    assert (tree / "action.yml").read_text() == ACTION.replace("Dockerfile", f"docker://{IMAGE}")
    code, printed = check(tree)
    assert code == 0, printed
    assert (tree.parent / "outputs").read_text() == f"image={IMAGE}\n"


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("1.2.4", IMAGE),
        ("1.2.3; touch x", IMAGE),
        ("1.2.3", "ghcr.io/org/intoto-action/action:latest"),
        ("1.2.3", IMAGE.replace("ghcr.io/org", "ghcr.io/evil")),
        ("1.2.3", f"{IMAGE}|e touch x"),
    ],
)
def test_no_candidate_is_made_of_other_words(tree: Path, version: str, image: str) -> None:
    assert prepare(tree, version, image)[0] != 0
    assert (tree / "action.yml").read_text() == ACTION


def test_no_candidate_is_made_of_an_action_that_names_an_image_already(tree: Path) -> None:
    (tree / "action.yml").write_text(ACTION.replace("Dockerfile", "docker://elsewhere"))
    commit(tree)
    assert prepare(tree)[0] != 0


def test_a_tag_on_a_commit_that_changes_more_is_refused(tree: Path) -> None:
    assert prepare(tree)[0] == 0
    (tree / "more").write_text("more")
    assert call(*GIT, "add", "--all", cwd=tree)[0] == 0
    assert call(*GIT, "commit", "--quiet", "--amend", "--no-edit", cwd=tree)[0] == 0
    code, printed = check(tree)
    assert (code, "found other changes" in printed) == (1, True)


def test_a_tag_on_a_commit_that_names_another_image_is_refused(tree: Path) -> None:
    (tree / "action.yml").write_text(ACTION.replace("Dockerfile", "docker://ghcr.io/evil/action@sha256:1"))
    commit(tree)
    code, printed = check(tree)
    assert (code, "expected docker://ghcr.io" in printed) == (1, True)


def test_a_tag_of_another_version_is_refused(tree: Path) -> None:
    assert prepare(tree)[0] == 0
    assert check(tree, "v1.2.4")[0] == 1


@pytest.mark.parametrize(
    ("status", "code"), [("identical", 0), ("behind", 0), ("ahead", 1), ("diverged", 1), ("", 1)]
)
def test_a_tag_counts_only_on_top_of_a_commit_of_main(status: str, code: int, tree: Path) -> None:
    """The answer of `compare` to main...PARENT: a commit that main has is behind it, or is its newest."""
    assert prepare(tree)[0] == 0
    tools = tree.parent / "tools"
    tools.mkdir()
    asked = tree.parent / "asked"
    (tools / "gh").write_text(f'#!/bin/sh\necho "$2" >"{asked}"\necho "{status}"\n')
    (tools / "gh").chmod(0o755)
    places = os.pathsep.join((str(tools), os.environ["PATH"]))
    assert bash(ON_MAIN, tree, PATH=places, GITHUB_REPOSITORY="org/intoto-action")[0] == code
    parent = call(*GIT, "rev-parse", "HEAD~1", cwd=tree)[1].strip()
    assert asked.read_text() == f"repos/org/intoto-action/compare/main...{parent}\n"


@pytest.mark.parametrize("name", ["image", "action-image"])
def test_the_layout_of_our_own_image_has_no_errors_and_the_steps_that_the_release_does(name: str) -> None:
    path = CHECKOUT / "in-toto" / f"{name}.yaml"
    ended = run_product("layout", "lint", str(path), cwd=CHECKOUT)
    assert ended.code == 0, ended
    given = RELEASE[name]["with"]
    layout = yaml.safe_load(path.read_text())
    asked = [step for step in ("test", "scan") if given.get(step)]
    assert [step["name"] for step in layout["steps"]] == ["checkout", "build", *asked, "push"]
    assert layout["subject"]["artifact"] == f"oci:{given['image']}"
    assert given["layout"] == f"in-toto/{name}.layout"


def test_the_layout_for_callers_of_the_reusable_workflow_compiles_with_the_warnings_that_it_tells_of(
    tmp_path: Path,
) -> None:
    text = (CHECKOUT / "docs/reusable-workflow.md").read_text()
    (block,) = (each for each in re.findall(r"^```yaml\n(.*?)^```$", text, re.S | re.M) if "expires" in each)
    (tmp_path / "layout.yaml").write_text(block.replace("<sha>", "ab" * 20))
    ended = run_product("layout", "lint", "layout.yaml", cwd=tmp_path)
    assert ended.code == 0, ended
    assert set(re.findall(r"warning (L\d+)", ended.out + ended.err)) == {"L20", "L37"}
    identity = "https://github.com/org/intoto-action/.github/workflows/build-and-attest.yml@" + "ab" * 20
    assert identity in ended.out + ended.err
