"""A keyless signature holds when every proof for it does; each proof broken alone is told."""

import base64
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore.models import ClientTrustConfig
from tests.parts.forge import Fault, Forge, Form, GitHubJob, Log, faults
from tests.parts.keyless_signer import KeylessSigner, enveloped, trust_root

from intoto_action.formats.envelope import PAYLOAD_TYPE, Envelope, Signature, Wrapper, pae, parse_envelope
from intoto_action.formats.identity import Identity, identity_of
from intoto_action.formats.material import KIND, MOST_TIMESTAMPS
from intoto_action.reason import Malformed
from intoto_action.trust.keyless import MOST_KEYLESS, SigstoreNeeded, TrustRoot
from intoto_action.trust.signature import check_signature, examine

PAYLOAD = b'{"_type":"link","name":"build"}'
STATEMENT = (
    b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"x","digest":{"sha256":"%s"}}],'
    % (b"ab" * 32)
    + b'"predicateType":"https://example.com/v1","predicate":{}}'
)
MESSAGE_FAULTS = [(log, fault) for log in Log for fault in faults(log, Form.MESSAGE)]
BUNDLE_FAULTS = [(log, fault) for log in Log for fault in faults(log, Form.DSSE)]
NO_BUNDLE_HERE = {Fault.DIGEST_OF_ANOTHER_ARTIFACT}
"""A link's signature stands in its envelope, and no digest beside it."""
OUTSIDE = "a certificate that chains to the root and is valid at .* found .*not valid at validation time"
NO_TIME = "a time of signing that a trusted authority or log vouches for, under the forge, found no promise"
NEITHER = "a timestamp, or the log's promise with a time, found neither"
NO_SCT = "a certificate with one signed certificate timestamp of a trusted log, under the forge, found"
NOT_ITS_CHECKPOINT = "a checkpoint signed by the log of the entry, under the forge, found"
SAYS = {
    Fault.CERTIFICATE_EXPIRED: OUTSIDE,
    Fault.CERTIFICATE_NOT_YET_VALID: OUTSIDE,
    Fault.CERTIFICATE_BY_A_PRIVATE_AUTHORITY: "chains to the root .* found .*signature does not match",
    Fault.CERTIFICATE_NOT_FOR_SIGNATURES: "a key usage of digital signatures",
    Fault.CERTIFICATE_NOT_FOR_CODE: "an extended key usage of code signing",
    Fault.SCT_MISSING: f"{NO_SCT} one without",
    Fault.SCT_BY_ANOTHER_LOG: f"{NO_SCT} one of a log that is not known",
    Fault.SCT_OF_ANOTHER_CERTIFICATE: f"{NO_SCT} a timestamp that the log has not signed for this",
    Fault.TWO_SCTS: f"{NO_SCT} one with 2",
    Fault.SIGNATURE_BY_ANOTHER_KEY: "a signature by the key of the certificate",
    Fault.SIGNATURE_OVER_ANOTHER_ARTIFACT: "a signature by the key of the certificate",
    Fault.SIGNATURE_SWAPPED: "a log entry with the same signature",
    Fault.ENTRY_MISSING: "one entry of a transparency log beside the certificate, found no entry",
    Fault.TWO_ENTRIES: "one entry of a transparency log beside the certificate, found 2",
    Fault.ENTRY_OF_UNKNOWN_KIND: "a log entry of an? (message|envelope), of kind .* found 'intoto 0.0.[12]'",
    Fault.ENTRY_OF_UNKNOWN_VERSION: "a log entry of .*, of kind .* found '(dsse|hashedrekord) 0.0.9'",
    Fault.ENTRY_OF_ANOTHER_ARTIFACT: "a log entry about sha256 .*, found sha256",
    Fault.ENTRY_OF_ANOTHER_CERTIFICATE: "a log entry with the same certificate",
    Fault.ENTRY_CHANGED_AFTERWARDS: "an inclusion proof that leads to the root",
    Fault.ENTRY_IN_ANOTHER_LOG: "an entry of a trusted log, under the forge, found one of a log that nobody here knows",
    Fault.PROOF_MISSING: "missing required field `inclusionProof`",
    Fault.PROOF_OF_ANOTHER_ENTRY: "an inclusion proof (that leads to the root|of [0-9]+ hashes)",
    Fault.CHECKPOINT_MISSING: "missing required field `checkpoint`",
    Fault.CHECKPOINT_BY_ANOTHER_LOG: f"{NOT_ITS_CHECKPOINT} one signed by",
    Fault.CHECKPOINT_FORGED: f"{NOT_ITS_CHECKPOINT} a signature that is not its own",
    Fault.CHECKPOINT_OF_ANOTHER_TREE: "a checkpoint of the proof's tree",
    Fault.PROMISE_MISSING: NEITHER,
    Fault.PROMISE_BY_ANOTHER_LOG: "a promise of the log .* found one that the log has not signed",
    Fault.PROMISE_FOR_ANOTHER_TIME: "a promise of the log .* found one that the log has not signed",
    Fault.TIMESTAMP_MISSING: NEITHER,
    Fault.TIMESTAMP_BY_ANOTHER_AUTHORITY: NO_TIME,
    Fault.TIMESTAMP_OF_ANOTHER_SIGNATURE: NO_TIME,
    Fault.TIMESTAMP_OUTSIDE_CERTIFICATE: OUTSIDE,
    Fault.TIMESTAMP_BEFORE_ITS_AUTHORITY: NO_TIME,
    Fault.TIMESTAMP_NOT_GRANTED: NO_TIME,
    Fault.TIMESTAMP_GARBLED: r"a timestamp response \(RFC 3161\), under the forge, found bytes that are none",
    Fault.TIMESTAMP_REPEATED: "each timestamp once, found the same one twice",
}
"""What is said of each fault: the check that it breaks, and no other one."""


