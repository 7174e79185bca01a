"""Is this certificate that of the identity that is wanted: each part that differs is told, and nothing else passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.certificate import Certificate
from intoto_action.formats.identity import CLAIMS, Identity, identity_of
from intoto_action.trust.identities import differences, share_a_signer

ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/octo/app/.github/workflows/release.yml"
FOUND = Certificate(
    f"{WORKFLOW}@refs/tags/v1.2",
    ISSUER,
    {
        "source-repository": "https://github.com/octo/app",
        "source-repository-id": "74",
        "source-owner-id": "65",
        "source-ref": "refs/tags/v1.2",
        "runner-environment": "github-hosted",
        "event": "push",
        "environment": "release",
        "build-signer-digest": "c" * 40,
    },
)


def told(
    identity: str = f"{WORKFLOW}@refs/tags/v1.2", issuer: str = ISSUER, **claims: str
) -> list[tuple[str, str]]:
    wanted = identity_of(identity, issuer, {name.replace("_", "-"): value for name, value in claims.items()})
    return [(each.expected, each.found) for each in differences(wanted, FOUND)]


def test_an_exact_identity_is_that_of_its_certificate() -> None:
    assert told() == []


def test_the_certificate_may_say_more_than_is_wanted() -> None:
    assert told(event="push") == []


def test_a_star_at_the_end_of_a_ref_stands_for_the_rest_of_it() -> None:
    assert told(f"{WORKFLOW}@refs/tags/*") == []
    assert told(f"{WORKFLOW}@refs/tags/v1.*") == []
    assert told(f"{WORKFLOW}@refs/heads/*") == [(f"{WORKFLOW}@refs/heads/*", FOUND.identity)]


@pytest.mark.parametrize(
    "identity",
    [
        f"{WORKFLOW}@refs/heads/main",
        f"{WORKFLOW}@refs/tags/v1.20",
        f"{WORKFLOW}@refs/tags/v1",
        "https://github.com/evil/app/.github/workflows/release.yml@refs/tags/v1.2",
        "https://github.com/octo/app/.github/workflows/build.yml@refs/tags/v1.2",
        "HTTPS://github.com/octo/app/.github/workflows/release.yml@refs/tags/v1.2",
    ],
)
def test_another_workflow_repository_or_ref_is_another_identity(identity: str) -> None:
    assert told(identity) == [(identity, FOUND.identity)]


def test_another_issuer_is_another_identity() -> None:
    other = "https://gitlab.com"
    assert told(issuer=other) == [(f"issuer {other}", f"issuer {ISSUER}")]


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_is_compared_alone(claim: str) -> None:
    other = f"{FOUND.claims[claim]}x"
    wanted = identity_of(FOUND.identity, ISSUER, {claim: other})
    assert [(each.expected, each.found) for each in differences(wanted, FOUND)] == [
        (f"{claim} {other}", f"{claim} {FOUND.claims[claim]}")
    ]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_that_the_certificate_does_not_make_is_told(claim: str) -> None:
    bare = Certificate(FOUND.identity, ISSUER, {})
    wanted = identity_of(FOUND.identity, ISSUER, {claim: "x"})
    assert [each.found for each in differences(wanted, bare)] == [f"no {claim} in the certificate"]


def test_an_empty_claim_is_none_even_for_a_ref_of_any_name() -> None:
    empty = Certificate(FOUND.identity, ISSUER, {"source-ref": ""})
    wanted = identity_of(FOUND.identity, ISSUER, {"source-ref": "*"})
    assert [each.found for each in differences(wanted, empty)] == ["no source-ref in the certificate"]


def test_the_same_name_with_another_owner_id_is_somebody_else() -> None:
    assert told(source_owner_id="66") == [("source-owner-id 66", "source-owner-id 65")]


@given(st.text(), st.text())
def test_only_the_certificate_s_own_identity_and_issuer_pass(identity: str, issuer: str) -> None:
    wanted = Identity("", identity.replace("*", ""), issuer)
    same = (wanted.identity, issuer) == (FOUND.identity, FOUND.issuer)
    assert (not list(differences(wanted, FOUND))) is same


REFS = st.sampled_from(["", "v", "v1", "v1.2"])
PATTERNS = st.builds(
    lambda ref, end: identity_of(f"{WORKFLOW}@refs/tags/{ref or 'x' * (not end)}{end}", ISSUER),
    REFS,
    st.sampled_from(["", "*"]),
)


@given(PATTERNS, PATTERNS)
def test_two_identities_share_a_signer_when_one_certificate_is_that_of_both(
    one: Identity, other: Identity
) -> None:
    names = [f"{WORKFLOW}@refs/tags/{name}" for name in ("x", "v", "v1", "v1.2", "v1.2.3")]
    found = [Certificate(name, ISSUER, {}) for name in names]
    both = [each for each in found if not [*differences(one, each), *differences(other, each)]]
    assert share_a_signer(one, other) is share_a_signer(other, one) is bool(both)


def test_claims_do_not_keep_one_signer_from_being_two() -> None:
    one = identity_of(FOUND.identity, ISSUER, {"event": "push"})
    assert share_a_signer(one, identity_of(FOUND.identity, ISSUER, {"event": "schedule"}))
    assert not share_a_signer(one, identity_of(FOUND.identity, "https://gitlab.com"))
