"""The commands that integration tests take from Debian packages."""

import os
import shutil
import subprocess
from collections.abc import Collection, Mapping

from make.cache import cache_directory, held, say

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "buildah": ("buildah",),
    "docker": ("docker-cli", "docker.io"),  # before trixie the client came with the daemon only
    "docker-registry": ("docker-registry",),
    "git": ("git",),
    "htpasswd": ("apache2-utils",),
    "podman": ("podman",),
    "runc": ("runc",),
    "skopeo": ("skopeo",),
}
"""By command: the packages that have it, the first that the release knows is taken."""

_SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def which(command: str) -> str | None:
    """Where the command is; also looks where Debian puts what it thinks only root calls (runc)."""
    return shutil.which(command, path=_SEARCH)


def missing(commands: Collection[str] = tuple(PACKAGES)) -> tuple[str, ...]:
    """Those of the commands that this machine does not have."""
    return tuple(sorted(command for command in commands if which(command) is None))


def how_to_get(commands: Collection[str]) -> str:
    """The command a person types to have them on Debian or Ubuntu."""
    packages = " ".join(sorted({PACKAGES[command][-1] for command in commands}))
    return f"sudo apt-get install --no-install-recommends {packages}"


def install_missing() -> None:
    """Install what is missing when this process may: root, on a system with apt. Otherwise change nothing.

    What could not be had is no error here: the tests that need it are left out or, with CI=true, fail.
    """
    absent = missing()
    if not absent or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    with held(cache_directory() / "apt.lock", what="Debian packages"):
        say(f"installing Debian packages for {', '.join(absent)}")
        _apt("update")
        for command in missing():
            _install(PACKAGES[command])


def _install(candidates: tuple[str, ...]) -> None:
    for package in candidates:
        if _apt("install", "--no-install-recommends", package):
            return
    say(f"apt-get could install none of {', '.join(candidates)}")


def _apt(verb: str, *words: str) -> bool:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "--quiet", "--yes", "-o", "DPkg::Lock::Timeout=300", verb, *words]
    done = subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        say(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.returncode == 0
