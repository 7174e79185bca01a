"""One function a target of the Makefile. Each takes the words of ARGS and returns an exit code."""

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

from make import debian, go_tools, pinned_tools
from make.cache import BUILD, CHECKOUT, cache_directory, say
from make.environment import REQUIREMENTS, environment_of, is_installed, locked_python, project_python
from make.failure import MakeError

_REPORTS = BUILD / "reports"
_SIDE_BY_SIDE = ("-n", "2")
_WAITING_SIDE_BY_SIDE = ("-n", "4")
"""Tests against real parts wait for them half of their time: for a log's checkpoint, a server's start, a disk."""
_UNIT_SECONDS = 60
_EXAMPLES = 50
_FEW_EXAMPLES = 10
_SIGSTORE = ("fulcio", "rekor-server", "timestamp-server")
_COUNTED = ("failed", "passed", "skipped", "error")


def demo(words: Sequence[str]) -> int:
    """The demo, on the locked runtime requirements and this source tree and nothing else.

    Where `make test` has built a Sigstore before, it vouches for a release without keys too.
    """
    python = locked_python("runtime")
    command: list[str | Path] = [python, "-m", "intoto_action", "demo", *words]
    paths = {"PYTHONPATH": str(CHECKOUT / "src")}
    if is_installed("dev") and all(go_tools.is_built(name) for name in _SIGSTORE):
        dev = locked_python("dev")
        paths = {"PYTHONPATH": os.pathsep.join((paths["PYTHONPATH"], str(CHECKOUT)))}
        return _run([dev, "-m", "tests.parts.demo_with_sigstore", *command], dev, paths)
    return _run(command, python, paths)


def lint(words: Sequence[str]) -> int:
    """Every linter, also after one has complained: a person wants to see all of it at once."""
    del words
    python = locked_python("dev")
    linters: tuple[Sequence[str | Path], ...] = (
        (python, "-m", "ruff", "check", "."),
        (python, "-m", "ruff", "format", "--check", "."),
        (python, "-m", "mypy"),
        (python, "-m", "make.action_files", "--check"),
        (python.parent / "lint-imports",),
    )
    with ThreadPoolExecutor(len(linters)) as at_once:
        done = [at_once.submit(_told, linter, python) for linter in linters]
        return _first_failure(_tell(each.result()) for each in done)


def actions(words: Sequence[str]) -> int:
    """The parts of the actions' files and of the page about them that follow from options and inputs."""
    python = locked_python("dev")
    command: list[str | Path] = [python, "-m", "make.action_files", *words]
    return _run(command, python, {"PYTHONPATH": str(CHECKOUT / "src")})


def unit(words: Sequence[str]) -> int:
    """The unit tests: no Go, no package of the system, no network but loopback, under a minute."""
    began = time.monotonic()
    code = _unit_tests(words, examples=_FEW_EXAMPLES)
    seconds = time.monotonic() - began
    if seconds > _UNIT_SECONDS:
        say(f"the unit tests took {seconds:.0f} s; the house keeps them under {_UNIT_SECONDS} s")
    return code


def test(words: Sequence[str]) -> int:
    """Everything: lint and unit tests while the real parts are built, then the tests against those."""
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=1) as aside:
        parts = aside.submit(real_parts, ())
        codes = {"lint": lint(()), "unit": _unit_tests(words, examples=_EXAMPLES)}
        codes["real parts"] = parts.result()
    there = [
        folder
        for folder in ("tests/e2e", "tests/integration")
        if any(CHECKOUT.glob(f"{folder}/**/test_*.py"))
    ]
    if there:
        # A file's tests stay together: they share the registries and engines they start. The files that take longest
        # come first, in the order given, so that one of them is not what the other workers wait for at the end.
        order = ("--dist", "loadfile", "--no-loadscope-reorder")
        codes["integration"] = pytest([*_WAITING_SIDE_BY_SIDE, *order, *there, *words], report="integration")
    print(f"\nlint: {'failed' if codes['lint'] else 'clean'}")
    for name in ("unit", "integration"):
        if name in codes:
            print(f"{name}: {_in_words(_counts(name))}")
    failed = [name for name, code in codes.items() if code != 0]
    if failed:
        print(f"failed: {', '.join(failed)}")
    total = {
        word: sum(_counts(name)[word] for name in ("unit", "integration") if name in codes)
        for word in _COUNTED
    }
    print(f"===== {_in_words(total)} in {time.monotonic() - began:.2f}s =====", flush=True)
    return 1 if failed else 0


