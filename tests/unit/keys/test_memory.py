"""What a process still shows of variables that it has taken out of its environment."""

import subprocess
import sys

PROGRAM = """
import os, subprocess, sys
from pathlib import Path
from intoto_action.keys.memory import withdraw
withdraw(["SECRET", "NOT_SET", "EMPTY"])
print(os.environ.get("SECRET"), os.environ.get("EMPTY"))
print(Path("/proc/self/environ").read_bytes())
print(subprocess.run(["env"], capture_output=True, check=True).stdout)
"""


def test_withdrawn_variables_are_neither_inherited_nor_in_proc() -> None:
    environ = {
        "BEFORE": "kept-before",
        "SECRET": "one-s3cr3t=\n\N{LATIN SMALL LETTER E WITH ACUTE}",
        "NO_SECRET": "kept-no-secret",
        "EMPTY": "",
        "AFTER": "kept-after",
        "PYTHONPATH": ":".join(sys.path),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True
    )
    values, block, inherited = done.stdout.splitlines()
    assert values == "None None"
    for text in (block, inherited):
        assert "s3cr3t" not in text
        for name, value in environ.items():
            if name not in {"SECRET", "EMPTY"}:
                assert f"{name}={value}" in text
