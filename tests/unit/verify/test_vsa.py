"""VSAs for images that passed: what they are made of, who must not sign them, and what becomes of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.parts.attached import Faulty, Shelf
from tests.parts.chain import ARTIFACT, KEYS_ALONE, NOW, REPOSITORY, Chain, MemorySigner, digests, digests_of
from tests.parts.deployed import payload_of
from tests.parts.forge import Forge, GitHubJob
from tests.parts.images import sha256, small_image
from tests.parts.keyless_signer import KeylessSigner, trust_root
from tests.parts.provenance import V1, by_github, signed

from intoto_action.decide.decide import Outcome
from intoto_action.decide.demands import ProvenanceDemand, SameAs
from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.identity import identity_of
from intoto_action.formats.key import Key
from intoto_action.formats.oci import Descriptor
from intoto_action.formats.reference import DirectoryReference, Image, Reference
from intoto_action.formats.verdict import Verdict
from intoto_action.formats.vsa import PREDICATE_TYPE
from intoto_action.keys.interface import Signer
from intoto_action.keys.sealing import seal_bundle
from intoto_action.keys.sigstore_root import SigstoreRoot
from intoto_action.reason import Misused, Reason, Unavailable
from intoto_action.store.interface import Store
from intoto_action.trust.signature import check_signature
from intoto_action.verify.candidates import Unread, parse_attestation
from intoto_action.verify.issuing import Issuer
from intoto_action.verify.verify import verify_attestations, verify_image


@pytest.fixture
def signer() -> MemorySigner:
    return MemorySigner()


@pytest.fixture
def chain(shelf: Shelf) -> Chain:
    """A chain whose evidence is on the image of the shelf."""
    chain = shelf.chain()
    shelf.attach(chain.bundle())
    return chain


def issued(
    outcome: Outcome,
    chain: Chain,
    signer: Signer,
    store: Store | None = None,
    *,
    file: Path | None = None,
    sigstore: SigstoreRoot = KEYS_ALONE,
    **changes: Any,
) -> Verdict:
    """The verdict after one outcome was considered and issued."""
    issuer = Issuer(signer, file, sigstore)
    issuer.consider(0, outcome, chain.demands(**changes), store, at=NOW)
    return issuer.issue([outcome.verdict])[0]


def predicate_of(bundle: bytes) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(parse_envelope(bundle, "the VSA").payload)
    return dict(statement["predicate"])


def attached_types(shelf: Shelf) -> list[str]:
    listed = shelf.store().referrers(shelf.image).descriptors
    return [(each.annotations or {})["dev.sigstore.bundle.predicateType"] for each in listed]


class TestWhatItSays:
    def test_it_names_the_layout_and_the_evidence_by_their_digests(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner, tmp_path: Path
    ) -> None:
        outcome = shelf.verify(chain)
        assert outcome.verdict.layout is not None
        issued(outcome, chain, signer, file=tmp_path / "vsa.json")
        said = predicate_of((tmp_path / "vsa.json").read_bytes())
        assert said["policy"]["digest"] == {"sha256": outcome.verdict.layout.sha256}
        assert said["inputAttestations"] == [{"digest": {"sha256": sha256(chain.bundle())[7:]}}]
        assert set(said["verifier"]["version"]) == {"intoto-action", "in-toto"}
        assert said["timeVerified"] == "2031-05-01T12:00:00Z"

    def test_of_several_attestations_it_lists_the_one_that_decided(
        self, shelf: Shelf, signer: MemorySigner, tmp_path: Path
    ) -> None:
        chain = shelf.chain()
        denied = shelf.chain(root=chain.root)
        denied.link("scan").present = False
        shelf.attach(denied.bundle())
        shelf.attach(chain.bundle())
        issued(shelf.verify(chain), chain, signer, file=tmp_path / "vsa.json")
        said = predicate_of((tmp_path / "vsa.json").read_bytes())
        assert said["inputAttestations"] == [{"digest": {"sha256": sha256(chain.bundle())[7:]}}]

    def test_provenance_that_was_demanded_is_listed_and_is_worth_build_level_1(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner, tmp_path: Path
    ) -> None:
        provenance = signed(by_github(digest=shelf.digest), chain.root)
        shelf.store().attach(shelf.image, provenance, V1)
        demand = ProvenanceDemand(source_repository="https://github.com/octo/app")
        issued(shelf.verify(chain, provenance=demand), chain, signer, file=tmp_path / "vsa.json")
        said = predicate_of((tmp_path / "vsa.json").read_bytes())
        used = (chain.bundle(), provenance)
        assert said["inputAttestations"] == [{"digest": {"sha256": sha256(each)[7:]}} for each in used]
        assert said["verifiedLevels"] == ["INTOTO_ACTION_LAYOUT_PASSED", "SLSA_BUILD_LEVEL_1"]

    def test_provenance_that_nobody_demanded_was_not_used_and_is_worth_nothing(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner, tmp_path: Path
    ) -> None:
        shelf.store().attach(shelf.image, signed(by_github(digest=shelf.digest), chain.root), V1)
        issued(shelf.verify(chain), chain, signer, file=tmp_path / "vsa.json")
        said = predicate_of((tmp_path / "vsa.json").read_bytes())
        assert len(said["inputAttestations"]) == 1
        assert said["verifiedLevels"] == ["INTOTO_ACTION_LAYOUT_PASSED"]

    def test_an_image_in_a_directory_has_the_name_that_its_layout_gives_it(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner, tmp_path: Path
    ) -> None:
        issued(shelf.verify(chain), chain, signer, file=tmp_path / "vsa.json")
        said = predicate_of((tmp_path / "vsa.json").read_bytes())
        assert said["resourceUri"] == f"{REPOSITORY}@{shelf.digest}"

    def test_an_image_in_a_registry_has_the_name_by_which_it_was_verified(
        self, signer: MemorySigner, tmp_path: Path
    ) -> None:
        """Of a mirror: where it is deployed from, not where it came from."""
        chain = Chain()
        image = Image("mirror.corp/x/app", chain.statement_digest)
        outcome = by_bundle(chain, image, same_as=mirror())
        issued(outcome, chain, signer, file=tmp_path / "vsa.json", same_as=mirror())
        said = predicate_of((tmp_path / "vsa.json").read_bytes())
        assert said["resourceUri"] == f"mirror.corp/x/app@{chain.statement_digest}"

    def test_the_step_that_the_verifier_names_gives_the_name_of_an_image_without_one(
        self, shelf: Shelf, signer: MemorySigner, tmp_path: Path
    ) -> None:
        chain = shelf.chain()
        chain.change_step("build", expected_products=[["ALLOW", "*"]])
        chain.change_step("scan", expected_materials=[["ALLOW", "*"]], expected_products=[["ALLOW", "*"]])
        shelf.attach(chain.bundle())
        outcome = shelf.verify(chain, subject_step="build")
        assert outcome.verdict.verdict == "pass", outcome.verdict
        issued(outcome, chain, signer, file=tmp_path / "vsa.json", subject_step="build")
        said = predicate_of((tmp_path / "vsa.json").read_bytes())
        assert said["resourceUri"] == f"{REPOSITORY}@{shelf.digest}"

    def test_another_name_that_a_step_gave_the_image_is_not_its_name_when_the_layout_has_one(
        self, shelf: Shelf, signer: MemorySigner, tmp_path: Path
    ) -> None:
        chain = shelf.chain()
        chain.change_step("build", expected_products=[["REQUIRE", ARTIFACT], ["ALLOW", "*"]])
        build = chain.link("build")
        build.change(products={**build.link.products, "oci:ghcr.io/octo/twin": digests_of(shelf.digest)})
        shelf.attach(chain.bundle())
        issued(shelf.verify(chain), chain, signer, file=tmp_path / "vsa.json")
        said = predicate_of((tmp_path / "vsa.json").read_bytes())
        assert said["resourceUri"] == f"{REPOSITORY}@{shelf.digest}"

    def test_an_image_with_two_names_and_no_registry_gets_none(
        self, shelf: Shelf, signer: MemorySigner, tmp_path: Path
    ) -> None:
        chain = shelf.chain()
        chain.change_step("build", expected_products=[["ALLOW", "*"]])
        chain.change_step("scan", expected_materials=[["ALLOW", "*"]], expected_products=[["ALLOW", "*"]])
        build = chain.link("build")
        build.change(products={**build.link.products, "oci:ghcr.io/octo/twin": digests_of(shelf.digest)})
        shelf.attach(chain.bundle())
        outcome = shelf.verify(chain, subject_step="build")
        assert outcome.verdict.verdict == "pass", outcome.verdict
        with pytest.raises(
            Misused, match=r"one name for the image, found ghcr.io/octo/app, ghcr.io/octo/twin"
        ):
            issued(outcome, chain, signer, file=tmp_path / "vsa.json", subject_step="build")


def mirror() -> tuple[SameAs, ...]:
    return (SameAs("mirror.corp/x/app", REPOSITORY),)


def by_bundle(chain: Chain, image: Image, **changes: Any) -> Outcome:
    candidates = [parse_attestation(chain.bundle(), "bundle.json")]
    demands = chain.demands(**changes)
    return verify_attestations(candidates, image, demands, at=NOW, sigstore=KEYS_ALONE, unread=Unread())


class TestWhoMustNotSign:
    def test_an_owner_of_the_layout_is_refused_before_anything_is_decided(self, chain: Chain) -> None:
        with pytest.raises(Misused, match=r"an owner of the layout \(--layout-key\)"):
            Issuer(chain.root, None, KEYS_ALONE).refuse_for(chain.demands())

    def test_an_attester_is_refused_before_anything_is_decided(
        self, chain: Chain, signer: MemorySigner
    ) -> None:
        with pytest.raises(Misused, match=r"an attester \(--attester\)"):
            Issuer(signer, None, KEYS_ALONE).refuse_for(chain.demands(attesters=(signer.key,)))

    def test_a_key_that_nobody_counts_on_is_not_refused(self, chain: Chain, signer: MemorySigner) -> None:
        Issuer(signer, None, KEYS_ALONE).refuse_for(chain.demands(attesters=(chain.root.key,)))

    @pytest.mark.parametrize("step", ["checkout", "build", "scan"])
    def test_a_functionary_is_refused_and_nothing_is_written(
        self, step: str, shelf: Shelf, chain: Chain
    ) -> None:
        before = attached_types(shelf)
        with pytest.raises(Misused, match=f"a functionary of '{step}'"):
            issued(shelf.verify(chain), chain, chain.signers[step], shelf.store())
        assert attached_types(shelf) == before

    def test_a_key_of_the_layout_that_no_step_has_is_refused_because_it_may_sign_evidence(
        self, shelf: Shelf, signer: MemorySigner
    ) -> None:
        chain = shelf.chain()
        chain.change_layout(keys={**chain.layout.keys, signer.key.keyid: signer.key.entry})
        shelf.attach(chain.bundle())
        with pytest.raises(Misused, match="a key of the layout"):
            issued(shelf.verify(chain), chain, signer, shelf.store())

    def test_a_functionary_of_one_image_gets_no_vsa_for_another(self, shelf: Shelf, chain: Chain) -> None:
        """Nothing is put anywhere before all of them were looked at."""
        other = Shelf(shelf.directory.parent / "other", small_image("other"))
        stranger = MemorySigner()
        theirs = other.chain(signers={"scan": stranger})
        other.attach(theirs.bundle())
        issuer = Issuer(stranger, None, KEYS_ALONE)
        outcomes = [shelf.verify(chain), other.verify(theirs)]
        issuer.consider(0, outcomes[0], chain.demands(), shelf.store(), at=NOW)
        issuer.consider(1, outcomes[1], theirs.demands(), other.store(), at=NOW)
        with pytest.raises(Misused, match="a functionary of 'scan'"):
            issuer.issue([each.verdict for each in outcomes])
        assert PREDICATE_TYPE not in attached_types(shelf)


class TestIdentities:
    """Who signs without a key is known when the certificate is there: then, and before anything is written."""

    JOB = GitHubJob()

    def listed(self, **claims: str) -> Key:
        return identity_of(self.JOB.identity, "https://token.actions.githubusercontent.com", claims)

    def issue(
        self, shelf: Shelf, forge: Forge, directory: Path, *, sigstore: Forge | None = None, **changes: Any
    ) -> Verdict:
        chain = shelf.chain()
        shelf.attach(chain.bundle())
        root = SigstoreRoot(lambda: trust_root(sigstore or forge))
        demands = chain.demands(**changes)
        outcome = shelf.verify(chain)
        issuer = Issuer(KeylessSigner(forge, job=self.JOB), directory / "vsa.json", root)
        issuer.refuse_for(demands)
        issuer.consider(0, outcome, demands, None, at=NOW)
        return issuer.issue([outcome.verdict])[0]

    def test_an_identity_that_nobody_counts_on_signs(
        self, shelf: Shelf, forge: Forge, tmp_path: Path
    ) -> None:
        assert self.issue(shelf, forge, tmp_path).verdict == "pass"
        envelope = parse_envelope((tmp_path / "vsa.json").read_bytes(), "the VSA")
        assert check_signature(envelope, self.listed(), trust_root(forge)) is not None

    @pytest.mark.parametrize(
        "claims",
        [
            {},
            {"source-ref": "refs/heads/*"},
            {"environment": "release"},
            {"event": "workflow_dispatch", "source-repository": "https://github.com/octo/app"},
        ],
    )
    def test_an_attester_is_refused_and_nothing_is_written(
        self, claims: dict[str, str], shelf: Shelf, forge: Forge, tmp_path: Path
    ) -> None:
        with pytest.raises(Misused, match=r"build.yml@refs/heads/main.*an attester \(--attester\)"):
            self.issue(shelf, forge, tmp_path, attesters=(self.listed(**claims),))
        assert list(tmp_path.glob("vsa*")) == []

    def test_the_builder_that_vouched_for_the_provenance_is_refused_and_no_other_workflow(
        self, shelf: Shelf, forge: Forge, tmp_path: Path
    ) -> None:
        chain, root = shelf.chain(), SigstoreRoot(lambda: trust_root(forge))
        shelf.attach(chain.bundle())
        provenance = signed(by_github(self.JOB, shelf.digest), KeylessSigner(forge, self.JOB))
        shelf.store().attach(shelf.image, provenance, V1)
        demands = chain.demands(provenance=ProvenanceDemand(builder_id=self.JOB.identity))
        outcome = verify_image(shelf.store(), shelf.reference, demands, at=NOW, sigstore=root)
        for job in (GitHubJob(workflow="verify.yml"), self.JOB):
            issuer = Issuer(KeylessSigner(forge, job), tmp_path / f"vsa-{job.workflow}", root)
            issuer.consider(0, outcome, demands, None, at=NOW)
            if job is self.JOB:
                with pytest.raises(Misused, match="the builder that vouched for its provenance"):
                    issuer.issue([outcome.verdict])
            else:
                assert issuer.issue([outcome.verdict])[0].verdict == "pass"
        assert [each.name for each in tmp_path.glob("vsa*")] == ["vsa-verify.yml"]

    def test_the_same_workflow_of_another_repository_is_somebody_else(
        self, shelf: Shelf, forge: Forge, tmp_path: Path
    ) -> None:
        others = self.listed(**{"source-repository": "https://github.com/other/app"})
        assert self.issue(shelf, forge, tmp_path, attesters=(others,)).verdict == "pass"

    def test_a_signature_that_cannot_be_checked_here_makes_an_error_and_no_file(
        self, shelf: Shelf, forge: Forge, tmp_path: Path
    ) -> None:
        verdict = self.issue(shelf, forge, tmp_path, sigstore=Forge(), attesters=(self.listed(),))
        assert (verdict.verdict, verdict.reason) == ("error", Reason.SIGSTORE_UNAVAILABLE)
        assert list(tmp_path.glob("vsa*")) == []

    def test_slsa_verifier_knows_no_identities_so_a_file_for_it_is_refused_at_once(
        self, forge: Forge, tmp_path: Path
    ) -> None:
        with pytest.raises(Misused, match="slsa-verifier"):
            Issuer(KeylessSigner(forge), tmp_path / "vsa.intoto.jsonl", KEYS_ALONE)


class TestWhereItGoes:
    def test_beside_the_image_where_the_evidence_stays(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner
    ) -> None:
        verdict = issued(shelf.verify(chain), chain, signer, shelf.store())
        assert verdict.verdict == "pass"
        assert sorted(attached_types(shelf))[1] == PREDICATE_TYPE
        assert len(attached_types(shelf)) == 2
        (note,) = verdict.notes
        assert note.startswith("its VSA is attached as sha256:")
        assert shelf.verify(chain).verdict.verdict == "pass"

    def test_every_image_that_passed_gets_its_own_and_no_other(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner
    ) -> None:
        shelves = [
            shelf,
            *(Shelf(shelf.directory.parent / name, small_image(name)) for name in ("two", "three")),
        ]
        chains = [chain, *(each.chain() for each in shelves[1:])]
        chains[1].link("scan").change(materials={ARTIFACT: digests("9")})
        for each, of in zip(shelves[1:], chains[1:], strict=True):
            each.attach(of.bundle())
        issuer = Issuer(signer, None, KEYS_ALONE)
        outcomes = [each.verify(of) for each, of in zip(shelves, chains, strict=True)]
        for number, (each, of) in enumerate(zip(shelves, chains, strict=True)):
            issuer.consider(number, outcomes[number], of.demands(), each.store(), at=NOW)
        verdicts = issuer.issue([each.verdict for each in outcomes])
        assert [each.verdict for each in verdicts] == ["pass", "deny", "pass"]
        assert [PREDICATE_TYPE in attached_types(each) for each in shelves] == [True, False, True]

    def test_into_a_file_and_then_not_beside_the_image(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner, tmp_path: Path
    ) -> None:
        verdict = issued(shelf.verify(chain), chain, signer, shelf.store(), file=tmp_path / "vsa.json")
        assert attached_types(shelf) == [attached_types(shelf)[0]]
        assert verdict.notes == (f"its VSA is written to {tmp_path / 'vsa.json'}, signed by {signer.key}",)

    def test_under_the_suffix_of_slsa_verifier_it_is_a_bare_envelope_without_a_keyid(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner, tmp_path: Path
    ) -> None:
        issued(shelf.verify(chain), chain, signer, file=tmp_path / "vsa.intoto.jsonl")
        document = json.loads((tmp_path / "vsa.intoto.jsonl").read_bytes())
        assert set(document) == {"payload", "payloadType", "signatures"}
        assert [set(each) for each in document["signatures"]] == [{"sig"}]
        assert payload_of((tmp_path / "vsa.intoto.jsonl").read_bytes())["predicateType"] == PREDICATE_TYPE

    def test_a_newer_one_replaces_the_file(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner, tmp_path: Path
    ) -> None:
        (tmp_path / "vsa.json").write_text("old")
        issued(shelf.verify(chain), chain, signer, file=tmp_path / "vsa.json")
        assert (tmp_path / "vsa.json").read_bytes() != b"old"

    @pytest.mark.parametrize("reason", [Reason.RULE_VIOLATION, Reason.SOURCE_MISMATCH])
    def test_a_denial_writes_none_and_removes_nothing_however_far_it_got(
        self, reason: Reason, shelf: Shelf, signer: MemorySigner, tmp_path: Path
    ) -> None:
        chain = shelf.chain()
        if reason is Reason.RULE_VIOLATION:
            chain.link("scan").change(materials={ARTIFACT: digests("9")})
        else:
            chain.link("scan").change(environment={})
        shelf.attach(chain.bundle())
        (tmp_path / "vsa.json").write_text("old")
        outcome = shelf.verify(chain)
        verdict = issued(outcome, chain, signer, shelf.store(), file=tmp_path / "vsa.json")
        assert verdict == outcome.verdict
        assert (verdict.verdict, verdict.reason) == ("deny", reason)
        assert (tmp_path / "vsa.json").read_text() == "old"

    def test_an_error_writes_none(self, shelf: Shelf, chain: Chain, signer: MemorySigner) -> None:
        outcome = shelf.verify(chain, store=NothingAnswers(shelf.store()))
        assert outcome.verdict.verdict == "error"
        assert issued(outcome, chain, signer, shelf.store()) == outcome.verdict
        assert PREDICATE_TYPE not in attached_types(shelf)

    def test_a_digest_without_a_registry_has_no_place_but_a_file(
        self, signer: MemorySigner, tmp_path: Path
    ) -> None:
        chain = Chain()
        outcome = by_bundle(chain, Image(None, chain.statement_digest))
        with pytest.raises(Misused, match="--vsa FILE"):
            issued(outcome, chain, signer)
        assert issued(outcome, chain, signer, file=tmp_path / "vsa.json").verdict == "pass"

    def test_an_image_that_was_verified_by_a_file_is_looked_up_before_something_is_attached_to_it(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner
    ) -> None:
        """A manifest of a referrer has the media type and the size of its subject."""
        reference = Reference("ghcr.io", "octo/app", None, shelf.digest)
        bundles = (parse_attestation(chain.bundle(), "bundle.json"),)
        store = InARegistry(shelf.store(), shelf)
        outcome = verify_image(
            store, reference, chain.demands(), at=NOW, sigstore=KEYS_ALONE, bundles=bundles
        )
        assert (outcome.verdict.verdict, store.done) == ("pass", [])
        assert issued(outcome, chain, signer, store).verdict == "pass"
        assert store.done == [f"resolve {REPOSITORY}@{shelf.digest}", "attach"]
        assert PREDICATE_TYPE in attached_types(shelf)


class NothingAnswers(Faulty):
    def resolve(self, reference: Any) -> Image:
        raise Unavailable("ghcr.io: nobody answers")


class InARegistry(Faulty):
    """The shelf under the name of a registry."""

    def __init__(self, behind: Store, shelf: Shelf) -> None:
        super().__init__(behind)
        self.shelf = shelf

    def resolve(self, reference: Any) -> Image:
        self.done.append(f"resolve {reference}")
        return self.behind.resolve(DirectoryReference(str(self.shelf.directory), None, reference.digest))


class TakesNothing(Faulty):
    def attach(self, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        raise Unavailable("ghcr.io: 403 for the push")


class TestWhenItCannotBeWritten:
    def test_a_registry_that_takes_nothing_makes_an_error_that_says_the_image_passed(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner
    ) -> None:
        verdict = issued(shelf.verify(chain), chain, signer, TakesNothing(shelf.store()))
        assert (verdict.verdict, verdict.reason) == ("error", Reason.REGISTRY_ERROR)
        (finding,) = verdict.explanation
        assert finding.expected == "a VSA of this image, which passed"
        assert "403 for the push" in finding.found
        assert [step.verdict for step in verdict.steps] == ["pass", "pass", "pass"]

    def test_so_does_a_file_in_no_directory(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner, tmp_path: Path
    ) -> None:
        verdict = issued(shelf.verify(chain), chain, signer, file=tmp_path / "nowhere" / "vsa.json")
        assert verdict.verdict == "error"
        assert "cannot be written" in verdict.explanation[0].found

    def test_so_does_a_service_that_does_not_sign(self, shelf: Shelf, chain: Chain) -> None:
        verdict = issued(shelf.verify(chain), chain, CannotSign(), shelf.store())
        assert (verdict.verdict, verdict.reason) == ("error", Reason.SIGSTORE_UNAVAILABLE)
        assert PREDICATE_TYPE not in attached_types(shelf)

    def test_the_others_get_theirs(self, shelf: Shelf, chain: Chain, signer: MemorySigner) -> None:
        other = Shelf(shelf.directory.parent / "other", small_image("other"))
        theirs = other.chain()
        other.attach(theirs.bundle())
        issuer = Issuer(signer, None, KEYS_ALONE)
        outcomes = [shelf.verify(chain), other.verify(theirs)]
        issuer.consider(0, outcomes[0], chain.demands(), TakesNothing(shelf.store()), at=NOW)
        issuer.consider(1, outcomes[1], theirs.demands(), other.store(), at=NOW)
        verdicts = issuer.issue([each.verdict for each in outcomes])
        assert [each.verdict for each in verdicts] == ["error", "pass"]
        assert PREDICATE_TYPE in attached_types(other)


class CannotSign(MemorySigner):
    def sign_for_bundle(self, data: bytes) -> bytes:
        raise Unavailable("the HSM is busy", Reason.SIGSTORE_UNAVAILABLE)


class TestAVsaIsNoEvidence:
    def vsa(self, shelf: Shelf, chain: Chain, signer: MemorySigner, file: Path) -> bytes:
        issued(shelf.verify(chain), chain, signer, file=file)
        return file.read_bytes()

    @pytest.mark.parametrize("annotated_as", [PREDICATE_TYPE, None])
    def test_an_image_with_a_vsa_alone_has_no_attestation(
        self,
        annotated_as: str | None,
        shelf: Shelf,
        chain: Chain,
        signer: MemorySigner,
        tmp_path: Path,
    ) -> None:
        vsa = self.vsa(shelf, chain, signer, tmp_path / "vsa.json")
        bare = Shelf(tmp_path / "bare")
        assert bare.digest == shelf.digest
        annotations = {"dev.sigstore.bundle.predicateType": annotated_as} if annotated_as else None
        bare.put([bare.referrer(vsa, annotations=annotations)], [vsa])
        assert bare.verify(chain).verdict.reason is Reason.NO_ATTESTATION

    def test_not_even_one_by_the_owner_of_the_layout_counts(
        self, shelf: Shelf, chain: Chain, signer: MemorySigner, tmp_path: Path
    ) -> None:
        payload = parse_envelope(self.vsa(shelf, chain, signer, tmp_path / "vsa.json"), "x").payload
        by_owner = seal_bundle(PAYLOAD_TYPE, payload, chain.root)
        bare = Shelf(tmp_path / "bare")
        bare.put([bare.referrer(by_owner)], [by_owner])
        assert bare.verify(chain).verdict.reason is Reason.NO_ATTESTATION
        assert by_bundle_bytes(chain, by_owner, shelf).reason is Reason.NO_ATTESTATION


def by_bundle_bytes(chain: Chain, bundle: bytes, shelf: Shelf) -> Verdict:
    candidates = [parse_attestation(bundle, "bundle.json")]
    demands = chain.demands()
    image = Image(REPOSITORY, shelf.digest)
    return verify_attestations(
        candidates, image, demands, at=NOW, sigstore=KEYS_ALONE, unread=Unread()
    ).verdict
