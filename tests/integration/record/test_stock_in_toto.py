"""What stock in-toto records and reads, and what we do."""

import os
import random
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import pytest
from in_toto.exceptions import SignatureVerificationError
from in_toto.models._signer import load_public_key_from_file
from in_toto.models.link import Link
from in_toto.models.metadata import Envelope, Metadata
from tests.parts.recording import Recorder

IN_TOTO_RUN = Path(sysconfig.get_path("scripts")) / "in-toto-run"


def stock_link(path: Path) -> Link:
    metadata = Metadata.load(str(path))
    assert isinstance(metadata, Envelope)
    link = metadata.get_payload()
    assert isinstance(link, Link)
    return link


def stock_key(private: Path) -> dict[str, Any]:
    """The public key beside a private one, as in-toto reads it."""
    key: dict[str, Any] = load_public_key_from_file(f"{private}.pub")
    return key


def stock_run(recorder: Recorder, *words: str, exclude: tuple[str, ...] = ()) -> Link:
    """What in-toto-run records, with our key and the same excludes."""
    folder = recorder.base.parent / "stock"
    folder.mkdir(exist_ok=True)
    excludes = [".git/**", *exclude]
    command: list[str | Path] = [
        IN_TOTO_RUN,
        "--use-dsse",
        "--step-name",
        "build",
        "--signing-key",
        recorder.key,
    ]
    command += ["--metadata-directory", folder, "--exclude", *excludes, *words]
    subprocess.run(command, cwd=recorder.base, check=True, capture_output=True)
    (path,) = folder.iterdir()
    return stock_link(path)


def our_run(recorder: Recorder, *words: str) -> Link:
    done = recorder(*words, "--", "true")
    assert done.returncode == 0, done.stderr
    (path,) = recorder.links.iterdir()
    return stock_link(path)


def test_stock_in_toto_reads_our_link_and_finds_our_signature_good(recorder: Recorder) -> None:
    recorder.write("src/ü b", "a")
    link = our_run(recorder, "--materials", "src", "--products", "src")
    assert link.name == "build" and link.command == ["true"] and link.byproducts == {"return-value": 0}
    (path,) = recorder.links.iterdir()
    key = stock_key(recorder.key)
    assert path.name == f"build.{key['keyid'][:8]}.link"
    Metadata.load(str(path)).verify_signature(key)


def test_stock_in_toto_refuses_our_link_for_another_key(recorder: Recorder, tmp_path: Path) -> None:
    our_run(recorder, "--materials", ".")
    (path,) = recorder.links.iterdir()
    recorder.new_key(tmp_path / "other.pem")
    with pytest.raises(SignatureVerificationError):
        Metadata.load(str(path)).verify_signature(stock_key(tmp_path / "other.pem"))


def plant(base: Path, seed: int) -> None:
    """A tree of files, directories and symlinks to files and to directories elsewhere."""
    choice = random.Random(seed)
    directories = [base]
    for number in range(choice.randrange(3, 12)):
        directory = choice.choice(directories) / choice.choice(
            [f"d{number}", f"with space {number}", f"ü{number}", f".h{number}"]
        )
        directory.mkdir()
        directories.append(directory)
    files = []
    for number in range(choice.randrange(5, 40)):
        path = (
            choice.choice(directories) / f"f{number}{choice.choice(['.c', '.pyc', '~', '.link', '', '.log'])}"
        )
        path.write_bytes(choice.randbytes(choice.choice([0, 1, 5000, 300_000])))
        files.append(path)
    outside = base.parent / "outside"
    (outside / "inner").mkdir(parents=True, exist_ok=True)
    (outside / "inner/file").write_text("outside")
    for number in range(choice.randrange(0, 4)):
        (choice.choice(directories) / f"s{number}").symlink_to(choice.choice([*files, outside]))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "exclude", [(), ("*.pyc", "*~", "*.link*", ".git"), ("d*", "!*.c", "/with space*/f?.log")]
)
def test_the_same_tree_gives_the_same_artifacts(
    recorder: Recorder, seed: int, exclude: tuple[str, ...]
) -> None:
    plant(recorder.base, seed)
    words = [word for pattern in exclude for word in ("--exclude", pattern)]
    theirs = stock_run(recorder, "--materials", ".", "--", "true", exclude=exclude)
    assert our_run(recorder, "--materials", ".", *words).materials == theirs.materials


@pytest.mark.parametrize("seed", range(4))
def test_the_same_directory_gives_the_same_digest(recorder: Recorder, seed: int) -> None:
    tree = recorder.base / "tree"
    tree.mkdir()
    plant(tree, seed)
    (tree / "empty").mkdir()
    theirs = stock_run(
        recorder, "--materials", "dir:tree", "dir:tree/empty", "--", "true", exclude=("*.log",)
    )
    words = ("--materials", "dir:tree", "--materials", "dir:tree/empty", "--exclude", "*.log")
    ours = our_run(recorder, *words)
    assert ours.materials == theirs.materials
    assert set(ours.materials) == {"dir:tree", "dir:tree/empty"}


def test_a_directory_digest_is_what_the_shell_computes(recorder: Recorder) -> None:
    for name in ("b", "a", "A", "ü", "sub/x y", "sub.d/z"):
        recorder.write(f"tree/{name}", name)
    shell = "find . -type f | cut -c3- | LC_ALL=C sort | tr '\\n' '\\0' | xargs -0 -r sha256sum | sha256sum"
    done = subprocess.run(
        ["sh", "-c", shell], cwd=recorder.base / "tree", capture_output=True, text=True, check=True
    )
    assert our_run(recorder, "--products", "dir:tree").products == {
        "dir:tree": {"sha256": done.stdout.split()[0]}
    }


def test_a_tree_of_thousands_of_files_gives_what_in_toto_computes(recorder: Recorder) -> None:
    """Enough for worker processes; in this process, where in-toto is slow to start only once."""
    from in_toto.runlib import record_artifacts_as_dict

    for number in range(3000):
        recorder.write(f"d{number % 37}/f{number}", str(number))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # pathspec's, of the way in which in-toto calls it
        before = os.getcwd()
        os.chdir(recorder.base)
        try:
            theirs: dict[str, Any] = record_artifacts_as_dict(["."], exclude_patterns=[".git/**"])
        finally:
            os.chdir(before)
    assert our_run(recorder, "--materials", ".").materials == theirs


def test_memory_does_not_grow_with_the_files(recorder: Recorder) -> None:
    """Peak memory of record and of its workers, with 1 MB and with 400 MB in two sparse files."""

    def peak(size: int) -> int:
        for name in ("one", "two"):
            with (recorder.base / name).open("wb") as file:
                file.truncate(size)
        script = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        words = recorder.argv("--force", "--materials", ".", "--", "true")
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            cwd=recorder.base,
            env=recorder.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    assert peak(200 << 20) < peak(500_000) + (8 << 10)  # kilobytes
