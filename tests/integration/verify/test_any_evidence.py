"""Whatever stands in documents that are signed as they should be: a verdict, and no exception."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts.chain import IMAGE_DIGEST, KEYS_ALONE, NOW, REPOSITORY, Chain

from intoto_action.decide.decide import Outcome
from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.formats.evidence import encode_evidence
from intoto_action.formats.layout import encode_layout
from intoto_action.formats.link import encode_link
from intoto_action.formats.reference import Image
from intoto_action.keys.sealing import seal, seal_bundle
from intoto_action.reason import Malformed
from intoto_action.verify.candidates import Unread, parse_attestation
from intoto_action.verify.extract import extract
from intoto_action.verify.verify import verify_attestations

CHAIN = Chain()
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(
        ["MATCH", "REQUIRE", "*", "[", "link", "scan", "../x", "9" * 64, "https://in-toto.io/Statement/v1"]
    )
)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=4), scalars, max_size=3)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in items:
        yield from places(value, (*path, key))


def changed(data: st.DataObject, raw: bytes) -> bytes:
    """The document with one of its values replaced, removed or put in twice."""
    document = json.loads(raw)
    *front, last = data.draw(st.sampled_from([each for each in places(document) if each]))
    parent = document
    for each in front:
        parent = parent[each]
    action = data.draw(st.sampled_from(["replace", "remove", "rename"]))
    if action == "replace":
        parent[last] = data.draw(values)
    elif isinstance(parent, list):
        parent.append(parent[last]) if action == "rename" else parent.pop(last)
    else:
        kept = parent.pop(last)
        if action == "rename":
            parent[data.draw(st.text(max_size=8))] = kept
    return json.dumps(document).encode()


def verdict(bundle: bytes, **changes: Any) -> Outcome:
    candidates = [parse_attestation(bundle, "bundle")]
    image = Image(REPOSITORY, IMAGE_DIGEST)
    return verify_attestations(
        candidates, image, CHAIN.demands(**changes), at=NOW, sigstore=KEYS_ALONE, unread=Unread()
    )


@settings(max_examples=300)
@given(st.data())
@pytest.mark.parametrize("victim", ["statement", "layout", "link"])
def test_any_value_of_any_document_changed_gives_a_verdict(victim: str, data: st.DataObject) -> None:
    chain = Chain(root=CHAIN.root, signers=CHAIN.signers)
    if victim == "layout":
        chain.layout_document = seal(PAYLOAD_TYPE, changed(data, encode_layout(chain.layout)), chain.root)
    if victim == "link":
        each = chain.link(data.draw(st.sampled_from(["checkout", "build", "scan"])))
        each.payload = changed(data, encode_link(each.link))
    statement = encode_evidence(chain.evidence(), "app", chain.statement_digest)
    if victim == "statement":
        statement = changed(data, statement)
    outcome = verdict(seal_bundle(PAYLOAD_TYPE, statement, chain.root))
    assert outcome.verdict.verdict in {"pass", "deny"}
    assert (outcome.verdict.reason is None) == (outcome.verdict.verdict == "pass")
    if outcome.verdict.verdict == "pass":
        try:
            documents = extract(outcome, CHAIN.demands()).documents
        except Malformed:
            return
        assert all("/" not in name and not name.startswith(".") for name in documents)
