"""What a registry may say, and what is made of it. Honest registries are in tests/integration/store."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.parts.hostile_registry import (
    REPOSITORY,
    HostileRegistry,
    Reply,
    hostile_reference,
    open_hostile,
)
from tests.parts.images import SmallImage, sha256, small_image, small_index
from tests.parts.loopback import Asked
from tests.parts.token_server import certificate_of

from intoto_action.deadline import Deadline
from intoto_action.formats.oci import BUNDLE, OCI_INDEX, OCI_MANIFEST, Descriptor
from intoto_action.formats.reference import Image, Reference, parse_registry_reference
from intoto_action.reason import Denied, Misused, Reason, Unavailable
from intoto_action.store import distribution
from intoto_action.store.http import Answer, Transport
from intoto_action.store.interface import MOST_REFERRERS
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry

MIB = 1 << 20


def reset(connection: socket.socket) -> None:
    """Break off with RST after the greeting."""
    connection.recv(1000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def refuse_to_say_anything(connection: socket.socket) -> None:
    """Take what comes until the other side gives up."""
    while connection.recv(1000):
        continue


@contextmanager
def bare_server(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that does this with one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


@contextmanager
def https_server(folder: Path) -> Iterator[str]:
    """The address of a server whose certificate nobody trusts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    (folder / "server.pem").write_bytes(pem + certificate_of(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")

    def greet(connection: socket.socket) -> None:
        with suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()

    with bare_server(greet) as address:
        yield address


def descriptor(text: str, **more: object) -> dict[str, object]:
    raw = text.encode()
    return {
        "mediaType": OCI_MANIFEST,
        "digest": sha256(raw),
        "size": len(raw),
        "artifactType": BUNDLE,
        **more,
    }


@pytest.fixture
def image(hostile: HostileRegistry) -> Image:
    small = small_image()
    hostile.put(small, "1.0")
    return Image(f"{hostile.address}/{REPOSITORY}", small.digest, small.media_type, len(small.document))


def test_a_tag_whose_bytes_are_not_the_promised_digest_is_an_error_that_names_both(
    hostile: HostileRegistry,
) -> None:
    small, other = small_image("one"), small_image("other")
    hostile.put(small, "1.0")
    hostile.documents[f"/v2/{REPOSITORY}/manifests/1.0"].body = other.document
    with pytest.raises(Unavailable) as caught:
        open_hostile(hostile).resolve(hostile_reference(hostile))
    assert small.digest in str(caught.value)
    assert other.digest in str(caught.value)


def test_other_bytes_than_those_of_the_digest_asked_for_are_an_error(
    hostile: HostileRegistry, image: Image
) -> None:
    other = small_image("other")
    lie = Reply(body=other.document, headers={"Content-Type": OCI_MANIFEST})
    hostile.documents[f"/v2/{REPOSITORY}/manifests/{image.digest}"] = lie
    with pytest.raises(Unavailable, match=f"expected bytes of {image.digest}.*{other.digest}"):
        open_hostile(hostile).resolve(hostile_reference(hostile, None, image.digest))


def test_an_image_by_sha512_is_compared_with_that(hostile: HostileRegistry) -> None:
    digest = "sha512:" + "0" * 128
    hostile.documents[f"/v2/{REPOSITORY}/manifests/{digest}"] = Reply(body=small_image().document)
    with pytest.raises(Unavailable, match=r"expected bytes of sha512:0+, found .* of sha512:"):
        open_hostile(hostile).resolve(hostile_reference(hostile, None, digest))


def test_a_promised_digest_that_is_none_is_an_error(hostile: HostileRegistry, image: Image) -> None:
    hostile.documents[f"/v2/{REPOSITORY}/manifests/1.0"].headers["Docker-Content-Digest"] = "sha256:xyz"
    with pytest.raises(Unavailable, match="no digest"):
        open_hostile(hostile).resolve(hostile_reference(hostile))


def test_a_manifest_called_an_index_by_its_header_is_no_image(hostile: HostileRegistry, image: Image) -> None:
    hostile.documents[f"/v2/{REPOSITORY}/manifests/1.0"].headers["Content-Type"] = OCI_INDEX
    with pytest.raises(Denied) as caught:
        open_hostile(hostile).resolve(hostile_reference(hostile))
    assert caught.value.reason is Reason.INVALID_REFERENCE


def test_a_manifest_that_says_nothing_of_itself_is_not_what_the_header_makes_of_it(
    hostile: HostileRegistry,
) -> None:
    document = {key: value for key, value in json.loads(small_image().document).items() if key != "mediaType"}
    hostile.keep_manifest("1.0", json.dumps(document).encode(), OCI_INDEX)
    with pytest.raises(Denied, match="found an image manifest"):
        open_hostile(hostile).resolve(hostile_reference(hostile))


def test_an_index_without_a_media_type_of_its_own_has_the_header_s(hostile: HostileRegistry) -> None:
    index = small_index()
    document = {key: value for key, value in json.loads(index.document).items() if key != "mediaType"}
    hostile.keep_manifest("1.0", json.dumps(document).encode(), "application/json")
    assert open_hostile(hostile).resolve(hostile_reference(hostile)).media_type == OCI_INDEX


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"schemaVersion": 1, "fsLayers": []}',
        b'{"schemaVersion": 2, "layers": [], "manifests": []}',
        b"[" * 100_000,
        b'{"schemaVersion": 2, "schemaVersion": 2, "manifests": []}',
        b'{"schemaVersion": 2, "manifests": [{"mediaType": "", "digest": "../../x", "size": 1}]}',
    ],
)
def test_a_document_that_is_no_image_is_an_invalid_reference(hostile: HostileRegistry, raw: bytes) -> None:
    hostile.keep_manifest("1.0", raw)
    with pytest.raises(Denied) as caught:
        open_hostile(hostile).resolve(hostile_reference(hostile))
    assert caught.value.reason is Reason.INVALID_REFERENCE


