from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.parts.hostile_json import mutated, objects, read, read_or_malformed, write

from intoto_action.formats.envelope import (
    PAYLOAD_TYPE,
    Envelope,
    Signature,
    encode_dsse,
    encode_key_bundle,
    parse_envelope,
)
from intoto_action.formats.evidence import (
    EVIDENCE_CAP,
    MOST_LINKS,
    Evidence,
    EvidenceFile,
    encode_evidence,
    file_name_fault,
    parse_evidence,
    parse_signed,
)
from intoto_action.formats.oci import digest_of
from intoto_action.formats.statement import parse_statement
from intoto_action.reason import Malformed

WHERE = "the evidence"
DIGEST = "sha256:" + "1a" * 32


def envelope(payload: bytes = b"{}") -> Envelope:
    return parse_signed(encode_dsse(PAYLOAD_TYPE, payload, (Signature("ab", b"s"),)), "x")


METABLOCK = parse_signed(b'{ "signed" : {"a" : 1} , "signatures":[] }', "x")
CONTENT = b"a report"
EVIDENCE = Evidence(
    envelope(b'{"_type":"layout"}'),
    {"build.12345678.link": envelope(b'{"_type":"link"}'), "scan.12345678.link": METABLOCK},
    {"report.json": EvidenceFile(digest_of(CONTENT).removeprefix("sha256:"), CONTENT)},
)
STATEMENT = encode_evidence(EVIDENCE, "ghcr.io/octo/app", DIGEST)

_file_name = st.from_regex(r"[A-Za-z0-9_+][A-Za-z0-9._+ -]{0,20}", fullmatch=True)


def parsed(raw: bytes) -> Evidence:
    return parse_evidence(parse_statement(raw, WHERE), WHERE)


def changed(*path: Any) -> bytes:
    """The Statement with another value, the last of `path`, in the place that the others name."""
    document = json.loads(STATEMENT)
    inside = document
    for each in path[:-2]:
        inside = inside[each]
    if path[-1] is ...:
        del inside[path[-2]]
    else:
        inside[path[-2]] = path[-1]
    return json.dumps(document).encode()


@given(
    st.dictionaries(_file_name, st.binary(max_size=30).map(envelope), max_size=3),
    st.dictionaries(_file_name, st.binary(max_size=30), max_size=3),
)
def test_evidence_that_was_encoded_is_read_back(links: dict[str, Envelope], files: dict[str, bytes]) -> None:
    held = {name: EvidenceFile(digest_of(each).removeprefix("sha256:"), each) for name, each in files.items()}
    evidence = Evidence(envelope(), links, held)
    raw = encode_evidence(evidence, "ghcr.io/octo/app", DIGEST)
    assert parsed(raw) == evidence
    assert encode_evidence(parsed(raw), "ghcr.io/octo/app", DIGEST) == raw


def test_a_metablock_survives_but_for_white_space_that_nobody_signed() -> None:
    found = parsed(STATEMENT).links["scan.12345678.link"]
    assert (found.signed, found.sha256) == (METABLOCK.signed, METABLOCK.sha256)


def test_the_subject_is_the_digest_of_the_image() -> None:
    statement = parse_statement(STATEMENT, WHERE)
    assert [(each.name, each.digest) for each in statement.subject] == [
        ("ghcr.io/octo/app", {"sha256": "1a" * 32})
    ]


