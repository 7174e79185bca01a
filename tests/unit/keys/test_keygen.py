from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from intoto_action.keys.keygen import generate
from intoto_action.keys.words import open_signer
from intoto_action.reason import Misused


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [
        ("ed25519", "ed25519"),
        ("ecdsa", "ecdsa-sha2-nistp256"),
        ("ecdsa-p384", "ecdsa-sha2-nistp384"),
        ("rsa", "rsassa-pss-sha256"),
    ],
)
def test_a_new_key_of_each_kind_signs_in_its_scheme(pems: dict[str, str], kind: str, scheme: str) -> None:
    assert open_signer("env:KEY", environ={"KEY": pems[kind]}).key.scheme == scheme


def test_a_new_rsa_key_has_3072_bits(pems: dict[str, str]) -> None:
    key = load_pem_private_key(pems["rsa"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 3072


def test_a_new_key_with_a_password_is_encrypted_pkcs8() -> None:
    pair = generate("ecdsa", b"secret")
    assert pair.private_pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    environ = {"KEY": pair.private_pem.decode(), "PASSWORD": "secret"}
    assert open_signer("env:KEY", environ=environ, password_env="PASSWORD").key == pair.public


def test_a_key_pair_does_not_show_its_private_part() -> None:
    pair = generate("ed25519", None)
    assert "PRIVATE" not in repr(pair)
    assert str(pair.public) in repr(pair)


def test_a_kind_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Misused, match="ed25519, ecdsa, ecdsa-p384, rsa"):
        generate("dsa", None)
