"""podman, buildah, skopeo and the docker client with a storage of their own, which nothing outlives.

No image is pulled in tests, so a Dockerfile starts `FROM scratch` with a static binary (the pinned Go tools are
static) or from an imported tree. No network is set up here, so runs use the machine's; give builds `--network=host`.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from make import debian

_SECONDS_TO_END = 20.0

_ENGINE = """\
# Machines for tests are often containers themselves: no systemd, no journal, limits that cannot be raised.
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
netns = "host"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "{folder}/engine"
"""

_STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{folder}/images"
runroot = "{folder}/run"
"""
_MORE_IMAGES = """\
[storage.options]
additionalimagestores = ["{place}"]
"""


@contextmanager
def container_storage(more_images: Callable[[str], Path] | None = None) -> Iterator[Mapping[str, str]]:
    """Yield the environment to run podman, buildah, skopeo and docker with; end and remove what they made.

    The machine's own settings, images and logins are neither read nor changed. `more_images` says where images are
    that are there from the start, and only read; it is given the name of the storage's driver.
    """
    # Not pytest's folder, whose path is long: sockets of conmon lie below, and a socket's path ends at 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="engines-"))
    engine, storage, logins = folder / "containers.conf", folder / "storage.conf", folder / "auth.json"
    engine.write_text(_ENGINE.format(folder=folder))
    driver = _driver(folder)
    settings = _STORAGE.format(folder=folder, driver=driver)
    if more_images:
        settings += _MORE_IMAGES.format(place=more_images(driver))
    storage.write_text(settings)
    logins.write_text("{}")
    environ = {
        **os.environ,
        "PATH": _path(),
        "CONTAINERS_CONF": str(engine),
        "CONTAINERS_STORAGE_CONF": str(storage),
        "REGISTRY_AUTH_FILE": str(logins),
        "DOCKER_CONFIG": str(folder / "docker"),
        "BUILDAH_ISOLATION": "oci",
    }
    try:
        yield environ
    finally:
        if debian.which("podman") is not None:  # unmounts what containers had mounted, before the files go
            command = ["podman", "rm", "--all", "--force", "--time=0"]
            subprocess.run(command, env=environ, capture_output=True, check=True)
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove the storage. conmon has a process of podman clean up after each container, which may still be at it."""
    last = time.monotonic() + _SECONDS_TO_END
    while True:
        _unmount(folder)
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > last:
                raise
            time.sleep(0.1)
        else:
            return


def _driver(folder: Path) -> str:
    """`overlay` where the kernel lets this user mount one here, or else `vfs`, which copies whole trees."""
    places = [folder / name for name in ("lower", "upper", "work", "merged")]
    for place in places:
        place.mkdir()
    lower, upper, work, merged = map(str, places)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, merged]
    can = subprocess.run(mount, env={"PATH": _path()}, capture_output=True, check=False).returncode == 0
    if can:
        subprocess.run(["umount", merged], env={"PATH": _path()}, capture_output=True, check=True)
    for place in places:
        shutil.rmtree(place)
    return "overlay" if can else "vfs"


def _unmount(folder: Path) -> None:
    """What is still mounted below: an engine that was killed leaves that; overlay mounts its own place on itself."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in reversed([each for each in mounts if each.startswith(f"{folder}/")]):
        ended = subprocess.run(["umount", place], env={"PATH": _path()}, capture_output=True, check=False)
        assert ended.returncode == 0 or not os.path.ismount(place), ended.stderr


def _path() -> str:
    """PATH, with the places where runc and a docker client taken out of its package may be."""
    found = (debian.which(command) for command in ("runc", "docker"))
    places = [
        os.environ.get("PATH", os.defpath),
        *(str(Path(command).parent) for command in found if command),
    ]
    return os.pathsep.join(places)
