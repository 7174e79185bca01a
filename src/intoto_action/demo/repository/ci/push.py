"""Push the image: `push.py IMAGE REGISTRY TAG` copies it into the image directory REGISTRY, under TAG.

In a pipeline this is `docker push` or `skopeo copy`. The digest of what was pushed is left in pushed.digest.
"""

import json
import sys
from pathlib import Path
from shutil import copyfile

TAG = "org.opencontainers.image.ref.name"


def push(image: Path, registry: Path, tag: str) -> str:
    """Copy all blobs, then move the tag; the digest of the manifest."""
    for path in image.glob("blobs/*/*"):
        target = registry / path.relative_to(image)
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, target)
    copyfile(image / "oci-layout", registry / "oci-layout")
    pushed = json.loads((image / "index.json").read_bytes())["manifests"][0]
    index = registry / "index.json"
    listed = json.loads(index.read_bytes())["manifests"] if index.exists() else []
    others = [each for each in listed if each.get("annotations", {}).get(TAG) != tag]
    tagged = pushed | {"annotations": {TAG: tag}}
    index.write_text(json.dumps({"schemaVersion": 2, "manifests": [*others, tagged]}))
    return str(pushed["digest"])


if __name__ == "__main__":
    digest = push(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    Path("pushed.digest").write_text(digest)
    sys.stdout.write(f"pushed {digest} as {sys.argv[3]}\n")
