"""One bounded GET, for what signing asks itself: no redirects, no .netrc, no cookies, no retries.

Of `requests` only the adapter is used, as in the store: a Session would put credentials of .netrc in the place of the
Authorization header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from intoto_action.keys.attempts import LONGEST_ATTEMPT, Passing
from intoto_action.reason import Reason, Unavailable

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT = 10.0

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CHUNK = 1 << 16
_NO_URL = (
    "the address of a proxy (HTTPS_PROXY, ALL_PROXY, …), or its own, is no URL; it is not shown, because a password "
    "may be in it: there, / # ? @ are written as %2F %23 %3F %40"
)


class Answer(msgspec.Struct, frozen=True):
    """What came back; `retry_after` is how many seconds the service asks to wait, when it does."""

    status: int
    body: bytes
    retry_after: float | None = None

    def __repr__(self) -> str:
        return f"Answer({self.status})"


def get(url: str, headers: Mapping[str, str], cap: int, environ: Mapping[str, str]) -> Answer:
    """The answer, whatever its status, with at most `cap` bytes of its body.

    Raises: Passing when there was none; Unavailable when the other side cannot be trusted to be who it should be.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from requests.utils import get_environ_proxies
    from urllib3.exceptions import HTTPError

    is_loopback = urlsplit(url).hostname in _LOOPBACK
    prepared = requests.Request("GET", url, headers={"User-Agent": "intoto-action", **headers}).prepare()
    try:
        response = HTTPAdapter().send(
            prepared,
            stream=True,
            timeout=(CONNECT_TIMEOUT, LONGEST_ATTEMPT),
            proxies={} if is_loopback else get_environ_proxies(url),
            verify=next((environ[name] for name in _CA_VARIABLES if environ.get(name)), True),
        )
        with response:
            body = response.raw.read(cap, decode_content=True)
    except requests.exceptions.SSLError as error:
        raise Unavailable(
            f"{urlsplit(url).netloc} has no TLS that is trusted ({innermost(error)}); for a certificate of one's own "
            "set SSL_CERT_FILE and REQUESTS_CA_BUNDLE",
            Reason.SIGSTORE_UNAVAILABLE,
        ) from None
    except (requests.exceptions.RequestException, HTTPError, OSError) as error:
        raise Passing(f"no answer: {innermost(error)}") from None
    return Answer(response.status_code, body, retry_after(response))


def retry_after(response: requests.Response) -> float | None:
    """The seconds of a Retry-After header; a date in it is not read. Source: RFC 9110 section 10.2.3."""
    text = response.headers.get("Retry-After", "").strip()
    return float(text[:9]) if text.isascii() and text.isdigit() else None


def innermost(error: BaseException) -> str:
    """The innermost cause in words: the outer ones repeat it with addresses of objects."""
    from urllib3.exceptions import LocationParseError

    seen = error
    for _ in range(10):
        inner = getattr(seen, "reason", None) or seen.__cause__ or next(iter(seen.args), None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    if isinstance(error, LocationParseError) or isinstance(seen, LocationParseError):
        return _NO_URL  # urllib3 would show all of it
    text = str(seen).rpartition(": ")[2] if "object at 0x" in str(seen) else str(seen)
    return " ".join(text.split())[:300] or type(seen).__name__
