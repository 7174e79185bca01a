"""The root of a Debian or Ubuntu with next to nothing in it: what `container: debian` gives a job before any step.

It is this machine's own release, from the mirror that its apt is set up with, made by debootstrap once and kept in the
cache, as a tar file and as an image. It has bash, coreutils, perl and apt; no Python, no git, no certificates.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from make import debian
from make.cache import cache_directory, kept, key_of
from make.failure import MakeError
from tests.parts.tools import Unobtainable

_SECONDS = 600
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def debian_tree(*packages: str) -> Path:
    """A tar file of the tree, with these packages besides. Needs debootstrap, tar, and root.

    Raises Unobtainable with the words of what failed.
    """
    if os.geteuid() != 0:
        raise Unobtainable("a Debian tree can be made by root only; run these tests as root")
    try:
        release, mirror = _release_and_mirror()
        place = cache_directory() / "debian" / f"tree-{key_of(release, mirror, *sorted(packages))}"
        kept(place, lambda place: _make(place, release, mirror, packages), what="a bare Debian")
    except MakeError as error:
        raise Unobtainable(str(error)) from error
    return place / "tree.tar"


def debian_image(*packages: str) -> str:
    """The name of the image of a tree."""
    return f"localhost/debian:{'-'.join(['bare', *sorted(packages)])}"


def debian_images(driver: str, *trees: Sequence[str]) -> Path:
    """A storage of podman with the images of trees, for others to read (additionalimagestores). Needs podman, root.

    It takes podman longer to import a tree than to run a job in it, so that is done once and kept, as the trees are.
    """
    tars = {debian_image(*packages): debian_tree(*packages) for packages in trees}
    key = key_of(driver, *(f"{name} {tar}" for name, tar in tars.items()))
    place = cache_directory() / "debian" / f"images-{key}"

    def fill(place: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="engine-") as folder:
            where = (
                "--root",
                str(place / "images"),
                "--runroot",
                f"{folder}/run",
                "--storage-driver",
                driver,
            )
            for name, tar in tars.items():
                change = ("--change", "CMD=/bin/bash")
                _run(
                    "podman",
                    *where,
                    "--tmpdir",
                    f"{folder}/engine",
                    "import",
                    "--quiet",
                    *change,
                    str(tar),
                    name,
                )

    try:
        kept(place, fill, what="the images of a bare Debian")
    except MakeError as error:
        raise Unobtainable(str(error)) from error
    return place / "images"


@cache
def _release_and_mirror() -> tuple[str, str]:
    os_release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    release = os_release.get("VERSION_CODENAME", "").strip('"')
    listed = _run("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages")
    for line in listed.splitlines():
        site, _, its_release = line.rpartition(" ")
        if its_release == release:
            return release, site
    raise MakeError(
        f"apt knows no mirror of the release {release or 'that /etc/os-release should name'}; run apt-get update"
    )


def _make(place: Path, release: str, mirror: str, packages: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(dir=place) as folder:
        root = Path(folder) / "root"
        root.mkdir()
        if packages:
            _run("tar", "--extract", "--file", str(debian_tree()), "--directory", str(root))
            shutil.copy2("/etc/resolv.conf", root / "etc/resolv.conf")
            apt = ("chroot", str(root), "apt-get", "--quiet", "--yes", "-o", "APT::Sandbox::User=root")
            _run(*apt, "install", "--no-install-recommends", *packages)
        else:
            debootstrap = str(debian.which("debootstrap"))
            _run(debootstrap, "--variant=minbase", "--force-check-gpg", release, str(root), mirror)
        for archive in (root / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        _run("tar", "--create", "--file", str(place / "tree.tar"), "--directory", str(root), ".")


def _run(*command: str) -> str:
    done = subprocess.run(
        command,
        env={
            **os.environ,
            "PATH": f"{os.environ.get('PATH', os.defpath)}:{_PATH}",
            "DEBIAN_FRONTEND": "noninteractive",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        raise MakeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