def name_of(value: object) -> str:
    return getattr(value, "name", "")


@pytest.mark.parametrize("log", Log, ids=name_of)
def test_a_signature_with_all_its_proofs_is_by_the_holder_of_its_certificate(
    forge: Forge, sigstore: TrustRoot, log: Log
) -> None:
    signer = KeylessSigner(forge, log=log)
    signed = check_signature(enveloped(signer, PAYLOAD), signer.key, sigstore)
    assert signed is not None
    assert signed.certificate is not None
    assert signed.certificate.identity == GitHubJob().identity
    assert signed.certificate.claim("source-repository") == "https://github.com/octo/app"


@pytest.mark.parametrize("log", Log, ids=name_of)
def test_a_bundle_with_all_its_proofs_is_by_the_holder_of_its_certificate(
    forge: Forge, sigstore: TrustRoot, log: Log
) -> None:
    signer = KeylessSigner(forge, log=log)
    envelope = parse_envelope(signer.bundle(PAYLOAD_TYPE, STATEMENT), "the bundle")
    assert check_signature(envelope, signer.key, sigstore) is not None


@pytest.mark.parametrize(
    ("log", "fault"), [each for each in MESSAGE_FAULTS if each[1] not in NO_BUNDLE_HERE], ids=name_of
)
def test_each_fault_of_a_signature_is_refused_alone(
    forge: Forge, sigstore: TrustRoot, log: Log, fault: Fault
) -> None:
    signer = KeylessSigner(forge, log=log, fault=fault)
    found = examine(enveloped(signer, PAYLOAD), (signer.key,), sigstore, "the link")
    assert not found.fits
    assert not found.strangers
    (told,) = found.faults
    assert told.where.startswith("the link")
    assert re.search(SAYS[fault], str(told)), told


@pytest.mark.parametrize(
    ("log", "fault"), [each for each in BUNDLE_FAULTS if each[1] is not Fault.TWO_SIGNATURES], ids=name_of
)
def test_each_fault_of_a_bundle_is_refused_alone(
    forge: Forge, sigstore: TrustRoot, log: Log, fault: Fault
) -> None:
    signer = KeylessSigner(forge, log=log, fault=fault)
    envelope = parse_envelope(signer.bundle(PAYLOAD_TYPE, STATEMENT), "the bundle")
    found = examine(envelope, (signer.key,), sigstore, "the bundle")
    assert not found.fits
    assert not found.strangers
    (told,) = found.faults
    assert re.search(SAYS[fault], str(told)), told


def test_a_bundle_with_two_signatures_is_not_even_read(forge: Forge) -> None:
    signer = KeylessSigner(forge, fault=Fault.TWO_SIGNATURES)
    with pytest.raises(Malformed, match="one signature for each keyid"):
        parse_envelope(signer.bundle(PAYLOAD_TYPE, STATEMENT), "the bundle")


def test_a_signature_without_a_log_entry_is_said_to_have_none(forge: Forge, sigstore: TrustRoot) -> None:
    signer = KeylessSigner(forge, fault=Fault.ENTRY_MISSING)
    (fault,) = examine(enveloped(signer, PAYLOAD), (signer.key,), sigstore).faults
    assert "GitHub's own instance for private repositories" in fault.found


