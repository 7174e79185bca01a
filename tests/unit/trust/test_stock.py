"""Other people's in-toto over our identities: with our keys it decides as we do, without them it reads nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from in_toto.exceptions import SignatureVerificationError, ThresholdVerificationError
from in_toto.models.layout import Layout as StockLayout
from in_toto.models.link import Link as StockLink
from in_toto.models.metadata import Envelope as StockEnvelope
from in_toto.models.metadata import Metablock, Metadata
from in_toto.verifylib import in_toto_verify
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer._key import KEY_FOR_TYPE_AND_SCHEME
from securesystemslib.signer._key import Key as StockKey
from securesystemslib.signer._signature import Signature as StockSignature
from securesystemslib.signer._sigstore_signer import SigstoreKey
from tests.parts.chain import Chain
from tests.parts.forge import Fault, Forge, GitHubJob
from tests.parts.keyless_signer import KeylessSigner, by_identity, trust_root

from intoto_action.formats.envelope import Signature, pae, parse_envelope
from intoto_action.formats.identity import GITHUB_ISSUER, Identity, identity_of
from intoto_action.formats.key import Key
from intoto_action.formats.link import link_file_name
from intoto_action.trust.keyless import TrustRoot
from intoto_action.trust.stock import register

APP = "https://github.com/octo/app"
MAIN = GitHubJob(sha="c0ffee", run_id="7")
EXACT = identity_of(MAIN.identity, GITHUB_ISSUER)
CLAIMS = identity_of(MAIN.identity, GITHUB_ISSUER, {"source-repository": APP, "source-owner-id": "65"})
ANY_TAG = identity_of(MAIN.identity.replace("heads/main", "tags/*"), GITHUB_ISSUER)
DATA = b"what is signed"


@pytest.fixture(autouse=True)
def as_installed() -> Iterator[None]:
    """securesystemslib's table of key types as it was, whatever a test registers."""
    before = dict(KEY_FOR_TYPE_AND_SCHEME)
    yield
    KEY_FOR_TYPE_AND_SCHEME.clear()
    KEY_FOR_TYPE_AND_SCHEME.update(before)


@pytest.fixture
def chain(forge: Forge) -> Chain:
    """A chain whose build is done by an identity; the reference runs no inspection of it."""
    return by_identity(Chain(), "build", KeylessSigner(forge, MAIN)).change_layout(inspect=[])


def entry(key: Key) -> dict[str, Any]:
    """A key as in-toto's API takes one."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(key.entry))
    return fields


def renamed(document: bytes, keyid: str) -> bytes:
    """The document with its signature under another keyid, which nobody signed."""
    fields = json.loads(document)
    fields["signatures"][0]["keyid"] = keyid
    return json.dumps(fields).encode()


def stock_verify(chain: Chain, directory: Path, owner: Key | None = None) -> None:
    """The chain as a directory, under in-toto's own verifier. Raises as that does."""
    stock_directory(chain, directory)
    key = owner or chain.root.key
    layout = Metadata.load(str(directory / "root.layout"))
    in_toto_verify(layout, {key.keyid: entry(key)}, link_dir_path=str(directory))


def stock_directory(chain: Chain, directory: Path) -> None:
    """The layout and the links as a stock verifier looks for them."""
    (directory / "root.layout").write_bytes(chain.sealed_layout())
    for each in chain.links:
        (keyid,) = chain.step(each.link.name).pubkeys
        (directory / link_file_name(each.link.name, keyid)).write_bytes(renamed(each.sealed(), keyid))


def as_stock(signature: Signature, **changes: Any) -> StockSignature:
    """A signature as securesystemslib reads it."""
    beside = {name: json.loads(value) for name, value in signature.beside.items()}
    return StockSignature.from_dict({"keyid": "ab", "sig": signature.value.hex(), **beside, **changes})


def key_of(identity: Identity) -> StockKey:
    return StockKey.from_dict(identity.keyid, entry(identity))


