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


ARGUMENTS = """
import subprocess, sys
from pathlib import Path
from intoto_action.keys.memory import hide_argument
secret = sys.argv[2]
hide_argument(secret)
print(Path("/proc/self/cmdline").read_bytes())
print(sys.argv[2] == secret, sys.argv[3])
"""


def test_a_hidden_argument_is_no_longer_on_the_command_line_that_others_see() -> None:
    secret = "s3cr3t-\N{LATIN SMALL LETTER E WITH ACUTE}-s3cr3t"
    words = ["--token", secret, f"--token={secret}", "--other", "s3cr3t"]
    done = subprocess.run(
        [sys.executable, "-c", ARGUMENTS, *words],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    seen, kept = done.stdout.splitlines()
    stars = "*" * len(secret.encode())
    assert f"--token\\x00{stars}\\x00--token={stars}\\x00--other\\x00s3cr3t\\x00" in seen
    assert kept == f"True --token={secret}"