def test_the_signatures_of_one_instance_mean_nothing_under_the_root_of_another(forge: Forge) -> None:
    signer = KeylessSigner(forge)
    other = trust_root(Forge())
    assert check_signature(enveloped(signer, PAYLOAD), signer.key, other) is None


def test_an_identity_without_a_root_asks_for_one(forge: Forge) -> None:
    signer = KeylessSigner(forge)
    with pytest.raises(SigstoreNeeded):
        check_signature(enveloped(signer, PAYLOAD), signer.key, None)


def test_an_envelope_without_keyless_signatures_needs_no_root(forge: Forge) -> None:
    bare = Envelope(Wrapper.DSSE, PAYLOAD_TYPE, PAYLOAD, (Signature("ab", b"x"),), b"")
    assert check_signature(bare, KeylessSigner(forge).key, None) is None


class TestForms:
    """Where the material stands beside a signature."""

    def with_beside(
        self, signer: KeylessSigner, beside: dict[str, Any], value: bytes | None = None
    ) -> Envelope:
        bare = Envelope(Wrapper.DSSE, PAYLOAD_TYPE, PAYLOAD, (), b"")
        encoded = {name: msgspec.json.encode(each) for name, each in beside.items()}
        signature = Signature("", value or b"", encoded)
        return msgspec.structs.replace(bare, signatures=(signature,))

    def test_the_bundle_of_securesystemslib_is_read(self, forge: Forge, sigstore: TrustRoot) -> None:
        signer = KeylessSigner(forge)
        signed = signer.signed(pae(PAYLOAD_TYPE, PAYLOAD))
        envelope = self.with_beside(signer, {"bundle": json.loads(signed.bundle)}, signed.signature)
        assert check_signature(envelope, signer.key, sigstore) is not None

    @pytest.mark.parametrize("version", ["0.1", "0.2"])
    def test_its_older_versions_are_read(self, forge: Forge, sigstore: TrustRoot, version: str) -> None:
        signer = KeylessSigner(forge, log=Log.V1)
        signed = signer.signed(pae(PAYLOAD_TYPE, PAYLOAD))
        envelope = self.with_beside(
            signer, {"bundle": json.loads(signed.old_bundle(version))}, signed.signature
        )
        assert check_signature(envelope, signer.key, sigstore) is not None

    def test_a_chain_of_certificates_in_an_extension_is_read(self, forge: Forge, sigstore: TrustRoot) -> None:
        signer = KeylessSigner(forge, log=Log.V1)
        signed = signer.signed(pae(PAYLOAD_TYPE, PAYLOAD))
        material = json.loads(signed.old_bundle("0.2"))["verificationMaterial"]
        envelope = self.with_beside(signer, {"extension": {"kind": KIND, "ext": material}}, signed.signature)
        assert check_signature(envelope, signer.key, sigstore) is not None

    def test_a_signature_that_is_not_the_one_inside_the_bundle_is_refused(
        self, forge: Forge, sigstore: TrustRoot
    ) -> None:
        signer = KeylessSigner(forge)
        signed = signer.signed(pae(PAYLOAD_TYPE, PAYLOAD))
        envelope = self.with_beside(signer, {"bundle": json.loads(signed.bundle)}, b"another")
        (fault,) = examine(envelope, (signer.key,), sigstore).faults
        assert fault.expected == "the signature that is inside the bundle beside it"

    def test_an_extension_of_an_unknown_kind_is_refused(self, forge: Forge, sigstore: TrustRoot) -> None:
        signer = KeylessSigner(forge)
        signed = signer.signed(pae(PAYLOAD_TYPE, PAYLOAD))
        envelope = self.with_beside(
            signer, {"extension": {"kind": "application/x", "ext": signed.material}}, signed.signature
        )
        (fault,) = examine(envelope, (signer.key,), sigstore).faults
        assert fault.found == "'application/x'"

    def test_an_extension_and_a_bundle_at_once_are_refused(self, forge: Forge, sigstore: TrustRoot) -> None:
        signer = KeylessSigner(forge)
        signed = signer.signed(pae(PAYLOAD_TYPE, PAYLOAD))
        beside = {"extension": {"kind": KIND, "ext": signed.material}, "bundle": json.loads(signed.bundle)}
        (fault,) = examine(self.with_beside(signer, beside, signed.signature), (signer.key,), sigstore).faults
        assert fault.found == "both"

    def test_a_bundle_around_an_envelope_is_none_of_a_message(
        self, forge: Forge, sigstore: TrustRoot
    ) -> None:
        signer = KeylessSigner(forge)
        inner = json.loads(signer.bundle(PAYLOAD_TYPE, STATEMENT))
        envelope = self.with_beside(signer, {"bundle": inner}, b"x")
        (fault,) = examine(envelope, (signer.key,), sigstore).faults
        assert fault.expected == "a bundle with a message signature beside a signature"

    def test_a_message_bundle_is_no_attestation(self, forge: Forge) -> None:
        signed = KeylessSigner(forge).signed(pae(PAYLOAD_TYPE, STATEMENT))
        with pytest.raises(Malformed, match="a bare signature"):
            parse_envelope(signed.bundle, "the bundle")

    def test_a_bundle_with_a_key_is_no_identity_s(self, forge: Forge, sigstore: TrustRoot) -> None:
        document = json.loads(KeylessSigner(forge).bundle(PAYLOAD_TYPE, STATEMENT))
        document["verificationMaterial"] = {"publicKey": {"hint": ""}}
        envelope = parse_envelope(msgspec.json.encode(document), "the bundle")
        found = examine(envelope, (KeylessSigner(forge).key,), sigstore)
        assert (found.fits, found.strangers, found.faults) == ((), (), ())

    def test_a_certificate_and_a_key_at_once_are_nobody_s(self, forge: Forge, sigstore: TrustRoot) -> None:
        document = json.loads(KeylessSigner(forge).bundle(PAYLOAD_TYPE, STATEMENT))
        document["verificationMaterial"]["publicKey"] = {"hint": ""}
        envelope = parse_envelope(msgspec.json.encode(document), "the bundle")
        assert check_signature(envelope, KeylessSigner(forge).key, sigstore) is None

    def test_a_bundle_with_a_key_needs_no_root(self, forge: Forge) -> None:
        document = json.loads(KeylessSigner(forge).bundle(PAYLOAD_TYPE, STATEMENT))
        document["verificationMaterial"] = {"publicKey": {"hint": ""}}
        envelope = parse_envelope(msgspec.json.encode(document), "the bundle")
        assert check_signature(envelope, KeylessSigner(forge).key, None) is None

    def test_the_payload_of_another_signature_is_refused(self, forge: Forge, sigstore: TrustRoot) -> None:
        signer = KeylessSigner(forge)
        envelope = enveloped(signer, PAYLOAD)
        other = msgspec.structs.replace(envelope, payload=PAYLOAD.replace(b"build", b"scan"))
        assert check_signature(other, signer.key, sigstore) is None

    def test_the_payload_type_is_signed_too(self, forge: Forge, sigstore: TrustRoot) -> None:
        signer = KeylessSigner(forge)
        envelope = msgspec.structs.replace(enveloped(signer, PAYLOAD), payload_type="text/plain")
        assert check_signature(envelope, signer.key, sigstore) is None

    def test_a_blob_whose_bytes_are_a_pae_is_a_signature_over_a_link(
        self, forge: Forge, sigstore: TrustRoot
    ) -> None:
        """`cosign sign-blob` of such bytes: whoever signs blobs of others as an identity signs links as it."""
        signer = KeylessSigner(forge)
        signed = signer.signed(b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(PAYLOAD), PAYLOAD))
        envelope = self.with_beside(
            signer, {"extension": {"kind": KIND, "ext": signed.material}}, signed.signature
        )
        assert check_signature(envelope, signer.key, sigstore) is not None


