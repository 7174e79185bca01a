"""One private key of each kind, made once a run."""

from __future__ import annotations

import pytest

from intoto_action.keys.keygen import generate

PASSWORD = "correct horse"
KINDS = ("ed25519", "ecdsa", "ecdsa-p384", "rsa")


@pytest.fixture(scope="session")
def pems() -> dict[str, str]:
    return {kind: generate(kind, None).private_pem.decode() for kind in KINDS}


@pytest.fixture(scope="session")
def locked_pem() -> str:
    return generate("ed25519", PASSWORD.encode()).private_pem.decode()


@pytest.fixture(scope="session")
def public_pem() -> str:
    return generate("ecdsa", None).public.pem