@pytest.mark.parametrize(
    "raw",
    [
        changed("_type", "https://in-toto.io/Statement/v0.1"),
        changed("_type", ...),
        changed("_type", "link"),
        changed("subject", []),
        changed("subject", None),
        changed("subject", ...),
        changed("subject", 0, "digest", ...),
        changed("subject", 0, "digest", "sha256", "1a"),
        changed("subject", 0, "digest", "sha256", "1A" * 32),
        changed("subject", 0, "digest", "sha512", "1a" * 32),
        changed("subject", 0, "digest", "sha256", 1),
        changed("predicateType", "https://slsa.dev/provenance/v1"),
        changed("predicateType", ...),
        changed("predicate", None),
        changed("predicate", ...),
        changed("predicate", []),
        changed("predicate", "surprise", 1),
        changed("predicate", "layout", ...),
        changed("predicate", "links", ...),
        changed("predicate", "files", ...),
        changed("predicate", "links", []),
        changed("predicate", "links", {"../build.12345678.link": {}}),
        changed("predicate", "links", {"": {}}),
        changed("predicate", "links", {".hidden": {}}),
        changed("predicate", "links", {"a\nb": {}}),
        changed("predicate", "links", {f"a{place}": {} for place in range(MOST_LINKS + 1)}),
        changed("predicate", "files", {"a/b": {"digest": {}, "content": ""}}),
        changed("predicate", "files", "report.json", "digest", {"sha256": "00" * 32}),
        changed("predicate", "files", "report.json", "digest", {}),
        changed("predicate", "files", "report.json", "digest", "sha512", "00"),
        changed("predicate", "files", "report.json", "content", base64.b64encode(b"other").decode()),
        changed("predicate", "files", "report.json", "content", "?"),
        changed("predicate", "files", "report.json", "surprise", 1),
        STATEMENT + b" " * EVIDENCE_CAP,
    ],
    ids=lambda raw: repr(raw[:50]),
)
def test_what_is_no_evidence_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parsed(raw)


def test_other_digests_of_a_subject_are_left_alone() -> None:
    assert parse_statement(changed("subject", 0, "digest", "gitCommit", "c0ffee"), WHERE)


@pytest.mark.parametrize(
    "link", [{}, None, [], "x", 1, {"payloadType": "text/plain", "payload": "", "signatures": []}]
)
def test_a_link_that_is_no_envelope_is_kept_as_a_fault(link: object) -> None:
    evidence = parsed(changed("predicate", "links", {"build.12345678.link": link}))
    assert evidence.links == {}
    assert list(evidence.faults) == ["build.12345678.link"]
    assert "build.12345678.link" in evidence.faults["build.12345678.link"].where


@pytest.mark.parametrize(
    "layout", [{}, None, [], "x", json.loads(encode_key_bundle(PAYLOAD_TYPE, b"", b"", "ab" * 32))]
)
def test_a_layout_that_is_no_envelope_is_kept_as_a_fault(layout: object) -> None:
    evidence = parsed(changed("predicate", "layout", layout))
    assert evidence.layout is None
    assert evidence.layout_fault is not None


def test_a_bundle_is_no_link() -> None:
    with pytest.raises(Malformed, match="a Sigstore bundle"):
        parse_signed(encode_key_bundle(PAYLOAD_TYPE, b"", b"", "ab" * 32), WHERE)
    assert parse_envelope(encode_key_bundle(PAYLOAD_TYPE, b"", b"", "ab" * 32), WHERE)


def test_evidence_without_a_layout_is_not_written() -> None:
    with pytest.raises(Malformed, match="a layout"):
        encode_evidence(Evidence(None, {}), "x", DIGEST)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "-x", ".x", "a\\b", "a\n", "a\x00", "é", "a" * 201, "~x", "a*"]
)
def test_a_name_that_is_no_plain_file_name_is_not_written(name: str) -> None:
    assert file_name_fault(name) is not None
    with pytest.raises(Malformed, match="a file name"):
        encode_evidence(Evidence(envelope(), {name: envelope()}), "x", DIGEST)
    with pytest.raises(Malformed, match="a file name"):
        encode_evidence(Evidence(envelope(), {}, {name: EvidenceFile("", b"")}), "x", DIGEST)


@given(st.data())
def test_any_key_twice_anywhere_in_evidence_is_malformed(data: st.DataObject) -> None:
    tree = read(STATEMENT)
    inside = data.draw(st.sampled_from(objects(tree)))
    inside.pairs.append(data.draw(st.sampled_from(inside.pairs)))
    with pytest.raises(Malformed, match="twice"):
        parsed(write(tree))


@given(mutated(STATEMENT))
@example(b"")
@example(b"\xef\xbb\xbf" + STATEMENT)
def test_any_bytes_are_evidence_or_malformed(raw: bytes) -> None:
    read_or_malformed(parsed, raw)