def test_a_manifest_of_more_than_four_megabytes_is_not_read(hostile: HostileRegistry) -> None:
    hostile.keep_manifest("1.0", b" " * (4 * MIB + 1))
    with pytest.raises(Unavailable, match="more than"):
        open_hostile(hostile).resolve(hostile_reference(hostile))


def test_another_repository_s_reference_is_refused(hostile: HostileRegistry) -> None:
    with pytest.raises(Misused):
        open_hostile(hostile).resolve(Reference(hostile.address, "octo/other", "1.0"))


def test_a_registry_that_refuses_is_named_with_what_to_do(hostile: HostileRegistry) -> None:
    body = b'{"errors": [{"code": "DENIED", "message": "not\\u001b[31m yours"}]}'
    hostile.script = lambda asked: Reply(403, body)
    with pytest.raises(Unavailable) as caught:
        open_hostile(hostile).resolve(hostile_reference(hostile))
    for words in (hostile.address, REPOSITORY, "no credentials", "docker login", "DENIED", "not [31m yours"):
        assert words in str(caught.value)


def test_blob_bytes_that_differ_from_their_digest_are_refused(hostile: HostileRegistry, image: Image) -> None:
    wanted = Descriptor(BUNDLE, sha256(b"right"), 5)
    hostile.documents[f"/v2/{REPOSITORY}/blobs/{wanted.digest}"] = Reply(body=b"wrong")
    with pytest.raises(Unavailable, match=f"expected bytes of {wanted.digest}"):
        open_hostile(hostile).read_blob(wanted, MIB)


def test_a_blob_longer_than_its_descriptor_says_is_not_read_on(
    hostile: HostileRegistry, image: Image
) -> None:
    wanted = Descriptor(BUNDLE, sha256(b"right"), 5)
    hostile.documents[f"/v2/{REPOSITORY}/blobs/{wanted.digest}"] = Reply(body=b"right and more")
    with pytest.raises(Unavailable, match="more than 5 bytes"):
        open_hostile(hostile).read_blob(wanted, MIB)


