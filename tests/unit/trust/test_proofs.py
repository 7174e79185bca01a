"""Our verifier and sigstore-python's agree; of bytes that were changed, ours never accepts what it refuses."""

import base64
import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier, policy
from tests.parts.forge import Fault, Forge, Form, Log, Signed, faults

from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.material import LARGEST_TIMESTAMP
from intoto_action.reason import Malformed
from intoto_action.trust.keyless import TrustRoot

STATEMENT = (
    b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"x","digest":{"sha256":"%s"}}],'
    % (b"ab" * 32)
    + b'"predicateType":"https://example.com/v1","predicate":{}}'
)
WAYS = [(log, form) for log in Log for form in Form]
EVERY_FAULT = [(log, form, fault) for log, form in WAYS for fault in faults(log, form)]
PLACES = 40
"""How many of a bundle's members one example may change: more than any bundle here has."""


@cache
def forge() -> Forge:
    logging.getLogger("sigstore").setLevel(logging.ERROR)
    return Forge()


@cache
def root() -> TrustRoot:
    return TrustRoot(forge().trusted_root.encode(), "the forge")


@cache
def verifier() -> Verifier:
    return Verifier(trusted_root=ClientTrustConfig.from_json(forge().trust_config).trusted_root)


def signed(log: Log, form: Form, fault: Fault | None = None) -> Signed:
    if form is Form.DSSE:
        return forge().sign_dsse(PAYLOAD_TYPE, STATEMENT, log=log, fault=fault)
    return forge().sign(STATEMENT, log=log, fault=fault)


@cache
def good(log: Log, form: Form) -> Signed:
    return signed(log, form)


def ours(bundle: bytes, form: Form) -> bool:
    """Whether we find out whose certificate it is; nothing but Malformed is ever raised."""
    try:
        if form is Form.MESSAGE:
            root().certificate_over(hashlib.sha256(STATEMENT).digest(), bundle, "x")
            return True
        envelope = parse_envelope(bundle, "x")
        return root().certificate_of(envelope, envelope.signatures[0], "x") is not None
    except Malformed:
        return False


def theirs(bundle: bytes, form: Form) -> bool:
    try:
        read = Bundle.from_json(bundle)
        if form is Form.MESSAGE:
            verifier().verify_artifact(STATEMENT, read, policy.UnsafeNoOp())
        else:
            verifier().verify_dsse(read, policy.UnsafeNoOp())
    except Exception:  # noqa: BLE001 - sigstore-python lets pass what its libraries raise
        return False
    return True


