"""Six attacks on the release, each really played on a copy of its files. What comes of it is for `verify` to say."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from intoto_action.demo.site import Site
from intoto_action.demo.steps import BUILD, PUSH, SCAN, TEST
from intoto_action.formats.evidence import EVIDENCE_CAP, PREDICATE_TYPE
from intoto_action.formats.oci import BUNDLE, MANIFEST_CAP, Manifest, digest_of, parse_manifest
from intoto_action.store.interface import Store

Attack = Callable[[Site, datetime], None]
"""Plays on a copy of the release's site, at a time, and leaves an image with evidence under the release's tag."""

STRANGER = "mallory"
PULL_REQUEST = "pull-request"
"""The name of the job that a pull request started: the scan's workflow, with a merge ref."""
_AGO = timedelta(days=400)
_LOCK = Path("src/door/lock.py")
_BACKDOOR = (
    b'\n_right = opens\n\n\ndef opens(code: str) -> bool:\n    return code == "mallory" or _right(code)\n'
)
_FORGED_REPORT = b'{"image": "", "looked_at": 3, "found": []}\n'


def change_source(site: Site, at: datetime) -> None:
    """A backdoor in the source while it is built, and the clean file again for the tests."""
    _new_release(site)
    clean = (site.root / _LOCK).read_bytes()
    (site.root / _LOCK).write_bytes(clean + _BACKDOOR)
    site.record(BUILD)
    (site.root / _LOCK).write_bytes(clean)
    site.record(TEST)
    site.record(SCAN)
    _push_and_attach(site, at)


def skip_scan(site: Site, at: datetime) -> None:
    """Everything but the scan."""
    _new_release(site)
    _remove_link(site, SCAN.name)
    (site.root / "report.json").unlink()
    _push_and_attach(site, at)


def sign_with_another_key(site: Site, at: datetime) -> None:
    """The scan runs as it should, and somebody signs it who is no scanner."""
    _new_release(site)
    _remove_link(site, SCAN.name)
    site.make_key(STRANGER)
    site.record(SCAN, key=STRANGER)
    _push_and_attach(site, at)


def sign_in_a_pull_request(site: Site, at: datetime) -> None:
    """The scan's own workflow signs, started by a pull request that changed what it scans for."""
    _new_release(site)
    _remove_link(site, SCAN.name)
    site.record(SCAN, key=PULL_REQUEST)
    _push_and_attach(site, at)


def replace_image(site: Site, at: datetime) -> None:
    """Another image under the release's tag, with the release's own, genuine evidence attached to it."""
    del at
    store, genuine = site.image()
    _, bundle = _evidence(store, store.referrers(genuine).descriptors[0].digest)
    lock = site.root / _LOCK
    lock.write_bytes(lock.read_bytes() + _BACKDOOR)
    site.run(BUILD)
    site.run(PUSH)
    store, backdoored = site.image()
    store.attach(backdoored, bundle, PREDICATE_TYPE)


def use_old_layout(site: Site, at: datetime) -> None:
    """The same layout.yaml, signed by its owner so long ago that it has ended."""
    _new_release(site)
    site.sign_layout(at - _AGO)
    _push_and_attach(site, at)


def alter_link(site: Site, at: datetime) -> None:
    """One digest in the scan's link inside the attached evidence, and all digests around it computed anew."""
    del at
    store, image = site.image()
    old = store.referrers(image).descriptors[0].digest
    manifest, bundle = _evidence(store, old)
    layer = manifest.layers[0]
    forged = _with_forged_report(bundle)
    document = json.loads(store.read_manifest(old, MANIFEST_CAP))
    document["layers"] = [{"mediaType": BUNDLE, "digest": _put(site, forged), "size": len(forged)}]
    raw = json.dumps(document).encode()
    index = site.registry / "index.json"
    listed = json.loads(index.read_bytes())
    for each in listed["manifests"]:
        if each["digest"] == old:
            each |= {"digest": _put(site, raw), "size": len(raw)}
    index.write_text(json.dumps(listed))
    for digest in (old, layer.digest):
        _blob(site, digest).unlink()


def _new_release(site: Site) -> None:
    """The same release once more, for a registry that has not seen it yet."""
    shutil.rmtree(site.registry)


def _push_and_attach(site: Site, at: datetime) -> None:
    site.record(PUSH)
    site.attach(at=at)


def _remove_link(site: Site, step: str) -> None:
    for path in (site.root / "links").glob(f"{step}.*.link"):
        path.unlink()


def _evidence(store: Store, referrer: str) -> tuple[Manifest, bytes]:
    """The manifest that refers to an image, and the bundle in it."""
    manifest = parse_manifest(store.read_manifest(referrer, MANIFEST_CAP), referrer)
    if not isinstance(manifest, Manifest):
        raise TypeError("attach writes a manifest, no index")
    return manifest, store.read_blob(manifest.layers[0], EVIDENCE_CAP)


def _with_forged_report(bundle: bytes) -> bytes:
    """The bundle with the digest of another report in the scan's link; no signature is touched."""
    document = json.loads(bundle)
    statement = _unpacked(document["dsseEnvelope"])
    links = statement["predicate"]["links"]
    name = next(each for each in links if each.startswith(f"{SCAN.name}."))
    link = _unpacked(links[name])
    link["products"]["report.json"]["sha256"] = digest_of(_FORGED_REPORT).removeprefix("sha256:")
    links[name]["payload"] = _packed(link)
    document["dsseEnvelope"]["payload"] = _packed(statement)
    return json.dumps(document).encode()


def _unpacked(envelope: dict[str, str]) -> dict[str, Any]:
    unpacked: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return unpacked


def _packed(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def _put(site: Site, content: bytes) -> str:
    """A blob in the registry, by somebody who may write there; its digest."""
    _blob(site, digest_of(content)).write_bytes(content)
    return digest_of(content)


def _blob(site: Site, digest: str) -> Path:
    return site.registry / "blobs" / digest.replace(":", "/")
