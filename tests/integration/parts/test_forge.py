"""What the forge makes is what Sigstore makes: sigstore-python's own verifier accepts it, and refuses each fault."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sigstore.errors import Error
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier, policy
from tests.parts.certificate_authority import Claims
from tests.parts.forge import Fault, Forge, Form, GitHubJob, Log, Signed, faults
from tests.parts.github_job import GITHUB_ISSUER

PAYLOAD_TYPE = "application/vnd.in-toto+json"
PAYLOAD = b'{"_type": "link", "name": "build"}'
WAYS = [(log, form) for log in Log for form in Form]
OUTSIDE = "cert is not valid at validation time"
NO_TIME = "not enough sources of verified time"
OTHER_ENTRY = "inconsistent with other materials|log entry (signatures|payload hash) do(es)? not match"
REFUSALS = {
    Fault.CERTIFICATE_EXPIRED: OUTSIDE,
    Fault.CERTIFICATE_NOT_YET_VALID: OUTSIDE,
    Fault.CERTIFICATE_BY_A_PRIVATE_AUTHORITY: "candidates exhausted: signature does not match",
    Fault.CERTIFICATE_NOT_FOR_SIGNATURES: "Key usage is not of type `digital signature`",
    Fault.CERTIFICATE_NOT_FOR_CODE: "Extended usage does not contain `code signing`",
    Fault.SCT_MISSING: "does not contain a signed certificate timestamp extension",
    Fault.SCT_BY_ANOTHER_LOG: "SCT verify failed: keyring: invalid signature",
    Fault.SCT_OF_ANOTHER_CERTIFICATE: "SCT verify failed: keyring: invalid signature",
    Fault.TWO_SCTS: "Expected one certificate timestamp, found 2",
    Fault.SIGNATURE_BY_ANOTHER_KEY: "Signature is invalid for input|DSSE: invalid signature",
    Fault.SIGNATURE_OVER_ANOTHER_ARTIFACT: "Signature is invalid for input|DSSE: invalid signature",
    Fault.SIGNATURE_SWAPPED: OTHER_ENTRY,
    Fault.DIGEST_OF_ANOTHER_ARTIFACT: "Bundle message digest mismatch",
    Fault.TWO_SIGNATURES: "exactly one signature",
    Fault.ENTRY_MISSING: "tlogEntries\n +Field required",
    Fault.TWO_ENTRIES: "expected exactly one log entry",
    Fault.ENTRY_OF_UNKNOWN_KIND: "got intoto|entry type: intoto/|only supported for dsse/hashedrekord",
    Fault.ENTRY_OF_UNKNOWN_VERSION: "got 0.0.9",
    Fault.ENTRY_OF_ANOTHER_ARTIFACT: OTHER_ENTRY,
    Fault.ENTRY_OF_ANOTHER_CERTIFICATE: OTHER_ENTRY,
    Fault.ENTRY_CHANGED_AFTERWARDS: "inclusion proof contains invalid root hash",
    Fault.ENTRY_IN_ANOTHER_LOG: "checkpoint: invalid signature",
    Fault.PROOF_MISSING: "inclusionProof\n +Field required",
    Fault.PROOF_OF_ANOTHER_ENTRY: "inclusion proof contains invalid root hash",
    Fault.CHECKPOINT_MISSING: "entry must contain inclusion proof, with checkpoint",
    Fault.CHECKPOINT_BY_ANOTHER_LOG: "checkpoint: Signature not found for log ID",
    Fault.CHECKPOINT_FORGED: "checkpoint: invalid signature",
    Fault.CHECKPOINT_OF_ANOTHER_TREE: "invalid root hash signature",
    Fault.PROMISE_MISSING: "must contain an inclusion promise or signed timestamp",
    Fault.PROMISE_BY_ANOTHER_LOG: "SET: invalid inclusion promise",
    Fault.PROMISE_FOR_ANOTHER_TIME: "SET: invalid inclusion promise",
    Fault.TIMESTAMP_MISSING: "must contain an inclusion promise or signed timestamp",
    Fault.TIMESTAMP_BY_ANOTHER_AUTHORITY: NO_TIME,
    Fault.TIMESTAMP_OF_ANOTHER_SIGNATURE: NO_TIME,
    Fault.TIMESTAMP_OUTSIDE_CERTIFICATE: OUTSIDE,
    Fault.TIMESTAMP_BEFORE_ITS_AUTHORITY: NO_TIME,
    Fault.TIMESTAMP_NOT_GRANTED: NO_TIME,
    Fault.TIMESTAMP_GARBLED: "Invalid Timestamp Response",
    Fault.TIMESTAMP_REPEATED: "duplicate timestamp found",
}


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


def signed_by(
    forge: Forge, log: Log, form: Form, fault: Fault | None = None, at: datetime | None = None
) -> Signed:
    if form is Form.DSSE:
        return forge.sign_dsse(PAYLOAD_TYPE, PAYLOAD, log=log, fault=fault, at=at)
    return forge.sign(PAYLOAD, log=log, fault=fault, at=at)


def verify(
    forge: Forge, bundle: bytes, form: Form, identity: str = GitHubJob().identity, issuer: str = GITHUB_ISSUER
) -> None:
    verifier = Verifier(trusted_root=ClientTrustConfig.from_json(forge.trust_config).trusted_root)
    expected = policy.Identity(identity=identity, issuer=issuer)
    read = Bundle.from_json(bundle)
    if form is Form.DSSE:
        assert verifier.verify_dsse(read, expected) == (PAYLOAD_TYPE, PAYLOAD)
    else:
        verifier.verify_artifact(PAYLOAD, read, expected)


@pytest.mark.parametrize(("log", "form"), WAYS)
def test_what_has_no_fault_is_accepted(forge: Forge, log: Log, form: Form) -> None:
    verify(forge, signed_by(forge, log, form).bundle, form)


@pytest.mark.parametrize(
    ("log", "form", "fault"), [(log, form, fault) for log, form in WAYS for fault in faults(log, form)]
)
def test_each_fault_is_refused_for_what_it_is(forge: Forge, log: Log, form: Form, fault: Fault) -> None:
    with pytest.raises(Error, match=REFUSALS[fault]):
        verify(forge, signed_by(forge, log, form, fault).bundle, form)


def test_no_fault_is_left_out() -> None:
    assert {fault for log, form in WAYS for fault in faults(log, form)} == set(Fault) == set(REFUSALS)


def test_a_fault_that_this_way_of_signing_cannot_have_is_no_silent_pass(forge: Forge) -> None:
    with pytest.raises(ValueError, match="PROMISE_MISSING is no fault of MESSAGE in V2"):
        forge.sign(PAYLOAD, log=Log.V2, fault=Fault.PROMISE_MISSING)


@pytest.mark.parametrize(("log", "form"), WAYS)
def test_what_another_instance_signed_is_refused(forge: Forge, log: Log, form: Form) -> None:
    with pytest.raises(Error, match=r"candidates exhausted|not enough sources"):
        verify(forge, signed_by(Forge(), log, form).bundle, form)


@pytest.mark.parametrize(("log", "form"), WAYS)
def test_what_was_signed_long_ago_is_accepted(forge: Forge, log: Log, form: Form) -> None:
    at = forge.now - timedelta(days=100)
    verify(forge, signed_by(forge, log, form, at=at).bundle, form)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_old_bundles_are_accepted(forge: Forge, form: Form, version: str) -> None:
    verify(forge, signed_by(forge, Log.V1, form).old_bundle(version), form)


def test_a_forge_can_live_at_another_time() -> None:
    forge = Forge(datetime(2041, 5, 1, tzinfo=UTC))
    for log, form in WAYS:
        verify(forge, signed_by(forge, log, form).bundle, form)


def test_a_log_grows_and_proves_each_entry_by_its_place(forge: Forge) -> None:
    for _ in range(9):
        verify(forge, signed_by(forge, Log.V2, Form.MESSAGE).bundle, Form.MESSAGE)


def test_a_job_is_in_the_certificate_claim_by_claim(forge: Forge) -> None:
    job = GitHubJob(repository="octo/lib", ref="refs/heads/next", owner_id="9", environment="prod")
    signed = forge.sign(PAYLOAD, job=job)
    verify(forge, signed.bundle, Form.MESSAGE, job.identity)
    policy.AllOf(
        [
            policy.GitHubWorkflowTrigger("push"),
            policy.GitHubWorkflowSHA("a" * 40),
            policy.GitHubWorkflowName("build"),
            policy.GitHubWorkflowRepository("octo/lib"),
            policy.GitHubWorkflowRef("refs/heads/next"),
            policy.OIDCIssuerV2(GITHUB_ISSUER),
            policy.OIDCBuildSignerURI(job.identity),
            policy.OIDCBuildSignerDigest("a" * 40),
            policy.OIDCRunnerEnvironment("github-hosted"),
            policy.OIDCSourceRepositoryURI("https://github.com/octo/lib"),
            policy.OIDCSourceRepositoryDigest("a" * 40),
            policy.OIDCSourceRepositoryRef("refs/heads/next"),
            policy.OIDCSourceRepositoryIdentifier("74"),
            policy.OIDCSourceRepositoryOwnerURI("https://github.com/octo"),
            policy.OIDCSourceRepositoryOwnerIdentifier("9"),
            policy.OIDCBuildConfigURI(job.identity),
            policy.OIDCBuildConfigDigest("a" * 40),
            policy.OIDCBuildTrigger("push"),
            policy.OIDCRunInvocationURI("https://github.com/octo/lib/actions/runs/30433642/attempts/1"),
            policy.OIDCSourceRepositoryVisibility("public"),
        ]
    ).verify(signed.certificate)
    said = {each.oid.dotted_string: each.value for each in signed.certificate.extensions}
    assert said["1.3.6.1.4.1.57264.1.23"].public_bytes() == b"\x0c\x04prod"


def test_a_workflow_that_is_called_has_the_name_and_the_caller_the_claims(forge: Forge) -> None:
    shared = "octo/shared/.github/workflows/build.yml@refs/tags/v1"
    signed = forge.sign(PAYLOAD, job=GitHubJob(called=shared))
    verify(forge, signed.bundle, Form.MESSAGE, f"https://github.com/{shared}")
    policy.OIDCBuildSignerURI(f"https://github.com/{shared}").verify(signed.certificate)
    policy.OIDCSourceRepositoryURI("https://github.com/octo/app").verify(signed.certificate)


def test_an_identity_says_no_more_than_it_is_told_to(forge: Forge) -> None:
    claims: Claims = {"source-repository": "https://example.com/app", "22": None}
    signed = forge.sign(PAYLOAD, identity="ada@example.com", issuer="https://id.example.com", claims=claims)
    verify(forge, signed.bundle, Form.MESSAGE, "ada@example.com", "https://id.example.com")
    numbers = [
        each.oid.dotted_string.removeprefix("1.3.6.1.4.1.57264.1.")
        for each in signed.certificate.extensions
        if each.oid.dotted_string.startswith("1.3.6.1.4.1.57264.1.")
    ]
    assert numbers == ["1", "8", "12"]


def test_a_claim_can_be_taken_out_or_written_as_raw_bytes(forge: Forge) -> None:
    claims: Claims = {"visibility": None, "source-ref": b"\x0c\x03abcd"}
    certificate = forge.sign(PAYLOAD, claims=claims).certificate
    said = {each.oid.dotted_string: each.value for each in certificate.extensions}
    assert said["1.3.6.1.4.1.57264.1.14"].public_bytes() == b"\x0c\x03abcd"
    assert "1.3.6.1.4.1.57264.1.22" not in said


def test_in_rekor_v2_an_envelope_s_material_is_that_of_its_encoding_and_in_v1_it_is_not(forge: Forge) -> None:
    """Why a key or workflow that is a functionary must sign nothing but envelopes."""
    for log, refusal in ((Log.V2, None), (Log.V1, "Expected entry type hashedrekord, got dsse")):
        envelope = forge.sign_dsse(PAYLOAD_TYPE, PAYLOAD, log=log)
        message = forge.sign(envelope.data)
        content = {**message.content["messageSignature"], "signature": as_base64(envelope)}
        document = {**json.loads(envelope.bundle), "messageSignature": content}
        del document["dsseEnvelope"]
        read = Bundle.from_json(json.dumps(document))
        verifier = Verifier(trusted_root=ClientTrustConfig.from_json(forge.trust_config).trusted_root)
        if refusal is None:
            verifier.verify_artifact(envelope.data, read, policy.UnsafeNoOp())
        else:
            with pytest.raises(Error, match=refusal):
                verifier.verify_artifact(envelope.data, read, policy.UnsafeNoOp())


def as_base64(envelope: Signed) -> object:
    return envelope.content["dsseEnvelope"]["signatures"][0]["sig"]


@pytest.mark.parametrize("log", Log)
def test_a_bundle_of_one_form_is_none_of_the_other(forge: Forge, log: Log) -> None:
    with pytest.raises(Error, match="without a DSSE envelope"):
        verify(forge, forge.sign(PAYLOAD, log=log).bundle, Form.DSSE)
    with pytest.raises(Error, match="Missing bundle message signature"):
        verify(forge, forge.sign_dsse(PAYLOAD_TYPE, PAYLOAD, log=log).bundle, Form.MESSAGE)
