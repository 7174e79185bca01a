"""The installer of the actions: the first step of a job that uses one, and the second.

Its peer is what a step of one's own would do. The packages are in the cache of the installer, as they are on a runner
that keeps one: what an index and a network take is not ours to measure.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.row import Row, Run, environment, side_by_side
from make.cache import CHECKOUT, cache_directory
from make.environment import locked_python

_USE = "import intoto_action.cli.main"


def main() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="intoto-action-bench-") as name:
        place = Path(name)
        return [*cold(place), *warm(place)]


def cold(place: Path) -> list[Row]:
    lock = CHECKOUT / "requirements" / "runtime.txt"
    peer = f'"$UV" venv -q --clear by-hand && "$UV" pip install -q --python by-hand -r "{lock}" "{CHECKOUT}"'
    by_hand = timed_in(place, ["/bin/sh", "-c", peer])
    install = ["/bin/bash", "-p", str(CHECKOUT / "setup/install.sh")]

    def ours() -> float:
        shutil.rmtree(place / "temp", ignore_errors=True)
        (place / "temp").mkdir()
        return timed_in(place, install)()

    return side_by_side("installer, first use in a job", ours, {"uv by hand": (by_hand, 1.5)}, rounds=5)


def warm(place: Path) -> list[Row]:
    install = timed_in(place, ["/bin/bash", "-p", str(CHECKOUT / "setup/install.sh")])
    install()
    python = next((place / "temp" / "intoto-action").glob("python-*/venv/bin/python"))
    start = timed_in(place, [str(python), "-I", "-X", "utf8", "-c", _USE])
    budget: Run = lambda: 0.1  # noqa: E731
    peers = {"the 100 ms that it may take": (budget, 1.0), "the start of intoto-action": (start, 1.0)}
    return side_by_side("installer, second use in a job", install, peers, rounds=21)


def timed_in(place: Path, command: list[str]) -> Run:
    """The seconds that a step of a job takes."""
    uv = locked_python("lock").parent / "uv"
    tools = place / "tools"
    tools.mkdir(exist_ok=True)
    if not (tools / "uv").exists():
        (tools / "uv").symlink_to(uv)
    (place / "temp").mkdir(exist_ok=True)
    path = os.pathsep.join([str(tools), str(Path(sys.base_prefix) / "bin"), "/usr/bin", "/bin"])
    environ = {
        **environment(),
        "PATH": path,
        "UV": str(uv),
        "UV_CACHE_DIR": str(cache_directory() / "uv"),
        "RUNNER_TEMP": str(place / "temp"),
        "GITHUB_OUTPUT": str(place / "output"),
        "GITHUB_WORKSPACE": str(place / "workspace"),
    }

    def run() -> float:
        start = time.perf_counter()
        subprocess.run(
            command, cwd=place, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
        )
        return time.perf_counter() - start

    return run
