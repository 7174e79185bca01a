"""Processes that are killed, writers that meet, images that pose as others."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.parts.attached import Shelf
from tests.parts.chain import Chain, digests_of
from tests.parts.desk import Desk, console_script, desk_at
from tests.parts.images import SmallImage, add_to_image_directory, sha256, small_image

from intoto_action.formats.evidence import parse_signed
from intoto_action.formats.oci import OCI_MANIFEST

# Calls a verb again and again in one process, so that a signal at any moment meets it at work.
_AGAIN_AND_AGAIN = """
import sys
from click.testing import CliRunner
from intoto_action.cli.main import main
print("ready", flush=True)
while True:
    ended = CliRunner().invoke(main, sys.argv[1:])
    if ended.exit_code:
        sys.exit(ended.output)
"""
MOMENTS = 6


def kill_at_work(argv: Sequence[str], cwd: Path, moment: float) -> None:
    """SIGKILL for a verb that is called again and again, so many seconds after its first call."""
    process = subprocess.Popen(
        [sys.executable, "-c", _AGAIN_AND_AGAIN, *argv],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(moment)
    process.kill()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, errors


def moments() -> list[float]:
    """Moments of a run, other ones in every run; a failure shows its own."""
    return [random.uniform(0.2, 0.9) for _ in range(MOMENTS)]


def whole(directory: Path) -> int:
    """How many manifests an image directory lists, all of them there and as their digests say."""
    listed = json.loads((directory / "index.json").read_bytes())["manifests"]
    for entry in listed:
        raw = blob(directory, entry["digest"])
        manifest = json.loads(raw)
        for each in (manifest["config"], *manifest["layers"]):
            assert len(blob(directory, each["digest"])) == each["size"]
    return len(listed)


def blob(directory: Path, digest: str) -> bytes:
    content = (directory / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
    assert sha256(content) == digest
    return content


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_at(tmp_path)


class TestKilled:
    @pytest.mark.parametrize("moment", moments(), ids=range(MOMENTS))
    def test_attach_leaves_an_image_directory_whole_and_the_next_attach_works(
        self, moment: float, desk: Desk
    ) -> None:
        words = ("attach", desk.image, "--layout", "root.layout", "--link-dir", "links")
        given = (*words, "--layout-key", "owner.pub", "--key", "owner.pem", "--tag", "released")
        kill_at_work((*given, "--output", "bundle.json"), desk.directory, moment)
        before = whole(desk.shelf.directory)
        if (desk.directory / "bundle.json").exists():
            json.loads((desk.directory / "bundle.json").read_bytes())
        assert desk.attach().code == 0
        assert whole(desk.shelf.directory) >= before
        assert desk.verify().code == 0

    @pytest.mark.parametrize("moment", moments()[:3], ids=range(3))
    def test_layout_sign_leaves_no_half_layout_and_the_next_signing_works(
        self, moment: float, desk: Desk
    ) -> None:
        (desk.directory / "layout.yaml").write_text(
            "expires: 1 month\nfunctionaries: {build: {key: build.pub}}\n"
            "steps: [{name: build, functionaries: [build], open: true}]\n"
        )
        words = ("layout", "sign", "--key", "owner.pem", "--force", "layout.yaml", "-o", "new.layout")
        kill_at_work(words, desk.directory, moment)
        if (desk.directory / "new.layout").exists():
            parse_signed((desk.directory / "new.layout").read_bytes(), "new.layout")
        assert desk.run(*words).code == 0

    @pytest.mark.parametrize("moment", moments()[:3], ids=range(3))
    def test_record_leaves_no_half_link_and_the_next_recording_works(self, moment: float, desk: Desk) -> None:
        (desk.directory / "out").write_bytes(b"x" * 100_000)
        words = ("record", "--step-name", "build", "--key", "build.pem", "--link-dir", "new", "--force")
        given = (*words, "--products", "out", "--", "true")
        process = subprocess.Popen(
            ["sh", "-c", 'while "$0" "$@"; do :; done', console_script(), *given],
            cwd=desk.directory,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moment)
        _kill_session(process)
        for path in (desk.directory / "new").glob("*.link"):
            parse_signed(path.read_bytes(), path.name)
        assert desk.run(*given).code == 0
        assert len(list((desk.directory / "new").glob("*.link"))) == 1


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """The loop, and the verb in it: the session has only those."""

    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def test_four_that_attach_at_once_to_one_image_directory_lose_nothing(desk: Desk) -> None:
    words = ["attach", desk.image, "--layout", "root.layout", "--link-dir", "links", "--key", "owner.pem"]
    running = [
        subprocess.Popen(
            [console_script(), *words, "--file", f"n={desk.directory / name}", "--tag", name],
            cwd=desk.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in _files(desk.directory)
    ]
    digests = []
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        digests.append(out.split()[1])
    listed = {each.digest for each in desk.shelf.store().referrers(desk.shelf.image).descriptors}
    assert listed == set(digests)
    assert len(listed) == 4
    for name in _files(desk.directory):
        assert desk.run("verify", f"oci-layout:images:{name}", "--layout-key", "owner.pub").code == 0


def _files(directory: Path) -> list[str]:
    for name in ("a", "b", "c", "d"):
        (directory / name).write_text(name)
    return ["a", "b", "c", "d"]


class TestPosing:
    """Another manifest with the config of a good image, and layers of an attacker."""

    @pytest.fixture
    def posing(self, tmp_path: Path) -> SmallImage:
        good, evil = small_image(), small_image("evil")
        manifest = json.loads(good.document)
        manifest["layers"] = json.loads(evil.document)["layers"]
        document = json.dumps(manifest).encode()
        return SmallImage(document, OCI_MANIFEST, (), (*good.blobs, *evil.blobs))

    @pytest.fixture
    def chain(self, desk: Desk) -> Chain:
        """A chain that also names the image by its config, as it was before it was pushed."""
        config = json.loads(desk.shelf.content.document)["config"]["digest"]
        chain = desk.chain
        build = chain.link("build")
        build.change(products={**build.link.products, "image:app": digests_of(config)})
        step = chain.step("build")
        chain.change_step(
            "build",
            expected_products=[["REQUIRE", "image:app"], ["CREATE", "image:app"], *step.expected_products],
        )
        return chain

    def attach_to(self, desk: Desk, posing: SmallImage, chain: Chain) -> Callable[[], str]:
        """The chain's evidence on the posing image, all digests rewritten to fit; who asks gets the reason."""
        add_to_image_directory(desk.shelf.directory, posing, "posing")
        desk.write()
        words = ("--layout", "root.layout", "--link-dir", "links", "--key", "owner.pem", "--no-verify")
        assert desk.run("attach", "oci-layout:images:posing", *words).code == 0

        def reason() -> str:
            words = ("oci-layout:images:posing", "--layout-key", "owner.pub", "--format", "json")
            return str(json.loads(desk.run("verify", *words).out)["reason"])

        return reason

    def test_the_good_image_passes(self, desk: Desk, chain: Chain) -> None:
        desk.write()
        assert desk.attach().code == 0
        assert desk.verify().code == 0

    def test_the_same_config_under_other_layers_is_another_image(
        self, desk: Desk, chain: Chain, posing: SmallImage
    ) -> None:
        assert self.attach_to(desk, posing, chain)() == "subject-unbound"

    def test_an_image_word_never_binds(self, desk: Desk, chain: Chain, posing: SmallImage) -> None:
        """Not even where the layout demands nothing else."""
        chain.change_layout(steps=[step for step in chain.layout.steps if step.name != "scan"])
        chain.change_step("build", expected_products=[["REQUIRE", "image:app"], ["ALLOW", "*"]])
        assert self.attach_to(desk, posing, chain)() == "subject-unbound"

    def test_evidence_with_the_subject_of_the_good_image_is_about_that(
        self, desk: Desk, chain: Chain, posing: SmallImage
    ) -> None:
        other = Shelf(desk.directory / "others", posing)
        other.attach(chain.bundle())
        words = ("verify", other.word, "--layout-key", "owner.pub", "--format", "json")
        assert json.loads(desk.run(*words).out)["reason"] == "subject-mismatch"
