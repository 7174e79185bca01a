import time

import pytest
import requests
from tests.parts.detour import Detour
from tests.parts.loopback import HANG, Asked, Loopback, Reply, busy, json_reply, refusal


class Echo:
    """Says what it was asked."""

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/missing":
            return refusal(404, "nothing here")
        said = {
            "method": asked.method,
            "path": asked.path,
            "body": asked.body.decode(),
            "as": asked.headers["x-as"],
        }
        return json_reply(said, 201, X_Said="yes")


def post(url: str, timeout: float = 10) -> requests.Response:
    return requests.post(f"{url}/api?x=1", data=b"hello", headers={"X-As": "me"}, timeout=timeout)


def test_without_replies_of_its_own_it_passes_everything_on() -> None:
    with Loopback(Echo()) as echo, Detour(echo.url) as detour:
        answer = post(detour.url)
        assert answer.status_code == 201
        assert answer.headers["X-Said"] == "yes"
        assert answer.json() == {"method": "POST", "path": "/api?x=1", "body": "hello", "as": "me"}
        missing = requests.get(f"{detour.url}/missing", timeout=10)
        assert (missing.status_code, missing.json()["message"]) == (404, "nothing here")


def test_its_own_replies_come_first_and_in_order() -> None:
    with Loopback(Echo()) as echo, Detour(echo.url, [refusal(500), busy(3)]) as detour:
        answers = [post(detour.url) for _ in range(3)]
        assert [each.status_code for each in answers] == [500, 429, 201]
        assert answers[1].headers["Retry-After"] == "3"
        assert [(each.path, each.body) for each in detour.asked] == [("/api?x=1", b"hello")] * 3


def test_a_service_that_is_gone_is_said_to_be() -> None:
    with Loopback(Echo()) as echo:
        url = echo.url
    with Detour(url) as detour:
        assert post(detour.url).status_code == 502


def test_one_that_hangs_says_nothing_and_is_stopped_at_once() -> None:
    began = time.monotonic()
    with Loopback(Echo()) as echo, Detour(echo.url, [HANG]) as detour, pytest.raises(requests.Timeout):
        post(detour.url, timeout=0.1)
    assert time.monotonic() - began < 5


def test_a_late_reply_comes() -> None:
    with Loopback(Echo()) as echo, Detour(echo.url, [Reply(200, b"late", after=0.05)]) as detour:
        assert post(detour.url).content == b"late"
