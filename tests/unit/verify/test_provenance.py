"""What is attached to an image beside its evidence: read when it is demanded, within the same bounds."""

from __future__ import annotations

from typing import Any

import pytest
from tests.parts.attached import Faulty, Shelf
from tests.parts.chain import KEYS_ALONE, NOW, Chain, MemorySigner
from tests.parts.images import sha256
from tests.parts.provenance import V02, V1, by_github, of_version_02, signed

from intoto_action.decide.decide import Outcome
from intoto_action.decide.demands import ProvenanceDemand
from intoto_action.formats.evidence import EVIDENCE_CAP, PREDICATE_TYPE
from intoto_action.formats.oci import PREDICATE_TYPE_ANNOTATION, Descriptor
from intoto_action.formats.reference import Image, Reference
from intoto_action.reason import Reason, Unavailable
from intoto_action.verify import candidates
from intoto_action.verify.candidates import MOST_PROVENANCE, parse_attestation, sort_bundles
from intoto_action.verify.verify import verify_bundles, verify_image

REPOSITORY = "https://github.com/octo/app"
DEMAND = ProvenanceDemand(source_repository=REPOSITORY, source_ref="refs/heads/main")


@pytest.fixture
def chain(shelf: Shelf) -> Chain:
    """A chain whose evidence is attached."""
    chain = shelf.chain()
    shelf.attach(chain.bundle())
    return chain


def said(outcome: Outcome) -> tuple[str, Reason | None]:
    return outcome.verdict.verdict, outcome.verdict.reason


def describe(shelf: Shelf, chain: Chain, predicate_type: str = V1, **fields: Any) -> str:
    """Attach provenance that the chain's root signed; its digest."""
    document = {**(by_github if predicate_type == V1 else of_version_02)(digest=shelf.digest), **fields}
    bundle = signed(document, chain.root)
    return shelf.store().attach(shelf.image, bundle, predicate_type).digest


