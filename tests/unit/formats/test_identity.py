"""Identities as they stand in a layout: what no certificate can say, or would say too much, is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer._sigstore_signer import SigstoreKey
from securesystemslib.signer._utils import compute_default_keyid

from intoto_action.formats.identity import (
    CLAIMS_SCHEME,
    EXACT_SCHEME,
    GITHUB_ISSUER,
    SIGSTORE_OIDC,
    Identity,
    identity_from_entry,
    identity_of,
)
from intoto_action.formats.key import key_from_entry
from intoto_action.formats.key_entry import KeyEntry, KeyValue
from intoto_action.reason import Malformed

WORKFLOW = "https://github.com/octo/app/.github/workflows/release.yml@refs/heads/main"


def entry(scheme: str = EXACT_SCHEME, **value: object) -> KeyEntry:
    fields = {"identity": WORKFLOW, "issuer": GITHUB_ISSUER, **value}
    return KeyEntry(SIGSTORE_OIDC, scheme, KeyValue(**fields))  # type: ignore[arg-type]  # some are wrong on purpose


def test_an_exact_identity_has_the_keyid_and_form_of_securesystemslib() -> None:
    made = identity_of(WORKFLOW, GITHUB_ISSUER)
    value = {"identity": WORKFLOW, "issuer": GITHUB_ISSUER}
    assert made.keyid == compute_default_keyid(SIGSTORE_OIDC, "Fulcio", value)
    stock = SigstoreKey.from_dict(made.keyid, {"keytype": SIGSTORE_OIDC, "scheme": "Fulcio", "keyval": value})
    assert (made.entry.keytype, made.entry.scheme) == (stock.keytype, stock.scheme)
    assert (made.entry.keyval.identity, made.entry.keyval.issuer) == (WORKFLOW, GITHUB_ISSUER)


@pytest.mark.parametrize(
    ("identity", "claims"),
    [(WORKFLOW, {"event": "push"}), (WORKFLOW.replace("heads/main", "tags/*"), {})],
)
def test_what_stock_readers_would_not_check_whole_has_a_scheme_that_they_do_not_know(
    identity: str, claims: dict[str, str]
) -> None:
    assert identity_of(identity, GITHUB_ISSUER, claims).entry.scheme == CLAIMS_SCHEME


@pytest.mark.parametrize("scheme", [EXACT_SCHEME, "fulcio", "Fulcio2", ""])
def test_claims_under_a_scheme_of_stock_readers_are_refused(scheme: str) -> None:
    with pytest.raises(Malformed, match=CLAIMS_SCHEME):
        identity_from_entry("ab", entry(scheme, claims={"event": "push"}), "layout")


def test_an_exact_identity_under_our_scheme_is_refused() -> None:
    with pytest.raises(Malformed, match="scheme Fulcio"):
        identity_from_entry("ab", entry(CLAIMS_SCHEME), "layout")


def test_an_entry_keeps_the_keyid_under_which_it_is_listed() -> None:
    found = key_from_entry("ab" * 32, entry(), "layout")
    assert isinstance(found, Identity)
    assert found.keyid == "ab" * 32
    assert found.keyids == {"ab" * 32, found.computed_keyid}


@pytest.mark.parametrize("field", ["public", "private", "certificate"])
def test_an_identity_that_is_a_key_too_is_refused(field: str) -> None:
    with pytest.raises(Malformed, match="found a key"):
        identity_from_entry("ab", entry(**{field: "x"}), "layout")


@pytest.mark.parametrize("keytype", ["ed25519", "ecdsa", "rsa"])
def test_a_key_that_is_an_identity_too_is_refused(keytype: str) -> None:
    scheme = {"ed25519": "ed25519", "ecdsa": "ecdsa-sha2-nistp256", "rsa": "rsassa-pss-sha256"}[keytype]
    with pytest.raises(Malformed, match="an identity"):
        key_from_entry("ab", KeyEntry(keytype, scheme, KeyValue(public="ab", identity="x")), "layout")


@pytest.mark.parametrize(
    "identity",
    [
        "",
        "*",
        "https://github.com/*",
        "https://github.com/octo/app/.github/workflows/*@refs/heads/main",
        f"{WORKFLOW}*x",
        "a b",
        "a\nb",
        "x" * 2049,
        f"{WORKFLOW}**",
        "a@b@refs*",
    ],
)
def test_an_identity_that_is_no_name_or_many_is_refused(identity: str) -> None:
    with pytest.raises(Malformed):
        identity_of(identity, GITHUB_ISSUER)


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "gitlab.com",
        "http://gitlab.com",
        "https://",
        "https://a?b",
        "https://a#b",
        "https://a/*",
        "https://u@a",
        "http://localhost.evil.com",
        "http://127.0.0.1.evil.com",
        "ftp://a",
        "https://a b",
    ],
)
def test_an_issuer_that_is_no_https_url_is_refused(issuer: str) -> None:
    with pytest.raises(Malformed, match="an issuer"):
        identity_of(WORKFLOW, issuer)


@pytest.mark.parametrize("issuer", ["http://localhost:8080", "http://127.0.0.1:1/x", "http://[::1]:5"])
def test_plain_http_is_for_loopback(issuer: str) -> None:
    assert identity_of(WORKFLOW, issuer).issuer == issuer


def test_an_unknown_claim_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(Malformed, match=r"did you mean 'source-repository'"):
        identity_of(WORKFLOW, GITHUB_ISSUER, {"source-repositry": "x"})


@pytest.mark.parametrize("value", ["", "a*", "a b"])
def test_a_claim_has_an_exact_value(value: str) -> None:
    with pytest.raises(Malformed):
        identity_of(WORKFLOW, GITHUB_ISSUER, {"event": value})


def test_only_a_ref_may_end_in_a_star() -> None:
    assert identity_of(WORKFLOW, GITHUB_ISSUER, {"source-ref": "refs/tags/*"}).claims
    with pytest.raises(Malformed):
        identity_of(WORKFLOW, GITHUB_ISSUER, {"source-ref": "refs/*/v1"})


def test_identities_that_differ_in_anything_have_other_fingerprints() -> None:
    made = [
        identity_of(WORKFLOW, GITHUB_ISSUER),
        identity_of(f"{WORKFLOW}x", GITHUB_ISSUER),
        identity_of(WORKFLOW, "https://gitlab.com"),
        identity_of(WORKFLOW, GITHUB_ISSUER, {"event": "push"}),
        identity_of(WORKFLOW, GITHUB_ISSUER, {"environment": "push"}),
    ]
    assert len({each.fingerprint for each in made}) == len({each.keyid for each in made}) == len(made)


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_words_are_an_identity_that_is_read_back_or_malformed(
    identity: str, issuer: str, claims: dict[str, str]
) -> None:
    try:
        made = identity_of(identity, issuer, claims)
    except Malformed:
        return
    assert identity_from_entry(made.keyid, made.entry, "layout") == made
