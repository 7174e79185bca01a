"""One line of the results, and how its numbers are taken."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Run = Callable[[], float]
"""Does the work once and returns what it cost: seconds, or bytes."""


@dataclass(frozen=True)
class Row:
    """What was measured, what it cost us and a peer (medians), and the ratio that was aimed at."""

    what: str
    ours: float
    peer: str
    theirs: float
    target: float
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def met(self) -> bool:
        return self.ratio <= self.target


def side_by_side(
    what: str, ours: Run, peers: Mapping[str, tuple[Run, float]], rounds: int, unit: str = "s"
) -> list[Row]:
    """Run ours and every peer in turn, `rounds` times after one that does not count; peers come with their target.

    A machine that is busy for a while is so for all of them; the median forgets single outliers.
    """
    runs = {"": ours, **{name: run for name, (run, _) in peers.items()}}
    costs: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            cost = run()
            if turn:
                costs[name].append(cost)
    medians = {name: statistics.median(each) for name, each in costs.items()}
    return [Row(what, medians[""], name, medians[name], target, unit) for name, (_, target) in peers.items()]


def environment() -> dict[str, str]:
    """The environment of measured programs: a set PYTHONDONTWRITEBYTECODE would compile us anew at each start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def timed(command: Sequence[str | Path], directory: Path) -> Run:
    """The seconds that a program takes, from its start to its end."""

    def run() -> float:
        start = time.perf_counter()
        subprocess.run(
            command,
            cwd=directory,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )
        return time.perf_counter() - start

    return run


def said(command: Sequence[str | Path], directory: Path) -> Run:
    """The number that a program prints."""

    def run() -> float:
        done = subprocess.run(command, cwd=directory, env=environment(), capture_output=True, check=True)
        return float(done.stdout)

    return run
