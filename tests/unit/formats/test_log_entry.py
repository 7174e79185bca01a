"""What a log keeps of a signature is read in three kinds, and nothing else is an entry."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from tests.parts.forge import Forge, Form, Log, Signed
from tests.parts.hostile_json import mutated, read_or_malformed

from intoto_action.formats.log_entry import (
    LARGEST_BODY,
    EntryDocument,
    InclusionProof,
    LogEntry,
    entry_of,
    parse_logged,
)
from intoto_action.reason import Malformed

PAYLOAD = b'{"_type":"link"}'
TYPE = "application/vnd.in-toto+json"
FORGE = Forge()
WAYS = [(Log.V1, Form.MESSAGE), (Log.V1, Form.DSSE), (Log.V2, Form.MESSAGE), (Log.V2, Form.DSSE)]
Change = Callable[[dict[str, Any]], object]


def signed(log: Log, form: Form) -> Signed:
    return FORGE.sign(PAYLOAD, log=log) if form is Form.MESSAGE else FORGE.sign_dsse(TYPE, PAYLOAD, log=log)


def document_of(made: Signed) -> dict[str, Any]:
    entry: dict[str, Any] = made.material["tlogEntries"][0]
    return entry


def decoded(document: dict[str, Any]) -> LogEntry:
    return entry_of(msgspec.json.decode(json.dumps(document), type=EntryDocument), "x")


def with_body(entry: LogEntry, change: Change) -> LogEntry:
    body = json.loads(entry.body)
    change(body)
    return msgspec.structs.replace(entry, body=json.dumps(body).encode())


@pytest.mark.parametrize(("log", "form"), WAYS)
def test_an_entry_says_what_was_signed_how_and_under_which_certificate(log: Log, form: Form) -> None:
    made = signed(log, form)
    logged = parse_logged(decoded(document_of(made)), "x")
    of_payload = form is Form.DSSE and log is Log.V1
    assert logged.sha256 == hashlib.sha256(PAYLOAD if of_payload else made.data).digest()
    assert logged.signature == made.signature
    certificate = made.material["certificate"]["rawBytes"]
    assert logged.certificate == base64.b64decode(certificate)


def test_numbers_proof_and_promise_are_read() -> None:
    document = document_of(signed(Log.V1, Form.MESSAGE))
    entry = decoded(document)
    assert entry.kind == ("hashedrekord", "0.0.1")
    assert str(entry.index) == document["logIndex"]
    assert str(entry.integrated_time) == document["integratedTime"]
    assert entry.promise
    assert entry.proof.index < entry.proof.size
    assert entry.proof.checkpoint == document["inclusionProof"]["checkpoint"]["envelope"]


def test_an_entry_of_rekor_v2_has_no_time_and_no_promise() -> None:
    entry = decoded(document_of(signed(Log.V2, Form.MESSAGE)))
    assert (entry.integrated_time, entry.promise) == (0, b"")


@pytest.mark.parametrize("number", [1, "-1", "01", "1.0", "1e3", " 1", "1_0", "", "9" * 20, "1\n", "\u0661"])
@pytest.mark.parametrize("member", ["logIndex", "integratedTime"])
def test_a_number_is_a_string_of_decimal_digits(member: str, number: object) -> None:
    document = document_of(signed(Log.V1, Form.MESSAGE)) | {member: number}
    with pytest.raises(msgspec.ValidationError):
        decoded(document)


def test_the_first_entry_of_a_log_is_written_without_its_zeros() -> None:
    """As protobuf's JSON leaves out zeros and empty lists."""
    document = document_of(signed(Log.V2, Form.MESSAGE))
    del document["logIndex"], document["inclusionProof"]["logIndex"], document["inclusionProof"]["hashes"]
    document["inclusionProof"]["treeSize"] = "1"
    entry = decoded(document)
    assert (entry.index, entry.proof.index, entry.proof.size, entry.proof.hashes) == (0, 0, 1, ())


