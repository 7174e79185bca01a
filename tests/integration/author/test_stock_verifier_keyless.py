"""A layout.yaml of identities, signed and met without any key, taken to the end by in-toto's own verifier."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec
import pytest
from in_toto.exceptions import BadReturnValueError, SignatureVerificationError, ThresholdVerificationError
from in_toto.models.metadata import Metadata
from in_toto.verifylib import in_toto_verify
from securesystemslib.signer._key import KEY_FOR_TYPE_AND_SCHEME
from tests.parts.desk import run
from tests.parts.github_job import GitHubJob
from tests.parts.sigstore import SIGSTORE, PrivateSigstore

from intoto_action.author.propose import propose_signer
from intoto_action.author.sign import compile_file, sign_layout
from intoto_action.deadline import Deadline
from intoto_action.formats.artifact import Digests
from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.formats.functionary import parse_functionary
from intoto_action.formats.identity import Identity, identity_of
from intoto_action.formats.link import Link, encode_link, link_file_name
from intoto_action.keys.certified import Certifier, Terms
from intoto_action.keys.keyless import KeylessSigner
from intoto_action.keys.oidc import token_source
from intoto_action.keys.sealing import seal
from intoto_action.keys.sigstore import Instance, open_instance
from intoto_action.trust.keyless import TrustRoot
from intoto_action.trust.stock import register

pytestmark = [
    pytest.mark.needs(*SIGSTORE),
    # in-toto records the directory of an inspection with it
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]
YAML = """\
expires: 6 months
source: {{repository: octo/app, refs: [refs/heads/main]}}
functionaries:
  checkout: {{repository: octo/app, workflow: checkout.yml, ref: refs/heads/main, issuer: '{issuer}'}}
  builder:
    repository: octo/app
    workflow: octo/shared/.github/workflows/build.yml
    ref: refs/tags/*
    issuer: '{issuer}'
    source-owner-id: "65"
  scanner:
    identity: https://github.com/octo/app/.github/workflows/scan.yml@refs/heads/main
    issuer: '{issuer}'
steps:
  - name: checkout
    functionaries: [checkout]
    expected_products: [CREATE src/*]
  - name: build
    functionaries: [builder]
    expected_materials: [MATCH src/* WITH PRODUCTS FROM checkout]
    expected_products: [CREATE app, MATCH src/* WITH MATERIALS FROM build]
  - name: scan
    functionaries: [scanner]
    expected_materials: [MATCH app WITH PRODUCTS FROM build]
    expected_products: [CREATE report.json]
"""
SOURCE = {"src/main.c": Digests(sha256="1" * 64)}
APP = {"app": Digests(sha256="3" * 64)}
REPORT = {"report.json": Digests(sha256="5" * 64)}
SHARED = "octo/shared/.github/workflows/build.yml@refs/tags/v2"
OWNER = GitHubJob(workflow="layout.yml")
JOBS = {
    "checkout": GitHubJob(workflow="checkout.yml"),
    "build": GitHubJob(called=SHARED),
    "scan": GitHubJob(workflow="scan.yml"),
}


class KeylessChain:
    """A directory with root.layout and links, each by a job of the private Sigstore's provider."""

    def __init__(self, folder: Path, part: PrivateSigstore) -> None:
        self.part = part
        self.directory = folder / "links"
        path = folder / "layout.yaml"
        path.write_text(YAML.format(issuer=part.issuer))
        self.layout = compile_file(path, at=datetime.now(UTC)).layout
        self.owner = identity_of(OWNER.identity, part.issuer)

    def signed(self) -> Self:
        """The honest chain, written down."""
        self.directory.mkdir()
        self.sign_layout(OWNER)
        self.link("checkout", {}, SOURCE)
        self.link("build", SOURCE, SOURCE | APP)
        self.link("scan", APP, REPORT)
        return self

    def copy_to(self, folder: Path) -> KeylessChain:
        """The same chain in another folder."""
        copied = KeylessChain(folder, self.part)
        shutil.copytree(self.directory, copied.directory)
        return copied

    def signer(self, job: GitHubJob) -> KeylessSigner:
        def opened(deadline: Deadline) -> Instance:
            word = str(self.part.trust_config)
            return open_instance(word, root_file=None, offline=False, deadline=deadline, tell=lambda _: None)

        return KeylessSigner(Certifier(opened, token_source(self.part.environ(job)), Terms(seconds=20)))

    def functionary(self, step: str) -> Identity:
        found = self.layout.step(step)
        assert found is not None
        (key,) = self.layout.functionaries(found)
        assert isinstance(key, Identity)
        return key

    def sign_layout(self, job: GitHubJob) -> None:
        document = sign_layout(self.layout, self.signer(job)).document
        (self.directory / "root.layout").write_bytes(_under(document, self.owner.keyid))

    def link(
        self,
        step: str,
        materials: Mapping[str, Digests],
        products: Mapping[str, Digests],
        job: GitHubJob | None = None,
    ) -> Path:
        """Under the functionary's keyid, as `evidence extract` writes it."""
        link = Link(step, ["true"], dict(materials), dict(products), {"return-value": 0}, {})
        keyid = self.functionary(step).keyid
        path = self.directory / link_file_name(step, keyid)
        path.write_bytes(_under(seal(PAYLOAD_TYPE, encode_link(link), self.signer(job or JOBS[step])), keyid))
        return path

    def verify(self) -> None:
        owner = msgspec.to_builtins(self.owner.entry)
        in_toto_verify(
            Metadata.load(str(self.directory / "root.layout")), {owner["keyid"]: owner}, link_dir_path="."
        )


def _under(document: bytes, keyid: str) -> bytes:
    fields = msgspec.json.decode(document)
    fields["signatures"][0]["keyid"] = keyid
    return msgspec.json.encode(fields)


@pytest.fixture(scope="module")
def honest(sigstore: PrivateSigstore, tmp_path_factory: pytest.TempPathFactory) -> KeylessChain:
    """Signed once: every signature waits for the log."""
    return KeylessChain(tmp_path_factory.mktemp("keyless"), sigstore).signed()


@pytest.fixture
def chain(honest: KeylessChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeylessChain]:
    """In the directory of the links, as `inspect source` looks for them there, with our command on the PATH."""
    copied = honest.copy_to(tmp_path)
    before = dict(KEY_FOR_TYPE_AND_SCHEME)
    register(TrustRoot(honest.part.trusted_root.read_bytes(), "the private Sigstore"))
    monkeypatch.chdir(copied.directory)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    yield copied
    KEY_FOR_TYPE_AND_SCHEME.clear()
    KEY_FOR_TYPE_AND_SCHEME.update(before)


def test_an_honest_chain_passes_with_its_source_inspected(chain: KeylessChain) -> None:
    chain.verify()


@pytest.mark.parametrize(
    "job",
    [
        GitHubJob(repository="evil/app", called=SHARED),
        GitHubJob(called=SHARED, owner_id="66"),
        GitHubJob(called=SHARED.replace("tags/v2", "heads/main")),
        GitHubJob(workflow="build.yml"),
    ],
)
def test_a_link_by_another_workflow_or_for_another_repository_counts_for_nobody(
    chain: KeylessChain, job: GitHubJob
) -> None:
    chain.link("build", SOURCE, SOURCE | APP, job)
    with pytest.raises(ThresholdVerificationError):
        chain.verify()


@pytest.mark.parametrize(
    "job",
    [
        GitHubJob(repository="evil/app", called=JOBS["scan"].job_workflow_ref),
        GitHubJob(called=JOBS["scan"].job_workflow_ref, ref="refs/heads/evil"),
        GitHubJob(workflow="scan.yml", event="pull_request_target"),
        GitHubJob(workflow="scan.yml", sha="b" * 40),
    ],
)
def test_a_link_from_another_source_is_seen_by_the_inspection(chain: KeylessChain, job: GitHubJob) -> None:
    chain.link("scan", APP, REPORT, job)
    with pytest.raises(BadReturnValueError, match="source"):
        chain.verify()


def test_a_layout_by_another_workflow_is_no_layout(chain: KeylessChain) -> None:
    chain.sign_layout(GitHubJob(workflow="other.yml"))
    with pytest.raises(SignatureVerificationError):
        chain.verify()


def test_what_a_link_says_of_its_signer_is_the_functionary_that_the_layout_has(chain: KeylessChain) -> None:
    path = chain.link("build", SOURCE, SOURCE | APP)
    proposal = propose_signer(path)
    assert proposal.identity.identity == JOBS["build"].identity
    assert {"source-repository-id", "source-owner-id", "source-ref"} <= proposal.optional.keys()
    text = "\n".join(proposal.lines).replace("# source-owner-id", "source-owner-id")
    wanted = chain.functionary("build")
    assert parse_functionary(text.encode(), "printed").claims == wanted.claims


def test_the_token_of_a_job_names_who_its_certificate_names(chain: KeylessChain) -> None:
    path = chain.link("build", SOURCE, SOURCE | APP)
    ended = run("layout", "functionary", "--from-token", environ=chain.part.environ(JOBS["build"]))
    assert ended.code == 0, ended.err
    assert parse_functionary(ended.out.encode(), "printed") == propose_signer(path).identity
    assert "is a reusable workflow of https://github.com/octo/shared" in ended.err