def real_parts(words: Sequence[str]) -> int:
    """The Debian packages (as root) and the pinned tools that integration tests run.

    One that cannot be had is told at once and fails the tests that ask for it; the others are made.
    """
    debian.install_missing()
    codes = [0]
    for name in words or pinned_tools.names():
        try:
            pinned_tools.build(name, niceness=10)
        except MakeError as error:
            say(str(error))
            codes.append(1)
    return _first_failure(codes)


def bench(words: Sequence[str]) -> int:
    """The benchmarks; they print the ratios and write bench/RESULTS.md."""
    python = project_python()
    return _run([python, "bench/run.py", *words], python, {"PYTHONPATH": str(CHECKOUT)})


def lock(words: Sequence[str]) -> int:
    """Compile the requirements files again; with ARGS=--upgrade to the newest versions that fit."""
    uv = locked_python("lock").parent / "uv"
    options = (
        "--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links"
    )
    compiled: list[str | Path] = [
        uv,
        "pip",
        "compile",
        *options.split(),
        "--custom-compile-command",
        "make lock",
        *words,
    ]
    sources = {
        "runtime": "../pyproject.toml",
        "dev": "dev.in",
        "go": "go.in",
        "lock": "lock.in",
        "node": "node.in",
    }
    return _first_failure(
        _run([*compiled, source, "-o", f"{name}.txt"], uv, folder=REQUIREMENTS)
        for name, source in sources.items()
    )


def _unit_tests(words: Sequence[str], *, examples: int) -> int:
    """Whoever waits for them while changing a line gets fewer examples of each property than `make test` tries."""
    command = [*_SIDE_BY_SIDE, "--dist", "worksteal", "tests/unit", *words]
    return pytest(command, report="unit", examples=examples)


def pytest(words: Sequence[str], *, report: str = "pytest", examples: int = _EXAMPLES) -> int:
    """Run pytest on the project as it would be installed, with so many examples of each property."""
    python = project_python()
    _REPORTS.mkdir(parents=True, exist_ok=True)
    (_REPORTS / f"{report}.xml").unlink(missing_ok=True)
    command: list[str | Path] = [python, "-m", "pytest", f"--junitxml={_REPORTS / report}.xml", *words]
    return _run(command, python, {"INTOTO_TEST_EXAMPLES": str(examples)})


def where(words: Sequence[str]) -> int:
    """Say where the cache is."""
    del words
    print(cache_directory())
    return 0


TARGETS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "actions": actions,
    "bench": bench,
    "demo": demo,
    "lint": lint,
    "lock": lock,
    "pytest": pytest,
    "real-parts": real_parts,
    "test": test,
    "unit": unit,
    "where": where,
}


def _run(
    command: Sequence[str | Path],
    python: Path,
    extra: Mapping[str, str] | None = None,
    *,
    folder: Path = CHECKOUT,
) -> int:
    words = [str(word) for word in command]
    return subprocess.run(
        words, cwd=folder, env=environment_of(python, extra), stdin=subprocess.DEVNULL, check=False
    ).returncode


def _told(linter: Sequence[str | Path], python: Path) -> "subprocess.CompletedProcess[str]":
    """Run a linter beside others, and keep what it says."""
    return subprocess.run(
        [str(word) for word in linter],
        cwd=CHECKOUT,
        env=environment_of(python, {"PYTHONPATH": str(CHECKOUT / "src")}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _tell(done: "subprocess.CompletedProcess[str]") -> int:
    print(done.stdout, end="", flush=True)
    return done.returncode


def _first_failure(codes: Iterable[int]) -> int:
    """All of the codes are waited for; one that is not 0 is the result (a signal's is negative)."""
    return next((code for code in list(codes) if code != 0), 0)


def _counts(report: str) -> Mapping[str, int]:
    """What pytest's own report counted; nothing at all when it did not get as far as writing one."""
    file = _REPORTS / f"{report}.xml"
    if not file.is_file():
        return dict.fromkeys(_COUNTED, 0)
    suites = list(ElementTree.parse(file).iter("testsuite"))
    of = {
        word: sum(int(suite.get(word, "0")) for suite in suites)
        for word in ("tests", "failures", "errors", "skipped")
    }
    passed = of["tests"] - of["failures"] - of["errors"] - of["skipped"]
    return {"failed": of["failures"], "passed": passed, "skipped": of["skipped"], "error": of["errors"]}


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "no tests ran"
