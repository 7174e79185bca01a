"""record beside in-toto, in-toto-golang, and the tools that only hash."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from bench.row import Row, environment, said, side_by_side, timed
from tests.parts.tools import tool

SCRIPTS = Path(sysconfig.get_path("scripts"))
OURS = SCRIPTS / "intoto-action"
IN_TOTO_RUN = SCRIPTS / "in-toto-run"

OUR_HASHING = """
import time
from pathlib import Path
from intoto_action.record.artifacts import digest_selection
from intoto_action.record.excludes import Excludes
from intoto_action.record.select import select
from intoto_action.record.task import Here
here = Here(base=str(Path.cwd()), environ={}, tell=print, progress=lambda what, files: lambda done, size: None)
start = time.perf_counter()
digest_selection(select(["."], Excludes(), here), here, "materials")
print(time.perf_counter() - start)
"""
THEIR_HASHING = """
import time, warnings
warnings.simplefilter("ignore")
from in_toto.runlib import record_artifacts_as_dict
start = time.perf_counter()
record_artifacts_as_dict(["."], exclude_patterns=[".git/**"], follow_symlink_dirs=True)
print(time.perf_counter() - start)
"""
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def main() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="intoto-action-bench-") as name:
        place = Path(name)
        key = place / "key.pem"
        subprocess.run(
            [OURS, "keygen", "--no-password", key], check=True, capture_output=True, env=environment()
        )
        many, large, tiny = place / "many", place / "large", place / "tiny"
        many_files(many)
        large_files(large)
        tiny.mkdir()
        (tiny / "file").write_text("x")
        return [
            *hashing_of_many(many),
            *hashing_of_large(large),
            *whole_record(many, key, place),
            *cold_start(tiny, key, place),
            *memory(large, tiny, key, place),
        ]


def many_files(directory: Path) -> None:
    """50,000 files of 2 KB in 500 directories."""
    content = os.urandom(2048)
    for number in range(500):
        folder = directory / f"directory{number:03}"
        folder.mkdir(parents=True)
        for file in range(100):
            (folder / f"file{file:02}.txt").write_bytes(
                number.to_bytes(4, "big") + file.to_bytes(4, "big") + content[8:]
            )


def large_files(directory: Path) -> None:
    """2 GiB in 20 files."""
    directory.mkdir()
    block = os.urandom(1 << 20)
    for number in range(20):
        with (directory / f"file{number:02}").open("wb") as file:
            for part in range(102):
                file.write(part.to_bytes(4, "big") + block[4:])
            file.write(block[: (2 << 30) // 20 - (102 << 20)])


def hashing_of_many(directory: Path) -> list[Row]:
    python = sys.executable
    sha256sum = "find . -type f -print0 | xargs -0 -P2 -n500 sha256sum"
    return side_by_side(
        "hash 50,000 files of 2 KB",
        said([python, "-c", OUR_HASHING], directory),
        {
            "in-toto record_artifacts_as_dict": (said([python, "-c", THEIR_HASHING], directory), 0.45),
            "xargs -P2 sha256sum": (timed(["sh", "-c", sha256sum], directory), 0.85),
        },
        rounds=9,
    )


def hashing_of_large(directory: Path) -> list[Row]:
    python = sys.executable
    openssl = "find . -type f -print0 | xargs -0 -P2 -n2 openssl dgst -sha256"
    return side_by_side(
        "hash 2 GiB in 20 files",
        said([python, "-c", OUR_HASHING], directory),
        {
            "in-toto record_artifacts_as_dict": (said([python, "-c", THEIR_HASHING], directory), 0.35),
            "openssl dgst on 2 processes": (timed(["sh", "-c", openssl], directory), 1.0),
        },
        rounds=5,
    )


def whole_record(directory: Path, key: Path, place: Path) -> list[Row]:
    golang = tool("in-toto-golang")
    return side_by_side(
        "record 50,000 materials and products",
        timed(our_record(key, place), directory),
        {
            "in-toto-run --use-dsse": (timed(stock_record(key, place), directory), 0.35),
            "in-toto-golang run --use-dsse": (timed(golang_record(golang, key, place), directory), 0.8),
        },
        rounds=5,
    )


def cold_start(directory: Path, key: Path, place: Path) -> list[Row]:
    return side_by_side(
        "record a tiny step",
        timed(our_record(key, place), directory),
        {
            "in-toto-run --use-dsse": (timed(stock_record(key, place), directory), 1.0),
            "python -I, which does nothing": (timed([sys.executable, "-I", "-c", ""], directory), 15.0),
        },
        rounds=21,
    )


def memory(large: Path, tiny: Path, key: Path, place: Path) -> list[Row]:
    peak = [sys.executable, "-c", PEAK, *our_record(key, place)]
    return side_by_side(
        "peak memory of record, 2 GiB",
        said(peak, large),
        {"the same with 1 byte": (said(peak, tiny), 1.1)},
        rounds=3,
        unit="bytes",
    )


def our_record(key: Path, place: Path) -> list[str | Path]:
    words = ["record", "--step-name", "s", "--materials", ".", "--products", ".", "--force"]
    return [OURS, *words, "--key", key, "--link-dir", place / "ours", "--", "true"]


def stock_record(key: Path, place: Path) -> list[str | Path]:
    (place / "stock").mkdir(exist_ok=True)
    words = ["--use-dsse", "--quiet", "--step-name", "s", "--materials", ".", "--products", "."]
    return [IN_TOTO_RUN, *words, "--signing-key", key, "--metadata-directory", place / "stock", "--", "true"]


def golang_record(golang: Path, key: Path, place: Path) -> list[str | Path]:
    (place / "golang").mkdir(exist_ok=True)
    words = ["run", "--use-dsse", "--name", "s", "--materials", ".", "--products", "."]
    return [golang, *words, "--key", key, "--metadata-directory", place / "golang", "--", "true"]
