"""What the transport does with servers that do not do what they should."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.hostile_registry import HostileRegistry, Reply, hang, reset
from tests.parts.loopback import Asked

from intoto_action.deadline import Deadline
from intoto_action.keys.attempts import Passing
from intoto_action.keys.http_get import get as keys_get
from intoto_action.reason import Unavailable
from intoto_action.store.http import Answer, Request, Transport, retry_after


@pytest.fixture
def other() -> Iterator[HostileRegistry]:
    with HostileRegistry() as registry:
        yield registry


def get(
    registry: HostileRegistry, path: str = "/x", *, cap: int = 1000, secret: str | None = None
) -> Request:
    return Request(
        method="GET",
        url=f"http://{registry.address}{path}",
        what="a test",
        cap=cap,
        authorization=secret,
    )


def transport(slept: list[float] | None = None, seconds: float = 20) -> Transport:
    return Transport(Deadline(seconds), sleep=time.sleep if slept is None else slept.append)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(hostile: HostileRegistry, status: int) -> None:
    hostile.documents["/x"] = Reply(body=b"well")
    hostile.script = lambda asked: Reply(status) if hostile.count["/x"] < 3 else None
    slept: list[float] = []
    assert transport(slept).send(get(hostile)).body == b"well"
    assert len(slept) == 2


def test_a_failure_that_stays_is_the_answer_after_five_attempts(hostile: HostileRegistry) -> None:
    hostile.script = lambda asked: Reply(503)
    assert transport([]).send(get(hostile)).status == 503
    assert hostile.count["/x"] == 5


def test_what_may_not_be_repeated_is_sent_once(hostile: HostileRegistry) -> None:
    hostile.script = lambda asked: Reply(503)
    request = Request(
        method="POST", url=f"http://{hostile.address}/x", what="a test", cap=1, body=b"x", repeatable=False
    )
    assert transport([]).send(request).status == 503
    assert hostile.count["/x"] == 1


def test_retry_after_in_seconds_is_obeyed(hostile: HostileRegistry) -> None:
    hostile.script = lambda asked: (
        Reply(429, headers={"Retry-After": "7"}) if hostile.count["/x"] < 2 else Reply()
    )
    slept: list[float] = []
    assert transport(slept).send(get(hostile)).status == 200
    assert slept == [7.0]


def test_retry_after_as_a_date_is_obeyed() -> None:
    assert retry_after("Fri, 31 Dec 1999 23:59:59 GMT", 946684790.0) == 9.0


def test_a_retry_after_beyond_the_deadline_ends_at_once_and_says_so(hostile: HostileRegistry) -> None:
    hostile.script = lambda asked: Reply(429, headers={"Retry-After": "3600"})
    with pytest.raises(Unavailable, match="3600 seconds"):
        transport(seconds=5).send(get(hostile))
    assert hostile.count["/x"] == 1


@given(st.text(max_size=60))
def test_any_retry_after_is_a_number_or_nothing(header: str) -> None:
    found = retry_after(header, 0.0)
    assert found is None or found >= 0


def test_a_server_that_hangs_is_left_at_the_deadline(hostile: HostileRegistry) -> None:
    hostile.script = lambda asked: Reply(behave=hang(hostile))
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="a test"):
        transport(seconds=0.5).send(get(hostile))
    assert time.monotonic() - begun < 3


def test_headers_that_drip_do_not_outlast_the_deadline(hostile: HostileRegistry) -> None:
    def drip(handler: object) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")  # type: ignore[attr-defined]
        while not hostile.stopping.wait(0.05):
            handler.wfile.write(b"X-Slow: yes\r\n")  # type: ignore[attr-defined]

    hostile.script = lambda asked: Reply(behave=drip)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="not finished within"):
        transport(seconds=0.5).send(get(hostile))
    assert time.monotonic() - begun < 3


def test_a_body_that_drips_does_not_outlast_the_deadline(hostile: HostileRegistry) -> None:
    def drip(handler: object) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")  # type: ignore[attr-defined]
        while not hostile.stopping.wait(0.05):
            handler.wfile.write(b"x")  # type: ignore[attr-defined]

    hostile.script = lambda asked: Reply(behave=drip)
    with pytest.raises(Unavailable):
        transport(seconds=0.5).send(get(hostile))


def test_a_connection_that_is_reset_is_tried_again(hostile: HostileRegistry) -> None:
    hostile.documents["/x"] = Reply(body=b"well")
    hostile.script = lambda asked: Reply(behave=reset) if hostile.count["/x"] == 1 else None
    assert transport([]).send(get(hostile)).body == b"well"


def test_a_server_that_always_resets_is_named_with_the_attempts(hostile: HostileRegistry) -> None:
    hostile.script = lambda asked: Reply(behave=reset)
    with pytest.raises(Unavailable, match=rf"{hostile.address}.*tried 5 times"):
        transport([]).send(get(hostile))


def test_nobody_listening_is_an_error_that_names_the_host(hostile: HostileRegistry) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 did not answer: .*refused"):
        transport([]).send(Request(method="GET", url="http://127.0.0.1:1/x", what="a test", cap=1))


def test_a_body_over_the_cap_is_refused(hostile: HostileRegistry) -> None:
    hostile.documents["/x"] = Reply(body=b"x" * 1001)
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        transport([]).send(get(hostile, cap=1000))


def test_a_body_without_end_is_not_read_beyond_the_cap(hostile: HostileRegistry) -> None:
    sent = 0

    def endless(handler: object) -> None:
        nonlocal sent
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")  # type: ignore[attr-defined]
        while not hostile.stopping.is_set() and sent < 1 << 30:
            sent += handler.wfile.write(b"x" * 65536)  # type: ignore[attr-defined]

    hostile.script = lambda asked: Reply(behave=endless)
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        transport([]).send(get(hostile))
    assert sent < 64 << 20


def test_the_body_of_a_redirect_is_bounded_too(hostile: HostileRegistry) -> None:
    def endless(handler: object) -> None:
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /y\r\nConnection: close\r\n\r\n")  # type: ignore[attr-defined]
        while not hostile.stopping.is_set():
            handler.wfile.write(b"x" * 65536)  # type: ignore[attr-defined]

    hostile.script = lambda asked: Reply(behave=endless)
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        transport(seconds=5).send(get(hostile))


def test_a_body_shorter_than_said_is_tried_again(hostile: HostileRegistry) -> None:
    hostile.documents["/x"] = Reply(body=b"whole")
    hostile.script = lambda asked: Reply(body=b"wh", length=5) if hostile.count["/x"] == 1 else None
    assert transport([]).send(get(hostile)).body == b"whole"


def test_a_compressed_answer_that_was_not_asked_for_is_refused(hostile: HostileRegistry) -> None:
    hostile.documents["/x"] = Reply(body=b"x", headers={"Content-Encoding": "gzip"})
    with pytest.raises(Unavailable, match="gzip"):
        transport([]).send(get(hostile))


def test_a_redirect_on_the_same_host_keeps_the_credentials(hostile: HostileRegistry) -> None:
    hostile.documents["/x"] = Reply(307, headers={"Location": "/y"})
    hostile.documents["/y"] = Reply(body=b"there")
    assert transport().send(get(hostile, secret="Basic c2VjcmV0")).body == b"there"
    assert [each.headers.get("authorization") for each in hostile.asked] == ["Basic c2VjcmV0"] * 2


def test_a_redirect_to_another_host_gets_no_credentials(
    hostile: HostileRegistry, other: HostileRegistry
) -> None:
    hostile.documents["/x"] = Reply(307, headers={"Location": f"http://{other.address}/y"})
    other.documents["/y"] = Reply(body=b"there")
    assert transport().send(get(hostile, secret="Basic c2VjcmV0")).body == b"there"
    assert [each.headers.get("authorization") for each in other.asked] == [None]


def test_credentials_that_were_left_behind_do_not_come_back(
    hostile: HostileRegistry, other: HostileRegistry
) -> None:
    hostile.documents["/x"] = Reply(307, headers={"Location": f"http://{other.address}/y"})
    other.documents["/y"] = Reply(307, headers={"Location": f"http://{hostile.address}/z"})
    hostile.documents["/z"] = Reply(body=b"back")
    transport().send(get(hostile, secret="Basic c2VjcmV0"))
    assert "authorization" not in hostile.asked[-1].headers


def test_an_upload_is_not_sent_on_to_another_host(hostile: HostileRegistry, other: HostileRegistry) -> None:
    hostile.documents["/x"] = Reply(307, headers={"Location": f"http://{other.address}/y"})
    hostile.script = lambda asked: hostile.documents["/x"]
    request = Request(method="PUT", url=f"http://{hostile.address}/x", what="a test", cap=1, body=b"content")
    with pytest.raises(Unavailable, match="not followed"):
        transport().send(request)
    assert other.asked == []


def test_redirects_in_a_circle_end(hostile: HostileRegistry) -> None:
    hostile.documents["/x"] = Reply(302, headers={"Location": "/x"})
    with pytest.raises(Unavailable, match="more than 5 redirects"):
        transport().send(get(hostile))
    assert hostile.count["/x"] == 6


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://user:password@127.0.0.1/x",
        "http://127.0.0.1:99999/x",
        "http://[::1/x",
        "http://10.0.0.1/x",
        "http://a b/",
        "/\\evil.example/x",
        "",
    ],
)
def test_a_location_that_is_no_clean_url_is_refused(hostile: HostileRegistry, location: str) -> None:
    hostile.documents["/x"] = Reply(302, headers={"Location": location})
    with pytest.raises(Unavailable, match="a test"):
        transport().send(get(hostile))
    assert len(hostile.asked) == 1


@pytest.mark.parametrize("location", ["http://ghcr.io/x", "http://127.0.0.1:1/x"])
def test_a_redirect_from_https_to_http_is_refused(location: str) -> None:
    answer = Answer(302, {"location": location}, b"", "https://ghcr.io/v2/x")
    with pytest.raises(Unavailable, match="plain http"):
        Transport(Deadline(5), allow_http=True).location(answer, "a test")


def test_a_host_of_the_network_does_not_lead_to_loopback() -> None:
    answer = Answer(302, {"location": "http://127.0.0.1:1/x"}, b"", "http://registry.corp/v2/x")
    with pytest.raises(Unavailable, match="plain http"):
        Transport(Deadline(5), allow_http=True).location(answer, "a test")


def test_a_server_without_tls_is_said_with_the_flag_and_not_tried_again(hostile: HostileRegistry) -> None:
    slept: list[float] = []
    with pytest.raises(Unavailable, match=r"no TLS that is trusted.*--allow-http-registry"):
        transport(slept).send(Request(method="GET", url=f"https://{hostile.address}/x", what="a test", cap=1))
    assert slept == []


def test_the_machine_s_netrc_is_never_used(
    hostile: HostileRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login robot password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    hostile.documents["/x"] = Reply()
    transport().send(get(hostile))
    assert "authorization" not in hostile.asked[0].headers


def test_cookies_are_not_kept(hostile: HostileRegistry) -> None:
    hostile.documents["/x"] = Reply(headers={"Set-Cookie": "session=secret"})
    client = transport()
    client.send(get(hostile))
    client.send(get(hostile))
    assert "cookie" not in hostile.asked[1].headers


def test_loopback_is_not_asked_through_a_proxy(
    hostile: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    hostile.documents["/x"] = Reply(body=b"direct")
    assert transport([]).send(get(hostile)).body == b"direct"


def test_other_hosts_are_asked_through_the_proxy(
    hostile: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{hostile.address}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    def proxied(asked: Asked) -> Reply:
        return Reply(body=asked.path.encode())

    hostile.script = proxied
    request = Request(method="GET", url="http://registry.test/x", what="a test", cap=100)
    assert transport([]).send(request).body == b"http://registry.test/x"


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:70000/s3cret@127.0.0.1:9",
        "http://user:s3cret/x@127.0.0.1:9",
        "http://user:s3cret#x@127.0.0.1:9",
        "http://user:s3cret@127.0.0.1:99999",
    ],
)
def test_the_password_of_a_proxy_whose_address_is_no_url_is_not_shown(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    request = Request(method="GET", url="http://registry.test/x", what="a test", cap=100, repeatable=False)
    with pytest.raises(Unavailable, match="HTTPS_PROXY") as caught:
        transport([]).send(request)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(Passing, match="HTTPS_PROXY") as passing:
        keys_get("http://registry.test/x", {}, 100, {})
    assert "s3cret" not in str(passing.value)


def test_a_request_shows_no_secret_when_printed(hostile: HostileRegistry) -> None:
    assert "c2VjcmV0" not in repr(get(hostile, secret="Basic c2VjcmV0"))