def leaves(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every object or list and a key of it that holds no object or list."""
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        if isinstance(value, dict | list):
            yield from leaves(value)
        else:
            yield document, key


def test_verifying_imports_no_client_of_sigstore(tmp_path: Path) -> None:
    """It would take longer to import one than to verify."""
    (tmp_path / "root.json").write_text(forge().trusted_root)
    (tmp_path / "bundle.json").write_bytes(good(Log.V2, Form.MESSAGE).bundle)
    program = (
        "import sys, pathlib\n"
        "from intoto_action.trust.keyless import TrustRoot\n"
        "root = TrustRoot(pathlib.Path('root.json').read_bytes(), 'the forge')\n"
        "bundle = pathlib.Path('bundle.json').read_bytes()\n"
        "assert root.certificate_over(bytes.fromhex(sys.argv[1]), bundle, 'x').identity\n"
        "print(*sorted({each.split('.')[0] for each in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, hashlib.sha256(STATEMENT).hexdigest()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stdout.split())
    assert {"intoto_action", "cryptography", "rfc3161_client"} <= imported
    assert imported.isdisjoint({"sigstore", "sigstore_models", "rekor_types", "pydantic", "tuf", "requests"})


@pytest.mark.parametrize(("log", "form"), WAYS)
def test_what_is_whole_passes_both(log: Log, form: Form) -> None:
    bundle = good(log, form).bundle
    assert (ours(bundle, form), theirs(bundle, form)) == (True, True)


@pytest.mark.parametrize(("log", "form", "fault"), EVERY_FAULT, ids=lambda each: getattr(each, "name", ""))
def test_what_has_a_fault_passes_neither(log: Log, form: Form, fault: Fault) -> None:
    bundle = signed(log, form, fault).bundle
    assert (ours(bundle, form), theirs(bundle, form)) == (False, False)


@pytest.mark.parametrize(("log", "form"), WAYS)
def test_bytes_changed_in_any_member_are_accepted_by_ours_only_where_theirs_accepts_them(
    log: Log, form: Form
) -> None:
    whole = json.loads(good(log, form).bundle)
    members = len(list(leaves(whole)))
    assert members < PLACES

    @given(st.integers(0, members - 1), st.binary(min_size=1, max_size=8), st.floats(0, 1), st.booleans())
    def holds(member: int, new: bytes, place: float, insert: bool) -> None:
        document = json.loads(json.dumps(whole))
        inside, key = list(leaves(document))[member]
        inside[key] = _changed(inside[key], new, place, insert=insert)
        bundle = json.dumps(document).encode()
        assert not ours(bundle, form) or theirs(bundle, form)

    holds()


@pytest.mark.parametrize(("log", "form"), WAYS)
def test_a_bundle_without_one_of_its_members_is_accepted_by_ours_only_where_theirs_accepts_it(
    log: Log, form: Form
) -> None:
    whole = json.loads(good(log, form).bundle)
    accepted = set()
    for path in _paths(whole):
        document = json.loads(json.dumps(whole))
        inside = document
        for step in path[:-1]:
            inside = inside[step]
        del inside[path[-1]]
        bundle = json.dumps(document).encode()
        if ours(bundle, form):
            assert theirs(bundle, form), path
            accepted.add(path[-1])
    # The digest beside a signature may be absent, and of two words for the time either one; nothing else.
    timestamps = {"timestampVerificationData", "rfc3161Timestamps", 0}
    assert accepted <= {"messageDigest", "inclusionPromise"} | timestamps


@pytest.mark.parametrize(("log", "form"), WAYS)
def test_no_member_of_another_signature_s_bundle_fits_into_this_one(log: Log, form: Form) -> None:
    """The way of CVE-2022-36056: parts of two bundles, each of them good."""
    first, second = (json.loads(signed(log, form).bundle) for _ in range(2))
    for path in _paths(first):
        document = json.loads(json.dumps(first))
        inside, other = document, second
        for step in path[:-1]:
            inside, other = inside[step], other[step]
        if path[-1] in other if isinstance(other, dict) else path[-1] < len(other):
            inside[path[-1]] = other[path[-1]]
        if document not in (first, second):
            bundle = json.dumps(document).encode()
            assert not ours(bundle, form) or theirs(bundle, form), path


def test_a_timestamp_of_millions_of_bytes_is_not_read() -> None:
    """Its reader looks for a part of it in the whole at each place, which can be made to take ten seconds."""
    document = json.loads(good(Log.V2, Form.MESSAGE).bundle)
    (timestamp,) = document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    timestamp["signedTimestamp"] = base64.b64encode(b"0" * (LARGEST_TIMESTAMP + 1)).decode()
    with pytest.raises(Malformed, match=f"length <= {LARGEST_TIMESTAMP}"):
        root().certificate_over(hashlib.sha256(STATEMENT).digest(), json.dumps(document).encode(), "x")


def test_a_name_in_a_certificate_that_nobody_issued_brings_no_control_characters() -> None:
    """The library cites the subject in its words, and anybody can make a certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a\x1b[31m\x07\u202e")])
    draft = x509.CertificateBuilder(name, name, key.public_key(), 1, forge().now, forge().now)
    der = draft.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    document = json.loads(good(Log.V2, Form.MESSAGE).bundle)
    document["verificationMaterial"]["certificate"]["rawBytes"] = base64.b64encode(der).decode()
    with pytest.raises(Malformed, match="chains to the root") as caught:
        root().certificate_over(hashlib.sha256(STATEMENT).digest(), json.dumps(document).encode(), "x")
    assert str(caught.value).isprintable()


def _paths(document: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield (*before, key)
        if isinstance(value, dict | list):
            yield from _paths(value, (*before, key))


def _changed(value: str, new: bytes, place: float, *, insert: bool) -> str:
    """Some bytes put into what a member holds, or in place of some: into what base64 stands for, where it is that."""
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        raw = b""
    if raw and not value.isdecimal():
        at = int(place * (len(raw) - 1))
        return base64.b64encode(raw[:at] + new + raw[at if insert else at + len(new) :]).decode()
    at = int(place * (len(value) - 1))
    return value[:at] + new.decode("latin-1") + value[at if insert else at + len(new) :]