class TestBounds:
    def test_no_more_keyless_signatures_are_looked_at_than_the_bound(
        self, forge: Forge, sigstore: TrustRoot
    ) -> None:
        signer = KeylessSigner(forge)
        good = enveloped(signer, PAYLOAD).signatures[0]
        junk = Signature("", b"x", good.beside)
        many = tuple(msgspec.structs.replace(junk, keyid=f"{number:02x}") for number in range(MOST_KEYLESS))
        envelope = msgspec.structs.replace(enveloped(signer, PAYLOAD), signatures=(*many, good))
        found = examine(envelope, (signer.key,), sigstore)
        assert not found.fits
        assert found.faults[-1].found == str(MOST_KEYLESS + 1)

    def test_no_more_timestamps_are_looked_at_than_the_bound(self, forge: Forge, sigstore: TrustRoot) -> None:
        signer = KeylessSigner(forge)
        signed = signer.signed(pae(PAYLOAD_TYPE, PAYLOAD))
        other = [KeylessSigner(forge).signed(b"x").material for _ in range(MOST_TIMESTAMPS)]
        timestamps = [
            each["timestampVerificationData"]["rfc3161Timestamps"][0] for each in (*other, signed.material)
        ]
        for number, holds in ((MOST_TIMESTAMPS, True), (MOST_TIMESTAMPS + 1, False)):
            data = {"rfc3161Timestamps": timestamps[-number:]}
            material = {**signed.material, "timestampVerificationData": data}
            envelope = TestForms().with_beside(
                signer, {"extension": {"kind": KIND, "ext": material}}, signed.signature
            )
            assert bool(check_signature(envelope, signer.key, sigstore)) is holds

    @pytest.mark.parametrize(
        "ext",
        [None, 1, "x", [], {}, {"certificate": {"rawBytes": "%%"}}, {"certificate": {}}, {"tlogEntries": 1}],
    )
    def test_material_of_any_other_shape_is_refused_and_no_more(
        self, forge: Forge, sigstore: TrustRoot, ext: object
    ) -> None:
        envelope = TestForms().with_beside(
            KeylessSigner(forge), {"extension": {"kind": KIND, "ext": ext}}, b"x"
        )
        found = examine(envelope, (KeylessSigner(forge).key,), sigstore)
        assert not found.fits
        assert len(found.faults) == 1

    def test_a_certificate_of_bytes_that_are_none_is_refused(self, forge: Forge, sigstore: TrustRoot) -> None:
        signed = KeylessSigner(forge).signed(b"x")
        material = {**signed.material, "certificate": {"rawBytes": base64.b64encode(b"none").decode()}}
        envelope = TestForms().with_beside(
            KeylessSigner(forge), {"extension": {"kind": KIND, "ext": material}}, signed.signature
        )
        (fault,) = examine(envelope, (KeylessSigner(forge).key,), sigstore).faults
        assert fault.expected == "an X.509 certificate in DER, under the forge"

    def test_a_certificate_for_a_key_on_another_curve_is_refused(
        self, forge: Forge, sigstore: TrustRoot
    ) -> None:
        bare = Envelope(Wrapper.DSSE, PAYLOAD_TYPE, PAYLOAD, (), b"")
        signed = forge.sign(bare.signed, curve=ec.SECP384R1())
        envelope = TestForms().with_beside(
            KeylessSigner(forge), {"extension": {"kind": KIND, "ext": signed.material}}, signed.signature
        )
        (fault,) = examine(envelope, (KeylessSigner(forge).key,), sigstore).faults
        assert fault.expected == "a certificate for an ECDSA key on P-256, under the forge"


