"""Evidence taken apart again, for stock tools: `root.layout`, the links and the files in a directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from intoto_action.decide.decide import Outcome
from intoto_action.decide.demands import Demands
from intoto_action.decide.links import VerifiedLink
from intoto_action.formats.evidence import file_name_fault
from intoto_action.formats.link import link_file_name
from intoto_action.formats.verdict import PASS
from intoto_action.reason import Denied, Malformed, WrongFile
from intoto_action.store.files import check_place, why, write_whole

LAYOUT_FILE = "root.layout"


class Extracted(msgspec.Struct, frozen=True):
    """File names to bytes, for one directory."""

    documents: Mapping[str, bytes]


def extract(outcome: Outcome, demands: Demands) -> Extracted:
    """The documents of a candidate that passed.

    A link's name comes from its verified payload and its signer's keyid, never from the evidence; a file keeps the
    name that the evidence gives it when nothing of ours has it.
    Raises: Denied with the findings of an outcome that did not pass; Malformed for names that collide.
    """
    verdict, evidence, chain = outcome.verdict, outcome.evidence, outcome.chain
    if verdict.verdict != PASS or evidence is None or chain is None:
        raise Denied(*verdict.explanation)
    layout = demands.layout or evidence.layout
    documents = {LAYOUT_FILE: layout.raw} if layout else {}
    for step, verified in chain.links.items():
        for each in verified:
            name = link_file_name(step, each.functionary.keyid)
            if name in documents:
                raise Malformed(f"link {name!r}", "functionaries whose keyids begin differently", "two links")
            documents[name] = _under_its_keyid(each)
    for name, file in evidence.files.items():
        if not _is_free(name):
            raise Malformed(
                f"file {name!r} of the evidence", "a name that no link or layout has", "one that does"
            )
        documents[name] = file.content
    return Extracted(documents)


def _under_its_keyid(verified: VerifiedLink) -> bytes:
    """The link's document, with its signature also under the keyid that the layout has for its signer.

    Stock verifiers look a signature up by that keyid, and Python and Go compute different ones for one key: a link by
    the one is not found under a layout by the other. A keyid is an unsigned hint, so a copy under another one is true.
    """
    envelope, keyid = verified.envelope, verified.functionary.keyid
    if any(each.keyid == keyid for each in envelope.signatures):
        return envelope.raw
    document: dict[str, msgspec.Raw] = msgspec.json.decode(envelope.raw, type=dict[str, msgspec.Raw])
    signatures = msgspec.json.decode(document["signatures"], type=list[dict[str, object]])
    found = next(each for each in signatures if each.get("keyid", "") == verified.signed_by.keyid)
    signatures.append({**found, "keyid": keyid})
    return msgspec.json.encode({**document, "signatures": signatures})


def _is_free(name: str) -> bool:
    """Whether a file of the evidence may have the name, also where upper and lower case are the same."""
    return file_name_fault(name) is None and not name.lower().endswith((".link", ".layout"))


def write_extracted(directory: Path, extracted: Extracted) -> None:
    """Write the documents into a directory that is new or empty: a link that lay there would count as evidence.

    Raises: Misused.
    """
    check_place(directory, "the directory for the evidence")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise WrongFile(
                f"{directory} is not empty: name a new directory, so that nothing else counts as evidence"
            )
    except (OSError, ValueError) as error:
        raise WrongFile(f"the directory {directory} cannot be made: {why(error)}") from error
    for name, content in extracted.documents.items():
        write_whole(directory / name, content, overwrite=False)
