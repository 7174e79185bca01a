"""SLSA provenance as an in-toto Statement, in the versions that are written and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from intoto_action.formats import provenance_v02, provenance_v1
from intoto_action.formats.build import Build, Provenance
from intoto_action.formats.spelling import quoted
from intoto_action.formats.statement import (
    EARLIER_STATEMENT_TYPE,
    STATEMENT_TYPE,
    Statement,
    encode_statement,
    parse_statement,
)
from intoto_action.formats.strict_json import DOCUMENT_CAP, decode, decode_once
from intoto_action.reason import Malformed

V1 = "1"
V02 = "0.2"
VERSIONS = (V1, V02)
"""The words of `--slsa-version`."""


class _Form(NamedTuple):
    """One version of the format."""

    predicate_type: str
    statement_type: str
    predicate: Callable[[Build], dict[str, object]]
    read: Callable[[bytes, str], Provenance]


_FORMS: Mapping[str, _Form] = {
    V1: _Form(provenance_v1.PREDICATE_TYPE, STATEMENT_TYPE, provenance_v1.predicate, provenance_v1.read),
    V02: _Form(
        provenance_v02.PREDICATE_TYPE, EARLIER_STATEMENT_TYPE, provenance_v02.predicate, provenance_v02.read
    ),
}
_BY_PREDICATE_TYPE = {form.predicate_type: form for form in _FORMS.values()}
PREDICATE_TYPES = frozenset(_BY_PREDICATE_TYPE)


class _Probe(msgspec.Struct, rename={"type_": "_type", "build_definition": "buildDefinition"}):
    type_: msgspec.Raw | UnsetType = UNSET
    build_definition: msgspec.Raw | UnsetType = UNSET


class _WholeStatement(
    msgspec.Struct,
    forbid_unknown_fields=True,
    rename={"type_": "_type", "predicate_type": "predicateType"},
):
    type_: str
    subject: list[msgspec.Raw]
    predicate_type: str
    predicate: msgspec.Raw


def encode_provenance(build: Build, subject_name: str, digest: str, version: str = V1) -> bytes:
    """The Statement for the image with that digest (`sha256:…`). `version` is one of `VERSIONS`."""
    form = _FORMS[version]
    return encode_statement(
        form.predicate_type, form.predicate(build), subject_name, digest, form.statement_type
    )


def parse_provenance(payload: bytes, where: str) -> tuple[Statement, Provenance]:
    """The Statement in an envelope's payload, and what its provenance says.

    Both types of Statement are taken for both versions: which one stands around a predicate decides nothing.
    Raises: Malformed.
    """
    statement = parse_statement(payload, where, types=(STATEMENT_TYPE, EARLIER_STATEMENT_TYPE))
    form = _BY_PREDICATE_TYPE.get(statement.predicate_type)
    if form is None:
        expected = f"predicateType {' or '.join(sorted(PREDICATE_TYPES))}"
        raise Malformed(where, expected, quoted(statement.predicate_type))
    return statement, form.read(bytes(statement.predicate), where)


def as_statement(document: bytes, subject_name: str, digest: str, where: str) -> bytes:
    """The Statement that somebody's document is, unchanged; or, when it is a bare predicate, one about the image.

    Raises: Malformed for what is no provenance that verifies, or a Statement with fields that it has not: other tools
    refuse those.
    """
    probe = decode(document, _Probe, where, cap=DOCUMENT_CAP)
    if probe.type_ is not UNSET:
        decode_once(document, _WholeStatement, where)
        statement = document
    else:
        form = _FORMS[V1 if probe.build_definition is not UNSET else V02]
        statement = encode_statement(
            form.predicate_type, msgspec.Raw(document), subject_name, digest, form.statement_type
        )
    parse_provenance(statement, where)
    return statement
