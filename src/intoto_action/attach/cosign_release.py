"""cosign for a job that has none: one release, pinned by its digests and proved by its own Sigstore bundle.

Nothing of it runs before both hold. The digests are of `cosign_checksums.txt` of that release, whose bundle verifies
under Sigstore's production root with the identity below (tests/unit/attach/test_cosign_release.py); the bundle beside
each binary is what the project tells its users to verify.
Source: cosign's .goreleaser.yml (names of the files, `sign-blob --bundle`), docs.sigstore.dev, "Installation".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from intoto_action.deadline import Deadline
from intoto_action.formats.identity import identity_of
from intoto_action.reason import Malformed, Misused, Unavailable, WrongFile
from intoto_action.store.command import run
from intoto_action.store.cosign import ASK_VERSION, check_version
from intoto_action.store.files import read_plain, write_whole
from intoto_action.store.http import Request, Transport
from intoto_action.trust.identities import differences
from intoto_action.trust.keyless import TrustRoot

BINARY_CAP = 256 << 20
BUNDLE_CAP = 1 << 17
BUNDLE_SECONDS = 20.0
"""Short: where nobody answers, this is how long a job waits before it goes on without cosign."""
BINARY_SECONDS = 180.0
_VERSION_SECONDS = 20.0


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Binaries of one version below `base_url`, each FILE with a bundle FILE.sigstore.json by `identity`.

    `digests` is what is pinned: file name to sha256, in hex.
    """

    version: str
    base_url: str
    identity: str
    issuer: str
    digests: Mapping[str, str]


COSIGN = Release(
    version="3.1.2",
    base_url="https://github.com/sigstore/cosign/releases/download/v3.1.2",
    identity="keyless@projectsigstore.iam.gserviceaccount.com",
    issuer="https://accounts.google.com",
    digests={
        "cosign-darwin-amd64": "acd180f8b015be25240ca33abee8a1e564eb65cdf1a3cee4725456d2dceb7da6",
        "cosign-darwin-arm64": "dec1c3f802320b19c2fbcf2dc7bcfb3f258e1c181a046c23a1a074bdf932f10a",
        "cosign-linux-amd64": "f7622ed3cf22e55e1ae6377c080979ff77a22da9981c11df222a2e444991e7cf",
        "cosign-linux-arm": "c70562b600489c602239d75fc2743bfeecc580155b842b30a5844a8a384d31e5",
        "cosign-linux-arm64": "90e7ae0b5dfd60f20816b52c012addf7fc055ebcc7bea4ce81c428ca8518c302",
        "cosign-linux-ppc64le": "c69f20a1d854f3b091b5a40b6d165a25686b8889fd103429aae758daf5f98e95",
        "cosign-linux-riscv64": "637125434e5e8e7c150ca9808e7cfc836f2c4a457087b0628d5adeb584b8988d",
        "cosign-linux-s390x": "f00b60739e13f63dc0846fc3d720d6d175584ae583158dcc4ca65b8e7db9d323",
    },
)

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
"""What the kernel calls a machine to what Go does, where the two differ."""


def file_for(system: str, machine: str) -> str:
    """The name of the binary for `platform.system()` and `platform.machine()`; there may be none of that name."""
    return f"cosign-{system.lower()}-{_MACHINES.get(machine, machine)}"


def check_installed(command: Path, environ: Mapping[str, str]) -> None:
    """Whether attach can use this cosign. Raises: Unavailable, with why not."""
    given = {name: value for name, value in environ.items() if not name.startswith("COSIGN_")}
    check_version(run([str(command), *ASK_VERSION], environ=given, seconds=_VERSION_SECONDS))


def fetch(
    release: Release,
    file: str,
    folder: Path,
    root: TrustRoot,
    *,
    ca_bundle: str | None,
    bundle_seconds: float = BUNDLE_SECONDS,
    binary_seconds: float = BINARY_SECONDS,
    binary_cap: int = BINARY_CAP,
) -> Path:
    """The path of `cosign` in `folder`, fetched, proved and executable; what is there already has to be the same bytes.

    Only https is spoken, but on loopback. No credential is sent, so a redirect may lead to any host.
    Raises: Unavailable when it cannot be had; Malformed when what came is not what the release's authors signed;
    Misused when it cannot be written.
    """
    pinned = release.digests.get(file)
    if pinned is None:
        raise Unavailable(f"cosign {release.version} has no binary {file}")
    path = folder / "cosign"
    if _is_kept(path, pinned, binary_cap):
        return path
    url = f"{release.base_url}/{file}"
    patience = Transport(Deadline(bundle_seconds), ca_bundle=ca_bundle)
    bundle = _get(f"{url}.sigstore.json", BUNDLE_CAP, patience, repeatable=False)
    if not bundle.lstrip().startswith(b"{"):
        raise Unavailable(f"{url}.sigstore.json: expected a Sigstore bundle, found a page of something else")
    binary = _get(url, binary_cap, Transport(Deadline(binary_seconds), ca_bundle=ca_bundle))
    _prove(release, file, binary, pinned, bundle, root)
    _keep(path, binary)
    return path


def _is_kept(path: Path, pinned: str, cap: int) -> bool:
    """Whether an earlier use in the job left the very bytes. Who wrote them does not matter, and is not asked."""
    if not path.is_file() or not os.access(path, os.X_OK):
        return False
    try:
        return hashlib.sha256(read_plain(path, cap, "cosign")).hexdigest() == pinned
    except Misused:  # a symlink, or larger than any: it is replaced
        return False


def _get(url: str, cap: int, transport: Transport, *, repeatable: bool = True) -> bytes:
    """`repeatable` is False for what is asked first: where GitHub is out of reach, it is so in every job."""
    request = Request(method="GET", url=url, what=f"fetching {url}", cap=cap, repeatable=repeatable)
    answer = transport.send(request)
    if answer.status != 200:
        raise Unavailable(f"fetching {url}: expected 200, found {answer.status}")
    return answer.body


def _prove(release: Release, file: str, binary: bytes, pinned: str, bundle: bytes, root: TrustRoot) -> None:
    """Raises: Malformed, unless digest, proofs and identity all hold."""
    digest = hashlib.sha256(binary)
    if digest.hexdigest() != pinned:
        raise Malformed(f"{release.base_url}/{file}", f"sha256 {pinned}", f"sha256 {digest.hexdigest()}")
    where = f"{release.base_url}/{file}.sigstore.json"
    certificate = root.certificate_over(digest.digest(), bundle, where)
    wanted = identity_of(release.identity, release.issuer)
    for difference in differences(wanted, certificate):
        raise Malformed(where, f"a certificate of {difference.expected}", difference.found)


def _keep(path: Path, binary: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WrongFile(f"{path.parent} cannot be made: {error.strerror or error}") from error
    write_whole(path, binary, mode=0o700, overwrite=True)
