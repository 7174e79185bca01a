"""The services that a keyless signature is made with: Fulcio, the log, the timestamp authority.

sigstore-python's own clients ask them; here each is asked again after what may pass, and what it said is not lost.
`SigningContext` takes its clients as arguments: these stand in their places and hand on everything else. Source:
sigstore-python 4.5 `SigningContext`, `Signer`; a test signs with them against the real services.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from intoto_action.formats.token import without_tokens
from intoto_action.keys.attempts import PASSING, Attempts, Passing
from intoto_action.keys.http_get import innermost, retry_after
from intoto_action.reason import IntotoActionError, Reason, Unavailable, WrongIdentity

if TYPE_CHECKING:
    import requests
    from cryptography import x509

T = TypeVar("T")

_CONFLICT = 409
_LONGEST_WORDS = 400
_MARGIN = 5.0


class SignAnew(Exception):
    """This signature will not be taken, and another one may: the log has it already, or its certificate is over."""


class Refused(Exception):
    """A service said no, in its own words, and will say it again."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"HTTP {status}{f': {words}' if words else ''}")
        self.status = status


class _Message(msgspec.Struct):
    message: str = ""


class Fulcio:
    """The certificate authority.

    `token` gives the token that is good at the time of an attempt; `connect` makes a client, for each attempt another,
    because one cannot be used by two threads.
    """

    def __init__(self, connect: Callable[[], Any], token: Callable[[], Any], attempts: Attempts) -> None:
        self._connect, self._token, self._attempts = connect, token, attempts
        self.url: str = connect().url
        self._certificate: x509.Certificate | None = None

    @property
    def certificate(self) -> x509.Certificate:
        """The last one that it gave. Raises: Unavailable when it gave none."""
        if self._certificate is None:
            raise _unavailable(f"Fulcio {self.url} gave no certificate")
        return self._certificate

    @property
    def good_until(self) -> float:
        """Until when that is good, in Unix time. Raises: Unavailable when there is none."""
        return self.certificate.not_valid_after_utc.timestamp()

    @property
    def signing_cert(self) -> Fulcio:
        """Where `Signer` posts its requests."""
        return self

    def post(self, request: Any, identity: Any) -> Any:  # noqa: ANN401 - sigstore-python's, handed on
        """Ask for a certificate. Raises: Misused when Fulcio does not take the token; Unavailable."""

        def work() -> Any:  # noqa: ANN401
            client, token = self._connect(), self._token()
            secrets.append(str(token))
            return client.signing_cert.post(request, token)

        secrets = [str(identity)]
        try:
            answer = asked(self._attempts, f"Fulcio {self.url}", work, secrets)
        except Refused as refusal:
            raise WrongIdentity(
                f"Fulcio {self.url} gave no certificate for this token: {refusal}. Does this Sigstore take tokens of "
                f"{identity.issuer[:200]}, and is --sigstore the right one?"
            ) from None
        self._certificate = answer.cert
        return answer


class TimestampAuthority:
    """One of the timestamp authorities. sigstore-python would go on without it, and no verifier takes that."""

    def __init__(self, client: Any, attempts: Attempts) -> None:  # noqa: ANN401
        self._client, self._attempts = client, attempts
        self.url: str = client.url

    def request_timestamp(self, signature: bytes) -> Any:  # noqa: ANN401
        """Ask for a timestamp. Raises: Unavailable."""
        service = f"the timestamp authority {self.url}"
        try:
            return asked(self._attempts, service, lambda: self._client.request_timestamp(signature))
        except Refused as refusal:
            raise _unavailable(f"{service} gave no timestamp: {refusal}") from None


class Log:
    """The transparency log. `good_until` says until when the certificate is good that its entries are made with."""

    def __init__(self, client: Any, attempts: Attempts, good_until: Callable[[], float]) -> None:  # noqa: ANN401
        self._client, self._attempts, self._good_until = client, attempts, good_until

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - how an entry is written is sigstore-python's business
        return getattr(self._client, name)

    def create_entry(self, request: Any) -> Any:  # noqa: ANN401
        """Have an entry written. Raises: SignAnew, Unavailable."""

        def work() -> Any:  # noqa: ANN401
            if time.time() > self._good_until() - _MARGIN:
                raise SignAnew
            return self._client.create_entry(request)

        service = f"the log {self._client.url}"
        try:
            return asked(self._attempts, service, work)
        except Refused as refusal:
            if refusal.status == _CONFLICT:
                raise SignAnew from None
            raise _unavailable(f"{service} did not take the entry: {refusal}") from None


def asked(attempts: Attempts, service: str, work: Callable[[], T], secrets: Iterable[str] = ()) -> T:
    """What `work` returns, tried again after what may pass.

    Raises: Refused with the words of the service; Unavailable when it does not answer, or nothing that can be read.
    """

    def attempt() -> T:
        try:
            return work()
        except (IntotoActionError, SignAnew):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client of sigstore-python makes of an answer
            raise _translated(service, error, secrets) from None

    return attempts.make(service, attempt)


def _translated(service: str, error: Exception, secrets: Iterable[str]) -> Exception:
    import requests

    chain = _chain(error)
    response = next((each.response for each in chain if isinstance(each, requests.HTTPError)), None)
    if response is not None:
        words = without_tokens(_words(response), secrets)[:_LONGEST_WORDS]
        if response.status_code in PASSING:
            return Passing(
                f"HTTP {response.status_code}{f': {words}' if words else ''}", retry_after(response)
            )
        return Refused(response.status_code, words)
    if any(isinstance(each, requests.exceptions.SSLError) for each in chain):
        return _unavailable(
            f"{service} has no TLS that is trusted ({innermost(chain[-1])}); for a certificate of one's own set "
            "SSL_CERT_FILE and REQUESTS_CA_BUNDLE"
        )
    lost = next(
        (each for each in chain if isinstance(each, (requests.ConnectionError, requests.Timeout))), None
    )
    if lost is not None:
        return Passing(f"no answer: {innermost(lost)}")
    said = without_tokens(" ".join(f"{type(error).__name__}: {error}".split()), secrets)[:_LONGEST_WORDS]
    return _unavailable(f"{service} gave an answer that cannot be read ({said}): is a proxy in between?")


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it came from, the outermost first."""
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None and before not in chain:
        chain.append(before)
    return chain


def _words(response: requests.Response) -> str:
    """The message in an error of Fulcio or Rekor, or its text: sigstore-python loses Fulcio's (`Response` is falsy)."""
    try:
        said = msgspec.json.decode(response.content, type=_Message).message or response.text
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = response.text
    return " ".join(said.split())


def _unavailable(said: str) -> Unavailable:
    return Unavailable(said, Reason.SIGSTORE_UNAVAILABLE)
