"""Attaching loses nothing: what other writers do to the list while we attach."""

import json
from pathlib import Path

import pytest
from tests.parts.hostile_registry import REPOSITORY, HostileRegistry, Reply, log_in, open_hostile
from tests.parts.images import sha256, small_image
from tests.parts.loopback import Asked

from intoto_action.formats.oci import OCI_INDEX
from intoto_action.formats.reference import Image
from intoto_action.reason import Unavailable

BUNDLE = b'{"a":"bundle"}'
OTHER = {
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": sha256(b"other"),
    "size": 5,
    "artifactType": "application/vnd.other",
    "annotations": {"who": "somebody else"},
    "x-of-their-own": [1, 2],
}


@pytest.fixture
def image(hostile: HostileRegistry) -> Image:
    small = small_image()
    hostile.put(small, "1.0")
    return Image(f"{hostile.address}/{REPOSITORY}", small.digest, small.media_type, len(small.document))


def fallback_path(image: Image) -> str:
    return f"/v2/{REPOSITORY}/manifests/{image.digest.replace(':', '-')}"


def index(*descriptors: dict[str, object]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}).encode()


def listed(hostile: HostileRegistry, image: Image) -> list[dict[str, object]]:
    manifests: list[dict[str, object]] = json.loads(hostile.documents[fallback_path(image)].body)["manifests"]
    return manifests


def test_what_others_wrote_stays_as_they_wrote_it(hostile: HostileRegistry, image: Image) -> None:
    hostile.keep_manifest(image.digest.replace(":", "-"), index(OTHER), OCI_INDEX)
    own = open_hostile(hostile, slept=[]).attach(image, BUNDLE, "https://example.com")
    first, second = listed(hostile, image)
    assert first == OTHER
    assert (second["digest"], second["artifactType"]) == (own.digest, own.artifact_type)


def test_our_own_descriptor_has_the_type_and_the_annotations_by_which_others_find_it(
    hostile: HostileRegistry, image: Image
) -> None:
    own = open_hostile(hostile, slept=[]).attach(image, BUNDLE, "https://example.com")
    assert listed(hostile, image)[0]["annotations"] == own.annotations
    assert (own.annotations or {})["dev.sigstore.bundle.predicateType"] == "https://example.com"


def test_a_stale_index_of_another_writer_is_mended(hostile: HostileRegistry, image: Image) -> None:
    """Another writer read the list before us and puts its own after us, without our entry and an older one."""
    hostile.keep_manifest(image.digest.replace(":", "-"), index(OTHER), OCI_INDEX)
    late = {**OTHER, "digest": sha256(b"late")}
    puts = 0

    def script(asked: Asked) -> Reply | None:
        nonlocal puts
        if asked.method == "PUT" and asked.path == fallback_path(image):
            puts += 1
            if puts == 1:
                hostile.honest_reply(asked)
                hostile.keep_manifest(image.digest.replace(":", "-"), index(late), OCI_INDEX)
                return Reply(201)
        return None

    hostile.script = script
    own = open_hostile(hostile, slept=[]).attach(image, BUNDLE, "https://example.com")
    assert {each["digest"] for each in listed(hostile, image)} == {
        own.digest,
        OTHER["digest"],
        late["digest"],
    }


def test_an_entry_that_gets_lost_a_moment_later_is_put_back(hostile: HostileRegistry, image: Image) -> None:
    reads = 0

    def script(asked: Asked) -> Reply | None:
        nonlocal reads
        if asked.method == "GET" and asked.path == fallback_path(image) and listed_now(hostile, image):
            reads += 1
            if reads == 2:
                hostile.keep_manifest(image.digest.replace(":", "-"), index(OTHER), OCI_INDEX)
        return None

    hostile.script = script
    own = open_hostile(hostile, slept=[]).attach(image, BUNDLE, "https://example.com")
    assert {each["digest"] for each in listed(hostile, image)} == {own.digest, OTHER["digest"]}


