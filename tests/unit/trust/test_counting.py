"""A threshold counts every key and every signer once, and as many as there can be."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.identity import Identity, identity_of
from intoto_action.keys.keygen import generate
from intoto_action.trust.counting import distinct, most_signers


@dataclass(frozen=True)
class Named:
    fingerprint: str


@dataclass(frozen=True)
class Pair:
    key: Named
    signer: str


def pairs(text: str) -> list[Pair]:
    """`a1 b2`: signer a fits key 1, signer b fits key 2."""
    return [Pair(Named(each[1]), each[0]) for each in text.split()]


def counted(text: str) -> str:
    return " ".join(f"{each.signer}{each.key.fingerprint}" for each in distinct(pairs(text)))


def test_one_signer_under_two_keys_counts_once() -> None:
    assert counted("a1 a2") == "a1"


def test_two_signers_of_one_key_count_once() -> None:
    assert counted("a1 b1") == "a1"


def test_different_signers_of_different_keys_all_count() -> None:
    assert counted("a1 b2 c3") == "a1 b2 c3"


def test_a_signer_leaves_the_key_to_one_who_fits_no_other() -> None:
    assert counted("a1 a2 b1") == "a2 b1"


def test_room_is_made_along_a_chain_of_signers() -> None:
    assert counted("a1 a2 b2 b3 c1") == "a2 b3 c1"


def test_nobody_is_nobody() -> None:
    assert counted("") == ""


def test_a_thousand_signers_in_a_chain_are_counted() -> None:
    fits = [Pair(Named(str(number + more)), str(number)) for number in range(1000) for more in (0, 1)]
    fits.append(Pair(Named("0"), "last"))
    assert len(distinct(fits)) == 1001


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("1234")), max_size=10))
def test_nobody_counts_twice_and_no_choice_counts_more(drawn: list[tuple[str, str]]) -> None:
    fits = [Pair(Named(key), signer) for signer, key in drawn]
    chosen = distinct(fits)
    assert set(chosen) <= set(fits)
    assert len({each.signer for each in chosen}) == len({each.key for each in chosen}) == len(chosen)
    edges = set(drawn)
    most = max(
        sum((signer, key) in edges for signer, key in zip("abcd", keys, strict=True))
        for keys in permutations("1234")
    )
    assert len(chosen) == most


ISSUER = "https://token.actions.githubusercontent.com"


def workflow(ref: str, issuer: str = ISSUER, **claims: str) -> Identity:
    return identity_of(f"https://github.com/octo/app/.github/workflows/x.yml@{ref}", issuer, claims)


def test_one_exact_identity_is_one_signer_whatever_claims_stand_beside() -> None:
    assert most_signers([workflow("refs/heads/main"), workflow("refs/heads/main", event="push")]) == 1


def test_a_ref_of_any_name_can_be_somebody_else_each_time() -> None:
    keys = [workflow("refs/tags/*"), workflow("refs/tags/*", event="push"), workflow("refs/tags/v1")]
    assert most_signers(keys) == 3
    assert most_signers([workflow("refs/tags/*"), workflow("refs/tags/*")]) == 1


def test_another_issuer_vouches_for_another_signer() -> None:
    assert most_signers([workflow("refs/heads/main"), workflow("refs/heads/main", "https://gitlab.com")]) == 2


def test_a_key_is_one_signer_beside_identities() -> None:
    key = generate("ed25519", None).public
    assert most_signers([key, key, workflow("refs/heads/main")]) == 2
    assert most_signers([]) == 0
