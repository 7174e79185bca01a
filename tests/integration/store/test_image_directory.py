"""An image directory that is broken, hostile, or written by others at the same time."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.parts.bundles import PREDICATE_TYPE
from tests.parts.images import (
    SmallImage,
    add_to_image_directory,
    sha256,
    small_image,
    small_index,
    write_image_directory,
)

from intoto_action.deadline import Deadline
from intoto_action.formats.oci import BUNDLE, OCI_INDEX, OCI_MANIFEST, Descriptor, referrer_manifest
from intoto_action.formats.reference import DirectoryReference, Image
from intoto_action.reason import Denied, Reason, Unavailable
from intoto_action.store.image_directory import ImageDirectory
from intoto_action.store.interface import MOST_REFERRERS
from intoto_action.store.listing import TAG_ANNOTATION

MIB = 1 << 20
PROCESSES = multiprocessing.get_context("spawn")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_image_directory(tmp_path / "images", {"1.0": small_image()})


def store(directory: Path, seconds: float = 30) -> ImageDirectory:
    return ImageDirectory(directory, deadline=Deadline(seconds))


def resolve(directory: Path, tag: str | None = "1.0", digest: str | None = None) -> Image:
    return store(directory).resolve(DirectoryReference(str(directory), tag, digest))


def blob_path(directory: Path, digest: str) -> Path:
    return directory / "blobs" / "sha256" / digest.partition(":")[2]


def index(directory: Path) -> dict[str, list[dict[str, object]]]:
    document: dict[str, list[dict[str, object]]] = json.loads((directory / "index.json").read_text())
    return document


def denied(directory: Path, tag: str | None = "1.0") -> str:
    with pytest.raises(Denied) as caught:
        resolve(directory, tag)
    assert caught.value.reason is Reason.INVALID_REFERENCE
    return str(caught.value)


class TestResolving:
    def test_the_only_image_needs_no_tag(self, directory: Path) -> None:
        assert resolve(directory, None).digest == small_image().digest

    def test_the_only_image_needs_no_tag_when_something_is_attached_to_it(self, directory: Path) -> None:
        store(directory).attach(resolve(directory), b"{}", PREDICATE_TYPE)
        assert resolve(directory, None).digest == small_image().digest

    def test_something_with_an_artifact_type_is_no_image_to_choose(self, directory: Path) -> None:
        add_to_image_directory(directory, small_image("chart"), None)
        document = index(directory)
        document["manifests"][1]["artifactType"] = "application/vnd.example.chart"
        (directory / "index.json").write_text(json.dumps(document))
        assert resolve(directory, None).digest == small_image().digest

    def test_one_image_under_two_tags_is_one_image(self, directory: Path) -> None:
        store(directory).tag(resolve(directory), "2.0")
        assert resolve(directory, None).digest == small_image().digest

    def test_of_several_images_the_tags_are_listed(self, directory: Path) -> None:
        add_to_image_directory(directory, small_image("other"), "2.0")
        assert "2 images; tags that are there: 1.0, 2.0" in denied(directory, None)

    def test_a_tag_that_two_images_have_is_ambiguous(self, directory: Path) -> None:
        add_to_image_directory(directory, small_image("other"), "1.0")
        assert "2 images" in denied(directory)

    def test_a_directory_that_is_missing_or_no_image_directory_is_an_invalid_reference(
        self, tmp_path: Path
    ) -> None:
        assert "no such file" in denied(tmp_path / "missing")
        (tmp_path / "other").mkdir()
        assert "oci-layout" in denied(tmp_path / "other")

    @pytest.mark.parametrize(
        "marker", ['{"imageLayoutVersion": "2.0.0"}', "{}", "", "[]", '{"imageLayoutVersion": 1}']
    )
    def test_a_layout_of_another_version_is_an_invalid_reference(self, directory: Path, marker: str) -> None:
        (directory / "oci-layout").write_text(marker)
        denied(directory)

    @pytest.mark.parametrize(
        "content", ["", "{}", "[]", '{"schemaVersion": 2, "manifests": 1}', "[" * 50_000]
    )
    def test_a_broken_index_is_an_error_of_the_store(self, directory: Path, content: str) -> None:
        (directory / "index.json").write_text(content)
        with pytest.raises(Unavailable, match=r"index\.json"):
            resolve(directory)

    def test_an_index_that_names_a_path_is_an_error_of_the_store(self, directory: Path) -> None:
        entry = {"mediaType": OCI_MANIFEST, "digest": "sha256:../../../../etc/passwd", "size": 1}
        (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        with pytest.raises(Unavailable, match="sha256: and 64"):
            resolve(directory, None)

    def test_changed_bytes_of_a_manifest_are_refused(self, directory: Path) -> None:
        other = small_image("other")
        blob_path(directory, small_image().digest).write_bytes(other.document)
        with pytest.raises(Unavailable, match=f"expected bytes of {small_image().digest}.*{other.digest}"):
            resolve(directory)

    def test_a_manifest_that_is_gone_is_an_error_of_the_store(self, directory: Path) -> None:
        blob_path(directory, small_image().digest).unlink()
        with pytest.raises(Unavailable, match="no such file"):
            resolve(directory)

    def test_something_else_than_an_image_under_a_tag_is_an_invalid_reference(self, directory: Path) -> None:
        raw = b'{"schemaVersion": 1}'
        add_to_image_directory(directory, SmallImage(raw, OCI_MANIFEST, (), ()), "odd")
        denied(directory, "odd")


class TestSymlinks:
    def test_a_blob_that_is_a_symlink_is_not_followed(self, directory: Path, tmp_path: Path) -> None:
        path = blob_path(directory, small_image().digest)
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(Unavailable, match="symlink"):
            resolve(directory)

    def test_blobs_that_lie_elsewhere_are_neither_read_nor_written(
        self, directory: Path, tmp_path: Path
    ) -> None:
        image = resolve(directory)
        shutil.move(directory / "blobs", tmp_path / "elsewhere")
        (directory / "blobs").symlink_to(tmp_path / "elsewhere")
        before = sorted((tmp_path / "elsewhere").rglob("*"))
        with pytest.raises(Unavailable, match="leads out of"):
            resolve(directory)
        with pytest.raises(Unavailable, match="leads out of"):
            store(directory).attach(image, b"{}", PREDICATE_TYPE)
        assert sorted((tmp_path / "elsewhere").rglob("*")) == before

    def test_an_image_directory_may_itself_be_reached_by_a_symlink(
        self, directory: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "name").symlink_to(directory)
        image = resolve(tmp_path / "name")
        store(tmp_path / "name").attach(image, b"{}", PREDICATE_TYPE)
        assert len(store(directory).referrers(image).descriptors) == 1

    def test_an_index_that_is_a_symlink_is_not_followed(self, directory: Path, tmp_path: Path) -> None:
        (directory / "index.json").rename(tmp_path / "elsewhere")
        (directory / "index.json").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(Unavailable, match="symlink"):
            resolve(directory)


class TestRights:
    @pytest.mark.parametrize(
        "work",
        [
            "place.resolve(reference)",
            "place.attach(image, b'{}', 'https://example.com')",
            "place.read_blob(Descriptor('a/b', image.digest, 1), 1)",
        ],
    )
    def test_blobs_that_may_not_be_searched_are_an_error_of_the_store(
        self, directory: Path, work: str
    ) -> None:
        (directory / "blobs").chmod(0o600)
        assert "blobs/sha256" in (said := unavailable_without_rights(directory, work))
        assert "cannot be looked at: Permission denied" in said

    def test_a_folder_of_blobs_that_may_not_be_searched_is_an_error_of_the_store(
        self, directory: Path
    ) -> None:
        (directory / "blobs" / "sha256").chmod(0o600)
        said = unavailable_without_rights(directory, "place.attach(image, b'{}', 'https://example.com')")
        assert "cannot be looked at: Permission denied" in said

    def test_a_file_system_without_locks_is_said(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def flock(descriptor: int, operation: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        image = resolve(directory)
        monkeypatch.setattr("intoto_action.system.posix.fcntl.flock", flock)
        with pytest.raises(Unavailable, match=r"cannot be locked: No locks available.*that has locks"):
            store(directory).attach(image, b"{}", PREDICATE_TYPE)


def unavailable_without_rights(directory: Path, work: str) -> str:
    """What Unavailable says when a process does this that may not do everything, as root may."""
    document = small_image().document
    script = f"""
