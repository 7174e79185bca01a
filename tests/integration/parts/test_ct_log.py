import base64
from datetime import UTC, datetime, timedelta

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from sigstore._internal.sct import verify_sct
from sigstore._internal.trust import CTKeyring, Keyring
from sigstore.errors import VerificationError
from sigstore_models.common.v1 import PublicKey, PublicKeyDetails
from tests.parts.certificate_authority import CertificateAuthority, for_use, identify
from tests.parts.ct_log import CtLog, without_poison
from tests.parts.ct_server import CtServer
from tests.parts.loopback import Loopback

NOW = datetime.now(UTC).replace(microsecond=0)
AUTHORITY = CertificateAuthority("tests", NOW - timedelta(days=1), NOW + timedelta(days=1))
CHAIN = [each.public_bytes(Encoding.DER) for each in AUTHORITY.chain]


def draft() -> x509.CertificateBuilder:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    plain = AUTHORITY.draft(key, NOW, NOW + timedelta(minutes=10))
    used = for_use(plain, "digital_signature", ExtendedKeyUsageOID.CODE_SIGNING)
    return identify(used, "https://example.com/me", "https://example.com", {})


def precertificate(draft: x509.CertificateBuilder) -> bytes:
    poisoned = draft.add_extension(x509.PrecertPoison(), critical=True)
    return AUTHORITY.issue(poisoned, []).public_bytes(Encoding.DER)


def keyring(log: CtLog) -> CTKeyring:
    details = PublicKeyDetails.PKIX_ECDSA_P256_SHA_256
    key = PublicKey(raw_bytes=base64.b64encode(log.public_der), key_details=details)
    return CTKeyring(Keyring([key]))


def test_a_precertificate_without_its_poison_is_what_the_certificate_will_be() -> None:
    this = draft()
    certificate = AUTHORITY.issue(this, AUTHORITY.promises(this, [CtLog()], NOW))
    assert without_poison(precertificate(this)) == certificate.tbs_precertificate_bytes


def test_the_timestamp_that_the_server_gives_holds_for_the_certificate() -> None:
    this, server = draft(), CtServer()
    with Loopback(server) as loopback:
        chain = [base64.b64encode(each).decode() for each in (precertificate(this), *CHAIN)]
        url = f"{loopback.url}/ct/v1/add-pre-chain"
        said = requests.post(url, json={"chain": chain}, timeout=10).json()
    sct = b"".join(
        (
            b"\x00",
            base64.b64decode(said["id"]),
            said["timestamp"].to_bytes(8),
            b"\x00\x00",
            base64.b64decode(said["signature"]),
        )
    )
    certificate = AUTHORITY.issue(this, [sct])
    verify_sct(certificate, list(AUTHORITY.chain), keyring(server.log))
    with pytest.raises(VerificationError):
        verify_sct(certificate, list(AUTHORITY.chain), keyring(CtLog()))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"chain": []}', b'{"chain": ["AA"]}', b'{"chain": ["MAA=", "MAA="]}']
)
def test_what_is_no_chain_is_refused(body: bytes) -> None:
    with Loopback(CtServer()) as loopback:
        url = f"{loopback.url}/ct/v1/add-pre-chain"
        assert requests.post(url, data=body, timeout=10).status_code == 400