class TestARegisteredKey:
    @pytest.fixture(autouse=True)
    def registered(self, sigstore: TrustRoot) -> None:
        register(sigstore)

    @pytest.mark.parametrize("identity", [EXACT, CLAIMS])
    def test_it_verifies_the_signature_of_its_identity(self, forge: Forge, identity: Identity) -> None:
        key_of(identity).verify_signature(as_stock(KeylessSigner(forge, MAIN).signature(DATA)), DATA)

    def test_it_reads_what_securesystemslib_s_own_signer_writes(self, forge: Forge) -> None:
        signed = KeylessSigner(forge, MAIN).signed(DATA)
        fields = {
            "sig": json.loads(signed.bundle)["messageSignature"]["signature"],
            "bundle": json.loads(signed.bundle),
        }
        key_of(EXACT).verify_signature(StockSignature.from_dict({"keyid": "ab", **fields}), DATA)

    @pytest.mark.parametrize(
        "job",
        [
            GitHubJob(repository="evil/app"),
            GitHubJob(workflow="other.yml"),
            GitHubJob.pull_request(),
            GitHubJob(repository="evil/app", called=MAIN.job_workflow_ref),
            GitHubJob(owner_id="66"),
        ],
    )
    def test_it_refuses_everybody_else_s(self, forge: Forge, job: GitHubJob) -> None:
        signature = as_stock(KeylessSigner(forge, job).signature(DATA))
        with pytest.raises(UnverifiedSignatureError, match=r"expected .*, found"):
            key_of(CLAIMS).verify_signature(signature, DATA)

    def test_a_ref_of_any_name_is_one_that_begins_so(self, forge: Forge) -> None:
        tag = as_stock(KeylessSigner(forge, GitHubJob.tag()).signature(DATA))
        key_of(ANY_TAG).verify_signature(tag, DATA)
        with pytest.raises(UnverifiedSignatureError):
            key_of(ANY_TAG).verify_signature(as_stock(KeylessSigner(forge, MAIN).signature(DATA)), DATA)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.CERTIFICATE_BY_A_PRIVATE_AUTHORITY,
            Fault.CERTIFICATE_EXPIRED,
            Fault.SCT_MISSING,
            Fault.ENTRY_OF_ANOTHER_ARTIFACT,
            Fault.CHECKPOINT_BY_ANOTHER_LOG,
            Fault.TIMESTAMP_BY_ANOTHER_AUTHORITY,
            Fault.SIGNATURE_OVER_ANOTHER_ARTIFACT,
        ],
    )
    def test_proofs_that_do_not_hold_are_no_signature(self, forge: Forge, fault: Fault) -> None:
        signature = as_stock(KeylessSigner(forge, MAIN, fault=fault).signature(DATA))
        with pytest.raises(VerificationError, match="under the forge"):
            key_of(EXACT).verify_signature(signature, DATA)

    def test_another_instance_s_certificate_is_none(self) -> None:
        signature = as_stock(KeylessSigner(Forge(), MAIN).signature(DATA))
        with pytest.raises(VerificationError):
            key_of(EXACT).verify_signature(signature, DATA)

    @pytest.mark.parametrize("data", [b"other", b"", DATA + b"\x00"])
    def test_other_bytes_are_not_what_was_signed(self, forge: Forge, data: bytes) -> None:
        with pytest.raises(VerificationError):
            key_of(EXACT).verify_signature(as_stock(KeylessSigner(forge, MAIN).signature(DATA)), data)

    def test_nothing_is_not_the_empty_document_that_somebody_signed(self, forge: Forge) -> None:
        signature = as_stock(KeylessSigner(forge, MAIN).signature(pae("", b"")))
        with pytest.raises(VerificationError, match="found nothing"):
            key_of(EXACT).verify_signature(signature, b"")

    @pytest.mark.parametrize("sig", ["", "00", "not a signature", "AAAA"])
    def test_the_signature_itself_counts_and_not_only_what_is_beside_it(self, forge: Forge, sig: str) -> None:
        signature = as_stock(KeylessSigner(forge, MAIN).signature(DATA), sig=sig)
        with pytest.raises(VerificationError):
            key_of(EXACT).verify_signature(signature, DATA)

    @pytest.mark.parametrize("extension", [{}, [], "x", {"kind": "other", "ext": {}}, None])
    def test_material_that_is_none_is_no_signature(self, forge: Forge, extension: object) -> None:
        signature = as_stock(KeylessSigner(forge, MAIN).signature(DATA), extension=extension)
        with pytest.raises(VerificationError):
            key_of(EXACT).verify_signature(signature, DATA)

    def test_a_signature_with_nothing_beside_it_is_nobody_s(self) -> None:
        with pytest.raises(UnverifiedSignatureError, match="expected a certificate beside it"):
            key_of(EXACT).verify_signature(StockSignature("ab", "00"), DATA)

    @pytest.mark.parametrize(
        "changes",
        [
            {"scheme": "Fulcio"},
            {"keyval": {"identity": MAIN.identity}},
            {"keyval": {"identity": "https://github.com/*", "issuer": GITHUB_ISSUER}},
            {"keyval": {"identity": MAIN.identity, "issuer": GITHUB_ISSUER, "claims": {"sub": "x"}}},
            {"keyval": {"identity": MAIN.identity, "issuer": GITHUB_ISSUER, "regex": ".*"}},
            {"keyval": "x"},
            {"threshold": 1},
        ],
    )
    def test_an_entry_that_says_something_else_is_no_key(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"."):
            StockKey.from_dict(CLAIMS.keyid, {**entry(CLAIMS), **changes})

    @pytest.mark.parametrize("identity", [EXACT, CLAIMS])
    def test_it_is_written_as_it_was_read(self, identity: Identity) -> None:
        fields = key_of(identity).to_dict()
        assert {**fields, "keyid": identity.keyid} == entry(identity)
        assert key_of(identity) == key_of(identity)

    def test_gittuf_s_spelling_of_the_scheme_is_read(self, forge: Forge) -> None:
        key = StockKey.from_dict(EXACT.keyid, {**entry(EXACT), "scheme": "fulcio"})
        key.verify_signature(as_stock(KeylessSigner(forge, MAIN).signature(DATA)), DATA)

    def test_a_later_root_replaces_the_one_before(self, forge: Forge) -> None:
        other = Forge()
        register(trust_root(other))
        key_of(EXACT).verify_signature(as_stock(KeylessSigner(other, MAIN).signature(DATA)), DATA)
        with pytest.raises(VerificationError):
            key_of(EXACT).verify_signature(as_stock(KeylessSigner(forge, MAIN).signature(DATA)), DATA)

    @pytest.mark.parametrize("wrapper", ["dsse", "metablock"])
    def test_both_wrappers_of_in_toto_verify(self, forge: Forge, wrapper: str) -> None:
        link = StockLink(name="build")
        metadata = StockEnvelope.from_signable(link) if wrapper == "dsse" else Metablock(signed=link)
        data = metadata.pae() if isinstance(metadata, StockEnvelope) else link.signable_bytes
        signature = as_stock(KeylessSigner(forge, MAIN).signature(data), keyid=CLAIMS.keyid)
        if isinstance(metadata, StockEnvelope):
            metadata.signatures[CLAIMS.keyid] = signature
        else:
            metadata.signatures.append(signature.to_dict())
        metadata.verify_signature(entry(CLAIMS))
        if isinstance(metadata, StockEnvelope):
            metadata.payload += b" "
        else:
            link.name = "scan"
        with pytest.raises(SignatureVerificationError):
            metadata.verify_signature(entry(CLAIMS))


