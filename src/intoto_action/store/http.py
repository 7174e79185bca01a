"""HTTP to registries and their token servers: bounded in time, bytes, redirects and retries.

Nothing here knows what a registry is; nothing outside the store knows that there is HTTP. Of `requests` only the
adapter is used, for connections, proxies and TLS: a Session would send credentials of .netrc and cookies, and reads
the body of a redirect without bounds even when it may not follow it (`Session.resolve_redirects`).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from intoto_action.deadline import Deadline, Overdue
from intoto_action.reason import Unavailable
from intoto_action.store.address import Origin, follow, is_loopback, origin_of
from intoto_action.store.waiting import within

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
_REDIRECTS = 5
_ATTEMPTS = 5
_LONGEST_PAUSE = 8.0
_CHUNK = 1 << 16
_ERROR_BODY_CAP = 1 << 14
_USER_AGENT = "intoto-action"
_LOG = logging.getLogger(__name__)
_MOVED = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({429, 500, 502, 503, 504})
_NO_URL = (
    "the address of a proxy (HTTPS_PROXY, ALL_PROXY, …), or its own, is no URL; it is not shown, because a password "
    "may be in it: there, / # ? @ are written as %2F %23 %3F %40"
)
_NO_TLS_RECORD = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
"""OpenSSL's names, older and newer, for bytes that do not begin a TLS record."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `cap` bounds the answer's body in bytes; `authorization` goes to the URL's own origin only.

    `repeatable` says that sending it twice does what sending it once does. `what` names the work in errors.
    """

    method: str
    url: str
    what: str
    cap: int
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    authorization: str | None = None
    repeatable: bool = True

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url})"


class Answer(msgspec.Struct, frozen=True):
    """What came back: header names are in lower case; the body of an error is cut, any other is whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class NoTls(Unavailable):
    """Something answered, and not in TLS: what it sent is no TLS record, as when plain http is spoken there."""