class TestRoots:
    @pytest.mark.parametrize("document", [b"", b"{}", b"[]", b"\xff", b'{"mediaType": "x"}'])
    def test_what_is_no_trusted_root_is_malformed(self, document: bytes) -> None:
        with pytest.raises(Malformed, match="a Sigstore trusted root"):
            TrustRoot(document, "root.json")

    @pytest.mark.parametrize("field", ["tlogs", "certificateAuthorities"])
    def test_a_root_without_logs_or_authorities_is_malformed(self, forge: Forge, field: str) -> None:
        document = json.loads(forge.trusted_root)
        document[field] = []
        with pytest.raises(Malformed):
            TrustRoot(json.dumps(document).encode(), "root.json")

    def changed(self, forge: Forge, change: Callable[[dict[str, Any]], object]) -> TrustRoot:
        document = json.loads(forge.trusted_root)
        change(document)
        return TrustRoot(json.dumps(document).encode(), "the root")

    @pytest.mark.parametrize(
        ("member", "key", "found"),
        [
            ("tlogs", True, "one of a log that was not trusted at that time"),
            ("ctlogs", True, "one of a log that is not trusted at that time"),
            ("certificateAuthorities", False, "none of its authorities is trusted at that time"),
            ("timestampAuthorities", False, "no promise of the log, and timestamps by others (1)"),
        ],
    )
    @pytest.mark.parametrize("after", [False, True])
    def test_nobody_is_trusted_before_or_after_the_time_that_the_root_gives_them(
        self, forge: Forge, member: str, key: bool, found: str, after: bool
    ) -> None:
        hour = timedelta(hours=1)
        start, end = (
            (forge.now + hour, forge.now + 2 * hour) if after else (forge.now - 2 * hour, forge.now - hour)
        )

        def change(document: dict[str, Any]) -> None:
            for each in document[member]:
                period = each["publicKey"]["validFor"] if key else each["validFor"]
                period |= {"start": start.isoformat(), "end": end.isoformat()}

        signer = KeylessSigner(forge)
        (fault,) = examine(enveloped(signer, PAYLOAD), (signer.key,), self.changed(forge, change)).faults
        assert fault.found.startswith(found)

    def test_a_time_that_ends_with_the_signing_still_counts(self, forge: Forge) -> None:
        def change(document: dict[str, Any]) -> None:
            for each in document["tlogs"]:
                each["publicKey"]["validFor"]["end"] = (forge.now + timedelta(seconds=1)).isoformat()

        signer = KeylessSigner(forge)
        assert check_signature(enveloped(signer, PAYLOAD), signer.key, self.changed(forge, change))

    def test_a_timestamp_that_nobody_can_judge_is_refused(self, forge: Forge) -> None:
        root = self.changed(forge, lambda document: document.update(timestampAuthorities=[]))
        for log in (Log.V1_TIMESTAMPED, Log.V2):
            signer = KeylessSigner(forge, log=log)
            (fault,) = examine(enveloped(signer, PAYLOAD), (signer.key,), root).faults
            assert fault.expected.startswith("no timestamp")
        signer = KeylessSigner(forge, log=Log.V1)
        assert check_signature(enveloped(signer, PAYLOAD), signer.key, root) is not None

    def test_a_timestamp_authority_without_its_root_is_malformed(self, forge: Forge) -> None:
        def change(document: dict[str, Any]) -> None:
            del document["timestampAuthorities"][0]["certChain"]["certificates"][1:]

        with pytest.raises(Malformed, match="at least 2 certificates of https://tsa"):
            self.changed(forge, change)

    def test_a_timestamp_authority_with_a_certificate_twice_is_malformed(self, forge: Forge) -> None:
        def change(document: dict[str, Any]) -> None:
            certificates = document["timestampAuthorities"][0]["certChain"]["certificates"]
            certificates[1:] = [certificates[1]] * 3

        with pytest.raises(Malformed, match=r"each certificate of https://.* once"):
            self.changed(forge, change)

    @pytest.mark.parametrize("member", ["certificateAuthorities", "timestampAuthorities"])
    def test_a_certificate_that_is_none_is_told(self, forge: Forge, member: str) -> None:
        def change(document: dict[str, Any]) -> None:
            document[member][0]["certChain"]["certificates"][0]["rawBytes"] = "eA=="

        with pytest.raises(Malformed, match=r"certificates of https://.* in DER"):
            self.changed(forge, change)

    def test_the_root_that_sigstore_itself_reads_is_read(self, forge: Forge) -> None:
        assert ClientTrustConfig.from_json(forge.trust_config).trusted_root is not None