class TestTheReferenceVerifier:
    @pytest.mark.parametrize("functionary", [EXACT, CLAIMS])
    def test_it_passes_a_keyless_chain(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot, tmp_path: Path, functionary: Identity
    ) -> None:
        register(sigstore)
        by_identity(chain, "build", KeylessSigner(forge, MAIN), functionary)
        stock_verify(chain, tmp_path)

    def test_it_passes_a_layout_by_an_identity(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot, tmp_path: Path
    ) -> None:
        register(sigstore)
        chain.layout_signers = [KeylessSigner(forge, MAIN)]
        stock_verify(chain, tmp_path, EXACT)

    def test_it_denies_a_layout_by_another_identity(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot, tmp_path: Path
    ) -> None:
        register(sigstore)
        chain.layout_signers = [KeylessSigner(forge, GitHubJob(workflow="other.yml"))]
        chain.layout_document = renamed(chain.sealed_layout(), EXACT.keyid)
        with pytest.raises(SignatureVerificationError):
            stock_verify(chain, tmp_path, EXACT)

    @pytest.mark.parametrize(
        "job",
        [
            GitHubJob(repository="evil/app", called=MAIN.job_workflow_ref, sha="c0ffee"),
            GitHubJob(owner_id="66", sha="c0ffee"),
            GitHubJob.pull_request(sha="c0ffee"),
        ],
    )
    def test_it_denies_a_link_by_somebody_else_under_the_functionary_s_keyid(
        self, chain: Chain, forge: Forge, sigstore: TrustRoot, tmp_path: Path, job: GitHubJob
    ) -> None:
        register(sigstore)
        by_identity(chain, "build", KeylessSigner(forge, job), CLAIMS)
        with pytest.raises(ThresholdVerificationError):
            stock_verify(chain, tmp_path)


def test_the_lines_of_the_documentation_do_what_they_say(
    chain: Chain, forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "layouts.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    stock_directory(chain, tmp_path)
    (tmp_path / "trusted_root.json").write_text(forge.trusted_root)
    monkeypatch.chdir(tmp_path)
    exec(compile(lines, "docs/layouts.md", "exec"), {"owner": entry(chain.root.key)})


class TestAReaderThatDoesNotKnowUs:
    """It fails closed: it reads no such layout, and never checks less than the layout demands."""

    @pytest.mark.parametrize("functionary", [EXACT, CLAIMS, ANY_TAG])
    def test_as_installed_it_reads_no_layout_with_an_identity(
        self, chain: Chain, forge: Forge, tmp_path: Path, functionary: Identity
    ) -> None:
        by_identity(chain, "build", KeylessSigner(forge, MAIN), functionary)
        with pytest.raises(ValueError, match="Unsupported public key sigstore-oidc/"):
            stock_verify(chain, tmp_path)

    @pytest.mark.parametrize("functionary", [CLAIMS, ANY_TAG])
    def test_with_securesystemslib_s_own_key_it_reads_none_that_demands_more(
        self, chain: Chain, forge: Forge, tmp_path: Path, functionary: Identity
    ) -> None:
        KEY_FOR_TYPE_AND_SCHEME["sigstore-oidc", "Fulcio"] = SigstoreKey
        by_identity(chain, "build", KeylessSigner(forge, MAIN), functionary)
        with pytest.raises(ValueError, match="Unsupported public key sigstore-oidc/fulcio-claims-v1"):
            stock_verify(chain, tmp_path)

    def test_with_securesystemslib_s_own_key_it_reads_an_exact_identity(self, chain: Chain) -> None:
        KEY_FOR_TYPE_AND_SCHEME["sigstore-oidc", "Fulcio"] = SigstoreKey
        document = parse_envelope(chain.sealed_layout(), "root.layout")
        assert EXACT.keyid in StockLayout.read(json.loads(document.payload)).keys