def test_a_blob_is_read_from_another_host_without_credentials_and_checked(hostile: HostileRegistry) -> None:
    with HostileRegistry() as storage:
        wanted = Descriptor(BUNDLE, sha256(b"right"), 5)
        target = f"http://{storage.address}/blob"
        hostile.documents[f"/v2/{REPOSITORY}/blobs/{wanted.digest}"] = Reply(
            307, headers={"Location": target}
        )
        storage.documents["/blob"] = Reply(body=b"right")
        assert open_hostile(hostile).read_blob(wanted, MIB) == b"right"
        assert "authorization" not in storage.asked[0].headers


class TestReferrers:
    def test_the_api_and_the_fallback_tag_are_united(self, hostile: HostileRegistry, image: Image) -> None:
        hostile.keep_referrers(image.digest, [descriptor("a"), descriptor("b")])
        keep_fallback(hostile, image, [descriptor("b"), descriptor("c")])
        found = open_hostile(hostile).referrers(image)
        assert [each.digest for each in found.descriptors] == [sha256(each.encode()) for each in "abc"]
        assert found.complete

    def test_an_empty_answer_of_the_api_is_not_the_end_of_it(
        self, hostile: HostileRegistry, image: Image
    ) -> None:
        hostile.keep_referrers(image.digest, [])
        keep_fallback(hostile, image, [descriptor("a")])
        assert len(open_hostile(hostile).referrers(image).descriptors) == 1

    @pytest.mark.parametrize("status", [400, 404, 405, 501])
    def test_without_the_api_the_fallback_tag_is_the_list(
        self, hostile: HostileRegistry, image: Image, status: int
    ) -> None:
        hostile.documents[f"/v2/{REPOSITORY}/referrers/{image.digest}"] = Reply(status)
        keep_fallback(hostile, image, [descriptor("a")])
        found = open_hostile(hostile).referrers(image)
        assert (len(found.descriptors), found.complete) == (1, True)

    def test_every_page_is_read(self, hostile: HostileRegistry, image: Image) -> None:
        paged(hostile, image, 5)
        found = open_hostile(hostile).referrers(image)
        assert (len(found.descriptors), found.complete) == (5, True)

    @pytest.mark.parametrize(
        "lines",
        [
            ['{next}; title="more"; rel="next"'],
            ['</first>; rel="first", {next}; rel=next'],
            ["</first>; rel=first", "{next}; rel=next"],
        ],
    )
    def test_every_page_is_read_however_the_next_one_is_named(
        self, hostile: HostileRegistry, image: Image, lines: list[str]
    ) -> None:
        path = f"/v2/{REPOSITORY}/referrers/{image.digest}"
        hostile.keep_referrers(image.digest, [descriptor("a")])
        hostile.keep_referrers("second", [descriptor("b")])
        first = hostile.documents[path].body

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            for line in lines:
                handler.send_header("Link", line.format(next=f"</v2/{REPOSITORY}/referrers/second>"))
            handler.send_header("Content-Length", f"{len(first)}")
            handler.end_headers()
            handler.wfile.write(first)

        hostile.documents[path].behave = answer
        found = open_hostile(hostile).referrers(image)
        assert [each.digest for each in found.descriptors] == [sha256(b"a"), sha256(b"b")]
        assert found.complete

    def test_a_link_header_that_cannot_be_read_leaves_the_list_incomplete(
        self, hostile: HostileRegistry, image: Image
    ) -> None:
        hostile.keep_referrers(image.digest, [descriptor("a")], Link="</more>; rel='next'")
        found = open_hostile(hostile).referrers(image)
        assert [each.digest for each in found.descriptors] == [sha256(b"a")]
        assert not found.complete
        assert "Link header" in found.why

    def test_pages_in_a_circle_end_and_leave_the_list_incomplete(
        self, hostile: HostileRegistry, image: Image
    ) -> None:
        link = f'</v2/{REPOSITORY}/referrers/{image.digest}>; rel="next"'
        hostile.keep_referrers(image.digest, [descriptor("a")], Link=link)
        found = open_hostile(hostile).referrers(image)
        assert not found.complete
        assert "pages do not end" in found.why
        assert len(hostile.asked) == 2

    def test_pages_without_end_end(self, hostile: HostileRegistry, image: Image) -> None:
        paged(hostile, image, 10**9)
        found = open_hostile(hostile).referrers(image)
        assert not found.complete
        assert len(hostile.asked) < 300

    def test_a_next_page_on_another_host_is_not_asked(self, hostile: HostileRegistry, image: Image) -> None:
        with HostileRegistry() as other:
            hostile.keep_referrers(
                image.digest, [descriptor("a")], Link=f'<http://{other.address}/>; rel="next"'
            )
            found = open_hostile(hostile).referrers(image)
            assert not found.complete
            assert other.asked == []

    def test_a_fallback_tag_that_is_no_index_is_said(self, hostile: HostileRegistry, image: Image) -> None:
        hostile.keep_manifest(image.digest.replace(":", "-"), small_image("x").document)
        found = open_hostile(hostile).referrers(image)
        assert not found.complete
        assert "fallback tag" in found.why
        assert "expected an index, found an image manifest" in found.why

    def test_an_api_that_fails_leaves_the_list_incomplete(
        self, hostile: HostileRegistry, image: Image
    ) -> None:
        hostile.documents[f"/v2/{REPOSITORY}/referrers/{image.digest}"] = Reply(500)
        keep_fallback(hostile, image, [descriptor("a")])
        found = open_hostile(hostile, slept=[]).referrers(image)
        assert len(found.descriptors) == 1
        assert not found.complete
        assert "500" in found.why

    def test_a_web_page_in_place_of_the_list_leaves_it_incomplete(
        self, hostile: HostileRegistry, image: Image
    ) -> None:
        hostile.documents[f"/v2/{REPOSITORY}/referrers/{image.digest}"] = Reply(body=b"<html>welcome</html>")
        assert not open_hostile(hostile).referrers(image).complete

    def test_a_thousand_junk_referrers_hide_nothing(self, hostile: HostileRegistry, image: Image) -> None:
        future = {"annotations": {"org.opencontainers.image.created": "2099-01-01T00:00:00Z"}}
        junk = [descriptor(f"junk {number}", **future) for number in range(1000)]
        keep_fallback(hostile, image, [*junk, descriptor("good")])
        found = open_hostile(hostile).referrers(image)
        assert found.complete
        assert found.descriptors[-1].digest == sha256(b"good")

    def test_more_than_are_listed_are_said_to_be_there(self, hostile: HostileRegistry, image: Image) -> None:
        keep_fallback(hostile, image, [descriptor(f"{number}") for number in range(MOST_REFERRERS + 1)])
        found = open_hostile(hostile).referrers(image)
        assert len(found.descriptors) == MOST_REFERRERS
        assert not found.complete


