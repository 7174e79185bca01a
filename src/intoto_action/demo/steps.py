"""The steps of the demo's pipeline, as the people who set it up wrote them down."""

from __future__ import annotations

import msgspec

IMAGE_NAME = "registry.example/octo/door"
TAG = "1.0"
OWNER = "owner"
RELEASER = "push"
"""The functionary who pushes also attaches the evidence."""
_PYTHON = "python3"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step: what it is for, in words, and what is recorded of it. It is signed with the key of its name."""

    name: str
    purpose: str
    command: tuple[str, ...]
    materials: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def words(self, key: str) -> tuple[str, ...]:
        """The command line that records this step with a key."""
        line = ["intoto-action", "record", "--step-name", self.name, "--key", key, "--link-dir", "links"]
        for flag, patterns in (("--materials", self.materials), ("--products", self.products)):
            line += [word for pattern in patterns for word in (flag, pattern)]
        return (*line, "--", *self.command)

    def run_by(self, python: str) -> tuple[str, ...]:
        """The command with this interpreter in the place of the one that PATH would find, or not find."""
        return tuple(python if word == _PYTHON else word for word in self.command)


CHECKOUT = Step(
    name="checkout",
    purpose="take the source from its repository",
    command=(_PYTHON, "-c", 'import shutil; shutil.copytree("upstream", "src")'),
    products=("src",),
)
BUILD = Step(
    name="build",
    purpose="build an image of it",
    command=(_PYTHON, "src/ci/build.py", "src", "image"),
    materials=("src",),
    products=("image", f"oci:{IMAGE_NAME}@digestfile:image.digest"),
)
TEST = Step(
    name="test",
    purpose="run its tests",
    command=(_PYTHON, "-m", "unittest", "discover", "-q", "-s", "src"),
    materials=("src",),
)
SCAN = Step(
    name="scan",
    purpose="look through the image for keys, tokens and setuid programs",
    command=(_PYTHON, "src/ci/scan.py", "image", "report.json"),
    materials=("image", "src/ci/scan.py"),
    products=("report.json",),
)
PUSH = Step(
    name="push",
    purpose="push the image that was built and scanned to the registry",
    command=(_PYTHON, "src/ci/push.py", "image", "registry", TAG),
    materials=("image", "report.json", "src/ci/push.py"),
    products=(f"oci:{IMAGE_NAME}@digestfile:pushed.digest",),
)
STEPS = (CHECKOUT, BUILD, TEST, SCAN, PUSH)
