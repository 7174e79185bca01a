"""docs/formats.md and docs/evidence.schema.json say what the parser does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from intoto_action.formats.evidence import (
    EVIDENCE_CAP,
    MOST_LINKS,
    PREDICATE_TYPE,
    file_name_fault,
    parse_evidence,
)
from intoto_action.formats.layout import parse_layout
from intoto_action.formats.link import parse_link
from intoto_action.formats.statement import parse_statement
from intoto_action.reason import Malformed

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def page() -> str:
    return (DOCS / "formats.md").read_text()


@pytest.fixture(scope="module")
def example(page: str) -> dict[str, Any]:
    found = re.search(r"```json evidence-example\n(.*?)```", page, re.DOTALL)
    assert found is not None
    parsed: dict[str, Any] = json.loads(found[1])
    return parsed


def test_the_documented_example_is_evidence(example: dict[str, Any]) -> None:
    evidence = parse_evidence(parse_statement(json.dumps(example).encode(), "example"), "example")
    assert evidence.layout is not None
    assert parse_layout(evidence.layout.payload, "layout").steps == []
    assert parse_link(evidence.links["build.5f8c2819.link"].payload, "link").name == "build"
    assert evidence.files["report.json"].content == b"{}"


@pytest.mark.parametrize("key", ["layout", "links", "files"])
def test_every_documented_field_is_required(example: dict[str, Any], key: str) -> None:
    predicate = {name: value for name, value in example["predicate"].items() if name != key}
    raw = json.dumps(example | {"predicate": predicate}).encode()
    with pytest.raises(Malformed):
        parse_evidence(parse_statement(raw, "example"), "example")


def test_the_schema_has_the_fields_and_bounds_of_the_parser(example: dict[str, Any], page: str) -> None:
    schema = json.loads((DOCS / "evidence.schema.json").read_text())
    assert schema["$id"] == PREDICATE_TYPE
    assert sorted(schema["required"]) == sorted(example["predicate"])
    assert schema["properties"]["links"]["maxProperties"] == MOST_LINKS
    assert f"{EVIDENCE_CAP:,} bytes" in page


@pytest.mark.parametrize(
    "name",
    ["build.5f8c2819.link", "a b+c-d.e", "_x", "", ".x", "-x", "a/b", "a\n", "ä", "x" * 200, "x" * 201],
)
def test_the_schemas_file_names_are_the_parsers(name: str) -> None:
    schema = json.loads((DOCS / "evidence.schema.json").read_text())
    pattern = schema["$defs"]["fileName"]["pattern"].replace("$", r"\Z")
    assert (re.match(pattern, name) is not None) == (file_name_fault(name) is None)
