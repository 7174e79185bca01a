"""Build the image: `build.py SOURCE IMAGE` packs SOURCE/door into the OCI image layout directory IMAGE.

The image is the same, bit for bit, wherever and whenever it is built: names are sorted, times, owners and modes are
fixed, and the layer is not compressed, because compressors differ. It has no base, so that nothing must be
downloaded; where a Python is mounted, it runs. The digest of its manifest is left in IMAGE.digest.

Source: OCI image specification 1.1 (config, layer, manifest, image layout).
"""

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from shutil import rmtree

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def build(source: Path, image: Path) -> str:
    """Build the image; the digest of its manifest."""
    rmtree(image, ignore_errors=True)
    layer = pack(source / "door", "app/door")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["python3", "-m", "door"], "WorkingDir": "/app", "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created_by": "build.py", "comment": "the door"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": store(image, "application/vnd.oci.image.config.v1+json", encode(config)),
        "layers": [store(image, "application/vnd.oci.image.layer.v1.tar", layer)],
    }
    listed = store(image, MANIFEST, encode(manifest)) | {
        "annotations": {"org.opencontainers.image.ref.name": "built"}
    }
    (image / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))
    (image / "index.json").write_bytes(encode({"schemaVersion": 2, "manifests": [listed]}))
    return str(listed["digest"])


def pack(directory: Path, name: str) -> bytes:
    """A tar archive of the files of a directory, tests and caches left out."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(directory.glob("*.py")):
            if path.name.startswith("test_"):
                continue
            entry = tarfile.TarInfo(f"{name}/{path.name}")
            entry.size = path.stat().st_size
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(path.read_bytes()))
    return archive.getvalue()


def store(image: Path, media_type: str, content: bytes) -> dict[str, object]:
    """Write a blob; its descriptor."""
    path = image / "blobs" / digest(content).replace(":", "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def encode(document: object) -> bytes:
    """JSON with sorted keys and no blanks."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def digest(content: bytes) -> str:
    """The digest as OCI writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


if __name__ == "__main__":
    built = build(Path(sys.argv[1]), Path(sys.argv[2]))
    Path(f"{sys.argv[2]}.digest").write_text(built)
    sys.stdout.write(f"built {built}\n")
