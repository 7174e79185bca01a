"""podman, buildah, skopeo and the docker client with a storage of their own, which nothing outlives.

No image is pulled in tests, so a Dockerfile starts `FROM scratch` with a static binary (the pinned Go tools are
static) or from an imported tree. Give builds and runs `--network=host`: no network is set up here.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from make import debian

_ENGINE = """\
# Machines for tests are often containers themselves: no systemd, no journal, limits that cannot be raised.
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "{folder}/engine"
"""

_STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{folder}/images"
runroot = "{folder}/run"
"""


@contextmanager
def container_storage(folder: Path) -> Iterator[Mapping[str, str]]:
    """Yield the environment to run podman, buildah, skopeo and docker with; end and remove what they made.

    The machine's own settings, images and logins are neither read nor changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    engine, storage, logins = folder / "containers.conf", folder / "storage.conf", folder / "auth.json"
    engine.write_text(_ENGINE.format(folder=folder))
    storage.write_text(_STORAGE.format(folder=folder))
    logins.write_text("{}")
    environ = {
        **os.environ,
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
            subprocess.run(["podman", "rm", "--all", "--force"], env=environ, capture_output=True, check=True)
        shutil.rmtree(folder)
