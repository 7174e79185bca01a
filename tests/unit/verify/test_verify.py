"""An image with what is attached to it: which candidate decides, and what is said when none does."""

import base64
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.parts.attached import Faulty, Shelf
from tests.parts.chain import ARTIFACT, KEYS_ALONE, NOW, REPOSITORY, Chain, MemorySigner, digests, digests_of
from tests.parts.images import add_to_image_directory, sha256, small_image, small_index

from intoto_action.decide.decide import Outcome
from intoto_action.decide.demands import Revoked, SameAs
from intoto_action.formats.evidence import EVIDENCE_CAP, PREDICATE_TYPE, parse_signed
from intoto_action.formats.layout import INSTANT
from intoto_action.formats.oci import Descriptor
from intoto_action.formats.reference import DirectoryReference, Image, Reference
from intoto_action.reason import ExitCode, Reason, Unavailable
from intoto_action.store.interface import Referrers
from intoto_action.verify.candidates import BYTES_CAP, REFERRER_CAP, Unread, parse_attestation
from intoto_action.verify.verify import MOST_DECIDED, verify_attestations, verify_image, verify_links

JUNK = b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}'


def said(outcome: Outcome) -> tuple[str, Reason | None]:
    return outcome.verdict.verdict, outcome.verdict.reason


def explained(outcome: Outcome) -> str:
    return " ".join(f"{each.expected} {each.found}" for each in outcome.verdict.explanation)


