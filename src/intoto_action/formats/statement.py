"""In-toto Statements: what an attestation says, and of which image.

Source: in-toto attestation framework, Statement v1.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from intoto_action.formats.reference import parse_digest
from intoto_action.formats.strict_json import MIB, check_size, decode_once, refuse_duplicate_keys
from intoto_action.reason import Malformed

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
STATEMENT_CAP = 10 * MIB
"""The largest attestation that is read, in bytes; Kyverno reads no larger ones either."""


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One subject of a Statement: a name, which binds nothing, and the digest that does."""

    digest: dict[str, str]
    name: str = ""
    uri: str = ""


class Statement(msgspec.Struct, frozen=True, rename={"type_": "_type", "predicate_type": "predicateType"}):
    """An in-toto Statement v1 with a predicate that has not been read yet."""

    type_: str
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: msgspec.Raw


def encode_statement(
    predicate_type: str, predicate: Mapping[str, object], subject_name: str, digest: str
) -> bytes:
    """The Statement v1 about the one image with that digest (`sha256:…`), on one line."""
    algorithm, _, value = digest.partition(":")
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject_name, "digest": {algorithm: value}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return msgspec.json.format(msgspec.json.encode(statement), indent=-1)


def parse_statement(payload: bytes, where: str, *, cap: int = STATEMENT_CAP) -> Statement:
    """A Statement v1 of any predicate type.

    Raises: Malformed.
    """
    check_size(payload, where, cap)
    refuse_duplicate_keys(payload, where)
    statement = decode_once(payload, Statement, where)
    if statement.type_ != STATEMENT_TYPE:
        raise Malformed(where, f"_type {STATEMENT_TYPE}", repr(statement.type_[:120]))
    if not statement.subject:
        raise Malformed(where, "a subject", "none")
    for subject in statement.subject:
        for algorithm, value in subject.digest.items():
            if algorithm in {"sha256", "sha512"}:
                parse_digest(f"{algorithm}:{value}")
    return statement
