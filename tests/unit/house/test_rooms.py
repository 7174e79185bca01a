"""What the design says of every module, checked on the source; the direction of imports is import-linter's."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from make.cache import CHECKOUT

SOURCE = CHECKOUT / "src" / "intoto_action"
MODULES = sorted(SOURCE.rglob("*.py"))
PURE_ROOMS = ("decide", "trust", "formats")
DOES_IO = {
    *(
        "asyncio",
        "ctypes",
        "fcntl",
        "ftplib",
        "getpass",
        "glob",
        "http",
        "importlib",
        "io",
        "logging",
        "mmap",
    ),
    *(
        "multiprocessing",
        "os",
        "pickle",
        "pty",
        "requests",
        "runpy",
        "select",
        "selectors",
        "shelve",
        "shutil",
    ),
    *(
        "signal",
        "smtplib",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "syslog",
        "tempfile",
    ),
    *("time", "urllib", "urllib3", "webbrowser"),
}
IO_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})
CLOCK_CALLS = frozenset({"now", "utcnow", "today"})
FLAGS_OF_ONE_SYSTEM = re.compile(
    r"\bos\.O_(?:CLOEXEC|NOFOLLOW|NONBLOCK|NOCTTY|DIRECTORY|PATH|BINARY|NOINHERIT)\b|\bimport (?:fcntl|msvcrt)\b"
)
KNOWS_ITS_SYSTEM = ("demo/site.py", "system/posix.py", "system/windows.py")
"""The demo runs on Linux alone."""


def of_rooms(*rooms: str) -> list[Path]:
    return [path for path in MODULES if path.relative_to(SOURCE).parts[0] in rooms]


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def impurities(source: str) -> Iterator[str]:
    """What in this source reads or writes anything but its arguments: the clock, files, sockets, processes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"import {alias.name}" for alias in names if alias.name.split(".")[0] in DOES_IO)
            case ast.ImportFrom(module="pathlib", names=names):
                yield from (f"pathlib.{alias.name}" for alias in names if not alias.name.startswith("Pure"))
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in DOES_IO:
                yield f"from {module} import …"
            case ast.ImportFrom(module=str(module)) if module.startswith("intoto_action.system"):
                yield f"from {module} import …"
            case ast.Call(func=ast.Name(id=name)) if name in IO_CALLS:
                yield f"{name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCK_CALLS:
                yield f".{name}()"


@pytest.mark.parametrize("module", of_rooms(*PURE_ROOMS), ids=name_of)
def test_a_room_that_decides_or_parses_does_no_io(module: Path) -> None:
    assert list(impurities(module.read_text())) == []


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import os.path",
        "from urllib.request import urlopen",
        "from pathlib import Path",
        "from intoto_action.system import open_to_read",
        "open('x')",
        "datetime.now(UTC)",
        "def f() -> None:\n    import socket",
    ],
)
def test_the_check_for_io_finds_it_wherever_it_stands(line: str) -> None:
    assert len(list(impurities(line))) == 1


def test_the_check_for_io_lets_pure_code_pass() -> None:
    assert list(impurities("from pathlib import PurePosixPath\nimport re\nPurePosixPath('a').name")) == []


def test_every_pure_room_has_modules_to_check() -> None:
    assert {path.relative_to(SOURCE).parts[0] for path in of_rooms(*PURE_ROOMS)} == set(PURE_ROOMS)


@pytest.mark.parametrize("module", of_rooms("system", "demo"), ids=name_of)
def test_flags_of_one_system_are_seen_where_they_are(module: Path) -> None:
    assert bool(FLAGS_OF_ONE_SYSTEM.search(module.read_text())) == (name_of(module) in KNOWS_ITS_SYSTEM)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_files_are_opened_with_flags_of_one_system_in_its_own_module_alone(module: Path) -> None:
    """Elsewhere a flag would be missing on Windows, or a file be opened as text."""
    if name_of(module) not in KNOWS_ITS_SYSTEM:
        assert not FLAGS_OF_ONE_SYSTEM.search(module.read_text())


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_of_more_than_400_lines_would_be_two(module: Path) -> None:
    lines = len(module.read_text().splitlines())
    assert lines <= 400


def test_no_module_is_named_after_having_no_subject() -> None:
    nameless = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [path for path in MODULES if nameless & {path.stem, *path.relative_to(SOURCE).parts}] == []