class TestWho:
    def fits(self, signer: KeylessSigner, wanted: Identity, sigstore: TrustRoot) -> bool:
        return check_signature(enveloped(signer, PAYLOAD), wanted, sigstore) is not None

    def test_the_keyid_of_a_keyless_signature_means_nothing(self, forge: Forge, sigstore: TrustRoot) -> None:
        signer = KeylessSigner(forge)
        envelope = enveloped(signer, PAYLOAD, keyid="ab" * 32)
        signed = check_signature(envelope, signer.key, sigstore)
        assert signed is not None
        assert signed.keyid == "ab" * 32

    def test_a_stranger_is_told_with_what_was_expected(self, forge: Forge, sigstore: TrustRoot) -> None:
        signer = KeylessSigner(forge, GitHubJob.pull_request())
        wanted = KeylessSigner(forge).key
        found = examine(enveloped(signer, PAYLOAD), (wanted,), sigstore)
        assert [each.identity for each in found.strangers] == [GitHubJob.pull_request().identity]
        assert [(each.expected, each.found) for each in found.differences] == [
            (wanted.identity, GitHubJob.pull_request().identity)
        ]

    def test_of_several_identities_the_closest_is_told(self, forge: Forge, sigstore: TrustRoot) -> None:
        far = identity_of("somebody@example.com", "https://accounts.example.com")
        near = identity_of(
            GitHubJob().identity, "https://token.actions.githubusercontent.com", {"event": "release"}
        )
        found = examine(enveloped(KeylessSigner(forge), PAYLOAD), (far, near), sigstore)
        assert [(each.expected, each.found) for each in found.differences] == [
            ("event release", "event push")
        ]
