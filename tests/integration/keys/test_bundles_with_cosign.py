from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from tests.parts.tools import tool

from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.keys.keygen import generate
from intoto_action.keys.sealing import seal_bundle
from intoto_action.keys.words import open_signer

PREDICATE_TYPE = "https://example.com/predicate/v1"
BLOB = b"what the statement is about"


def statement() -> bytes:
    subject = {"name": "blob", "digest": {"sha256": hashlib.sha256(BLOB).hexdigest()}}
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [subject],
            "predicateType": PREDICATE_TYPE,
            "predicate": {},
        }
    ).encode()


def verified_by_cosign(directory: Path, bundle: bytes, public_pem: str) -> bool:
    (directory / "blob").write_bytes(BLOB)
    (directory / "bundle.json").write_bytes(bundle)
    (directory / "key.pub").write_text(public_pem)
    words = [
        "--bundle",
        "bundle.json",
        "--key",
        "key.pub",
        "--type",
        PREDICATE_TYPE,
        "--insecure-ignore-tlog",
    ]
    command = [str(tool("cosign")), "verify-blob-attestation", *words, "blob"]
    return subprocess.run(command, cwd=directory, capture_output=True, check=False).returncode == 0


@pytest.mark.needs("cosign")
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "ecdsa-p384", "rsa"])
def test_cosign_verifies_a_bundle_by_a_key_of_each_kind(tmp_path: Path, kind: str) -> None:
    pair = generate(kind, None)
    signer = open_signer("env:KEY", environ={"KEY": pair.private_pem.decode()})
    bundle = seal_bundle(PAYLOAD_TYPE, statement(), signer)
    assert verified_by_cosign(tmp_path, bundle, pair.public.pem)
    assert not verified_by_cosign(tmp_path, bundle, generate(kind, None).public.pem)
