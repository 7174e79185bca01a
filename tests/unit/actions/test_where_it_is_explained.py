"""What the scripts and workflows of the actions say without Python has its section of the documentation too."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from make.cache import CHECKOUT

from intoto_action.reason import Trouble
from intoto_action.render.sentences import anchor

OF_USERS = (
    *(path for room in ("setup", "record", "attach", "verify") for path in (CHECKOUT / room).iterdir()),
    CHECKOUT / "action.yml",
    CHECKOUT / ".github/workflows/build-and-attest.yml",
)
ANCHORS = {anchor(each) for each in Trouble}


def lines_with(words: str) -> Iterator[tuple[str, str]]:
    for path in OF_USERS:
        for line in path.read_text().splitlines():
            if re.search(words, line):
                yield path.name, line


def test_every_error_that_is_printed_names_a_section() -> None:
    printed = list(lines_with(r"::error"))
    assert {name for name, _ in printed} == {"flags.sh", "install.sh", "build-and-attest.yml"}
    for name, line in printed:
        found = re.search(r" \((docs/[^)]*)\)(?:\\n)?'(?: \S+)*$", line)
        assert found is not None, line
        assert found[1] in ANCHORS or (name, found[1]) == ("flags.sh", "docs/reason-codes.md#%s"), line


def test_every_refusal_of_a_script_names_a_trouble() -> None:
    refusals = [(name, line) for name, line in lines_with(r"\bfail [\"'a-z]") if name != "install.sh"]
    assert {name for name, _ in refusals} == {"flags.sh", "prepare.sh", "verify.sh"}
    for _, line in refusals:
        if "if-no-credentials" in line:  # a word that an input may be
            continue
        found = re.search(r'\bfail ([a-z-]+) "', line)
        assert found is not None and found[1] in {each.value for each in Trouble}, line


SIGN = {
    f"INTOTO_ACTION_{name}": ""
    for name in ("SIGN_KEYLESS", "PASS_OIDC", "UPLOAD", "SIGN_IF_NO_CREDENTIALS", "SIGN_PULL_REQUESTS")
} | {"INTOTO_ACTION_ALLOW_PUBLIC_LOG": "", "INTOTO_ACTION_PHASE": "run"}


@pytest.mark.parametrize(
    ("script", "given", "trouble"),
    [
        ("record/prepare.sh", {"INTOTO_ACTION_UPLOAD": "yes"}, Trouble.INPUT),
        ("record/prepare.sh", {"INTOTO_ACTION_SIGN_PULL_REQUESTS": "$(id)"}, Trouble.INPUT),
        ("record/prepare.sh", {"INTOTO_ACTION_WORKING_DIRECTORY": "none\n::error::x"}, Trouble.INPUT),
        (
            "record/prepare.sh",
            {"INTOTO_ACTION_PHASE": "start", "INTOTO_ACTION_WORKING_DIRECTORY": "none"},
            Trouble.INPUT,
        ),
        ("record/sign.sh", {"INTOTO_ACTION_ALLOW_PUBLIC_LOG": "yes"}, Trouble.INPUT),
        ("attach/attach.sh", {"INTOTO_ACTION_ATTACH_KEYLESS": "yes"}, Trouble.INPUT),
        ("verify/verify.sh", {"INTOTO_ACTION_VERIFY_ON_DENY": "no"}, Trouble.INPUT),
        ("verify/verify.sh", {"INTOTO_ACTION_VERIFY_REHEARSE": "yes"}, Trouble.INPUT),
        ("setup/install.sh", {"RUNNER_TEMP": "/none%0A\n::error::x"}, Trouble.PLACE),
        ("setup/install.sh", {"GITHUB_OUTPUT": ""}, Trouble.PLACE),
    ],
)
def test_a_script_that_refuses_says_where_that_is_explained(
    script: str, given: Mapping[str, str], trouble: Trouble, tmp_path: Path
) -> None:
    environ = {"PATH": os.environ["PATH"], "GITHUB_WORKSPACE": str(tmp_path), "RUNNER_TEMP": str(tmp_path)}
    environ["GITHUB_OUTPUT"] = str(tmp_path / "output")
    done = subprocess.run(
        ["bash", "-p", CHECKOUT / script],
        env=environ | SIGN | dict(given),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error title=intoto-action")
    assert line.endswith(f" ({anchor(trouble)})")
