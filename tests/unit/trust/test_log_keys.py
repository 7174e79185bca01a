"""A log's key is of the kind that the root says, and counts for its log and its time."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from intoto_action.formats.trusted_root import LogId, Period, TrustedKey, TrustedLog
from intoto_action.reason import Malformed
from intoto_action.trust.log_keys import LogKey, LogKeys

NOW = datetime(2026, 11, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
DATA = b"what is signed"
ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
P256, P384, P521 = (
    ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
)
SPKI = PublicFormat.SubjectPublicKeyInfo
Private = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def log_of(
    key: Private,
    details: str,
    *,
    form: PublicFormat = SPKI,
    log_id: bytes = b"id",
    start: datetime = NOW - YEAR,
    end: datetime | None = None,
) -> TrustedLog:
    der = key.public_key().public_bytes(Encoding.DER, form)
    return TrustedLog("https://log.test", TrustedKey(der, details, Period(start, end)), LogId(log_id))


def rsa_signed(hash_: hashes.HashAlgorithm) -> bytes:
    return RSA.sign(DATA, padding.PKCS1v15(), hash_)


@pytest.mark.parametrize(
    ("log", "signature"),
    [
        (log_of(ED25519, "PKIX_ED25519"), ED25519.sign(DATA)),
        (log_of(P256, "PKIX_ECDSA_P256_SHA_256"), P256.sign(DATA, ec.ECDSA(hashes.SHA256()))),
        (log_of(P384, "PKIX_ECDSA_P384_SHA_384"), P384.sign(DATA, ec.ECDSA(hashes.SHA384()))),
        (log_of(P521, "PKIX_ECDSA_P521_SHA_512"), P521.sign(DATA, ec.ECDSA(hashes.SHA512()))),
        (log_of(RSA, "PKIX_RSA_PKCS1V15_2048_SHA256"), rsa_signed(hashes.SHA256())),
        (log_of(RSA, "PKCS1_RSA_PKCS1V5", form=PublicFormat.PKCS1), rsa_signed(hashes.SHA256())),
    ],
    ids=["Ed25519", "P-256", "P-384", "P-521", "RSA", "RSA as PKCS1"],
)
def test_each_kind_of_key_knows_its_signatures(log: TrustedLog, signature: bytes) -> None:
    key = LogKey(log, "x")
    assert key.has_signed(signature, DATA)
    assert not key.has_signed(signature, DATA + b".")
    assert not key.has_signed(signature[:-1] + bytes([signature[-1] ^ 1]), DATA)
    assert not key.has_signed(b"", DATA)


def test_the_hash_is_the_one_that_goes_with_the_kind() -> None:
    key = LogKey(log_of(P256, "PKIX_ECDSA_P256_SHA_256"), "x")
    assert not key.has_signed(P256.sign(DATA, ec.ECDSA(hashes.SHA384())), DATA)
    assert not LogKey(log_of(RSA, "PKIX_RSA_PKCS1V15_2048_SHA256"), "x").has_signed(
        rsa_signed(hashes.SHA512()), DATA
    )


def test_a_kind_that_nobody_knows_here_has_signed_nothing() -> None:
    """A root may list logs of tomorrow beside those of today."""
    key = LogKey(log_of(ED25519, "ML_DSA_65"), "x")
    assert not key.has_signed(ED25519.sign(DATA), DATA)


@pytest.mark.parametrize("spki", [b"none", bytes.fromhex("300c300506032a03040303000102")])
def test_a_key_that_cannot_even_be_read_does_no_harm_when_its_kind_is_one_of_tomorrow(spki: bytes) -> None:
    """Else the first such log in the root would end all verifying; `cryptography` does not know the second's kind."""
    trusted = TrustedKey(spki, "SLH_DSA_OF_TOMORROW", Period(NOW))
    key = LogKey(TrustedLog("https://log.test", trusted, LogId(b"id")), "x")
    assert not key.has_signed(b"", DATA)


def test_a_key_on_a_curve_that_nobody_knows_is_malformed() -> None:
    der = P256.public_key().public_bytes(Encoding.DER, SPKI)
    curve = bytes.fromhex("2a8648ce3d030107")
    trusted = TrustedKey(der.replace(curve, curve[:-1] + b"c"), "PKIX_ECDSA_P256_SHA_256", Period(NOW))
    with pytest.raises(Malformed, match="the public key of"):
        LogKey(TrustedLog("https://log.test", trusted, LogId(b"id")), "x")


@pytest.mark.parametrize(
    ("key", "details"),
    [
        (ED25519, "PKIX_ECDSA_P256_SHA_256"),
        (P256, "PKIX_ED25519"),
        (P256, "PKIX_RSA_PKCS1V15_2048_SHA256"),
        (RSA, "PKIX_ECDSA_P256_SHA_256"),
    ],
)
def test_a_key_of_another_kind_than_it_is_said_to_be_is_malformed(key: Private, details: str) -> None:
    with pytest.raises(Malformed, match=f"a key of kind {details} for https://log.test"):
        LogKey(log_of(key, details), "x")


def test_bytes_that_are_no_key_are_malformed() -> None:
    key = TrustedKey(b"none", "PKIX_ED25519", Period(NOW))
    with pytest.raises(Malformed, match=r"the public key of https://log\.test in DER"):
        LogKey(TrustedLog("https://log.test", key, LogId(b"id")), "x")


def test_a_key_is_had_by_the_id_of_its_log_and_by_no_other() -> None:
    keys = LogKeys([log_of(ED25519, "PKIX_ED25519", log_id=b"a")], "x")
    assert keys.of(b"a", NOW) is not None
    assert keys.of(b"", NOW) is None
    assert keys.of(b"b", NOW) is None
    assert (keys.knows(b"a"), keys.knows(b"b")) == (True, False)


def test_a_log_with_two_keys_has_each_in_its_time() -> None:
    old = log_of(P256, "PKIX_ECDSA_P256_SHA_256", start=NOW - 2 * YEAR, end=NOW - YEAR)
    new = log_of(ED25519, "PKIX_ED25519", start=NOW - YEAR + timedelta(seconds=1))
    keys = LogKeys([old, new], "x")
    then, now = keys.of(b"id", NOW - YEAR), keys.of(b"id", NOW)
    assert then is not None
    assert now is not None
    assert then.has_signed(P256.sign(DATA, ec.ECDSA(hashes.SHA256())), DATA)
    assert now.has_signed(ED25519.sign(DATA), DATA)
    assert keys.of(b"id", NOW - 3 * YEAR) is None
