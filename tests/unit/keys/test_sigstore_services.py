"""What the real services cannot be made to do in a test: certificates that end while something is signed under them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from intoto_action.deadline import Deadline
from intoto_action.formats.certificate import Certificate
from intoto_action.keys.attempts import Attempts
from intoto_action.keys.certified import Certified, Certifier
from intoto_action.keys.keyless import KeylessSigner
from intoto_action.keys.sigstore import Instance
from intoto_action.keys.sigstore_services import Log, SignAnew, TimestampAuthority, asked
from intoto_action.reason import Reason, Unavailable


def attempts() -> Attempts:
    return Attempts(Deadline(5), lambda _: None)


@dataclass
class Client:
    """A log that takes everything."""

    url: str = "https://log.test"
    taken: list[object] = field(default_factory=list)

    def create_entry(self, request: object) -> object:
        self.taken.append(request)
        return "entry"

    def how_an_entry_is_written(self) -> str:
        return "so"


def test_an_entry_is_written_while_its_certificate_is_good() -> None:
    client = Client()
    log = Log(client, attempts(), lambda: time.time() + 60)
    assert log.create_entry("request") == "entry"
    assert log.how_an_entry_is_written() == "so"
    assert client.taken == ["request"]


def test_an_entry_for_a_certificate_that_is_over_is_not_written() -> None:
    client = Client()
    with pytest.raises(SignAnew):
        Log(client, attempts(), lambda: time.time() + 1).create_entry("request")
    assert client.taken == []


def test_what_a_client_makes_of_an_answer_that_is_none_is_told_with_the_service() -> None:
    def work() -> None:
        raise KeyError("signedCertificateEmbeddedSct")

    with pytest.raises(
        Unavailable, match=r"^S gave an answer that cannot be read \(KeyError: .signedCert"
    ) as error:
        asked(attempts(), "S", work)
    assert error.value.reason is Reason.SIGSTORE_UNAVAILABLE


def test_a_timestamp_authority_that_refuses_ends_the_signing() -> None:
    class Refusing:
        url = "https://tsa.test"

        def request_timestamp(self, signature: bytes) -> None:
            raise ValueError(f"no answer to {signature!r}")

    with pytest.raises(Unavailable, match=r"^the timestamp authority https://tsa\.test gave an answer"):
        TimestampAuthority(Refusing(), attempts()).request_timestamp(b"x")


@dataclass
class Pen:
    """Signs nothing, and says which certificate it would have signed under."""

    certificate: str
    error: type[Exception]

    def sign_artifact(self, data: bytes) -> None:
        raise self.error(self.certificate)


class Certificates(Certifier):
    """Gives certificates that are good for these seconds, one after the other."""

    instance = Instance("the instance", b"", None)

    def __init__(self, *seconds: float, error: type[Exception] = ValueError) -> None:
        self.left = list(seconds)
        self._error = error

    def certify(self) -> Certified:
        seconds = self.left.pop(0)
        claims = {"run-invocation": f"{seconds}"}
        certificate = Certificate("https://github.com/o/r@refs/heads/main", "https://i.test", claims)
        pen = Pen(f"under {seconds}", self._error)
        return Certified(pen, certificate, time.time() + seconds)  # type: ignore[arg-type]  # a pen will do


def test_a_certificate_serves_until_it_is_nearly_over() -> None:
    signer = KeylessSigner(certificates := Certificates(600, 1200))
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"^no signature by the instance: under 600$"):
            signer.signature(b"")
    assert signer.certificate.claim("run-invocation") == "600"
    assert certificates.left == [1200]


def test_nothing_is_signed_under_a_certificate_that_is_nearly_over() -> None:
    signer = KeylessSigner(Certificates(5, 600))
    assert signer.certificate.claim("run-invocation") == "5"
    with pytest.raises(Unavailable, match=r"under 600$"):
        signer.signature(b"")


def test_who_signed_is_told_when_the_certificate_is_over_without_another_one() -> None:
    signer = KeylessSigner(certificates := Certificates(5, 600))
    assert [signer.certificate.claim("run-invocation") for _ in range(2)] == ["5", "5"]
    assert signer.key.identity == "https://github.com/o/r@refs/heads/main"
    assert certificates.left == [600]


def test_a_log_that_takes_no_signature_ends_the_signing() -> None:
    signer = KeylessSigner(Certificates(600, error=SignAnew))
    with pytest.raises(Unavailable, match="has taken none of 3 signatures"):
        signer.signature(b"")
