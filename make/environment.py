"""Virtual environments made of the locked requirements, and the project installed on top of them."""

import os
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from make.cache import BUILD, CHECKOUT, cache_directory, is_kept, kept, key_of, say
from make.failure import MakeError

REQUIREMENTS = CHECKOUT / "requirements"

_IN_USE_SECONDS = 3600


def locked_python(name: str) -> Path:
    """The Python of an environment that holds exactly what requirements/NAME.txt locks, and not the project.

    It is kept in the user's cache directory under the hash of the lock file and of the interpreter. Only wheels
    are installed, each checked against its hash: nothing is built, and nothing unlocked is fetched to build it.
    pip reads its own settings (PIP_*: an index, a CA bundle, a proxy) from the environment.
    """
    lock = REQUIREMENTS / f"{name}.txt"

    def fill(place: Path) -> None:
        say(f"installing requirements/{name}.txt into {place}")
        venv.create(place, symlinks=True, with_pip=True)
        _pip(
            place / "bin/python",
            ["install", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)],
            failed=f"pip could not install requirements/{name}.txt. It needs the network or its cache; "
            "its settings (PIP_INDEX_URL, PIP_CERT, PIP_PROXY, …) are taken from the environment.",
        )

    return kept(_locked_place(name), fill, what=f"the environment of requirements/{name}.txt") / "bin/python"


def is_installed(name: str) -> bool:
    """Whether `locked_python` would have nothing to install."""
    return is_kept(_locked_place(name))


def project_python() -> Path:
    """The Python of an environment with dev.txt and the project as a user gets it: an installed wheel.

    The locked environment lies below it by a .pth file; on top there is only the project, made anew whenever
    one of its files changed (two seconds). Tests run against this, so that they test what is shipped.
    """
    below = locked_python("dev")

    def fill(place: Path) -> None:
        venv.create(place, symlinks=True, with_pip=False)
        python = place / "bin/python"
        pure = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        (place / pure / "locked.pth").write_text(f"{below.parent.parent / pure}\n")
        wheels = place / "wheel"
        _pip(
            below,
            ["wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(CHECKOUT)],
            failed="The project's wheel could not be built.",
        )
        _pip(
            python,
            ["install", "--no-index", "--no-deps", *map(str, wheels.glob("*.whl"))],
            failed="pip could not install the project's own wheel.",
        )
        for command in below.parent.glob(
            "in-toto-*"
        ):  # the reference implementation's, which tests call by name
            (place / "bin" / command.name).symlink_to(command)

    sources = [CHECKOUT / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    sources += sorted(
        path for path in (CHECKOUT / "src").rglob("*") if path.is_file() and path.suffix != ".pyc"
    )
    key = key_of(str(below), *(part for path in sources for part in (str(path), path.read_bytes())))
    place = BUILD / "python" / key
    _remove_old_projects(but=place)
    return kept(place, fill, what="the project's environment") / "bin/python"


def environment_of(python: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process's environment with that Python's commands first on PATH."""
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, **(extra or {})}


def _locked_place(name: str) -> Path:
    key = key_of((REQUIREMENTS / f"{name}.txt").read_bytes(), *_interpreter())
    return cache_directory() / "python" / f"{name}-{key}"


def _interpreter() -> tuple[str, ...]:
    """What makes an environment of one interpreter useless to another."""
    return (sys.implementation.cache_tag, sys.version, sys.base_prefix, sysconfig.get_platform())


def _pip(python: Path, words: Sequence[str], *, failed: str) -> None:
    verb, *rest = words
    command = [str(python), "-m", "pip", verb, "--quiet", "--no-input", "--disable-pip-version-check", *rest]
    # pip refuses PIP_USER inside an environment; everything else a user set for pip stays.
    environ = {**os.environ, "PIP_USER": "0"}
    if subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise MakeError(f"{failed}\nThe command was: {' '.join(command)}")


def _remove_old_projects(*, but: Path) -> None:
    """Remove the environments of an hour ago and before; a younger one may be in use by another make."""
    for place in (BUILD / "python").glob("*/"):
        if place == but or time.time() - place.stat().st_mtime < _IN_USE_SECONDS:
            continue
        shutil.rmtree(place, ignore_errors=True)
