"""Sigstore bundles with an in-toto Statement, signed by a key made for the test run."""

import json
from functools import cache

from intoto_action.formats.key import PublicKey
from intoto_action.formats.statement import STATEMENT_TYPE
from intoto_action.keys.interface import Signer
from intoto_action.keys.keygen import generate
from intoto_action.keys.sealing import seal_bundle
from intoto_action.keys.words import open_signer

PREDICATE_TYPE = "https://example.com/tests/v1"
STATEMENT = "application/vnd.in-toto+json"


def bundle_for(digest: str, says: object = "hello", predicate_type: str = PREDICATE_TYPE) -> bytes:
    """A bundle about the image of that digest; two with other words are two bundles."""
    algorithm, _, hexadecimal = digest.partition(":")
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "image", "digest": {algorithm: hexadecimal}}],
        "predicateType": predicate_type,
        "predicate": {"says": says},
    }
    return seal_bundle(STATEMENT, json.dumps(statement).encode(), _signer())


@cache
def _signer() -> Signer:
    pem = generate("ecdsa", None).private_pem.decode()
    return open_signer("env:KEY", environ={"KEY": pem})


def public_pem() -> str:
    """The key that verifies the bundles."""
    key = _signer().key
    assert isinstance(key, PublicKey)
    return key.pem