class _Passing(Exception):
    """A failure that may be gone at the next attempt."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class Transport:
    """Sends requests before one deadline. `allow_http` lets plain http reach hosts other than loopback."""

    def __init__(
        self,
        deadline: Deadline,
        *,
        allow_http: bool = False,
        ca_bundle: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.deadline = deadline
        self._allow_http = allow_http
        self._ca_bundle = ca_bundle
        self._sleep = sleep
        self._adapter: HTTPAdapter | None = None

    def send(self, request: Request) -> Answer:
        """The answer to a request, whatever its status, after redirects and retries.

        Raises: Unavailable when none was to be had, or one that breaks the bounds.
        """
        try:
            return self._with_retries(request)
        except Overdue as error:
            raise Unavailable(str(error)) from error

    def _with_retries(self, request: Request) -> Answer:
        attempts = _ATTEMPTS if request.repeatable else 1
        for attempt in range(1, attempts + 1):
            try:
                answer = self._follow(request)
            except _Passing as error:
                if attempt == attempts:
                    raise Unavailable(f"{request.what}: {error} (tried {_times(attempt)})") from error
                self._pause(request, attempt, None, str(error))
                continue
            if answer.status not in _PASSING or attempt == attempts:
                return answer
            after = retry_after(answer.headers.get("retry-after"), time.time())
            self._pause(request, attempt, after, f"the answer was {answer.status}")
        raise Unavailable(f"{request.what}: no attempt was made")

    def _pause(self, request: Request, attempt: int, after: float | None, why: str) -> None:
        pause = min(_LONGEST_PAUSE, 0.25 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
        pause = max(pause, after or 0.0)
        left = self.deadline.require(f"{request.what} ({why})")
        if pause >= left:
            raise Unavailable(
                f"{request.what}: {why}; the next attempt would be in {pause:.0f} seconds, and only {left:.0f} are "
                "left: try again later, or allow more time"
            )
        _LOG.debug("%s: %s; again in %.1f seconds", request.what, why, pause)
        self._sleep(pause)

    def _follow(self, request: Request) -> Answer:
        url, authorization = request.url, request.authorization
        for _ in range(_REDIRECTS + 1):
            answer = self._exchange(request, url, authorization)
            if answer.status not in _MOVED or "location" not in answer.headers:
                return answer
            target = self.location(answer, request.what)
            if origin_of(target) != origin_of(url):
                authorization = None
                if request.method not in {"GET", "HEAD"}:
                    raise Unavailable(
                        f"{request.what}: {_host(url)} sends it on to {_host(target)}, which is not followed"
                    )
            url = target
        raise Unavailable(f"{request.what}: more than {_REDIRECTS} redirects, the last one to {_host(url)}")

    def location(self, answer: Answer, what: str) -> str:
        """Where an answer's Location header leads: an absolute URL that may be asked next.

        Raises: Unavailable when the header is missing or leads where nothing may be sent.
        """
        target = follow(answer.url, answer.headers.get("location", ""))
        origin = origin_of(target)
        if origin is None:
            raise Unavailable(
                f"{what}: {_host(answer.url)} answered with a Location that is no clean http URL"
            )
        if origin.scheme == "http" and not self._plain_http_is_fine(answer.url, origin):
            raise Unavailable(
                f"{what}: {_host(answer.url)} redirects to plain http at {origin}, which is refused"
            )
        return target

    def _plain_http_is_fine(self, url: str, target: Origin) -> bool:
        """From http only; and loopback is reached from loopback only, or a registry could knock on local doors."""
        source = origin_of(url)
        if source is None or source.scheme != "http":
            return False
        if is_loopback(target.host):
            return is_loopback(source.host)
        return self._allow_http

    def _exchange(self, request: Request, url: str, authorization: str | None) -> Answer:
        """One request, one answer. In a thread: name look-ups and headers that drip have no other time limit."""
        left = self.deadline.require(request.what)
        return within(left, lambda: self._exchange_now(request, url, authorization, left), request.what)

    def _exchange_now(self, request: Request, url: str, authorization: str | None, left: float) -> Answer:
        import requests
        from urllib3.exceptions import HTTPError

        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        if authorization is not None:
            headers["Authorization"] = authorization
        try:
            prepared = requests.Request(request.method, url, headers=headers, data=request.body).prepare()
            response = self._open_adapter().send(
                prepared,
                stream=True,
                timeout=(min(CONNECT_TIMEOUT, left), min(READ_TIMEOUT, left)),
                proxies=_proxies(url),
                verify=self._ca_bundle or True,
            )
            with response:
                body = self._body(response, request)
        except requests.exceptions.SSLError as error:
            raise _untrusted(request.what, url, error) from error
        except requests.exceptions.ProxyError as error:
            raise _Passing(f"the proxy for {_host(url)} did not connect: {_root(error)}") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise _Passing(f"{_host(url)} did not answer: {_root(error)}") from error
        except (requests.exceptions.RequestException, HTTPError, OSError) as error:
            raise _Passing(f"{_host(url)} broke off: {_root(error)}") from error
        _LOG.debug(
            "%s %s: %d, %d bytes", request.method, _without_query(url), response.status_code, len(body)
        )
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body, url)

    def _body(self, response: requests.Response, request: Request) -> bytes:
        """The body within the cap; the body of an error is only as long as an error needs to be."""
        is_error = response.status_code >= 400
        cap = _ERROR_BODY_CAP if is_error else request.cap
        host = _host(response.url)
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity" and not is_error:
            raise Unavailable(
                f"{request.what}: {host} answers in encoding {encoding[:40]!r}, asked for plain bytes"
            )
        chunks, total = [], 0
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            self.deadline.require(request.what)
            chunks.append(chunk)
            total += len(chunk)
            if total > cap and is_error:
                break
            if total > cap:
                raise Unavailable(
                    f"{request.what}: {host} sends more than {cap} bytes; it is not read further"
                )
        return b"".join(chunks)[: cap if is_error else None]

    def _open_adapter(self) -> HTTPAdapter:
        if self._adapter is None:
            from requests.adapters import HTTPAdapter

            self._adapter = HTTPAdapter()
        return self._adapter


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header, a number or a date; None when there is none that can be read.

    `now` is Unix time. Source: RFC 9110 section 10.2.3.
    """
    from email.utils import parsedate_to_datetime

    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _proxies(url: str) -> dict[str, str]:
    """The environment's proxies, as every tool takes them; loopback is never asked through one."""
    from requests.utils import get_environ_proxies

    origin = origin_of(url)
    if origin is None or is_loopback(origin.host):
        return {}
    return {key: value for key, value in get_environ_proxies(url).items() if value}


def _without_query(url: str) -> str:
    """For the log: where blobs are kept outside of the registry, the query is what lets anybody read them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_host(url)}{parts.path}"


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2][:200]


def _untrusted(what: str, url: str, error: BaseException) -> Unavailable:
    """What to do about TLS that failed: a certificate that is not trusted is never a reason to go without."""
    said = f"{what}: {_host(url)} has no TLS that is trusted: {_root(error)}"
    if getattr(_innermost(error), "reason", None) in _NO_TLS_RECORD:
        return NoTls(f"{said}; for a registry without TLS say --allow-http-registry")
    return Unavailable(f"{said}; for a certificate of one's own set SSL_CERT_FILE")


def _root(error: BaseException) -> str:
    """The innermost cause in words: the outer ones repeat it with addresses of objects."""
    from urllib3.exceptions import LocationParseError

    seen = _innermost(error)
    if isinstance(error, LocationParseError) or isinstance(seen, LocationParseError):
        return _NO_URL  # urllib3 would show all of it
    text = str(seen).rpartition(": ")[2] if "object at 0x" in str(seen) else str(seen)
    return " ".join(text.split())[:300] or type(seen).__name__


def _innermost(error: BaseException) -> BaseException:
    seen: BaseException = error
    for _ in range(10):
        inner = getattr(seen, "reason", None) or seen.__cause__ or next(iter(seen.args), None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return seen


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