class TestPasses:
    def test_an_image_with_its_evidence_passes(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        outcome = shelf.verify(chain)
        assert said(outcome) == ("pass", None)
        assert outcome.verdict.image == shelf.digest
        assert "'build'" in outcome.verdict.subject

    def test_an_image_that_is_named_by_its_digest_passes(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        reference = DirectoryReference(str(shelf.directory), None, shelf.digest)
        assert (
            verify_image(
                shelf.store(), reference, chain.demands(), at=NOW, sigstore=KEYS_ALONE
            ).verdict.verdict
            == "pass"
        )

    def test_an_index_with_its_evidence_passes(self, shelf: Shelf) -> None:
        index = Shelf(shelf.directory.parent / "index", small_index())
        chain = index.chain()
        index.attach(chain.bundle())
        assert said(index.verify(chain)) == ("pass", None)

    def test_a_functionary_may_attach(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        chain.outer = chain.signers["scan"]
        shelf.attach(chain.bundle())
        assert said(shelf.verify(chain)) == ("pass", None)

    def test_a_bundle_from_a_file_needs_no_registry_when_the_image_is_named_by_digest(
        self, shelf: Shelf
    ) -> None:
        chain = shelf.chain()
        reference = Reference("ghcr.io", "octo/app", "1.0", shelf.digest)
        bundles = (parse_attestation(chain.bundle(), "bundle.json"),)
        outcome = verify_image(
            Down(shelf.store()),
            reference,
            chain.demands(),
            at=NOW,
            sigstore=KEYS_ALONE,
            bundles=bundles,
        )
        assert said(outcome) == ("pass", None)
        assert outcome.verdict.image == f"{REPOSITORY}@{shelf.digest}"

    def test_a_bundle_from_a_file_binds_the_repository_too(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        reference = Reference("ghcr.io", "evil/app", None, shelf.digest)
        bundles = (parse_attestation(chain.bundle(), "bundle.json"),)
        outcome = verify_image(
            Down(shelf.store()),
            reference,
            chain.demands(),
            at=NOW,
            sigstore=KEYS_ALONE,
            bundles=bundles,
        )
        assert said(outcome) == ("deny", Reason.SUBJECT_UNBOUND)

    def test_a_digest_and_a_bundle_are_enough(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        candidates = [parse_attestation(chain.bundle(), "bundle.json")]
        image = Image(None, shelf.digest)
        outcome = verify_attestations(
            candidates, image, chain.demands(), at=NOW, sigstore=KEYS_ALONE, unread=Unread()
        )
        assert said(outcome) == ("pass", None)

    def test_links_alone_pass_without_a_word_about_an_image(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        raw = {each.file_name: each.sealed() for each in chain.links}
        layout = parse_signed(chain.sealed_layout(), "root.layout")
        verdict = verify_links(raw.items(), None, chain.demands(layout=layout), at=NOW, sigstore=KEYS_ALONE)
        assert (verdict.verdict, verdict.image, verdict.subject.split(":")[0]) == ("pass", "", "not checked")


class Down(Faulty):
    """Nobody answers at all."""

    def resolve(self, reference: Any) -> Image:
        raise Unavailable("ghcr.io: nobody answers")


class CannotList(Faulty):
    def referrers(self, image: Image) -> Referrers:
        raise Unavailable("ghcr.io: 503 for the referrers")


class ListsLess(Faulty):
    """The list is known to be short."""

    def referrers(self, image: Image) -> Referrers:
        return Referrers(self.behind.referrers(image).descriptors[:-1], complete=False, why="page 2 is lost")


class CannotReadManifests(Faulty):
    def read_manifest(self, digest: str, cap: int) -> bytes:
        raise Unavailable(f"{digest}: reset by peer")


class CannotReadBlobs(Faulty):
    def read_blob(self, descriptor: Descriptor, cap: int) -> bytes:
        raise Unavailable(f"{descriptor.digest}: its bytes have another digest")


class TestBeforeAnythingIsDecided:
    def test_a_tag_that_is_not_there_is_an_invalid_reference(self, shelf: Shelf) -> None:
        reference = DirectoryReference(str(shelf.directory), "2.0")
        outcome = verify_image(shelf.store(), reference, shelf.chain().demands(), at=NOW, sigstore=KEYS_ALONE)
        assert said(outcome) == ("deny", Reason.INVALID_REFERENCE)

    def test_an_image_with_nothing_attached_has_no_attestation(self, shelf: Shelf) -> None:
        outcome = shelf.verify(shelf.chain())
        assert said(outcome) == ("deny", Reason.NO_ATTESTATION)
        assert outcome.verdict.exit_code is ExitCode.DENIED

    def test_attestations_of_other_kinds_are_no_evidence(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.store().attach(shelf.image, chain.bundle(), "https://slsa.dev/provenance/v1")
        assert said(shelf.verify(chain)) == ("deny", Reason.NO_ATTESTATION)

    def test_evidence_of_another_image_in_the_same_place_is_not_read(self, shelf: Shelf) -> None:
        other = small_image("other")
        add_to_image_directory(shelf.directory, other, "other")
        chain = shelf.chain()
        subject = Descriptor(other.media_type, other.digest, len(other.document))
        shelf.put([shelf.referrer(chain.bundle(), subject=subject)], [chain.bundle()])
        assert said(shelf.verify(chain)) == ("deny", Reason.NO_ATTESTATION)

    def test_a_list_with_evidence_of_another_image_lists_none(self, shelf: Shelf) -> None:
        other = Shelf(shelf.directory, small_image("other"))
        chain = other.chain()
        image = shelf.store().resolve(DirectoryReference(str(shelf.directory), None, other.digest))
        shelf.store().attach(image, chain.bundle(), PREDICATE_TYPE)

        class ListsOthers(Faulty):
            def referrers(self, _: Image) -> Referrers:
                return self.behind.referrers(image)

        reference = DirectoryReference(str(shelf.directory), None, shelf.digest)
        outcome = verify_image(
            ListsOthers(shelf.store()), reference, chain.demands(), at=NOW, sigstore=KEYS_ALONE
        )
        assert said(outcome) == ("deny", Reason.NO_ATTESTATION)

    @pytest.mark.parametrize("fault", [Down, CannotList, ListsLess, CannotReadManifests, CannotReadBlobs])
    def test_a_registry_that_fails_is_an_error_and_no_denial(self, fault: type[Faulty], shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        outcome = shelf.verify(chain, store=fault(shelf.store()))
        assert said(outcome) == ("error", Reason.REGISTRY_ERROR)
        assert outcome.verdict.exit_code is ExitCode.INFRASTRUCTURE

    def test_a_short_list_passes_when_what_is_there_passes(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        shelf.put([shelf.referrer(JUNK)], [JUNK])
        assert said(shelf.verify(chain, store=ListsLess(shelf.store()))) == ("pass", None)


class TestCandidates:
    def test_a_thousand_junk_referrers_do_not_hide_the_good_one(self, shelf: Shelf) -> None:
        created = {"org.opencontainers.image.created": "2099-01-01T00:00:00Z"}
        junk = [b'{"junk":%d}' % number for number in range(1000)]
        shelf.put(
            [
                shelf.referrer(each, annotations={**created, "n": str(number)})
                for number, each in enumerate(junk)
            ],
            junk,
        )
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        assert said(shelf.verify(chain)) == ("pass", None)

    def test_a_hundred_attestations_by_strangers_do_not_hide_the_good_one(self, shelf: Shelf) -> None:
        good, stranger = shelf.chain(), shelf.chain()
        for number in range(100):
            stranger.link("scan").change(environment={"n": number})
            bundle = stranger.bundle()
            shelf.put([shelf.referrer(bundle)], [bundle])
        shelf.attach(good.bundle() + b" " * 1000)
        assert said(shelf.verify(good)) == ("pass", None)
        assert said(shelf.verify(good, attesters=(good.root.key,))) == ("pass", None)

    def test_copies_of_a_good_layout_that_strangers_signed_do_not_hide_the_good_one(
        self, shelf: Shelf
    ) -> None:
        good = shelf.chain()
        stolen = shelf.chain(root=good.root, signers=good.signers)
        stolen.outer = MemorySigner()
        for number in range(MOST_DECIDED + 5):
            stolen.link("scan").change(environment={"n": number})
            bundle = stolen.bundle()
            shelf.put([shelf.referrer(bundle)], [bundle])
        shelf.attach(good.bundle() + b" " * 1000)
        assert said(shelf.verify(good)) == ("pass", None)

    def test_more_failing_candidates_of_the_root_than_are_decided_are_an_error(self, shelf: Shelf) -> None:
        good = shelf.chain()
        failing = shelf.chain(root=good.root, signers=good.signers)
        for number in range(MOST_DECIDED + 1):
            failing.link("scan").change(byproducts={"return-value": number + 1})
            bundle = failing.bundle()
            shelf.put([shelf.referrer(bundle)], [bundle])
        outcome = shelf.verify(good)
        assert said(outcome) == ("error", Reason.REGISTRY_ERROR)
        assert str(MOST_DECIDED) in explained(outcome)

    def test_as_many_failing_candidates_as_are_decided_are_a_denial(self, shelf: Shelf) -> None:
        good = shelf.chain()
        failing = shelf.chain(root=good.root, signers=good.signers)
        for number in range(MOST_DECIDED):
            failing.link("scan").change(byproducts={"return-value": number + 1})
            bundle = failing.bundle()
            shelf.put([shelf.referrer(bundle)], [bundle])
        assert said(shelf.verify(good)) == ("deny", Reason.LINK_INVALID)

    def test_a_candidate_over_the_cap_is_not_read_and_an_error(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.put([shelf.referrer(JUNK, size=EVIDENCE_CAP + 1)], [JUNK])
        store = Faulty(shelf.store())
        outcome = shelf.verify(chain, store=store)
        assert said(outcome) == ("error", Reason.REGISTRY_ERROR)
        assert store.done == []

    def test_a_candidate_over_the_cap_does_not_hide_the_good_one(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.put([shelf.referrer(JUNK, size=EVIDENCE_CAP + 1)], [JUNK])
        shelf.attach(chain.bundle())
        assert said(shelf.verify(chain)) == ("pass", None)

    def test_large_junk_does_not_use_up_what_is_read_before_the_good_one(self, shelf: Shelf) -> None:
        size = EVIDENCE_CAP - 1
        count = BYTES_CAP // size + 1
        large = [shelf.referrer(JUNK, size=size, annotations={"n": str(number)}) for number in range(count)]
        shelf.put(large, [JUNK])
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        assert said(shelf.verify(chain)) == ("pass", None)

    def test_a_manifest_over_the_cap_is_an_error(self, shelf: Shelf) -> None:
        shelf.put([shelf.referrer(JUNK, annotations={"junk": "x" * REFERRER_CAP})], [JUNK])
        assert said(shelf.verify(shelf.chain())) == ("error", Reason.REGISTRY_ERROR)

    def test_more_bytes_than_are_read_for_one_image_are_an_error(self, shelf: Shelf) -> None:
        size = EVIDENCE_CAP - 1
        shelf.put(
            [
                shelf.referrer(JUNK, size=size, annotations={"n": str(number)})
                for number in range(BYTES_CAP // size + 1)
            ],
            [JUNK],
        )

        class Large(Faulty):
            def read_blob(self, descriptor: Descriptor, cap: int) -> bytes:
                self.done.append("read")
                return JUNK

        store = Large(shelf.store())
        outcome = shelf.verify(shelf.chain(), store=store)
        assert said(outcome) == ("error", Reason.REGISTRY_ERROR)
        assert len(store.done) == BYTES_CAP // size

    def test_the_candidate_that_got_furthest_is_explained(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        for break_it in (_expired, _scan_of_another_image, _without_scan):
            broken = shelf.chain(root=chain.root, signers=chain.signers)
            break_it(broken)
            shelf.attach(broken.bundle())
        outcome = shelf.verify(chain)
        assert said(outcome) == ("deny", Reason.RULE_VIOLATION)
        assert [each.verdict for each in outcome.verdict.steps] == ["unchecked", "unchecked", "deny"]

    def test_with_attesters_a_stranger_is_dropped_before_anything_is_parsed(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        stranger = shelf.chain()
        stranger.change_document = lambda _: b"not even JSON"
        shelf.attach(stranger.bundle())
        outcome = shelf.verify(chain, attesters=(chain.root.key,))
        assert said(outcome) == ("deny", Reason.ATTESTATION_SIGNATURE)

    def test_with_a_layout_a_stranger_is_dropped_before_anything_is_parsed(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        stranger = shelf.chain()
        stranger.change_document = lambda _: b"not even JSON"
        shelf.attach(stranger.bundle())
        layout = parse_signed(chain.sealed_layout(), "root.layout")
        assert said(shelf.verify(chain, layout=layout)) == ("deny", Reason.ATTESTATION_SIGNATURE)

    def test_a_stranger_never_explains_when_a_candidate_of_an_attester_is_there(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        _expired(chain)
        shelf.attach(chain.bundle())
        shelf.attach(shelf.chain().bundle())
        outcome = shelf.verify(chain, attesters=(chain.root.key,))
        assert said(outcome) == ("deny", Reason.LAYOUT_EXPIRED)

    def test_an_attester_who_is_revoked_attaches_nothing(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        attester = chain.outer = MemorySigner()
        shelf.attach(chain.bundle())
        assert said(shelf.verify(chain, attesters=(attester.key,))) == ("pass", None)
        revoked = Revoked(frozenset({attester.key.keyid}))
        outcome = shelf.verify(chain, attesters=(attester.key,), revoked=revoked)
        assert said(outcome) == ("deny", Reason.ATTESTATION_SIGNATURE)


def _expired(chain: Chain) -> None:
    chain.change_layout(expires=(NOW - timedelta(days=1)).strftime(INSTANT))


def _without_scan(chain: Chain) -> None:
    chain.link("scan").present = False


def _scan_of_another_image(chain: Chain) -> None:
    chain.link("scan").change(materials={ARTIFACT: digests("9")})


class TestReplays:
    def test_an_older_laxer_layout_beside_the_new_one_passes_unless_something_stops_it(
        self, shelf: Shelf
    ) -> None:
        chain, older, pinned = _older_and_newer(shelf)
        assert said(shelf.verify(chain)) == ("pass", None)
        assert said(shelf.verify(chain, layout=pinned)) == ("deny", Reason.LINK_MISSING)
        floor = NOW + timedelta(days=60)
        assert said(shelf.verify(chain, layout_expires_after=floor)) == ("deny", Reason.LINK_MISSING)
        digest = parse_signed(older.sealed_layout(), "older").sha256
        outcome = shelf.verify(chain, revoked=Revoked(layouts=frozenset({digest})))
        assert said(outcome) == ("deny", Reason.LINK_MISSING)

    def test_an_older_laxer_layout_alone_is_revoked_by_the_floor(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        floor = NOW + timedelta(days=365)
        assert said(shelf.verify(chain, layout_expires_after=floor)) == ("deny", Reason.LAYOUT_REVOKED)

    def test_evidence_copied_to_another_repository_is_unbound_there(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        store = Elsewhere(shelf.store(), "ghcr.io/octo/other")
        assert said(shelf.verify(chain, store=store)) == ("deny", Reason.SUBJECT_UNBOUND)

    def test_a_mirror_counts_when_the_verifier_names_it(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        store = Elsewhere(shelf.store(), "mirror.corp/gh/octo/app")
        same_as = (SameAs("mirror.corp/gh/**", "ghcr.io/**"),)
        assert said(shelf.verify(chain, store=store)) == ("deny", Reason.SUBJECT_UNBOUND)
        assert said(shelf.verify(chain, store=store, same_as=same_as)) == ("pass", None)

    def test_evidence_re_attached_to_another_image_is_about_another_subject(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        other = Shelf(shelf.directory.parent / "other", small_image("other"))
        other.attach(chain.bundle())
        assert said(other.verify(chain)) == ("deny", Reason.SUBJECT_MISMATCH)

    def test_evidence_re_signed_for_another_image_is_unbound(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        other = Shelf(shelf.directory.parent / "other", small_image("other"))
        chain.statement_digest = other.digest
        other.attach(chain.bundle())
        assert said(other.verify(chain)) == ("deny", Reason.SUBJECT_UNBOUND)


class Elsewhere(Faulty):
    """The same content under a repository's name."""

    def __init__(self, behind: Any, repository: str) -> None:
        super().__init__(behind)
        self.repository = repository

    def resolve(self, reference: Any) -> Image:
        return msgspec.structs.replace(self.behind.resolve(reference), repository=self.repository)


def _older_and_newer(shelf: Shelf) -> tuple[Chain, Chain, Any]:
    """Evidence of a skipped scan under an older layout without that step, and under the new one."""
    chain = shelf.chain()
    older = shelf.chain(root=chain.root, signers=chain.signers)
    without_scan = [step for step in older.layout.steps if step.name != "scan"]
    older.change_layout(steps=without_scan, expires=(NOW + timedelta(days=30)).strftime(INSTANT))
    for each in (older, chain):
        each.link("scan").present = False
        shelf.attach(each.bundle())
    return chain, older, parse_signed(chain.sealed_layout(), "the new layout")


class TestRelations:
    def test_the_index_is_named_when_its_child_is_verified_with_a_chain_of_the_index(
        self, shelf: Shelf
    ) -> None:
        index = small_index()
        child = sha256(index.manifests[0][0])
        add_to_image_directory(shelf.directory, index, "index")
        chain = shelf.chain()
        for each in chain.links:
            products = {
                name: digests_of(index.digest) if name == ARTIFACT else value
                for name, value in each.link.products.items()
            }
            materials = {
                name: digests_of(index.digest) if name == ARTIFACT else value
                for name, value in each.link.materials.items()
            }
            each.change(products=products, materials=materials)
        chain.statement_digest = child
        reference = DirectoryReference(str(shelf.directory), None, child)
        image = shelf.store().resolve(reference)
        shelf.store().attach(image, chain.bundle(), PREDICATE_TYPE)
        outcome = verify_image(shelf.store(), reference, chain.demands(), at=NOW, sigstore=KEYS_ALONE)
        assert said(outcome) == ("deny", Reason.SUBJECT_UNBOUND)
        assert any(
            index.digest in note and "linux/amd64" in note and "index" in note
            for note in outcome.verdict.notes
        )

    def test_the_child_is_named_when_only_it_has_attestations(self, shelf: Shelf) -> None:
        index = Shelf(shelf.directory.parent / "index", small_index())
        child = sha256(index.content.manifests[1][0])
        reference = DirectoryReference(str(index.directory), None, child)
        store = index.store()
        store.attach(store.resolve(reference), index.chain().bundle(), "https://example.com/any")
        outcome = index.verify(index.chain())
        assert said(outcome) == ("deny", Reason.NO_ATTESTATION)
        assert any(child in note and "linux/arm64" in note for note in outcome.verdict.notes)

    def test_a_chain_that_made_a_child_of_the_verified_index_names_it(self, shelf: Shelf) -> None:
        index = Shelf(shelf.directory.parent / "index", small_index())
        child = sha256(index.content.manifests[0][0])
        chain = index.chain()
        chain.link("build").change(products={"src/app.py": digests("a"), ARTIFACT: digests_of(child)})
        chain.link("scan").change(
            materials={ARTIFACT: digests_of(child)},
            products={ARTIFACT: digests_of(child), "report.json": digests("b")},
        )
        index.attach(chain.bundle())
        outcome = index.verify(chain)
        assert said(outcome) == ("deny", Reason.SUBJECT_UNBOUND)
        assert "linux/amd64" in explained(outcome)


def test_whatever_strangers_attach_the_image_does_not_pass(shelf: Shelf) -> None:
    """Everything is right but for the one who signed the layout, then but for the evidence's own signature."""
    chain = shelf.chain()
    impostor = shelf.chain(signers=chain.signers)
    shelf.attach(impostor.bundle())
    assert said(shelf.verify(chain)) == ("deny", Reason.LAYOUT_SIGNATURE)
    resealed = msgspec.json.decode(chain.bundle())
    resealed["dsseEnvelope"]["signatures"] = [{"sig": base64.b64encode(b"\0" * 64).decode()}]
    shelf.attach(msgspec.json.encode(resealed))
    assert said(shelf.verify(chain)) == ("deny", Reason.ATTESTATION_SIGNATURE)
