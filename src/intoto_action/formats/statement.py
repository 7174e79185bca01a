"""In-toto Statements: what an attestation says, and of which image.

Source: in-toto attestation framework, Statement v1, and v0.1 for predicates that are older than it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from intoto_action.formats.reference import parse_digest
from intoto_action.formats.strict_json import MIB, check_size, decode_once, refuse_duplicate_keys
from intoto_action.reason import Malformed

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
EARLIER_STATEMENT_TYPE = "https://in-toto.io/Statement/v0.1"
STATEMENT_CAP = 10 * MIB
"""The largest attestation that is read, in bytes; Kyverno reads no larger ones either."""


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One subject of a Statement: a name, which binds nothing, and the digest that does."""

    digest: dict[str, str]
    name: str = ""
    uri: str = ""


class Statement(msgspec.Struct, frozen=True, rename={"type_": "_type", "predicate_type": "predicateType"}):
    """An in-toto Statement with a predicate that has not been read yet."""

    type_: str
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: msgspec.Raw


class _Kind(msgspec.Struct, rename="camel"):
    predicate_type: str = ""


def encode_statement(
    predicate_type: str,
    predicate: Mapping[str, object] | msgspec.Raw,
    subject_name: str,
    digest: str,
    statement_type: str = STATEMENT_TYPE,
) -> bytes:
    """The Statement about the one image with that digest (`sha256:…`), on one line."""
    algorithm, _, value = digest.partition(":")
    statement = {
        "_type": statement_type,
        "subject": [{"name": subject_name, "digest": {algorithm: value}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return msgspec.json.format(msgspec.json.encode(statement), indent=-1)


def predicate_type_of(payload: bytes) -> str:
    """What a payload claims to be, empty when it says nothing: to sort by, before anything of it is believed."""
    try:
        return decode_once(payload, _Kind, "").predicate_type
    except Malformed:
        return ""


def parse_statement(
    payload: bytes, where: str, *, cap: int = STATEMENT_CAP, types: tuple[str, ...] = (STATEMENT_TYPE,)
) -> Statement:
    """A Statement of one of these types, and of any predicate type.

    Raises: Malformed.
    """
    check_size(payload, where, cap)
    refuse_duplicate_keys(payload, where)
    statement = decode_once(payload, Statement, where)
    if statement.type_ not in types:
        raise Malformed(where, f"_type {' or '.join(types)}", repr(statement.type_[:120]))
    if not statement.subject:
        raise Malformed(where, "a subject", "none")
    for subject in statement.subject:
        for algorithm, value in subject.digest.items():
            if algorithm in {"sha256", "sha512"}:
                parse_digest(f"{algorithm}:{value}")
    return statement
