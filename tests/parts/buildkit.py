"""A buildkitd of the test's own, on a socket; buildx builds there with the driver `remote`.

It runs no command of a Dockerfile unless runc may, and pulls from registries on loopback over plain http by itself.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.parts.registries import running
from tests.parts.tools import debian_command, tool

BUILDKIT = ("buildkitd", "buildx", "runc")
"""What a test needs for it."""

_CONFIG = """\
root = "{folder}/root"
[grpc]
address = ["unix://{folder}/socket"]
[worker.containerd]
enabled = false
[worker.oci]
enabled = true
snapshotter = "native"
networkMode = "host"
binary = "{runc}"
[cdi]
disabled = true
"""


@contextmanager
def buildkit(log: Path) -> Iterator[str]:
    """Yield the address of a buildkitd that has built nothing yet."""
    # Not pytest's folder, whose path is long: a socket's path ends at 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="buildkit-"))
    try:
        config = folder / "buildkitd.toml"
        config.write_text(_CONFIG.format(folder=folder, runc=debian_command("runc")))
        socket = folder / "socket"
        with running([tool("buildkitd"), "--config", config], log, socket.exists):
            yield f"unix://{socket}"
    finally:
        shutil.rmtree(folder)