class TestReading:
    @pytest.mark.parametrize("predicate_type", [V1, V02])
    def test_provenance_beside_evidence_passes(self, predicate_type: str, shelf: Shelf, chain: Chain) -> None:
        digest = describe(shelf, chain, predicate_type)
        outcome = shelf.verify(chain, provenance=DEMAND)
        assert said(outcome) == ("pass", None)
        assert outcome.provenance is not None
        assert digest in outcome.provenance.attestation.where

    def test_an_image_without_any_is_missing_some(self, shelf: Shelf, chain: Chain) -> None:
        assert said(shelf.verify(chain, provenance=DEMAND)) == ("deny", Reason.PROVENANCE_MISSING)

    def test_nothing_of_it_is_read_unless_it_is_demanded(self, shelf: Shelf, chain: Chain) -> None:
        describe(shelf, chain)
        store = Faulty(shelf.store())
        assert said(shelf.verify(chain, store=store)) == ("pass", None)
        assert len(store.done) == 1
        assert said(shelf.verify(chain, store=store, provenance=DEMAND)) == ("pass", None)
        assert len(store.done) == 3

    def test_provenance_is_no_evidence(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        describe(shelf, chain)
        assert said(shelf.verify(chain, provenance=DEMAND)) == ("deny", Reason.NO_ATTESTATION)

    def test_a_manifest_that_does_not_say_what_it_holds_is_looked_into(
        self, shelf: Shelf, chain: Chain
    ) -> None:
        bundle = signed(by_github(digest=shelf.digest), chain.root)
        shelf.put([shelf.referrer(bundle)], [bundle])
        assert said(shelf.verify(chain, provenance=DEMAND)) == ("pass", None)

    def test_other_things_without_a_word_about_them_do_not_count(self, shelf: Shelf, chain: Chain) -> None:
        others = [
            signed({**by_github(digest=shelf.digest), "predicateType": "https://spdx.dev/Document"}, by)
            for by in (chain.root, MemorySigner())
        ]
        others.append(b"{}")
        shelf.put([shelf.referrer(each) for each in others], others)
        assert said(shelf.verify(chain, provenance=DEMAND)) == ("deny", Reason.PROVENANCE_MISSING)

    def test_a_manifest_that_says_something_else_is_not_looked_into(self, shelf: Shelf, chain: Chain) -> None:
        bundle = signed(by_github(digest=shelf.digest), chain.root)
        shelf.put([shelf.referrer(bundle, annotations={PREDICATE_TYPE_ANNOTATION: PREDICATE_TYPE})], [bundle])
        assert said(shelf.verify(chain, provenance=DEMAND)) == ("deny", Reason.PROVENANCE_MISSING)

    def test_provenance_of_another_image_copied_here_is_a_mismatch(self, shelf: Shelf, chain: Chain) -> None:
        bundle = signed(by_github(), chain.root)
        shelf.store().attach(shelf.image, bundle, V1)
        assert said(shelf.verify(chain, provenance=DEMAND)) == ("deny", Reason.PROVENANCE_MISMATCH)


class OneUnreadable(Faulty):
    """One blob does not come."""

    def __init__(self, behind: Any, digest: str) -> None:
        super().__init__(behind)
        self.digest = digest

    def read_blob(self, descriptor: Descriptor, cap: int) -> bytes:
        if descriptor.digest == self.digest:
            raise Unavailable("reset by peer")
        return super().read_blob(descriptor, cap)


class TestBounds:
    def test_what_could_not_be_read_is_an_error_and_no_denial(self, shelf: Shelf, chain: Chain) -> None:
        bundle = signed(by_github(digest=shelf.digest), chain.root)
        shelf.store().attach(shelf.image, bundle, V1)
        store = OneUnreadable(shelf.store(), sha256(bundle))
        outcome = shelf.verify(chain, store=store, provenance=DEMAND)
        assert said(outcome) == ("error", Reason.REGISTRY_ERROR)
        assert said(shelf.verify(chain, store=store)) == ("pass", None)

    def test_one_that_passes_is_enough_beside_one_that_could_not_be_read(
        self, shelf: Shelf, chain: Chain
    ) -> None:
        bundle = signed(by_github(), chain.root)
        shelf.store().attach(shelf.image, bundle, V1)
        describe(shelf, chain)
        store = OneUnreadable(shelf.store(), sha256(bundle))
        assert said(shelf.verify(chain, store=store, provenance=DEMAND)) == ("pass", None)

    def test_provenance_over_the_cap_is_not_read(self, shelf: Shelf, chain: Chain) -> None:
        bundle = signed(by_github(digest=shelf.digest), chain.root)
        shelf.put(
            [shelf.referrer(bundle, size=EVIDENCE_CAP + 1, annotations={PREDICATE_TYPE_ANNOTATION: V1})],
            [bundle],
        )
        outcome = shelf.verify(chain, provenance=DEMAND)
        assert said(outcome) == ("error", Reason.REGISTRY_ERROR)
        assert "at most" in outcome.verdict.explanation[0].found

    def test_so_many_are_looked_at_and_the_rest_is_an_error_unless_one_passes(
        self, shelf: Shelf, chain: Chain
    ) -> None:
        strangers = [
            signed({**by_github(digest=shelf.digest), "predicate": number}, MemorySigner())
            for number in range(MOST_PROVENANCE + 1)
        ]
        annotations = {PREDICATE_TYPE_ANNOTATION: V1}
        shelf.put([shelf.referrer(each, annotations=annotations) for each in strangers[1:]], strangers[1:])
        assert said(shelf.verify(chain, provenance=DEMAND)) == ("deny", Reason.PROVENANCE_MISMATCH)
        shelf.put([shelf.referrer(strangers[0], annotations=annotations)], strangers[:1])
        outcome = shelf.verify(chain, provenance=DEMAND)
        assert said(outcome) == ("error", Reason.REGISTRY_ERROR)
        assert f"beyond {MOST_PROVENANCE}" in outcome.verdict.explanation[0].found

    def test_evidence_and_provenance_share_what_may_be_read(
        self, shelf: Shelf, chain: Chain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        describe(shelf, chain)
        evidence = len(chain.bundle())
        monkeypatch.setattr(candidates, "BYTES_CAP", evidence + 100)
        assert said(shelf.verify(chain)) == ("pass", None)
        assert said(shelf.verify(chain, provenance=DEMAND)) == ("error", Reason.REGISTRY_ERROR)

    def test_a_registry_that_lists_nothing_is_an_error(self, shelf: Shelf, chain: Chain) -> None:
        class CannotList(Faulty):
            def referrers(self, image: Image) -> Any:
                raise Unavailable("503")

        store = CannotList(shelf.store())
        outcome = shelf.verify(chain, store=store, provenance=DEMAND)
        assert said(outcome) == ("error", Reason.REGISTRY_ERROR)


class TestFromFiles:
    def bundles(self, shelf: Shelf, chain: Chain) -> list[bytes]:
        return [signed(by_github(digest=shelf.digest), chain.root), chain.bundle()]

    def test_bundles_are_sorted_by_what_they_claim_to_be(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        given = [parse_attestation(each, "a file") for each in self.bundles(shelf, chain)]
        assert sort_bundles(given) == ((given[1],), (given[0],))

    def test_evidence_and_provenance_from_files_pass_without_a_registry(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        given = [parse_attestation(each, "a file") for each in self.bundles(shelf, chain)]
        demands = chain.demands(provenance=DEMAND)
        image = Image(None, shelf.digest)
        for bundles, expected in (
            (given, ("pass", None)),
            (given[1:], ("deny", Reason.PROVENANCE_MISSING)),
            (given[:1], ("deny", Reason.NO_ATTESTATION)),
        ):
            outcome = verify_bundles(bundles, image, demands, at=NOW, sigstore=KEYS_ALONE)
            assert said(outcome) == expected

    def test_with_bundles_no_provenance_is_asked_of_the_registry(self, shelf: Shelf, chain: Chain) -> None:
        describe(shelf, chain)
        given = (parse_attestation(chain.bundle(), "a file"),)
        reference = Reference("ghcr.io", "octo/app", None, shelf.digest)
        demands = chain.demands(provenance=DEMAND)
        outcome = verify_image(shelf.store(), reference, demands, at=NOW, sigstore=KEYS_ALONE, bundles=given)
        assert said(outcome) == ("deny", Reason.PROVENANCE_MISSING)

    def test_provenance_among_the_bundles_does_not_matter_unless_it_is_demanded(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        given = [parse_attestation(each, "a file") for each in self.bundles(shelf, chain)]
        image = Image(None, shelf.digest)
        outcome = verify_bundles(given, image, chain.demands(), at=NOW, sigstore=KEYS_ALONE)
        assert said(outcome) == ("pass", None)
