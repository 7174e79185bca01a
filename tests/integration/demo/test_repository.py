"""The scripts of the demo's pipeline do what the demo says they do."""

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.integration.demo.conftest import Script

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import DirectoryReference
from intoto_action.store.image_directory import ImageDirectory

PRIVATE_KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"


def _json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def _blob(image: Path, descriptor: dict[str, Any]) -> bytes:
    digest: str = descriptor["digest"]
    content = (image / "blobs" / digest.replace(":", "/")).read_bytes()
    assert len(content) == descriptor["size"]
    assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    return content


def _manifest(image: Path) -> dict[str, Any]:
    [listed] = _json(image / "index.json")["manifests"]
    manifest: dict[str, Any] = json.loads(_blob(image, listed))
    return manifest


def _build(script: Script, tmp_path: Path, image: str = "image") -> str:
    built = script("build.py", "src", image)
    assert built.returncode == 0, built.stderr
    return (tmp_path / f"{image}.digest").read_text()


class TestBuild:
    def test_the_same_source_gives_the_same_image_whatever_its_times_and_modes(
        self, script: Script, source: Path, tmp_path: Path
    ) -> None:
        first = _build(script, tmp_path)
        for path in source.rglob("*.py"):
            os.utime(path, (1, 1))
            path.chmod(0o600)
        assert _build(script, tmp_path, "again") == first
        names = {path.relative_to(tmp_path / "image") for path in (tmp_path / "image").rglob("*")}
        assert names == {path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*")}

    def test_another_source_gives_another_image(self, script: Script, source: Path, tmp_path: Path) -> None:
        first = _build(script, tmp_path)
        (source / "door" / "lock.py").write_text("CODE = ''\n")
        assert _build(script, tmp_path) != first

    def test_an_image_that_was_there_leaves_no_blobs_behind(
        self, script: Script, source: Path, tmp_path: Path
    ) -> None:
        _build(script, tmp_path)
        (source / "door" / "lock.py").write_text("CODE = ''\n")
        _build(script, tmp_path)
        assert len(list((tmp_path / "image").glob("blobs/sha256/*"))) == 3

    def test_every_descriptor_fits_and_the_config_names_the_layer(
        self, script: Script, source: Path, tmp_path: Path
    ) -> None:
        digest = _build(script, tmp_path)
        image = tmp_path / "image"
        manifest = _manifest(image)
        config = json.loads(_blob(image, manifest["config"]))
        layers = [_blob(image, layer) for layer in manifest["layers"]]
        assert config["rootfs"] == {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers],
        }
        assert (config["architecture"], config["os"]) == ("amd64", "linux")
        assert _json(image / "oci-layout") == {"imageLayoutVersion": "1.0.0"}
        store = ImageDirectory(image, deadline=Deadline(5))
        assert store.resolve(DirectoryReference(str(image), "built")).digest == digest

    def test_the_layer_holds_the_program_without_its_tests_times_and_owners(
        self, script: Script, source: Path, tmp_path: Path
    ) -> None:
        _build(script, tmp_path)
        image = tmp_path / "image"
        layer = image / "blobs" / _manifest(image)["layers"][0]["digest"].replace(":", "/")
        with tarfile.open(layer) as tar:
            entries = tar.getmembers()
        assert [each.name for each in entries] == [
            "app/door/__init__.py",
            "app/door/__main__.py",
            "app/door/lock.py",
        ]
        assert {(each.mtime, each.uid, each.gid, each.uname, each.mode) for each in entries} == {
            (0, 0, 0, "", 0o644)
        }


class TestScan:
    def test_a_clean_image_is_reported_clean(self, script: Script, source: Path, tmp_path: Path) -> None:
        digest = _build(script, tmp_path)
        scanned = script("scan.py", "image", "report.json")
        assert scanned.returncode == 0
        assert _json(tmp_path / "report.json") == {"image": digest, "looked_at": 3, "found": []}

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (PRIVATE_KEY, "a private key"),
            ("key = AKIA" + "A" * 16, "an access key of AWS"),
            ("token = ghp_" + "a" * 36, "a token of GitHub"),
        ],
    )
    def test_what_must_not_be_in_an_image_is_found(
        self, script: Script, source: Path, tmp_path: Path, content: str, what: str
    ) -> None:
        (source / "door" / "config.py").write_text(f'"""\n{content}\n"""\n')
        _build(script, tmp_path)
        scanned = script("scan.py", "image", "report.json")
        assert scanned.returncode == 1
        assert _json(tmp_path / "report.json")["found"] == [f"app/door/config.py: {what}"]

    @pytest.mark.parametrize(
        ("name", "mode", "what"),
        [
            ("root/.netrc", 0o600, "a file that holds secrets"),
            ("bin/su", 0o4755, "a program that runs as its owner"),
        ],
    )
    def test_names_and_modes_are_looked_at_too(
        self, script: Script, source: Path, tmp_path: Path, name: str, mode: int, what: str
    ) -> None:
        _build(script, tmp_path)
        image = tmp_path / "image"
        layer = image / "blobs" / _manifest(image)["layers"][0]["digest"].replace(":", "/")
        with tarfile.open(layer, "a") as tar:
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            tar.addfile(entry)
        assert script("scan.py", "image", "report.json").returncode == 1
        assert _json(tmp_path / "report.json")["found"] == [f"{name}: {what}"]


class TestPush:
    def test_the_tag_moves_and_another_tag_stays(self, script: Script, source: Path, tmp_path: Path) -> None:
        first = _build(script, tmp_path)
        script("push.py", "image", "registry", "1.0")
        script("push.py", "image", "registry", "1.1")
        (source / "door" / "lock.py").write_text("CODE = ''\n")
        second = _build(script, tmp_path)
        assert script("push.py", "image", "registry", "1.1").returncode == 0
        registry = tmp_path / "registry"
        store = ImageDirectory(registry, deadline=Deadline(5))
        found = [store.resolve(DirectoryReference(str(registry), tag)).digest for tag in ("1.0", "1.1")]
        assert found == [first, second]
        assert (tmp_path / "pushed.digest").read_text() == second
