"""The commands that integration tests take from Debian packages."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from make.cache import cache_directory, held, kept, say
from make.failure import MakeError

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "buildah": ("buildah",),
    "debootstrap": ("debootstrap",),
    "docker": ("docker-cli", "docker.io"),
    "docker-registry": ("docker-registry",),
    "git": ("git",),
    "gpg": ("gnupg",),
    "htpasswd": ("apache2-utils",),
    "podman": ("podman",),
    "runc": ("runc",),
    "shellcheck": ("shellcheck",),
    "skopeo": ("skopeo",),
    "softhsm2-util": ("softhsm2",),
}
"""By command: the packages that have it; the first that the release knows is taken."""

_TAKEN_OUT = frozenset({"docker"})
"""Commands that are taken out of their package, which is not installed: it would bring a daemon and start it."""


def which(command: str) -> str | None:
    """Where the command is; also looks where Debian puts what it thinks only root calls, and at what was taken out."""
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]
    if command in _TAKEN_OUT:
        places.append(str(_place_of(command)))
    return shutil.which(command, path=os.pathsep.join(places))


def missing(commands: Collection[str] | None = None) -> tuple[str, ...]:
    """Those of the commands (of all in PACKAGES) that this machine does not have."""
    wanted = PACKAGES if commands is None else commands
    return tuple(sorted(command for command in wanted if which(command) is None))


def how_to_get(command: str) -> str:
    """What a person types to have the command on Debian or Ubuntu."""
    if command in _TAKEN_OUT:
        return f"put the {command} client on PATH (Debian: the package {' or '.join(PACKAGES[command])})"
    return f"sudo apt-get install --no-install-recommends {PACKAGES[command][-1]}"


def install_missing() -> None:
    """Install what is missing when this process may: root, on a system with apt. Otherwise change nothing.

    What could not be had is no error here: the tests that need it are left out or, with CI=true, fail.
    """
    absent = missing()
    if not absent or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    with held(cache_directory() / "apt.lock", what="Debian packages"):
        say(f"getting Debian's {', '.join(absent)}")
        try:
            _apt("update")
        except MakeError as error:  # a list of yesterday may do
            say(str(error))
        for command in missing():
            _obtain(command)


def _obtain(command: str) -> None:
    """Have the command from the first of its packages that there is, or say what apt said of each."""
    failures = []
    for package in PACKAGES[command]:
        try:
            if command in _TAKEN_OUT:
                _take_out(command, package)
            else:
                _apt("install", "--no-install-recommends", package)
        except MakeError as error:
            failures.append(str(error))
        else:
            return
    say("\n".join(failures))


def _take_out(command: str, package: str) -> None:
    """Put one command of a package into the cache."""

    def fill(place: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            _apt("download", package, folder=Path(folder))
            (archive,) = Path(folder).glob("*.deb")
            _run(["dpkg-deb", "--extract", str(archive), f"{folder}/tree"])
            shutil.copy2(f"{folder}/tree/usr/bin/{command}", place / command)

    kept(_place_of(command), fill, what=f"the {command} command")


def _place_of(command: str) -> Path:
    return cache_directory() / "debian" / command


def _apt(verb: str, *words: str, folder: Path | None = None) -> None:
    _run(["apt-get", "--quiet", "--yes", "-o", "DPkg::Lock::Timeout=300", verb, *words], folder=folder)


def _run(command: list[str], *, folder: Path | None = None) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    nothing = subprocess.DEVNULL
    done = subprocess.run(
        command, cwd=folder, env=environ, stdin=nothing, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise MakeError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
