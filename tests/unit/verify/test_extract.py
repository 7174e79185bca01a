"""Evidence taken apart: only what was verified, under names that nobody else chose."""

from pathlib import Path

import msgspec
import pytest
from in_toto.models.metadata import Metadata
from in_toto.verifylib import in_toto_verify
from securesystemslib.signer._key import KEY_FOR_TYPE_AND_SCHEME
from tests.parts.attached import Shelf
from tests.parts.chain import NOW, Chain, MemorySigner
from tests.parts.forge import Forge, GitHubJob
from tests.parts.images import sha256
from tests.parts.keyless_signer import KeylessSigner, by_identity, trust_root

from intoto_action.decide.decide import Attestation, consider
from intoto_action.decide.links import VerifiedLink
from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.evidence import Evidence, EvidenceFile, encode_evidence, parse_signed
from intoto_action.formats.identity import identity_of
from intoto_action.formats.link import link_file_name
from intoto_action.keys.sealing import seal_bundle
from intoto_action.reason import Denied, Malformed, Misused, Reason
from intoto_action.trust.signature import SignedBy, check_signature
from intoto_action.trust.stock import register
from intoto_action.verify.extract import Extracted, extract, write_extracted


def extracted(shelf: Shelf, chain: Chain) -> Extracted:
    return extract(shelf.verify(chain), chain.demands())


def with_files(shelf: Shelf, chain: Chain, *names: str) -> None:
    """Attach the chain's evidence with files of these names."""
    content = b"a report"
    file = EvidenceFile(sha256(content).removeprefix("sha256:"), content)
    evidence = chain.evidence()
    evidence = Evidence(evidence.layout, evidence.links, dict.fromkeys(names, file))
    statement = encode_evidence(evidence, "app", shelf.digest)
    shelf.attach(seal_bundle(PAYLOAD_TYPE, statement, chain.outer))


def test_layout_links_and_files_are_written_as_they_were_signed(shelf: Shelf, tmp_path: Path) -> None:
    chain = shelf.chain()
    with_files(shelf, chain, "report.json")
    write_extracted(tmp_path / "new" / "evidence", extracted(shelf, chain))
    written = {path.name: path.read_bytes() for path in (tmp_path / "new" / "evidence").iterdir()}
    links = {
        link_file_name(step, signer.key.keyid): parse_signed(chain.link(step).sealed(), step).payload
        for step, signer in chain.signers.items()
    }
    assert written.keys() == {"root.layout", "report.json", *links}
    assert {name: parse_signed(written[name], name).payload for name in links} == links
    assert (
        parse_signed(written["root.layout"], "root.layout").payload
        == parse_signed(chain.sealed_layout(), "layout").payload
    )
    assert written["report.json"] == b"a report"


def test_a_link_is_named_by_what_it_says_and_who_signed_it(shelf: Shelf) -> None:
    chain = shelf.chain()
    chain.link("scan").file_name = "scan.deadbeef.link"
    shelf.attach(chain.bundle())
    names = extracted(shelf, chain).documents.keys()
    assert "scan.deadbeef.link" not in names
    assert link_file_name("scan", chain.signers["scan"].key.keyid) in names


def test_a_link_signed_under_gos_keyid_is_found_under_the_layouts_too(shelf: Shelf) -> None:
    chain = shelf.chain()
    key = chain.signers["scan"].key
    document = msgspec.json.decode(chain.link("scan").sealed())
    document["signatures"][0]["keyid"] = key.go_keyid
    chain.link("scan").document = msgspec.json.encode(document)
    shelf.attach(chain.bundle())
    link = extracted(shelf, chain).documents[link_file_name("scan", key.keyid)]
    envelope = parse_signed(link, "link")
    assert {each.keyid for each in envelope.signatures} == {key.go_keyid, key.keyid}
    assert check_signature(envelope, key)


