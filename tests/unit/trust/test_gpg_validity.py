"""Which key of an exported OpenPGP key may sign, and why the others may not."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.openpgp import (
    ALICE,
    ALICE_SUBKEY,
    AT,
    BOB,
    CERTIFY,
    DAY,
    ENCRYPT,
    MADE,
    SIGN,
    Exported,
    PgpKey,
    expires_after,
    key_flags,
    packet,
    plain,
    seconds,
    subpacket,
    with_subkey,
)

from intoto_action.formats.gpg_certificate import parse_certificates
from intoto_action.formats.gpg_key import GpgKey
from intoto_action.reason import Malformed
from intoto_action.trust.gpg_validity import signing_key

SECOND_SUBKEY = PgpKey("rsa2048", 2)


def opened(exported: Exported | bytes, wanted: str | None = None, at: datetime = AT) -> GpgKey:
    raw = exported if isinstance(exported, bytes) else exported.raw
    return signing_key(parse_certificates(raw, "alice.asc"), wanted, at, "alice.asc")


def refusal(exported: Exported | bytes, wanted: str | None = None, at: datetime = AT) -> str:
    with pytest.raises(Malformed) as caught:
        opened(exported, wanted, at)
    return str(caught.value)


class TestWhichKeySigns:
    @pytest.mark.parametrize("primary", [ALICE, BOB])
    def test_a_primary_key_that_signs_by_itself(self, primary: PgpKey) -> None:
        assert opened(plain(primary)).keyid == primary.fingerprint

    @pytest.mark.parametrize(("primary", "subkey"), [(ALICE, ALICE_SUBKEY), (ALICE, BOB), (BOB, ALICE)])
    def test_the_subkey_of_one_that_only_certifies(self, primary: PgpKey, subkey: PgpKey) -> None:
        assert opened(with_subkey(primary, subkey)).keyid == subkey.fingerprint

    def test_the_subkey_before_a_primary_key_that_could_sign_too_as_gpg_does(self) -> None:
        assert opened(plain().subkey(ALICE_SUBKEY)).keyid == ALICE_SUBKEY.fingerprint

    def test_the_primary_key_when_its_subkey_only_encrypts(self) -> None:
        assert opened(plain().subkey(ALICE_SUBKEY, flags=ENCRYPT)).keyid == ALICE.fingerprint

    def test_a_primary_key_that_says_nothing_of_its_uses(self) -> None:
        assert opened(Exported(ALICE).user()).keyid == ALICE.fingerprint

    def test_none_of_two_subkeys_that_both_could(self) -> None:
        told = refusal(with_subkey().subkey(SECOND_SUBKEY))
        assert "expected one subkey that may sign, found 2" in told
        assert ALICE_SUBKEY.fingerprint in told
        assert SECOND_SUBKEY.fingerprint in told
        assert f"gpg --armor --export {ALICE_SUBKEY.fingerprint}!" in told

    def test_the_one_of_two_subkeys_that_is_named(self) -> None:
        both = with_subkey().subkey(SECOND_SUBKEY)
        for each in (ALICE_SUBKEY, SECOND_SUBKEY):
            assert opened(both, each.fingerprint).keyid == each.fingerprint
            assert opened(both, each.fingerprint[-16:]).keyid == each.fingerprint
            assert opened(both, f"{each.fingerprint}!").keyid == each.fingerprint

    def test_the_one_of_two_subkeys_that_is_not_expired(self) -> None:
        both = Exported(ALICE).user("A", key_flags(CERTIFY)).subkey(ALICE_SUBKEY, expires_after(30))
        assert opened(both.subkey(SECOND_SUBKEY)).keyid == SECOND_SUBKEY.fingerprint

    def test_a_primary_key_that_is_named_stands_for_its_subkey_and_with_a_mark_for_itself(self) -> None:
        whole = plain().subkey(ALICE_SUBKEY)
        assert opened(whole, ALICE.fingerprint).keyid == ALICE_SUBKEY.fingerprint
        assert opened(whole, f"{ALICE.fingerprint}!").keyid == ALICE.fingerprint

    def test_a_key_that_is_not_there_is_told_with_those_that_are(self) -> None:
        told = refusal(plain(), "ab" * 20)
        assert f"expected the key {'ab' * 20}, found others: {ALICE.fingerprint}" in told

    def test_none_of_two_keys_in_one_file_until_one_is_named(self) -> None:
        both = plain().raw + plain(BOB).raw
        assert "expected one OpenPGP key, found 2" in refusal(both)
        assert opened(both, BOB.fingerprint).keyid == BOB.fingerprint

    def test_a_key_for_other_uses_is_refused(self) -> None:
        assert "which is for other uses only" in refusal(Exported(ALICE).user("A", key_flags(CERTIFY)))
        encrypting = plain().subkey(ALICE_SUBKEY, flags=ENCRYPT)
        assert "which is for other uses only" in refusal(encrypting, ALICE_SUBKEY.fingerprint)

    @pytest.mark.parametrize(
        ("algorithm", "name"),
        [(17, "DSA"), (19, "ECDSA"), (27, "Ed25519 in the form of RFC 9580"), (3, "RSA for")],
    )
    def test_a_subkey_of_an_algorithm_that_is_not_read_is_called_by_its_name(
        self, algorithm: int, name: str
    ) -> None:
        other = PgpKey("rsa2048", algorithm=algorithm)
        told = refusal(with_subkey(subkey=other))
        assert f"of {name}" in told
        assert "expected an OpenPGP key of RSA or Ed25519" in told

    def test_a_primary_key_of_an_algorithm_that_is_not_read_is_refused_with_its_subkeys(self) -> None:
        told = refusal(with_subkey(PgpKey("rsa2048", algorithm=17)))
        assert "of DSA: its signatures cannot be checked here" in told

    def test_an_rsa_key_that_is_too_short_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("intoto_action.formats.crypto_key.SMALLEST_RSA", 3072)
        assert "an RSA key of at least 3072 bits, found 2048 bits" in refusal(plain(BOB))


class TestExpiry:
    @pytest.mark.parametrize("days", [1, 364])
    def test_an_expired_primary_key_is_refused_with_the_day(self, days: int) -> None:
        told = refusal(Exported(ALICE).user("A", key_flags(SIGN), expires_after(days)))
        day = (datetime(2030, 1, 1) + timedelta(days=days)).date().isoformat()
        assert f"{ALICE.fingerprint}, which expired on {day}: renew it" in told

    def test_it_is_expired_from_the_second_on_that_is_its_end(self) -> None:
        key = Exported(ALICE).user("A", key_flags(SIGN), seconds(9, int(AT.timestamp()) - MADE))
        assert "which expired" in refusal(key)
        assert opened(key, at=AT - timedelta(seconds=1)).keyid == ALICE.fingerprint

    def test_a_subkey_of_an_expired_primary_key_is_refused(self) -> None:
        expired = Exported(ALICE).user("A", key_flags(CERTIFY), expires_after(30)).subkey(ALICE_SUBKEY)
        for wanted in (None, ALICE_SUBKEY.fingerprint):
            assert f"{ALICE.fingerprint}, which expired" in refusal(expired, wanted)

    def test_an_expired_subkey_is_refused(self) -> None:
        expired = Exported(ALICE).user("A", key_flags(CERTIFY)).subkey(ALICE_SUBKEY, expires_after(30))
        for wanted in (None, ALICE_SUBKEY.fingerprint):
            assert f"{ALICE_SUBKEY.fingerprint}, which expired on 2030-01-31" in refusal(expired, wanted)

    def test_a_primary_key_signs_when_its_subkey_is_expired_as_gpg_does(self) -> None:
        assert opened(plain().subkey(ALICE_SUBKEY, expires_after(30))).keyid == ALICE.fingerprint

    def test_the_newest_self_signature_tells_the_end(self) -> None:
        renewed = Exported(ALICE).user("A", key_flags(SIGN), expires_after(30))
        data = renewed.user_data("A")
        later = ALICE.sign(0x13, data, key_flags(SIGN), expires_after(900), created=MADE + DAY)
        assert opened(renewed.more_of_user(later)).keyid == ALICE.fingerprint
        shortened = Exported(ALICE).user("A", key_flags(SIGN), expires_after(900))
        earlier = ALICE.sign(0x13, data, key_flags(SIGN), expires_after(30), created=MADE + DAY)
        assert "which expired" in refusal(shortened.more_of_user(earlier))

    def test_a_user_id_without_an_end_does_not_undo_anothers(self) -> None:
        key = Exported(ALICE).user("A", key_flags(SIGN), expires_after(30))
        assert "which expired" in refusal(key.user("B", key_flags(SIGN), created=MADE + DAY))

    def test_what_a_signature_about_the_key_itself_says_comes_first(self) -> None:
        key = Exported(ALICE).user("A", key_flags(SIGN), expires_after(900), created=MADE + DAY)
        direct = ALICE.sign(0x1F, ALICE.framed, expires_after(30))
        assert "which expired" in refusal(key.directly(direct))

    def test_an_end_that_a_stranger_signed_says_nothing(self) -> None:
        key = Exported(ALICE).user("A", key_flags(SIGN), expires_after(30))
        stranger = BOB.sign(
            0x13, key.user_data("A"), expires_after(0), created=MADE + DAY, issuer=ALICE.fingerprint
        )
        assert "which expired" in refusal(key.more_of_user(stranger))

    def test_a_self_signature_that_expired_itself_says_nothing(self) -> None:
        short = Exported(ALICE).user("A", key_flags(SIGN), seconds(3, 30 * DAY))
        assert "no valid self-signature" in refusal(short)
        assert opened(short, at=AT - timedelta(days=350)).keyid == ALICE.fingerprint

    def test_a_revoked_user_id_says_nothing(self) -> None:
        key = plain().user("B", expires_after(30))
        gone = key.more_of_user(ALICE.sign(0x30, key.user_data("B"), created=MADE + DAY))
        assert "which expired" in refusal(key)
        assert opened(gone).keyid == ALICE.fingerprint

    def test_a_user_id_that_a_stranger_revokes_stays(self) -> None:
        key = Exported(ALICE).user("A", key_flags(SIGN))
        stranger = BOB.sign(0x30, key.user_data("A"), created=MADE + DAY)
        forged = BOB.sign(
            0x30, key.user_data("A"), created=MADE + DAY, issuer=ALICE.fingerprint, algorithm=22
        )
        assert opened(key.more_of_user(stranger, forged)).keyid == ALICE.fingerprint


class TestRevocation:
    def test_a_revoked_primary_key_is_refused_with_the_day(self) -> None:
        revoked = plain().directly(ALICE.sign(0x20, ALICE.framed, created=MADE + DAY))
        assert f"{ALICE.fingerprint}, which was revoked on 2030-01-02" in refusal(revoked)

    def test_a_subkey_of_a_revoked_primary_key_is_refused(self) -> None:
        revoked = with_subkey().directly(ALICE.sign(0x20, ALICE.framed))
        for wanted in (None, ALICE_SUBKEY.fingerprint):
            assert f"{ALICE.fingerprint}, which was revoked" in refusal(revoked, wanted)

    def test_a_revoked_subkey_is_refused(self) -> None:
        key = with_subkey()
        revoked = key.more_of_subkey(ALICE.sign(0x28, key.subkey_data()))
        for wanted in (None, ALICE_SUBKEY.fingerprint):
            assert f"{ALICE_SUBKEY.fingerprint}, which was revoked" in refusal(revoked, wanted)

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_revocation_with_a_weak_hash_counts(self, number: int) -> None:
        revoked = plain().directly(ALICE.sign(0x20, ALICE.framed, hash_algorithm=number))
        assert "which was revoked" in refusal(revoked)

    def test_a_revocation_with_something_critical_that_is_not_known_counts(self) -> None:
        revoked = plain().directly(ALICE.sign(0x20, ALICE.framed, subpacket(99, b"x", critical=True)))
        assert "which was revoked" in refusal(revoked)

    @pytest.mark.parametrize("body", [b"\x03\x05\x20" + bytes(20), b"\x05\x20" + bytes(20), b"\x04\x20\x16"])
    def test_a_revocation_of_a_form_that_is_not_read_counts(self, body: bytes) -> None:
        assert "which may be revoked" in refusal(plain().directly(body))

    def test_a_revocation_that_a_stranger_forged_does_not_count(self) -> None:
        forged = BOB.sign(0x20, ALICE.framed, issuer=ALICE.fingerprint)
        assert opened(plain().directly(forged)).keyid == ALICE.fingerprint

    def test_a_revocation_of_another_key_does_not_count(self) -> None:
        other = ALICE.sign(0x20, BOB.framed)
        assert opened(plain().directly(other)).keyid == ALICE.fingerprint

    def test_a_revocation_by_a_stranger_counts_only_when_the_key_names_them_for_it(self) -> None:
        by_bob = BOB.sign(0x20, ALICE.framed)
        assert opened(plain().directly(by_bob)).keyid == ALICE.fingerprint
        named = ALICE.sign(0x1F, ALICE.framed, subpacket(12, b"\x80\x01" + bytes.fromhex(BOB.fingerprint)))
        assert "which was revoked by another key" in refusal(plain().directly(named, by_bob))

    def test_a_subkey_that_the_named_revoker_revokes_is_refused(self) -> None:
        named = ALICE.sign(0x1F, ALICE.framed, subpacket(12, b"\x80\x01" + bytes.fromhex(BOB.fingerprint)))
        key = with_subkey().directly(named)
        revoked = key.more_of_subkey(BOB.sign(0x28, key.subkey_data()))
        assert opened(key).keyid == ALICE_SUBKEY.fingerprint
        assert "which was revoked by another key" in refusal(revoked)


class TestBinding:
    """Who could put a subkey under somebody's key that is not theirs, or take another's for their own?"""

    def test_a_subkey_that_a_stranger_put_there_is_not_taken(self) -> None:
        intruder = PgpKey("ed25519", 7)
        told = refusal(plain().subkey(intruder, by=intruder), intruder.fingerprint)
        assert "not bound to its primary key" in told
        assert opened(plain().subkey(intruder, by=intruder)).keyid == ALICE.fingerprint

    def test_a_subkey_whose_binding_is_of_another_subkey_is_not_taken(self) -> None:
        intruder = PgpKey("ed25519", 7)
        key = with_subkey()
        moved = key.subkeys[0][1][0]
        bound = Exported(ALICE, users=key.users, subkeys=((intruder, (moved,)),))
        assert "not bound to its primary key" in refusal(bound, intruder.fingerprint)

    def test_a_subkey_that_has_not_said_that_it_belongs_there_is_not_taken(self) -> None:
        adopted = Exported(ALICE).user("A", key_flags(CERTIFY)).subkey(BOB, cross_certified=False)
        assert f"{BOB.fingerprint}, which has not signed that it belongs" in refusal(adopted)

    @pytest.mark.parametrize(
        "back",
        [
            BOB.sign(0x19, PgpKey("ed25519", 8).framed + BOB.framed),
            BOB.sign(0x18, ALICE.framed + BOB.framed),
            ALICE.sign(0x19, ALICE.framed + BOB.framed, issuer=BOB.fingerprint),
            BOB.sign(0x19, ALICE.framed + BOB.framed, hash_algorithm=2),
        ],
        ids=["of another primary key", "of another type", "by the primary key", "with SHA-1"],
    )
    def test_a_back_signature_that_is_none_is_none(self, back: object) -> None:
        adopted = Exported(ALICE).user("A", key_flags(CERTIFY)).subkey(BOB, back=back)  # type: ignore[arg-type]
        assert "which has not signed that it belongs" in refusal(adopted)

    def test_a_subkey_without_flags_is_not_for_signatures(self) -> None:
        key = with_subkey()
        claim = ALICE.sign(0x18, key.subkey_data())
        silent = Exported(ALICE, users=key.users, subkeys=((ALICE_SUBKEY, (claim.body,)),))
        assert "which is for other uses only" in refusal(silent, ALICE_SUBKEY.fingerprint)

    def test_a_key_without_a_self_signature_is_refused(self) -> None:
        assert "no valid self-signature" in refusal(Exported(ALICE))

    def test_a_self_signature_by_somebody_else_is_none(self) -> None:
        key = Exported(ALICE)
        forged = BOB.sign(0x13, key.user_data("A"), key_flags(SIGN), issuer=ALICE.fingerprint)
        told = refusal(Exported(ALICE, users=((b"A", (forged.body,)),)))
        assert "no valid self-signature" in told

    @pytest.mark.parametrize(("number", "name"), [(1, "MD5"), (2, "SHA-1")])
    def test_self_signatures_with_a_weak_hash_are_refused_with_what_to_do(
        self, number: int, name: str
    ) -> None:
        told = refusal(Exported(ALICE).user("A", key_flags(SIGN), hash_algorithm=number))
        assert f"nothing but signatures with {name} speaks: renew" in told
        weak = Exported(ALICE).user("A", key_flags(CERTIFY)).subkey(ALICE_SUBKEY, hash_algorithm=number)
        assert f"nothing but signatures with {name}" in refusal(weak, ALICE_SUBKEY.fingerprint)

    @pytest.mark.parametrize("number", [9, 10])
    def test_longer_hashes_are_taken(self, number: int) -> None:
        key = Exported(BOB).user("B", key_flags(CERTIFY), hash_algorithm=number)
        assert opened(key.subkey(ALICE, hash_algorithm=number)).keyid == ALICE.fingerprint

    def test_a_self_signature_with_something_critical_that_is_not_known_is_none(self) -> None:
        told = refusal(Exported(ALICE).user("A", key_flags(SIGN), subpacket(99, b"x", critical=True)))
        assert "no valid self-signature" in told

    def test_a_self_signature_that_says_not_when_it_was_made_is_none(self) -> None:
        key = Exported(ALICE)
        claim = ALICE.sign(0x13, key.user_data("A"), key_flags(SIGN), created=None)
        assert "no valid self-signature" in refusal(Exported(ALICE, users=((b"A", (claim.body,)),)))


@given(st.data())
def test_any_damage_to_a_key_makes_no_other_key_sign(data: st.DataObject) -> None:
    raw = bytearray(with_subkey().raw)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        key = opened(bytes(raw))
    except Malformed:
        return
    assert key.keyid == ALICE_SUBKEY.fingerprint


@given(st.lists(st.sampled_from(range(6)), max_size=8))
def test_packets_in_any_order_make_no_key_sign_that_is_not_bound(order: list[int]) -> None:
    key = with_subkey()
    (name, (certification,)), (_, (binding,)) = key.users[0], key.subkeys[0]
    parts = [
        (6, ALICE.body),
        (13, name),
        (2, certification),
        (14, ALICE_SUBKEY.body),
        (2, binding),
        (14, BOB.body),
    ]
    raw = b"".join(packet(*parts[place]) for place in order)
    try:
        found = opened(raw)
    except Malformed:
        return
    assert found.keyid == ALICE_SUBKEY.fingerprint