@pytest.mark.parametrize("index", ["9", "8"])
def test_a_proof_is_of_a_leaf_of_its_tree(index: str) -> None:
    document = document_of(signed(Log.V2, Form.MESSAGE))
    document["inclusionProof"] |= {"logIndex": index, "treeSize": "8"}
    with pytest.raises(Malformed, match=f"leaf {index} of 8"):
        decoded(document)


def test_a_proof_is_not_endless() -> None:
    document = document_of(signed(Log.V2, Form.MESSAGE))
    document["inclusionProof"]["hashes"] = ["AA=="] * 65
    with pytest.raises(msgspec.ValidationError, match="length"):
        decoded(document)


@pytest.mark.parametrize("member", ["logId", "kindVersion", "inclusionProof", "canonicalizedBody"])
def test_an_entry_is_whole(member: str) -> None:
    document = document_of(signed(Log.V2, Form.MESSAGE))
    del document[member]
    with pytest.raises(msgspec.ValidationError, match=member):
        decoded(document)


@pytest.mark.parametrize("path", [(), ("inclusionProof",), ("kindVersion",), ("logId",)])
def test_a_member_that_nobody_knows_is_refused(path: tuple[str, ...]) -> None:
    document = document_of(signed(Log.V2, Form.MESSAGE))
    inside = document
    for step in path:
        inside = inside[step]
    inside["more"] = 1
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        decoded(document)


@pytest.mark.parametrize(("log", "form"), WAYS)
@pytest.mark.parametrize("change", [{"kind": "intoto"}, {"apiVersion": "0.0.9"}])
def test_a_body_of_another_kind_than_the_entry_s_is_refused(
    log: Log, form: Form, change: dict[str, str]
) -> None:
    entry = with_body(decoded(document_of(signed(log, form))), lambda body: body.update(change))
    with pytest.raises(Malformed, match="as the entry says"):
        parse_logged(entry, "x")


def test_a_kind_that_nobody_reads_is_named() -> None:
    entry = decoded(document_of(signed(Log.V2, Form.MESSAGE)))
    other = with_body(entry, lambda body: body.update(kind="intoto", apiVersion="0.0.2"))
    other = msgspec.structs.replace(other, kind=("intoto", "0.0.2"))
    with pytest.raises(Malformed, match=r"found 'intoto 0\.0\.2'"):
        parse_logged(other, "x")


def _hash(algorithm: str) -> Change:
    return lambda body: body["spec"]["data"]["hash"].update(algorithm=algorithm)