@pytest.mark.parametrize("claims", [{}, {"source-repository": "https://github.com/octo/app"}])
def test_a_keyless_chain_is_one_that_the_reference_verifier_passes_with_our_keys_registered(
    claims: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link is known by its certificate, whatever its file and its keyid are called: stock readers need both right."""
    forge, chain = Forge(), Chain()
    chain.sigstore = trust_root(forge)
    signer = KeylessSigner(forge, GitHubJob(sha="c0ffee", run_id="7"))
    functionary = identity_of(signer.key.identity, signer.key.issuer, claims)
    by_identity(chain, "build", signer, functionary).change_layout(inspect=[])
    chain.link("build").file_name = "build.deadbeef.link"
    attestation = Attestation(parse_envelope(chain.bundle(), "the bundle"), "the bundle")
    outcome = consider(attestation, chain.image, chain.demands(), at=NOW, sigstore=chain.sigstore)
    write_extracted(tmp_path / "evidence", extract(outcome, chain.demands()))
    assert (tmp_path / "evidence" / link_file_name("build", functionary.keyid)).exists()
    monkeypatch.setattr(
        "securesystemslib.signer._key.KEY_FOR_TYPE_AND_SCHEME", table := dict(KEY_FOR_TYPE_AND_SCHEME)
    )
    register(chain.sigstore)
    assert len(table) > len(KEY_FOR_TYPE_AND_SCHEME)
    owner = msgspec.to_builtins(chain.root.key.entry)
    layout = Metadata.load(str(tmp_path / "evidence" / "root.layout"))
    in_toto_verify(layout, {owner["keyid"]: owner}, link_dir_path=str(tmp_path / "evidence"))


def test_a_link_that_nobody_asked_for_is_not_written(shelf: Shelf) -> None:
    chain = shelf.chain()
    stranger = MemorySigner()
    chain.add_link("scan", stranger)
    shelf.attach(chain.bundle())
    assert link_file_name("scan", stranger.key.keyid) not in extracted(shelf, chain).documents
    assert len(extracted(shelf, chain).documents) == 4


def test_the_layout_that_decided_is_the_one_that_is_written(shelf: Shelf) -> None:
    chain = shelf.chain()
    shelf.attach(chain.bundle())
    chain.change_layout(readme="the one that the verifier gave")
    demands = chain.demands(layout=parse_signed(chain.sealed_layout(), "root.layout"))
    documents = extract(shelf.verify(chain, layout=demands.layout), demands).documents
    assert (
        parse_signed(documents["root.layout"], "x").payload
        == parse_signed(chain.sealed_layout(), "y").payload
    )


@pytest.mark.parametrize("name", ["root.layout", "other.link", "BUILD.0123abcd.LINK", "Root.Layout"])
def test_a_file_cannot_take_the_name_of_a_layout_or_a_link(name: str, shelf: Shelf) -> None:
    chain = shelf.chain()
    with_files(shelf, chain, name)
    with pytest.raises(Malformed, match=name):
        extracted(shelf, chain)


def test_two_links_that_would_have_one_name_are_refused(shelf: Shelf) -> None:
    chain = shelf.chain()
    shelf.attach(chain.bundle())
    outcome = shelf.verify(chain)
    assert outcome.chain is not None
    first = outcome.chain.links["scan"][0]
    signer = MemorySigner().key
    twin = msgspec.structs.replace(signer, keyid=first.functionary.keyid[:8] + "0" * 56)
    second = VerifiedLink(
        first.link, SignedBy(twin, twin.spki, twin.keyid), "scan.other.link", first.envelope
    )
    links = {**outcome.chain.links, "scan": (first, second)}
    doubled = msgspec.structs.replace(outcome, chain=msgspec.structs.replace(outcome.chain, links=links))
    with pytest.raises(Malformed, match="two links"):
        extract(doubled, chain.demands())


def test_evidence_that_is_denied_is_not_taken_apart(shelf: Shelf) -> None:
    chain = shelf.chain()
    chain.link("scan").change(byproducts={"return-value": 1})
    shelf.attach(chain.bundle())
    with pytest.raises(Denied) as caught:
        extracted(shelf, chain)
    assert caught.value.reason is Reason.LINK_INVALID


def test_evidence_whose_rules_hold_for_another_image_is_not_taken_apart(shelf: Shelf) -> None:
    chain = Chain(statement_digest=shelf.digest)
    shelf.attach(chain.bundle())
    with pytest.raises(Denied) as caught:
        extracted(shelf, chain)
    assert caught.value.reason is Reason.SUBJECT_UNBOUND


def test_an_image_that_passes_nothing_is_not_taken_apart(shelf: Shelf) -> None:
    with pytest.raises(Denied) as caught:
        extracted(shelf, shelf.chain())
    assert caught.value.reason is Reason.NO_ATTESTATION


def test_a_directory_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scan.0123abcd.link").write_text("{}")
    with pytest.raises(Misused, match="not empty"):
        write_extracted(tmp_path, Extracted({"root.layout": b"{}"}))
    assert [path.name for path in tmp_path.iterdir()] == ["scan.0123abcd.link"]


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misused, match="cannot be made"):
        write_extracted(tmp_path / "file", Extracted({}))