class TestSchemes:
    @pytest.mark.parametrize("name", ["127.0.0.1:1/x", "localhost:1/x", "[::1]:1/x"])
    def test_loopback_is_reached_over_http_without_asking(self, name: str) -> None:
        assert url_of(name, allow_http=False).startswith(f"http://{name.removesuffix('x')}v2/")

    def test_other_hosts_are_reached_over_https_only(self) -> None:
        assert url_of("registry.corp/x", allow_http=False).startswith("https://registry.corp/v2/")

    def test_allowed_http_is_not_used_where_there_is_https(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Transport, "send", lambda transport, request: Answer(200, {}, b"", request.url))
        assert url_of("registry.corp/x", allow_http=True).startswith("https://registry.corp/v2/")

    def test_allowed_http_is_used_where_plain_http_answers(
        self, hostile: HostileRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(distribution, "is_loopback", lambda host: False)
        assert url_of(f"{hostile.address}/x", allow_http=True).startswith(f"http://{hostile.address}/v2/")

    def test_a_certificate_that_is_not_trusted_never_leads_to_plain_http(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(distribution, "is_loopback", lambda host: False)
        with (
            https_server(tmp_path) as address,
            pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED") as caught,
        ):
            url_of(f"{address}/x", allow_http=True)
        assert "SSL_CERT_FILE" in str(caught.value)
        assert "for a registry without TLS" not in str(caught.value)

    @pytest.mark.parametrize("behave", [reset, refuse_to_say_anything])
    def test_a_port_that_breaks_off_never_leads_to_plain_http(
        self, monkeypatch: pytest.MonkeyPatch, behave: Callable[[socket.socket], None]
    ) -> None:
        monkeypatch.setattr(distribution, "is_loopback", lambda host: False)
        with (
            bare_server(behave) as address,
            pytest.raises(Unavailable, match="only where a port answers without TLS"),
        ):
            url_of(f"{address}/x", allow_http=True)

    def test_nobody_listening_for_https_never_leads_to_plain_http(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(distribution, "is_loopback", lambda host: False)
        with pytest.raises(Unavailable, match=r"refused.*name the port in the reference"):
            url_of("127.0.0.1:1/x", allow_http=True)

    def test_certificates_that_are_missing_are_misuse(self) -> None:
        with pytest.raises(Misused, match="SSL_CERT_FILE"):
            url_of("registry.corp/x", allow_http=False, environ={"SSL_CERT_FILE": "/missing.pem"})

    def test_certificates_that_cannot_be_looked_for_are_misuse(self) -> None:
        with pytest.raises(Misused, match=r"SSL_CERT_FILE.*File name too long"):
            url_of("registry.corp/x", allow_http=False, environ={"SSL_CERT_FILE": "/" + "x" * 300})

    def test_docker_hub_is_asked_where_its_registry_is(self) -> None:
        assert (
            url_of("alpine", allow_http=False) == "https://registry-1.docker.io/v2/library/alpine/tags/list"
        )


def test_a_word_of_push_with_that_is_unknown_is_misuse() -> None:
    with pytest.raises(Misused, match="cosign or native"):
        open_store(parse_registry_reference("alpine"), deadline=Deadline(1), environ={}, push_with="oras")


def test_a_tag_that_is_overwritten_at_once_by_others_is_an_error(
    hostile: HostileRegistry, image: Image
) -> None:
    other = small_image("other")

    def script(asked: Asked) -> Reply | None:
        if asked.method == "GET" and asked.path.endswith("/manifests/latest"):
            return Reply(body=other.document)
        return None

    hostile.script = script
    with pytest.raises(Unavailable, match=other.digest):
        open_hostile(hostile).tag(image, "latest")


@pytest.mark.parametrize("tag", ["sha256-" + "0" * 64, "sha512-" + "0" * 64 + ".att"])
def test_a_tag_where_attestations_are_listed_is_refused_before_anything_is_sent(
    hostile: HostileRegistry, image: Image, tag: str
) -> None:
    with pytest.raises(Misused, match="choose another tag"):
        open_hostile(hostile).tag(image, tag)
    assert hostile.asked == []


def url_of(name: str, *, allow_http: bool, environ: Mapping[str, str] = {}) -> str:
    reference = parse_registry_reference(name)
    store = open_store(reference, deadline=Deadline(1), environ=environ, allow_http=allow_http)
    assert isinstance(store, Registry)
    return store.distribution.url("tags/list")


def keep_fallback(hostile: HostileRegistry, image: Image, descriptors: list[dict[str, object]]) -> None:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}
    hostile.keep_manifest(image.digest.replace(":", "-"), json.dumps(document).encode(), OCI_INDEX)


def paged(hostile: HostileRegistry, image: Image, pages: int) -> None:
    """One descriptor a page."""
    path = f"/v2/{REPOSITORY}/referrers/{image.digest}"

    def script(asked: Asked) -> Reply | None:
        if not asked.path.startswith(path):
            return None
        page = int(asked.path.partition("?page=")[2] or 1)
        hostile.keep_referrers("page", [descriptor(f"{page}")])
        reply = hostile.documents[f"/v2/{REPOSITORY}/referrers/page"]
        if page < pages:
            reply.headers["Link"] = f'<{path}?page={page + 1}>; rel="next"'
        return reply

    hostile.script = script


def test_no_image_is_made_of_a_registry_that_is_not_there() -> None:
    small: SmallImage = small_image()
    reference = Reference("127.0.0.1:1", REPOSITORY, None, small.digest)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        open_store(reference, deadline=Deadline(1), environ={}).resolve(reference)