import sys
from pathlib import Path
from intoto_action.deadline import Deadline
from intoto_action.formats.oci import Descriptor
from intoto_action.formats.reference import DirectoryReference, Image
from intoto_action.reason import Unavailable
from intoto_action.store.image_directory import ImageDirectory
place = ImageDirectory(Path(sys.argv[1]), deadline=Deadline(10))
reference = DirectoryReference(sys.argv[1], "1.0", None)
image = Image(None, {sha256(document)!r}, {OCI_MANIFEST!r}, {len(document)})
try:
    print({work})
except Unavailable as error:
    print("Unavailable:", error)
"""
    words = [sys.executable, "-c", script, str(directory)]
    if os.geteuid() == 0:
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *words]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    done = subprocess.run(words, env=environ, capture_output=True, check=False, text=True, timeout=60)
    assert done.stdout.startswith("Unavailable:"), done.stdout + done.stderr
    return done.stdout


class TestReferrers:
    def test_a_list_under_the_fallback_tag_is_read_too(self, directory: Path) -> None:
        image = resolve(directory)
        entry = {"mediaType": OCI_MANIFEST, "digest": sha256(b"x"), "size": 1, "artifactType": BUNDLE}
        document = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode()
        add_to_image_directory(
            directory, SmallImage(document, OCI_INDEX, (), ()), image.digest.replace(":", "-")
        )
        own = store(directory).attach(image, b"{}", PREDICATE_TYPE)
        found = store(directory).referrers(image)
        assert {each.digest for each in found.descriptors} == {own.digest, sha256(b"x")}
        assert found.complete
        assert resolve(directory, None) == image

    def test_a_fallback_tag_that_is_no_index_is_said(self, directory: Path) -> None:
        image = resolve(directory)
        add_to_image_directory(directory, small_image("odd"), image.digest.replace(":", "-"))
        found = store(directory).referrers(image)
        assert not found.complete
        assert "expected an index" in found.why

    def test_what_is_attached_to_other_images_does_not_count(self, directory: Path) -> None:
        image = resolve(directory)
        other = Descriptor(OCI_MANIFEST, sha256(b"another image"), 13)
        list_referrers(directory, other, MOST_REFERRERS + 1)
        own = store(directory).attach(image, b"{}", PREDICATE_TYPE)
        found = store(directory).referrers(image)
        assert [each.digest for each in found.descriptors] == [own.digest]
        assert found.complete, found.why

    def test_more_than_are_listed_are_said_to_be_there(self, directory: Path) -> None:
        image = resolve(directory)
        list_referrers(directory, Descriptor(OCI_MANIFEST, image.digest, image.size), MOST_REFERRERS + 1)
        found = store(directory).referrers(image)
        assert len(found.descriptors) == MOST_REFERRERS
        assert not found.complete
        assert f"more than {MOST_REFERRERS}" in found.why

    def test_a_list_that_was_not_looked_through_in_time_is_incomplete(self, directory: Path) -> None:
        image = resolve(directory)
        store(directory).attach(image, b"{}", PREDICATE_TYPE)
        found = store(directory, 0).referrers(image)
        assert (found.descriptors, found.complete) == ((), False)
        assert "not finished within 0 seconds" in found.why

    def test_an_index_of_another_image_that_is_broken_hides_nothing(self, directory: Path) -> None:
        image = resolve(directory)
        other = small_index("other")
        add_to_image_directory(directory, other, "2.0")
        blob_path(directory, other.digest).write_bytes(b"broken")
        own = store(directory).attach(image, b"{}", PREDICATE_TYPE)
        found = store(directory).referrers(image)
        assert ([each.digest for each in found.descriptors], found.complete) == ([own.digest], True)

    def test_many_broken_manifests_hide_nothing_and_fill_no_page(self, directory: Path) -> None:
        image = resolve(directory)
        for each in list_referrers(directory, Descriptor(OCI_MANIFEST, image.digest, image.size), 50):
            blob_path(directory, each).write_bytes(b"broken")
        own = store(directory).attach(image, b"{}", PREDICATE_TYPE)
        found = store(directory).referrers(image)
        assert ([each.digest for each in found.descriptors], found.complete) == ([own.digest], False)
        assert found.why.count("expected bytes of") == 20
        assert found.why.endswith("and 30 more of this kind")

    def test_a_manifest_that_cannot_be_read_leaves_the_list_incomplete(self, directory: Path) -> None:
        image = resolve(directory)
        own = store(directory).attach(image, b"{}", PREDICATE_TYPE)
        blob_path(directory, own.digest).write_bytes(b"broken")
        found = store(directory).referrers(image)
        assert not found.complete
        assert own.digest in found.why


def list_referrers(directory: Path, subject: Descriptor, count: int) -> list[str]:
    """Put so many manifests that refer to the subject into the index; their digests."""
    document, digests = index(directory), []
    for number in range(count):
        raw = referrer_manifest(subject, b"{}", PREDICATE_TYPE, f"at {number}")
        digests.append(sha256(raw))
        blob_path(directory, sha256(raw)).write_bytes(raw)
        entry = {"mediaType": OCI_MANIFEST, "digest": sha256(raw), "size": len(raw)}
        document["manifests"].append({**entry, "artifactType": BUNDLE})
    (directory / "index.json").write_text(json.dumps(document))
    return digests


class TestWriting:
    def test_the_bundle_is_kept_byte_by_byte(self, directory: Path) -> None:
        store(directory).attach(resolve(directory), b'{"a": [1]}', PREDICATE_TYPE)
        assert blob_path(directory, sha256(b'{"a": [1]}')).read_bytes() == b'{"a": [1]}'

    def test_what_others_wrote_into_the_index_stays(self, directory: Path) -> None:
        document = index(directory)
        document["x-of-theirs"] = [{"a": 1}]
        document["manifests"][0]["x-more"] = {"b": [2]}
        (directory / "index.json").write_text(json.dumps(document))
        store(directory).attach(resolve(directory), b"{}", PREDICATE_TYPE)
        assert index(directory)["x-of-theirs"] == [{"a": 1}]
        assert index(directory)["manifests"][0] == document["manifests"][0]

    def test_a_blob_that_somebody_left_half_is_written_whole(self, directory: Path) -> None:
        blob_path(directory, sha256(b"{}")).write_bytes(b"{")
        own = store(directory).attach(resolve(directory), b'{"x":1}', PREDICATE_TYPE)
        assert store(directory).read_blob(Descriptor("x/y", sha256(b"{}"), 2), MIB) == b"{}"
        assert own.digest in {
            each.digest for each in store(directory).referrers(resolve(directory)).descriptors
        }

    def test_an_image_that_loses_its_tag_stays_in_the_index(self, directory: Path) -> None:
        add_to_image_directory(directory, small_image("new"), "2.0")
        store(directory).tag(resolve(directory, "2.0"), "1.0")
        by_digest = {each["digest"]: each.get("annotations") for each in index(directory)["manifests"]}
        assert by_digest[small_image().digest] is None
        assert by_digest[small_image("new").digest] in ({TAG_ANNOTATION: "1.0"}, {TAG_ANNOTATION: "2.0"})

    def test_a_writer_waits_for_the_lock_no_longer_than_the_deadline(self, directory: Path) -> None:
        import fcntl

        image = resolve(directory)
        with (directory / "oci-layout").open() as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            with pytest.raises(Unavailable, match="another process holds the lock"):
                store(directory, 0.3).attach(image, b"{}", PREDICATE_TYPE)
        store(directory).attach(image, b"{}", PREDICATE_TYPE)

    def test_eight_processes_that_attach_at_once_are_all_listed(self, directory: Path) -> None:
        with PROCESSES.Pool(8) as pool:
            owns = pool.starmap(attach_in_process, [(str(directory), number) for number in range(8)])
        listed = {each.digest for each in store(directory).referrers(resolve(directory)).descriptors}
        assert listed == set(owns)
        assert len(listed) == 8

    def test_a_reader_never_sees_half_while_others_write(self, directory: Path) -> None:
        image = resolve(directory)
        with PROCESSES.Pool(2) as pool:
            writing = pool.starmap_async(
                attach_in_process, [(str(directory), number) for number in range(20)]
            )
            seen = 0
            while not writing.ready():
                found = store(directory).referrers(image)
                assert found.complete, found.why
                assert len(found.descriptors) >= seen
                seen = len(found.descriptors)
            writing.get()

    def test_killed_in_the_middle_it_leaves_no_half_file_and_the_next_try_works(
        self, directory: Path
    ) -> None:
        image = resolve(directory)
        script = (
            "from tests.integration.store.test_image_directory import attach_in_process as a\n"
            "import sys\nprint('go', flush=True)\n"
            "for number in range(10**6): a(sys.argv[1], number)\n"
        )
        for delay in (0.0, 0.003, 0.01, 0.03, 0.1):
            argv = [sys.executable, "-c", script, str(directory)]
            environ = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
            with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(delay)
                process.send_signal(signal.SIGKILL)
            found = store(directory).referrers(image)
            assert found.complete, found.why
            for path in (directory / "blobs" / "sha256").glob("[0-9a-f]*"):
                assert sha256(path.read_bytes()) == f"sha256:{path.name}"
        own = store(directory, 5).attach(image, b"{}", PREDICATE_TYPE)
        assert own.digest in {each.digest for each in store(directory).referrers(image).descriptors}


def attach_in_process(directory: str, number: int) -> str:
    image = resolve(Path(directory))
    return store(Path(directory)).attach(image, json.dumps({"n": number}).encode(), PREDICATE_TYPE).digest
