"""Programs that record asks leave nothing running."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import subprocess, sys
from intoto_action.record.leftovers import nothing_left_running
before = subprocess.Popen(["sleep", "60"]) if sys.argv[2] == "with" else None
with nothing_left_running("x"):
    daemon = "setsid sh -c 'echo $$ >pid; exec sleep 60' & while [ ! -s pid ]; do sleep 0.01; done"
    subprocess.run(["sh", "-c", daemon], cwd=sys.argv[1])
if before:
    print(before.poll())
    before.kill()
    before.wait()
"""


@pytest.mark.parametrize("others", ["with", "without"])
def test_what_a_program_leaves_running_is_ended_and_what_was_there_is_not(
    tmp_path: Path, others: str
) -> None:
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), others],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == ("None\n" if others == "with" else "")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert time.monotonic() - start < 30
