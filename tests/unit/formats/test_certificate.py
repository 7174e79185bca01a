"""What a signing certificate says: one name, one issuer, and claims that are what Fulcio writes."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.forge import Forge, GitHubJob

from intoto_action.formats.certificate import ARC, CERTIFICATE_CAP, OIDS, Certificate, parse_certificate
from intoto_action.reason import Malformed

KEY = ec.generate_private_key(ec.SECP256R1())
URI = x509.UniformResourceIdentifier("https://github.com/octo/app")


def der(*names: x509.GeneralName, **extensions: bytes) -> bytes:
    """A certificate with these names and, by the last number of their OID, these extensions."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(minutes=10))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    for number, value in extensions.items():
        oid = x509.ObjectIdentifier(f"{ARC}.{number.removeprefix('n')}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def utf8(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 128:
        return bytes([0x0C, len(raw)]) + raw
    length = len(raw).to_bytes((len(raw).bit_length() + 7) // 8)
    return bytes([0x0C, 0x80 | len(length)]) + length + raw


def read(*names: x509.GeneralName, **extensions: bytes) -> Certificate:
    return parse_certificate(der(*names, **extensions), "the certificate")


def test_the_certificate_of_a_job_says_what_github_vouched_for() -> None:
    job = GitHubJob.tag(environment="release")
    found = parse_certificate(Forge().sign(b"x", job=job).certificate.public_bytes(Encoding.DER), "x")
    assert found.identity == job.identity
    assert found.issuer == "https://token.actions.githubusercontent.com"
    assert found.claim("source-repository") == "https://github.com/octo/app"
    assert found.claim("source-digest") == job.sha
    assert found.claim("source-ref") == "refs/tags/v1.2.0"
    assert found.claim("source-repository-id") == "74"
    assert found.claim("source-owner-id") == "65"
    assert found.claim("runner-environment") == "github-hosted"
    assert found.claim("event") == "push"
    assert found.claim("environment") == "release"
    assert found.claim("build-signer-uri") == job.identity
    assert found.claim("run-invocation").endswith("/actions/runs/30433642/attempts/1")


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        (URI, "https://github.com/octo/app"),
        (x509.RFC822Name("octo@example.com"), "octo@example.com"),
        (x509.OtherName(x509.ObjectIdentifier(f"{ARC}.7"), utf8("octo!example.com")), "octo!example.com"),
    ],
)
def test_the_holder_is_a_uri_an_address_or_a_user_name(name: x509.GeneralName, identity: str) -> None:
    assert read(name).identity == identity


@pytest.mark.parametrize(
    "names", [(), (URI, URI), (URI, x509.RFC822Name("a@b.c")), (x509.DNSName("github.com"),)]
)
def test_a_certificate_of_nobody_several_or_a_host_is_malformed(names: tuple[x509.GeneralName, ...]) -> None:
    with pytest.raises(Malformed):
        read(*names)


def test_the_issuer_of_an_old_certificate_is_read() -> None:
    assert read(URI, n1=b"https://a.example").issuer == "https://a.example"


def test_two_issuers_are_malformed() -> None:
    assert read(URI, n1=b"https://a.example", n8=utf8("https://a.example")).issuer == "https://a.example"
    with pytest.raises(Malformed, match="one issuer"):
        read(URI, n1=b"https://a.example", n8=utf8("https://b.example"))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x0c",
        b"push",
        b"\x0c\x05push",
        b"\x0c\x03push",
        b"\x13\x04push",
        b"\x0c\x81",
        b"\x0c\x02\xff\xff",
    ],
)
def test_a_claim_that_is_no_utf8_string_is_malformed(value: bytes) -> None:
    with pytest.raises(Malformed, match="UTF8String"):
        read(URI, n20=value)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 5000])
def test_claims_of_any_length_are_read(length: int) -> None:
    assert read(URI, n20=utf8("x" * length)).claim("event") == "x" * length


def test_claims_have_names_of_their_own() -> None:
    assert len(set(OIDS.values())) == len(OIDS)


def test_more_bytes_than_a_certificate_has_are_not_read() -> None:
    with pytest.raises(Malformed, match=f"at most {CERTIFICATE_CAP} bytes"):
        parse_certificate(b"\x30" * (CERTIFICATE_CAP + 1), "x")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_certificate_or_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_certificate(raw, "x")


def test_a_certificate_of_a_version_that_is_none_is_malformed() -> None:
    version = b"\xa0\x03\x02\x01"
    place = GOOD.index(version) + len(version)
    with pytest.raises(Malformed, match=r"X\.509 certificate"):
        parse_certificate(GOOD[:place] + b"\x03" + GOOD[place + 1 :], "x")


GOOD = der(URI, n8=utf8("https://a.example"), n20=utf8("push"))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_any_byte_changed_gives_a_certificate_or_malformed(place: int, change: int) -> None:
    raw = bytearray(GOOD)
    raw[place] ^= change
    try:
        found = parse_certificate(bytes(raw), "x")
    except Malformed:
        return
    assert found.identity
