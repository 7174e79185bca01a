"""The private Sigstore behind detours: each service breaks alone, and mends when it is told to."""

from itertools import repeat
from pathlib import Path

import pytest
import requests
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from tests.parts.loopback import HANG, busy, refusal
from tests.parts.sigstore import SIGSTORE, Behind, PrivateSigstore

pytestmark = pytest.mark.needs(*SIGSTORE)


def sign(behind: Behind, part: PrivateSigstore) -> Bundle:
    context = SigningContext.from_trust_config(ClientTrustConfig.from_json(behind.trust_config.read_text()))
    with context.signer(IdentityToken(part.token())) as signer:
        return signer.sign_artifact(b"data")


def test_when_nothing_is_broken_all_is_asked_once_and_signs(
    sigstore: PrivateSigstore, tmp_path: Path
) -> None:
    with sigstore.behind(tmp_path) as behind:
        sign(behind, sigstore)
        asked = [[each.path for each in detour.asked] for detour in (behind.fulcio, behind.tsa, behind.rekor)]
        assert asked == [["/api/v2/signingCert"], ["/api/v1/timestamp"], ["/api/v2/log/entries"]]


def test_a_service_that_refuses_once_is_there_afterwards(sigstore: PrivateSigstore, tmp_path: Path) -> None:
    with sigstore.behind(tmp_path, fulcio=[refusal(403, "not you")], rekor=[busy()]) as behind:
        with pytest.raises(Exception, match=r"^$"):  # sigstore-python loses Fulcio's message
            sign(behind, sigstore)
        with pytest.raises(Exception, match="429"):
            sign(behind, sigstore)
        sign(behind, sigstore)


def test_without_timestamps_nothing_says_when_so_there_is_no_bundle(
    sigstore: PrivateSigstore, tmp_path: Path
) -> None:
    with (
        sigstore.behind(tmp_path, tsa=repeat(refusal(500))) as behind,
        pytest.raises(Exception, match="inclusion promise or signed timestamp"),
    ):
        sign(behind, sigstore)


def test_a_log_that_hangs_hangs(sigstore: PrivateSigstore, tmp_path: Path) -> None:
    with sigstore.behind(tmp_path, rekor=[HANG]) as behind, pytest.raises(requests.Timeout):
        requests.post(f"{behind.rekor.url}/api/v2/log/entries", json={}, timeout=0.2)
