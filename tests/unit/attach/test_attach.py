"""Evidence packed, held against its layout as a verifier would, and put beside the image before any tag."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.parts.attached import Faulty, Shelf
from tests.parts.chain import KEYS_ALONE, NOW, Chain, MemorySigner, digests

from intoto_action.attach.attach import ATTACHED_CAP, Prepared, prepare, publish, read_files
from intoto_action.formats.evidence import EVIDENCE_CAP, parse_signed
from intoto_action.formats.oci import Descriptor
from intoto_action.formats.reference import DirectoryReference, Image
from intoto_action.reason import Denied, Malformed, Misused, Reason, Unavailable


def links_of(chain: Chain) -> dict[str, bytes]:
    return {each.file_name: each.sealed() for each in chain.links if each.present}


def prepared(
    shelf: Shelf,
    chain: Chain,
    *,
    signer: MemorySigner | None = None,
    links: Mapping[str, bytes] | None = None,
    files: Mapping[str, bytes] | None = None,
    **changes: Any,
) -> Prepared:
    demands = chain.demands(**changes)
    layout = parse_signed(chain.sealed_layout(), "root.layout")
    links = links_of(chain) if links is None else links
    return prepare(
        shelf.image,
        layout,
        links,
        files or {},
        signer or chain.root,
        demands,
        at=NOW,
        sigstore=KEYS_ALONE,
    )


class TestPreparing:
    def test_what_is_packed_is_what_verify_passes(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        ready = prepared(shelf, chain, files={"report.json": b"{}"})
        assert ready.verdict.verdict == "pass"
        publish(shelf.store(), shelf.image, ready.bundle, (), print)
        outcome = shelf.verify(chain)
        assert outcome.verdict.verdict == "pass"
        assert outcome.evidence is not None
        assert outcome.evidence.files["report.json"].content == b"{}"

    def test_what_verify_would_deny_is_said_with_its_reason(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        chain.link("scan").change(products={})
        assert prepared(shelf, chain).verdict.reason is Reason.RULE_VIOLATION

    def test_a_link_of_another_image_is_unbound(self, shelf: Shelf) -> None:
        assert prepared(shelf, Chain()).verdict.reason is Reason.SUBJECT_UNBOUND

    def test_a_signer_whom_verify_would_not_take_is_denied(self, shelf: Shelf) -> None:
        stranger = MemorySigner()
        chain = shelf.chain()
        verdict = prepared(shelf, chain, signer=stranger).verdict
        assert verdict.reason is Reason.ATTESTATION_SIGNATURE
        assert prepared(shelf, chain, signer=stranger, attesters=(stranger.key,)).verdict.verdict == "pass"

    def test_without_a_layout_key_all_but_the_root_is_checked(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        for signer in (chain.root, chain.signers["scan"]):
            verdict = prepared(shelf, chain, signer=signer, layout_trust=None).verdict
            assert verdict.verdict == "pass"
        assert verdict.criteria == ("the layout's root is NOT checked",)
        stranger = prepared(shelf, chain, signer=MemorySigner(), layout_trust=None).verdict
        assert stranger.reason is Reason.ATTESTATION_SIGNATURE

    def test_a_file_among_the_links_that_is_none_is_named(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        with pytest.raises(Misused, match=r"scan\.01234567\.link"):
            prepared(shelf, chain, links={**links_of(chain), "scan.01234567.link": b"{}"})

    def test_evidence_over_the_cap_names_the_largest_part_and_the_way_out(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        many = {f"src/{number:06}": digests("a") for number in range(80_000)}
        chain.link("scan").change(materials={**chain.link("scan").link.materials, **many})
        with pytest.raises(Misused, match="dir:") as caught:
            prepared(shelf, chain)
        assert chain.link("scan").file_name in str(caught.value)
        assert str(ATTACHED_CAP) in str(caught.value)

    def test_a_file_that_makes_the_evidence_too_large_is_named(self, shelf: Shelf) -> None:
        with pytest.raises(Misused, match=r"report\.json .* leave the file out"):
            prepared(shelf, shelf.chain(), files={"report.json": b"\0" * EVIDENCE_CAP})

    def test_a_name_that_is_no_file_name_is_refused(self, shelf: Shelf) -> None:
        with pytest.raises(Malformed, match="file name"):
            prepared(shelf, shelf.chain(), files={"../report": b""})


class CannotAttach(Faulty):
    def attach(self, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        raise Unavailable("ghcr.io: 503")


class TestPublishing:
    def test_a_tag_is_set_after_the_evidence_is_there(self, shelf: Shelf) -> None:
        ready = prepared(shelf, shelf.chain())
        store = Faulty(shelf.store())
        said: list[str] = []
        publish(store, shelf.image, ready.bundle, ("2.0", "latest"), said.append)
        assert store.done == ["attach", "tag 2.0", "tag latest"]
        assert len(said) == 2
        reference = DirectoryReference(str(shelf.directory), "latest")
        assert shelf.store().resolve(reference).digest == shelf.digest

    def test_without_its_evidence_an_image_gets_no_tag(self, shelf: Shelf) -> None:
        ready = prepared(shelf, shelf.chain())
        store = CannotAttach(shelf.store())
        with pytest.raises(Unavailable):
            publish(store, shelf.image, ready.bundle, ("2.0",), print)
        with pytest.raises(Denied):
            shelf.store().resolve(DirectoryReference(str(shelf.directory), "2.0"))

    def test_attaching_again_keeps_what_is_there(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        first = publish(shelf.store(), shelf.image, prepared(shelf, chain).bundle, (), print)
        chain.link("scan").change(environment={})
        second = publish(shelf.store(), shelf.image, chain.bundle(), (), print)
        listed = {each.digest for each in shelf.store().referrers(shelf.image).descriptors}
        assert listed == {first.evidence.digest, second.evidence.digest}


class TestFiles:
    def test_files_are_read_under_the_names_that_they_are_given(self, tmp_path: Path) -> None:
        (tmp_path / "out=1.json").write_bytes(b"{}")
        assert read_files((f"report.json={tmp_path}/out=1.json",)) == {"report.json": b"{}"}

    @pytest.mark.parametrize(
        "word", ["report.json", "=report", "report=", "a.link=/dev/null", "ROOT.LAYOUT=x"]
    )
    def test_a_word_that_is_no_file_of_the_evidence_is_refused(self, word: str) -> None:
        with pytest.raises(Misused, match="--file"):
            read_files((word,))

    def test_one_name_twice_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("")
        with pytest.raises(Misused, match="nothing else"):
            read_files((f"a={tmp_path}/x", f"a={tmp_path}/x"))

    @pytest.mark.parametrize("path", ["/dev/zero", "/nowhere", "."])
    def test_what_is_no_readable_file_is_refused(self, path: str) -> None:
        with pytest.raises(Misused, match="the file"):
            read_files((f"a={path}",))
