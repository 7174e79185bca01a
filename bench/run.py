"""All benchmarks of this folder, or those that are named: the ratios on stdout, and in bench/RESULTS.md.

    python bench/run.py [record …] [--only WORDS]

A benchmark is a module with `main() -> list[Row]`. The exit code is 1 when a target was missed.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bench.row import Row

FOLDER = Path(__file__).parent
NO_BENCHMARKS = frozenset({"row", "run"})
HEAD = ("what", "ours", "peer", "theirs", "ratio", "target", "met")


def main(words: Sequence[str]) -> int:
    known = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NO_BENCHMARKS)
    if unknown := set(words) - set(known):
        print(
            f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr
        )
        return 2
    rows: list[Row] = []
    for name in words or known:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += import_module(f"bench.{name}").main()
    table = markdown(rows)
    print(table)
    if not words:
        (FOLDER / "RESULTS.md").write_text(f"{heading()}\n{table}\n")
    return 0 if all(row.met for row in rows) else 1


def heading() -> str:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=FOLDER, capture_output=True, text=True, check=False
    ).stdout.strip()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}"
    return (
        "# How fast we are beside the stock tools\n\n"
        f"`make bench` on {machine}, Python {platform.python_version()}, commit {commit or 'unknown'}. Medians of runs "
        "in turn; a ratio below 1 means that we take less.\n"
    )


def markdown(rows: Sequence[Row]) -> str:
    lines = [HEAD, ("---",) * len(HEAD)]
    for row in rows:
        numbers = (quantity(row.ours, row.unit), row.peer, quantity(row.theirs, row.unit), f"{row.ratio:.2f}")
        lines.append((row.what, *numbers, f"≤ {row.target:g}", "yes" if row.met else "**no**"))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def quantity(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"
    return f"{value / (1 << 20):.0f} MiB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