def test_if_match_is_sent_when_there_is_an_etag_and_a_refusal_is_tried_anew(
    hostile: HostileRegistry, image: Image
) -> None:
    hostile.keep_manifest(image.digest.replace(":", "-"), index(), OCI_INDEX)
    hostile.documents[fallback_path(image)].headers["ETag"] = '"one"'
    sent: list[str | None] = []

    def script(asked: Asked) -> Reply | None:
        if asked.method != "PUT" or asked.path != fallback_path(image):
            return None
        sent.append(asked.headers.get("if-match"))
        if len(sent) == 1:
            hostile.keep_manifest(image.digest.replace(":", "-"), index(OTHER), OCI_INDEX)
            hostile.documents[fallback_path(image)].headers["ETag"] = '"two"'
            return Reply(412)
        return None

    hostile.script = script
    own = open_hostile(hostile, slept=[]).attach(image, BUNDLE, "https://example.com")
    assert sent == ['"one"', '"two"']
    assert {each["digest"] for each in listed(hostile, image)} == {own.digest, OTHER["digest"]}


def test_a_list_that_never_keeps_the_entry_is_an_error_that_says_it_was_attached(
    hostile: HostileRegistry, image: Image
) -> None:
    def script(asked: Asked) -> Reply | None:
        return Reply(201) if asked.method == "PUT" and asked.path == fallback_path(image) else None

    hostile.script = script
    with pytest.raises(Unavailable, match=r"sha256:[0-9a-f]{64} was attached to .*, but the list"):
        open_hostile(hostile, slept=[]).attach(image, BUNDLE, "https://example.com")
    assert len(hostile.asked) < 400


def test_nothing_is_attached_when_what_is_there_cannot_be_listed(
    hostile: HostileRegistry, image: Image
) -> None:
    hostile.keep_manifest(image.digest.replace(":", "-"), small_image("no index").document)
    with pytest.raises(Unavailable, match="nothing was attached"):
        open_hostile(hostile, slept=[]).attach(image, BUNDLE, "https://example.com")
    assert {each.method for each in hostile.asked} == {"GET"}


def test_a_registry_that_lists_by_itself_gets_no_fallback_tag(hostile: HostileRegistry, image: Image) -> None:
    hostile.keep_referrers(image.digest, [])

    def script(asked: Asked) -> Reply | None:
        if asked.method == "PUT" and "/manifests/sha256:" in asked.path:
            entry = {**OTHER, "digest": sha256(asked.body), "size": len(asked.body)}
            hostile.keep_referrers(image.digest, [entry])
        return None

    hostile.script = script
    open_hostile(hostile, slept=[]).attach(image, BUNDLE, "https://example.com")
    assert fallback_path(image) not in hostile.documents


def test_a_push_that_is_refused_says_who_asked(hostile: HostileRegistry, image: Image) -> None:
    hostile.script = lambda asked: Reply(403) if asked.method == "POST" else None
    with pytest.raises(Unavailable, match=r"storing blob .*no credentials.*docker login"):
        open_hostile(hostile, slept=[]).attach(image, BUNDLE, "https://example.com")


def test_a_place_for_an_upload_on_another_host_gets_no_credentials(
    hostile: HostileRegistry, image: Image, tmp_path: Path
) -> None:
    with HostileRegistry() as other:

        def script(asked: Asked) -> Reply | None:
            if "authorization" not in asked.headers:
                return Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            if asked.method == "POST":
                return Reply(202, headers={"Location": f"http://{other.address}/upload?state=x"})
            return None

        hostile.script = script
        other.script = lambda asked: hostile.honest_reply(
            Asked(
                asked.method,
                f"/v2/{REPOSITORY}/blobs/uploads/1?{asked.path.partition('?')[2]}",
                {},
                asked.body,
            )
        )
        environ = log_in(tmp_path, hostile.address)
        open_hostile(hostile, slept=[], environ=environ).attach(image, BUNDLE, "https://example.com")
        assert other.asked
        assert all("authorization" not in each.headers for each in other.asked)
        assert all("state=x&digest=sha256:" in each.path for each in other.asked)


def listed_now(hostile: HostileRegistry, image: Image) -> bool:
    return fallback_path(image) in hostile.documents