@pytest.mark.parametrize(
    ("log", "form", "change", "expected"),
    [
        (Log.V1, Form.MESSAGE, _hash("sha512"), "a digest by sha256"),
        (Log.V1, Form.MESSAGE, lambda body: body["spec"]["data"]["hash"].update(value="x"), "hexadecimal"),
        (
            Log.V1,
            Form.MESSAGE,
            lambda body: body["spec"]["data"]["hash"].update(value="A" * 64),
            "lower-case",
        ),
        (
            Log.V1,
            Form.MESSAGE,
            lambda body: body["spec"]["data"]["hash"].update(value="a " * 64),
            "hexadecimal",
        ),
        (
            Log.V1,
            Form.DSSE,
            lambda body: body["spec"]["envelopeHash"].update(algorithm="sha1"),
            "a digest by sha256",
        ),
        (
            Log.V1,
            Form.MESSAGE,
            lambda body: body["spec"]["signature"]["publicKey"].update(content="eA=="),
            "a certificate in PEM",
        ),
        (Log.V1, Form.DSSE, lambda body: body["spec"]["signatures"].append({}), "documented shape"),
        (Log.V1, Form.DSSE, lambda body: body["spec"].update(signatures=[]), "one signature"),
        (
            Log.V1,
            Form.DSSE,
            lambda body: body["spec"]["signatures"].append(body["spec"]["signatures"][0]),
            "one signature",
        ),
        (
            Log.V1,
            Form.DSSE,
            lambda body: body["spec"]["payloadHash"].update(algorithm="sha384"),
            "a digest by sha256",
        ),
        (
            Log.V2,
            Form.MESSAGE,
            lambda body: body["spec"]["hashedRekordV002"]["data"].update(algorithm="SHA2_512"),
            "a digest by SHA2_256",
        ),
        (
            Log.V2,
            Form.MESSAGE,
            lambda body: body["spec"]["hashedRekordV002"]["signature"]["verifier"].update(
                keyDetails="PKIX_ED25519"
            ),
            "a key of kind PKIX_ECDSA_P256_SHA_256",
        ),
        (
            Log.V2,
            Form.MESSAGE,
            lambda body: body["spec"]["hashedRekordV002"]["signature"].update(more=1),
            "documented shape",
        ),
        (Log.V2, Form.MESSAGE, lambda body: body["spec"].update(dsseV002={}), "documented shape"),
        (Log.V2, Form.MESSAGE, lambda body: body.update(more=1), "documented shape"),
    ],
)
def test_each_thing_that_a_body_can_say_otherwise_is_told(
    log: Log, form: Form, change: Change, expected: str
) -> None:
    entry = with_body(decoded(document_of(signed(log, form))), change)
    with pytest.raises(Malformed, match=expected):
        parse_logged(entry, "x")


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\neHh4\neHh4\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nA===\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\nmore\n",
        b"before\n-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\neA==\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\n" * 2,
    ],
)
def test_a_pem_is_one_certificate(pem: bytes) -> None:
    def change(body: dict[str, Any]) -> None:
        body["spec"]["signature"]["publicKey"]["content"] = base64.b64encode(pem).decode()

    entry = with_body(decoded(document_of(signed(Log.V1, Form.MESSAGE))), change)
    with pytest.raises(Malformed, match="a certificate in PEM"):
        parse_logged(entry, "x")


def test_a_body_with_a_key_twice_says_two_things() -> None:
    entry = decoded(document_of(signed(Log.V2, Form.MESSAGE)))
    twice = entry.body.replace(b'{"apiVersion"', b'{"kind":"hashedrekord","apiVersion"', 1)
    with pytest.raises(Malformed, match="twice"):
        parse_logged(msgspec.structs.replace(entry, body=twice), "x")


def test_a_body_that_is_too_large_is_not_read() -> None:
    entry = decoded(document_of(signed(Log.V2, Form.MESSAGE)))
    with pytest.raises(Malformed, match="at most"):
        parse_logged(msgspec.structs.replace(entry, body=b" " * (LARGEST_BODY + 1)), "x")


@pytest.mark.parametrize(("log", "form"), WAYS)
def test_any_body_is_read_or_malformed(log: Log, form: Form) -> None:
    entry = decoded(document_of(signed(log, form)))

    @given(mutated(entry.body))
    def holds(body: bytes) -> None:
        read_or_malformed(lambda raw: parse_logged(msgspec.structs.replace(entry, body=raw), "x"), body)

    holds()


def test_a_promise_that_is_empty_is_none() -> None:
    """Passed over, it would take with it the time that stands beside it."""
    empty = {"inclusionPromise": {"signedEntryTimestamp": ""}}
    document = document_of(signed(Log.V1, Form.MESSAGE)) | empty
    with pytest.raises(Malformed, match="found an empty one"):
        decoded(document)


def test_a_proof_is_the_one_that_was_written() -> None:
    document = document_of(signed(Log.V2, Form.MESSAGE))
    proof = document["inclusionProof"]
    assert decoded(document).proof == InclusionProof(
        int(proof["logIndex"]),
        int(proof["treeSize"]),
        base64.b64decode(proof["rootHash"]),
        tuple(base64.b64decode(each) for each in proof["hashes"]),
        proof["checkpoint"]["envelope"],
    )
