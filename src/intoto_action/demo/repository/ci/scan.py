"""Look through every layer of an image for what must not be in one: `scan.py IMAGE REPORT`.

Found are private keys, credentials of clouds and forges, files that hold secrets, and programs that run as their
owner. The report is JSON; the exit code is 1 when something was found.
"""

import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

FORBIDDEN_CONTENT = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an access key of AWS": re.compile(rb"\bAKIA[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
}
FORBIDDEN_NAMES = re.compile(r"(?:^|/)(?:\.env|\.netrc|\.npmrc|id_rsa|id_ed25519|credentials)$")
SETUID_OR_SETGID = 0o6000


def scan(image: Path) -> dict[str, object]:
    """Look through the one image of an image directory; the report."""
    listed = json.loads((image / "index.json").read_bytes())["manifests"][0]
    manifest = json.loads(blob(image, listed["digest"]).read_bytes())
    looked_at, found = 0, []
    for layer in manifest["layers"]:
        with tarfile.open(blob(image, layer["digest"])) as tar:
            for entry in tar:
                looked_at += 1
                file = tar.extractfile(entry)
                content = file.read() if file else b""
                found += [f"{entry.name}: {what}" for what in forbidden(entry, content)]
    return {"image": listed["digest"], "looked_at": looked_at, "found": found}


def forbidden(entry: tarfile.TarInfo, content: bytes) -> Iterator[str]:
    """What is wrong with one file."""
    if FORBIDDEN_NAMES.search(entry.name):
        yield "a file that holds secrets"
    if entry.mode & SETUID_OR_SETGID:
        yield "a program that runs as its owner"
    yield from (what for what, pattern in FORBIDDEN_CONTENT.items() if pattern.search(content))


def blob(image: Path, digest: str) -> Path:
    """Where a blob of an image directory lies."""
    return image / "blobs" / digest.replace(":", "/")


if __name__ == "__main__":
    report = scan(Path(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps(report, indent=2) + "\n")
    sys.stdout.write(
        f"looked at {report['looked_at']} files, found {report['found'] or 'nothing forbidden'}\n"
    )
    sys.exit(1 if report["found"] else 0)
