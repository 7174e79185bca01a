"""Evidence: the layout, the links and the files of one image, as one in-toto Statement.

docs/formats.md specifies the predicate.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping

import msgspec

from intoto_action.formats.envelope import Envelope, Wrapper, parse_envelope
from intoto_action.formats.statement import STATEMENT_CAP, Statement, encode_statement
from intoto_action.formats.strict_json import decode_once
from intoto_action.reason import Malformed

PREDICATE_TYPE = "https://github.com/org/intoto-action/attestations/evidence/v1"
EVIDENCE_CAP = STATEMENT_CAP
"""The largest bundle with evidence, in bytes."""
MOST_LINKS = 1000
_FILE_NAME = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9._+ -]{0,199}\Z")


class EvidenceFile(msgspec.Struct, frozen=True):
    """A file that goes with the links (a scanner's report); its digest has been checked."""

    sha256: str
    content: bytes


class Evidence(msgspec.Struct, frozen=True):
    """What stands for one image: nothing in it is trusted yet.

    `layout` is None when the verifier brings the only one; `links` and `files` are by file name, a hint only.
    `faults` are link files that could not even be read as envelopes: name to what was wrong; `layout_fault` the
    same for the layout.
    """

    layout: Envelope | None
    links: Mapping[str, Envelope]
    files: Mapping[str, EvidenceFile] = {}
    faults: Mapping[str, Malformed] = {}
    layout_fault: Malformed | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    digest: dict[str, str]
    content: str


class _Predicate(msgspec.Struct, forbid_unknown_fields=True):
    layout: msgspec.Raw
    links: dict[str, msgspec.Raw]
    files: dict[str, _File]


def file_name_fault(name: str) -> str | None:
    """What is wrong with the name of a link or a file in evidence, or None: it is written to a directory later."""
    return None if _FILE_NAME.match(name) else "a plain file name of letters, digits and . _ - + is needed"


def encode_evidence(evidence: Evidence, subject_name: str, digest: str) -> bytes:
    """The Statement for the image with that digest (`sha256:…`); every envelope keeps the bytes it was read with.

    Raises: Malformed when there is no layout, or a name cannot be a file name.
    """
    if evidence.layout is None:
        raise Malformed("evidence", "a layout", "none")
    for name in (*evidence.links, *evidence.files):
        if fault := file_name_fault(name):
            raise Malformed(f"evidence, {name!r}", "a file name", fault)
    predicate = {
        "layout": msgspec.Raw(evidence.layout.raw),
        "links": {name: msgspec.Raw(link.raw) for name, link in sorted(evidence.links.items())},
        "files": {
            name: {"digest": {"sha256": each.sha256}, "content": base64.b64encode(each.content).decode()}
            for name, each in sorted(evidence.files.items())
        },
    }
    return encode_statement(PREDICATE_TYPE, predicate, subject_name, digest)


def parse_evidence(statement: Statement, where: str) -> Evidence:
    """The evidence in a Statement of our predicate type.

    A layout or a link that is no envelope is kept as a fault, so that the decision can name it; everything else
    is refused.

    Raises: Malformed.
    """
    if statement.predicate_type != PREDICATE_TYPE:
        raise Malformed(where, f"predicateType {PREDICATE_TYPE}", repr(statement.predicate_type[:200]))
    predicate = decode_once(bytes(statement.predicate), _Predicate, where)
    if len(predicate.links) > MOST_LINKS:
        raise Malformed(where, f"at most {MOST_LINKS} links", str(len(predicate.links)))
    for name in (*predicate.links, *predicate.files):
        if fault := file_name_fault(name):
            raise Malformed(f"{where}, {name[:200]!r}", "a file name", fault)
    raw_links = {name: bytes(raw) for name, raw in predicate.links.items()}
    links, faults = parse_links(raw_links, where)
    files = {name: _file(each, f"{where}, file {name!r}") for name, each in predicate.files.items()}
    try:
        layout = parse_signed(bytes(predicate.layout), f"{where}, layout")
    except Malformed as error:
        return Evidence(None, links, files, faults, error)
    return Evidence(layout, links, files, faults)


def parse_links(raw: Mapping[str, bytes], where: str) -> tuple[dict[str, Envelope], dict[str, Malformed]]:
    """Envelopes by file name, and what was wrong with those that are none."""
    links: dict[str, Envelope] = {}
    faults: dict[str, Malformed] = {}
    for name, each in raw.items():
        try:
            links[name] = parse_signed(each, f"{where}, {name}")
        except Malformed as error:
            faults[name] = error
    return links, faults


def parse_signed(raw: bytes, where: str) -> Envelope:
    """A layout's or a link's envelope: DSSE or Metablock, no Sigstore bundle.

    Raises: Malformed.
    """
    envelope = parse_envelope(raw, where)
    if envelope.wrapper is Wrapper.BUNDLE:
        raise Malformed(where, "a DSSE envelope or a Metablock", "a Sigstore bundle")
    return envelope


def _file(each: _File, where: str) -> EvidenceFile:
    try:
        content = base64.b64decode(each.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(where, "content in base64", "something else") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if each.digest != {"sha256": sha256}:
        raise Malformed(where, "content with the digest that is written beside it", f"sha256:{sha256}")
    return EvidenceFile(sha256, content)
