"""The commands on the pages of examples/, as somebody types them who has copied the files that the page names."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from make.cache import CHECKOUT
from tests.parts.desk import console_script

pytestmark = pytest.mark.needs("git")

EXAMPLES = CHECKOUT / "examples"
_GH = """\
#!/bin/sh
# Stand-in for gh: notes how it is called, and what it is given.
{ echo "$*"; head -n 1; } >>"$HOME/gh"
"""


def typed(example: str, tmp_path: Path, *keys: str) -> Path:
    """The repository after the commands of the page; `keys` were made before, as another page says."""
    repository, tools = tmp_path / "repository", tmp_path / "tools"
    (repository / "in-toto").mkdir(parents=True)
    tools.mkdir()
    (tools / "intoto-action").symlink_to(console_script())
    (tools / "gh").write_text(_GH)
    (tools / "gh").chmod(0o755)
    for layout in EXAMPLES.glob(f"{example}/*.yaml"):
        shutil.copy2(layout, repository / "in-toto")
    made = "".join(f"intoto-action keygen --no-password in-toto/{key}\n" for key in keys)
    page = (EXAMPLES / example / "README.md").read_text()
    commands = "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    environ = {"HOME": str(tmp_path), "PATH": os.pathsep.join((str(tools), os.environ["PATH"]))}
    done = subprocess.run(
        ["bash", "-eu", "-c", f"git init --quiet\n{made}{commands}"],
        cwd=repository,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return repository


def would_be_committed(repository: Path) -> set[str]:
    argv = ["git", "-C", str(repository), "ls-files", "--cached", "--others", "--exclude-standard"]
    return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())


def test_one_key_is_made_given_to_ci_and_not_committed(tmp_path: Path) -> None:
    repository = typed("one-job", tmp_path)
    files = {"ci.pub", "owner.pub", "layout.yaml", "root.layout"}
    assert would_be_committed(repository) == {".gitignore", *(f"in-toto/{each}" for each in files)}
    said = (tmp_path / "gh").read_text().splitlines()
    assert said == ["secret set CI_KEY", "-----BEGIN PRIVATE KEY-----"]


def test_without_a_key_of_ci_the_owner_s_is_the_only_one(tmp_path: Path) -> None:
    repository = typed("keyless", tmp_path)
    files = {"owner.pub", "layout.yaml", "root.layout"}
    assert would_be_committed(repository) == {".gitignore", *(f"in-toto/{each}" for each in files)}


def test_each_image_of_a_repository_has_its_layout_signed(tmp_path: Path) -> None:
    repository = typed("monorepo", tmp_path, "owner", "builder")
    assert (repository / "in-toto/api.layout").is_file()
    assert (repository / "in-toto/web.layout").is_file()
