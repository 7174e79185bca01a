import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from make import debian, go_tools, node_tools, pinned_tools
from make.cache import CHECKOUT, cache_directory, is_kept, kept
from make.failure import MakeError
from make.targets import TARGETS

LISTED = ("demo", "test", "unit", "lint", "bench", "clean", "actions", "lock")


def run(*command: str, path: str | None = None, **environ: str) -> "subprocess.CompletedProcess[str]":
    clean = {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "PYTHON"}
    }
    if path is not None:
        clean["PATH"] = path
    return subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**clean, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def script(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def test_make_alone_lists_the_targets_with_a_line_each() -> None:
    done = run("make")
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == list(LISTED)
    assert all(re.fullmatch(r"make [a-z]+ +\S.{10,}", line) for line in done.stdout.splitlines())


def test_every_target_but_clean_has_its_function() -> None:
    assert set(LISTED) - {"clean"} <= set(TARGETS)


def test_a_python_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "bin", "python3", "exit 127")
    (tmp_path / "bin" / "python3.12").symlink_to(getattr(sys, "_base_executable", sys.executable))
    done = run("make/python", "-c", "print('found')", path=f"{tmp_path}/bin:/bin", PYENV_ROOT=str(tmp_path))
    assert (done.stdout, done.returncode) == ("found\n", 0), done.stderr


def test_without_a_usable_python_it_says_what_was_seen_and_what_to_install(tmp_path: Path) -> None:
    script(tmp_path / "bin", "python3", 'case "$2" in *version.split*) echo 3.9.2 ;; *) exit 3 ;; esac')
    script(tmp_path / "bin", "python3.12", "exit 4")
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    done = run("/bin/sh", "make/python", path=f"{tmp_path}/bin", PYENV_ROOT=str(tmp_path))
    assert done.returncode == 1
    assert "python3 is 3.9.2, older than 3.11" in done.stderr
    assert "python3.12 has no venv or no ensurepip" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_the_cache_is_where_the_user_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "intoto-action"


def test_without_the_variable_the_cache_is_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "intoto-action"


def test_with_a_home_that_is_none_the_cache_is_in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null/home")
    assert cache_directory() == CHECKOUT / "build" / "cache"


def test_what_is_kept_is_made_once(tmp_path: Path) -> None:
    made: list[Path] = []
    for _ in range(2):
        kept(tmp_path / "a" / "b", made.append, what="a test's directory")
    assert made == [tmp_path / "a" / "b"]


def test_what_was_half_made_is_made_again_from_nothing(tmp_path: Path) -> None:
    place = tmp_path / "place"

    def crash(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        kept(place, crash, what="a test's directory")
    assert not is_kept(place)
    kept(place, lambda folder: (folder / "whole").touch(), what="a test's directory")
    assert is_kept(place)
    assert not (place / "half").exists()


def test_two_processes_at_once_make_it_once(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib; from make.cache import kept\n"
        "def fill(place):\n    print('made', flush=True); time.sleep(0.3)\n"
        "kept(pathlib.Path(sys.argv[1]), fill, what='it')"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "place")]
    both = [subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=30)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert "".join(said) == "made\n"


def test_another_checksum_of_a_go_tool_is_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(go_tools, "MODULES", tmp_path)
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "go.mod").write_text("module it\n\ngo 1.26.8\n")
    (tmp_path / "it" / "go.sum").write_text("one")
    before = go_tools.place_of("it")
    (tmp_path / "it" / "go.sum").write_text("two")
    assert go_tools.place_of("it") != before
    assert go_tools.needed_release() == (1, 26, 8)


def test_another_lock_script_or_node_of_a_node_tool_is_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_tools, "MODULES", tmp_path)
    monkeypatch.setattr(node_tools, "REQUIREMENTS", tmp_path)
    files = ("it/package.json", "it/package-lock.json", "it/it.mjs", "node.txt")
    (tmp_path / "it").mkdir()
    for each in files:
        (tmp_path / each).write_text("one")
    assert node_tools.names() == ("it",)
    places = {node_tools.place_of("it")}
    for each in files:
        (tmp_path / each).write_text("two")
        places.add(node_tools.place_of("it"))
    assert len(places) == 5
    with pytest.raises(MakeError, match="no Node tool 'other' in tests/tools; there are it"):
        node_tools.place_of("other")


def test_every_directory_of_pinned_tools_is_one() -> None:
    directories = {path.name for path in (CHECKOUT / "tests" / "tools").iterdir()}
    assert set(pinned_tools.names()) == directories
    assert pinned_tools.names() == tuple(sorted({*go_tools.names(), *node_tools.names()}))


def test_a_pinned_tool_that_is_neither_there_nor_can_be_made_here_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(go_tools, "_own_toolchain", lambda: None)
    assert pinned_tools.why_missing("sigstore-verify") == "sigstore-verify is not installed"
    assert str(pinned_tools.why_missing("fulcio")).startswith("fulcio is not built and there is no Go ≥ 1.")


def test_a_debian_command_that_is_missing_comes_with_the_words_to_get_it() -> None:
    assert debian.missing(["sh"]) == ()
    assert debian.how_to_get("htpasswd") == "sudo apt-get install --no-install-recommends apache2-utils"
    assert "docker-cli or docker.io" in debian.how_to_get("docker")


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that knows one package of two, and the file where it writes down how it was called."""
    calls = tmp_path / "calls"
    script(tmp_path / "bin", "apt-get", f'echo "$@" >> {calls}; case "$*" in *unknown*) exit 100 ;; esac')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(debian, "PACKAGES", {"nowhere-to-be-found": ("unknown", "known")})
    return calls


def test_root_gets_what_is_missing_from_the_first_package_that_apt_knows(
    apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    debian.install_missing()
    verbs = [line.split("DPkg::Lock::Timeout=300 ")[1] for line in apt.read_text().splitlines()]
    assert verbs == [
        "update",
        "install --no-install-recommends unknown",
        "install --no-install-recommends known",
    ]


def test_who_is_not_root_installs_nothing(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    debian.install_missing()
    assert not apt.exists()


def test_the_docker_client_is_taken_out_of_its_package_and_no_daemon_installed(
    apt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(debian, "_TAKEN_OUT", {"nowhere-to-be-found"})
    script(
        apt.parent / "bin",
        "apt-get",
        f'echo "$@" >> {apt}; case "$*" in *unknown*) exit 100 ;; *download*) > known.deb ;; esac',
    )
    unpack = (
        'mkdir -p "$3/usr/bin"; > "$3/usr/bin/nowhere-to-be-found"; chmod +x "$3/usr/bin/nowhere-to-be-found"'
    )
    script(apt.parent / "bin", "dpkg-deb", f"PATH=/usr/bin:/bin; {unpack}")
    debian.install_missing()
    assert " install " not in apt.read_text()
    assert debian.which("nowhere-to-be-found") == str(
        tmp_path / "intoto-action" / "debian" / "nowhere-to-be-found" / "nowhere-to-be-found"
    )
