"""Provenance beside the evidence: by the same signer, decided on with it, attached after it and before any tag."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.parts.attached import Faulty, Shelf
from tests.parts.chain import ARTIFACT, KEYS_ALONE, NOW, Chain, MemorySigner, digests
from tests.parts.forge import Forge, GitHubJob
from tests.parts.images import small_index
from tests.parts.keyless_signer import KeylessSigner, trust_root
from tests.parts.provenance import JOB, V02, V1, by_github, of_version_02

from intoto_action.attach.attach import Prepared, SignedProvenance, prepare, publish
from intoto_action.attach.provenance import build_of_run, provenance_in, provenance_of
from intoto_action.decide.demands import ProvenanceDemand
from intoto_action.formats.build import Build
from intoto_action.formats.evidence import parse_signed
from intoto_action.formats.github_claims import parse_github_claims
from intoto_action.formats.oci import PREDICATE_TYPE_ANNOTATION, Descriptor, Manifest, parse_manifest
from intoto_action.formats.reference import DirectoryReference, Image
from intoto_action.keys.interface import Signer
from intoto_action.keys.sigstore_root import SigstoreRoot
from intoto_action.reason import Denied, Misused, Reason, Unavailable

BUILD: Build = build_of_run(
    parse_github_claims({"iss": "https://token.actions.githubusercontent.com", **JOB.token_claims}, "it")
)
DEMAND = ProvenanceDemand(source_repository="https://github.com/octo/app", builder_id=JOB.identity)


def links_of(chain: Chain) -> dict[str, bytes]:
    return {each.file_name: each.sealed() for each in chain.links if each.present}


def prepared(
    shelf: Shelf,
    chain: Chain,
    statement: bytes | None,
    *,
    signer: Signer | None = None,
    sigstore: SigstoreRoot = KEYS_ALONE,
    **changes: Any,
) -> Prepared:
    layout = parse_signed(chain.sealed_layout(), "root.layout")
    return prepare(
        shelf.image,
        layout,
        links_of(chain),
        {},
        signer or chain.root,
        chain.demands(**changes),
        at=NOW,
        sigstore=sigstore,
        provenance=statement,
    )


def statement_for(shelf: Shelf, chain: Chain | None = None) -> bytes:
    return provenance_of(BUILD, shelf.image, links_of(chain) if chain else {})


def predicate_of(statement: bytes) -> Any:
    return json.loads(statement)["predicate"]


class TestTelling:
    def test_links_are_told_by_name_and_digest(self, shelf: Shelf) -> None:
        import hashlib

        chain = shelf.chain()
        links = links_of(chain)
        byproducts = predicate_of(statement_for(shelf, chain))["runDetails"]["byproducts"]
        assert byproducts == [
            {"name": name, "digest": {"sha256": hashlib.sha256(links[name]).hexdigest()}}
            for name in sorted(links)
        ]

    def test_images_among_the_materials_are_dependencies_once_each(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        base = {"oci:ghcr.io/octo/base": digests("d"), "oci:ghcr.io/octo/tool#linux/arm64": digests("e")}
        for step in ("build", "scan"):
            link = chain.link(step)
            link.change(materials={**link.link.materials, **base, "image:local": digests("f")})
        dependencies = predicate_of(statement_for(shelf, chain))["buildDefinition"]["resolvedDependencies"]
        assert [each.get("name") for each in dependencies] == [None, *base]
        assert [each["digest"] for each in dependencies[1:]] == [{"sha256": "d" * 64}, {"sha256": "e" * 64}]

    def test_what_was_made_is_no_dependency_of_itself(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path / "index", small_index())
        chain = shelf.chain()
        child = shelf.image.platforms[0].digest.removeprefix("sha256:")
        link = chain.link("scan")
        assert ARTIFACT in link.link.materials
        link.change(
            materials={**link.link.materials, f"{ARTIFACT}#linux/amd64": digests("d").__class__(sha256=child)}
        )
        assert "pkg:oci" not in statement_for(shelf, chain).decode()

    def test_without_links_it_is_what_github_writes(self, shelf: Shelf) -> None:
        document = by_github(digest=shelf.digest)
        document["subject"][0]["name"] = "image"
        assert json.loads(statement_for(shelf)) == document

    def test_a_file_among_the_links_that_is_none_is_named(self, shelf: Shelf) -> None:
        with pytest.raises(Misused, match=r"scan\.01234567\.link"):
            provenance_of(BUILD, shelf.image, {"scan.01234567.link": b"{}"})


class TestGivenFiles:
    def put(self, tmp_path: Path, document: Any) -> Path:
        path = tmp_path / "provenance.json"
        path.write_text(json.dumps(document, indent=1))
        return path

    @pytest.mark.parametrize("make", [by_github, of_version_02])
    def test_a_statement_about_the_image_is_taken_as_it_is(
        self, make: Any, shelf: Shelf, tmp_path: Path
    ) -> None:
        path = self.put(tmp_path, make(digest=shelf.digest))
        assert provenance_in(path, shelf.image) == path.read_bytes()

    def test_a_predicate_gets_the_image_as_its_subject(self, shelf: Shelf, tmp_path: Path) -> None:
        path = self.put(tmp_path, by_github()["predicate"])
        subject = json.loads(provenance_in(path, shelf.image))["subject"]
        assert subject == [{"name": "image", "digest": {"sha256": shelf.digest.removeprefix("sha256:")}}]

    def test_a_statement_about_another_image_is_refused(self, shelf: Shelf, tmp_path: Path) -> None:
        with pytest.raises(Misused, match=f"provenance of {shelf.digest}"):
            provenance_in(self.put(tmp_path, by_github()), shelf.image)

    @pytest.mark.parametrize(
        "document", [[], {}, {"predicateType": V1}, {**by_github(), "predicateType": "https://spdx.dev/X"}]
    )
    def test_what_is_no_provenance_is_refused_with_what_to_give(
        self, document: Any, shelf: Shelf, tmp_path: Path
    ) -> None:
        with pytest.raises(Misused, match="give a Statement"):
            provenance_in(self.put(tmp_path, document), shelf.image)

    @pytest.mark.parametrize("path", ["/nowhere", "/dev/zero", "."])
    def test_what_is_no_readable_file_is_refused(self, path: str, shelf: Shelf) -> None:
        with pytest.raises(Misused, match="the provenance"):
            provenance_in(Path(path), shelf.image)


class TestDeciding:
    def test_what_is_attached_is_what_verify_passes(self, shelf: Shelf) -> None:
        chain = shelf.chain()
        ready = prepared(shelf, chain, statement_for(shelf, chain))
        assert ready.verdict.verdict == "pass"
        publish(shelf.store(), shelf.image, ready.bundle, (), print, provenance=ready.provenance)
        assert shelf.verify(chain, provenance=DEMAND).verdict.verdict == "pass"

    def test_without_any_none_is_demanded(self, shelf: Shelf) -> None:
        ready = prepared(shelf, shelf.chain(), None)
        assert (ready.verdict.verdict, ready.provenance) == ("pass", None)

    def test_a_key_that_may_not_vouch_is_denied(self, shelf: Shelf) -> None:
        chain, stranger = shelf.chain(), MemorySigner()
        verdict = prepared(shelf, chain, statement_for(shelf), signer=stranger).verdict
        assert verdict.reason is Reason.ATTESTATION_SIGNATURE
        verdict = prepared(
            shelf, chain, statement_for(shelf), signer=stranger, attesters=(stranger.key,)
        ).verdict
        assert verdict.verdict == "pass"

    def test_a_job_that_tells_of_another_builder_is_denied(self, shelf: Shelf) -> None:
        forge = Forge()
        root = SigstoreRoot(lambda: trust_root(forge))
        chain = shelf.chain()
        for job, reason in ((JOB, None), (GitHubJob(workflow="other.yml"), Reason.PROVENANCE_MISMATCH)):
            signer = KeylessSigner(forge, job)
            ready = prepared(
                shelf,
                chain,
                statement_for(shelf),
                signer=signer,
                sigstore=root,
                attesters=(signer.key,),
            )
            assert ready.verdict.reason is reason

    @pytest.mark.parametrize(("make", "predicate_type"), [(by_github, V1), (of_version_02, V02)])
    def test_the_manifest_says_which_version_it_is(
        self, make: Any, predicate_type: str, shelf: Shelf
    ) -> None:
        statement = json.dumps(make(digest=shelf.digest)).encode()
        ready = prepared(shelf, shelf.chain(), statement)
        store = shelf.store()
        done = publish(store, shelf.image, ready.bundle, (), print, provenance=ready.provenance)
        assert done.provenance is not None
        manifest = parse_manifest(store.read_manifest(done.provenance.digest, 1 << 16), "it")
        assert isinstance(manifest, Manifest)
        assert (manifest.annotations or {})[PREDICATE_TYPE_ANNOTATION] == predicate_type

    def test_provenance_over_the_cap_is_refused(self, shelf: Shelf) -> None:
        document = by_github(digest=shelf.digest)
        document["predicate"]["padding"] = "x" * (8 << 20)
        with pytest.raises(Misused, match="the provenance has"):
            prepared(shelf, shelf.chain(), json.dumps(document).encode())


class SecondFails(Faulty):
    """The evidence gets there, and nothing after it."""

    def attach(self, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        if self.done:
            raise Unavailable("ghcr.io: 503", Reason.REGISTRY_ERROR)
        return super().attach(image, bundle, predicate_type)


class TestPublishing:
    def test_evidence_comes_first_provenance_second_tags_last(self, shelf: Shelf) -> None:
        class Noting(Faulty):
            def attach(self, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
                self.done.append(predicate_type)
                return self.behind.attach(image, bundle, predicate_type)

        ready = prepared(shelf, shelf.chain(), statement_for(shelf))
        store = Noting(shelf.store())
        publish(store, shelf.image, ready.bundle, ("2.0",), print, provenance=ready.provenance)
        evidence = "https://github.com/org/intoto-action/attestations/evidence/v1"
        assert store.done == [evidence, V1, "tag 2.0"]

    def test_each_has_a_digest_of_its_own(self, shelf: Shelf) -> None:
        ready = prepared(shelf, shelf.chain(), statement_for(shelf))
        done = publish(shelf.store(), shelf.image, ready.bundle, (), print, provenance=ready.provenance)
        listed = {each.digest for each in shelf.store().referrers(shelf.image).descriptors}
        assert done.provenance is not None
        assert listed == {done.evidence.digest, done.provenance.digest}

    def test_without_its_provenance_an_image_gets_no_tag_and_the_evidence_is_named(
        self, shelf: Shelf
    ) -> None:
        ready = prepared(shelf, shelf.chain(), statement_for(shelf))
        store = SecondFails(shelf.store())
        with pytest.raises(Unavailable) as caught:
            publish(store, shelf.image, ready.bundle, ("2.0",), print, provenance=ready.provenance)
        (evidence,) = shelf.store().referrers(shelf.image).descriptors
        for words in (evidence.digest, "no tag was set", "503", "run attach again"):
            assert words in str(caught.value)
        with pytest.raises(Denied):
            shelf.store().resolve(DirectoryReference(str(shelf.directory), "2.0"))

    def test_a_signed_provenance_names_its_type(self, shelf: Shelf) -> None:
        ready = prepared(shelf, shelf.chain(), statement_for(shelf))
        assert isinstance(ready.provenance, SignedProvenance)
        assert ready.provenance.predicate_type == V1
