"""OpenPGP packets, keys and armour: read as gpg writes them, and nothing else."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.openpgp import (
    ALICE,
    BOB,
    MADE,
    Exported,
    PgpKey,
    armoured,
    damaged,
    packet,
    plain,
    seconds,
    subpacket,
    with_subkey,
)

from intoto_action.formats.gpg_certificate import every_key, parse_certificates
from intoto_action.formats.gpg_key import GPG_CAP, holds_gpg_key
from intoto_action.formats.openpgp import (
    dearmor,
    read_hashed,
    read_key_packet,
    read_packets,
    read_signature_packet,
)
from intoto_action.reason import Malformed

WHERE = "alice.asc"
KEY = with_subkey()


def fingerprints(raw: bytes) -> list[str]:
    return [key.keyid for key in every_key(parse_certificates(raw, WHERE), WHERE)]


class TestPackets:
    @pytest.mark.parametrize("new", [False, True])
    def test_lengths_of_both_forms_are_read(self, new: bool) -> None:
        assert list(read_packets(packet(13, b"a" * 300, new=new), WHERE)) == [(13, b"a" * 300)]

    @pytest.mark.parametrize(
        ("head", "length"),
        [
            (b"\xb4\x05", 5),
            (b"\xb5\x01\x00", 256),
            (b"\xb6\x00\x01\x00\x00", 65536),
            (b"\xcd\x05", 5),
            (b"\xcd\xbf", 191),
            (b"\xcd\xc0\x00", 192),
            (b"\xcd\xdf\xff", 8383),
            (b"\xcd\xff\x00\x00\x00\x05", 5),
        ],
    )
    def test_every_way_to_say_a_length_is_read(self, head: bytes, length: int) -> None:
        assert list(read_packets(head + b"x" * length, WHERE)) == [(13, b"x" * length)]

    @pytest.mark.parametrize(
        ("raw", "told"),
        [
            (b"\xb7abc", "indeterminate length"),
            (b"\xcd\xe0a", "partial length"),
            (b"\xcd\xfea", "partial length"),
            (b"\xb4\x05abc", "cut short"),
            (b"\xb5\x01", "cut short"),
            (b"\xcd", "cut short"),
            (b"\xcd\xc0", "cut short"),
            (b"\xcd\xff\x00\x00", "cut short"),
            (b"\xcd\xff\xff\xff\xff\xff", "cut short"),
            (b"no packets", "found something else"),
            (b"\xb4\x01ax", "found something else"),
        ],
    )
    def test_other_lengths_and_what_is_cut_short_are_refused(self, raw: bytes, told: str) -> None:
        with pytest.raises(Malformed, match=told):
            list(read_packets(raw, WHERE))

    @given(st.binary(max_size=400))
    def test_any_bytes_are_packets_or_malformed(self, raw: bytes) -> None:
        try:
            found = list(read_packets(raw, WHERE))
        except Malformed:
            return
        assert sum(len(each.body) for each in found) <= len(raw)


class TestKeys:
    @pytest.mark.parametrize("key", [ALICE, BOB, PgpKey("rsa3072")])
    def test_a_key_has_the_fingerprint_that_gpg_shows(self, key: PgpKey) -> None:
        read = read_key_packet(key.body, WHERE)
        assert read.fingerprint == key.fingerprint
        assert read.created == MADE
        assert read.crypto == key.public

    def test_one_key_made_at_another_time_has_another_fingerprint(self) -> None:
        assert read_key_packet(PgpKey(created=MADE + 1).body, WHERE).fingerprint != ALICE.fingerprint

    @pytest.mark.parametrize("version", [2, 3, 5, 6, 255])
    def test_another_version_is_refused(self, version: int) -> None:
        with pytest.raises(Malformed, match=f"version 4, found version {version}"):
            read_key_packet(PgpKey(version=version).body, WHERE)

    @pytest.mark.parametrize(
        "spoil",
        [lambda body: b"", lambda body: body[:5], lambda body: body[:-1], lambda body: body + b"\x00"],
        ids=["empty", "head", "short", "long"],
    )
    @pytest.mark.parametrize("key", [ALICE, BOB])
    def test_a_key_that_is_cut_short_or_too_long_is_refused(
        self, key: PgpKey, spoil: Callable[[bytes], bytes]
    ) -> None:
        with pytest.raises(Malformed):
            read_key_packet(spoil(key.body), WHERE)

    def test_a_number_that_claims_to_be_longer_than_the_key_is_refused(self) -> None:
        with pytest.raises(Malformed, match="cut short"):
            read_key_packet(BOB.body[:6] + b"\xff\xff" + BOB.body[8:], WHERE)

    def test_another_curve_is_a_key_that_is_not_read(self) -> None:
        body = ALICE.body[:8] + b"\x2b" + ALICE.body[9:]
        assert read_key_packet(body, WHERE).crypto is None

    def test_a_point_in_another_form_is_refused(self) -> None:
        body = ALICE.body.replace(b"\x01\x07\x40", b"\x01\x07\x41")
        with pytest.raises(Malformed, match="a point of Ed25519"):
            read_key_packet(body, WHERE)

    def test_numbers_that_make_no_rsa_key_are_refused(self) -> None:
        body = BOB.body[:-3] + b"\x00\x00\x01"
        with pytest.raises(Malformed, match="numbers that make none"):
            read_key_packet(body, WHERE)

    @given(damaged(BOB.body))
    def test_any_damage_makes_another_key_or_malformed(self, body: bytes) -> None:
        try:
            read = read_key_packet(body, WHERE)
        except Malformed:
            return
        assert (read.fingerprint == BOB.fingerprint) == (body == BOB.body)


class TestSignatures:
    @pytest.mark.parametrize("key", [ALICE, BOB])
    def test_a_signature_is_read_with_its_hashed_part_and_its_value(self, key: PgpKey) -> None:
        made = key.sign(0x00, b"data")
        read = read_signature_packet(made.body, WHERE)
        assert read.hashed.raw == made.headers
        assert read.value.rjust(len(made.value), b"\x00") == made.value
        assert read.hashed.seconds(2) == MADE
        assert read.may_be_by(key.fingerprint)
        assert not read.may_be_by("ab" * 20)

    def test_leading_zeros_of_an_eddsa_signature_come_back(self) -> None:
        made = next(
            made
            for count in range(5000)
            if (made := ALICE.sign(0x00, count.to_bytes(4, "big"))).value[0] == 0 or made.value[32] == 0
        )
        assert read_signature_packet(made.body, WHERE).value == made.value

    @pytest.mark.parametrize("version", [2, 3, 5, 6])
    def test_another_version_is_refused(self, version: int) -> None:
        with pytest.raises(Malformed, match=f"version 4, found version {version}"):
            read_signature_packet(ALICE.sign(0x00, b"", version=version).body, WHERE)

    def test_a_signature_of_another_algorithm_has_no_value(self) -> None:
        assert read_signature_packet(ALICE.sign(0x00, b"", algorithm=19).body, WHERE).value == b""

    @pytest.mark.parametrize("count", range(0, 60, 7))
    def test_a_signature_that_is_cut_short_is_refused(self, count: int) -> None:
        with pytest.raises(Malformed):
            read_signature_packet(ALICE.sign(0x00, b"").body[:count], WHERE)

    def test_a_signature_with_more_behind_it_is_refused(self) -> None:
        with pytest.raises(Malformed, match="too long"):
            read_signature_packet(BOB.sign(0x00, b"").body + b"\x00", WHERE)

    @pytest.mark.parametrize("size", [0, 1, 191, 192, 300, 8383])
    def test_subpackets_of_every_length_are_read(self, size: int) -> None:
        made = ALICE.sign(0x00, b"", subpacket(20, b"x" * size, critical=True), seconds(9, 7))
        read = read_hashed(made.headers, WHERE)
        assert (20, True, b"x" * size) in read.subpackets
        assert read.seconds(9) == 7
        assert read.seconds(3) is None

    def test_the_last_of_two_equal_subpackets_counts(self) -> None:
        made = ALICE.sign(0x00, b"", seconds(9, 7), seconds(9, 8))
        assert read_hashed(made.headers, WHERE).seconds(9) == 8

    def test_a_time_of_another_length_is_refused(self) -> None:
        made = ALICE.sign(0x00, b"", subpacket(9, b"\x01"))
        with pytest.raises(Malformed, match="a time of 4 bytes"):
            read_hashed(made.headers, WHERE).seconds(9)

    @pytest.mark.parametrize(
        "inside", [b"\x00", b"\x05\x02", b"\xc0", b"\xff\x00\x00", b"\xff\xff\xff\xff\xff"]
    )
    def test_subpackets_that_are_cut_short_are_refused(self, inside: bytes) -> None:
        with pytest.raises(Malformed):
            read_hashed(b"\x04\x00\x16\x08" + len(inside).to_bytes(2, "big") + inside, WHERE)

    @pytest.mark.parametrize("raw", [b"", b"\x04", b"\x04\x00\x16\x08\x00", b"\x04\x00\x16\x08\x00\x01"])
    def test_a_hashed_part_of_another_length_is_refused(self, raw: bytes) -> None:
        with pytest.raises(Malformed):
            read_hashed(raw, WHERE)
        with pytest.raises(Malformed):
            read_hashed(ALICE.sign(0x00, b"").headers + b"\x00", WHERE)

    @given(st.binary(max_size=300) | damaged(BOB.sign(0x13, b"x").body))
    def test_any_bytes_are_a_signature_or_malformed(self, body: bytes) -> None:
        try:
            read = read_signature_packet(body, WHERE)
        except Malformed:
            return
        assert body.startswith(read.hashed.raw)


class TestArmour:
    def test_a_key_is_the_same_armoured_or_not(self) -> None:
        text = armoured(KEY.raw)
        assert dearmor(text, WHERE) == KEY.raw
        assert fingerprints(text.encode()) == fingerprints(KEY.raw)

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text.replace("\n", "\r\n"),
            lambda text: text.replace("\n", "\n   "),
            lambda text: text.replace("\n", " "),
            lambda text: text.replace("\n\n", "\n"),
            lambda text: text.replace("\n\n", "\nVersion: GnuPG v2\nComment: of Alice\n\n", 1),
            lambda text: f"alice.asc, as we keep it\n\n{text}\nand that is all\n",
            lambda text: "\n".join(line for line in text.split("\n") if not line.startswith("=")),
        ],
        ids=["CR LF", "indented", "in one line", "no empty line", "headers", "text around", "no checksum"],
    )
    def test_what_happens_to_armour_on_its_way_is_undone(self, change: Callable[[str], str]) -> None:
        assert fingerprints(change(armoured(KEY.raw)).encode()) == fingerprints(KEY.raw)

    def test_two_blocks_are_the_keys_of_both(self) -> None:
        text = armoured(plain().raw) + armoured(plain(BOB).raw)
        assert fingerprints(text.encode()) == [ALICE.fingerprint, BOB.fingerprint]

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda text: text[:-20], "a whole block"),
            (lambda text: text.replace("=", "!", 1), "something else between its lines"),
            (lambda text: text.replace("\n\n", "\nnot: a header of ours\n\n", 1), "something else"),
        ],
    )
    def test_damaged_armour_is_refused(self, change: Callable[[str], str], told: str) -> None:
        with pytest.raises(Malformed, match=told):
            parse_certificates(change(armoured(KEY.raw)).encode(), WHERE)

    def test_armour_with_the_checksum_of_something_else_is_refused(self) -> None:
        with pytest.raises(Malformed, match="it is damaged"):
            dearmor(armoured(KEY.raw, checksum=b"abc"), WHERE)

    @given(st.text(max_size=200))
    def test_any_text_between_the_lines_is_a_key_or_malformed(self, text: str) -> None:
        block = f"-----BEGIN PGP PUBLIC KEY BLOCK-----{text}-----END PGP PUBLIC KEY BLOCK-----"
        with pytest.raises(Malformed):
            parse_certificates(block.encode(errors="replace"), WHERE)


class TestFiles:
    @pytest.mark.parametrize(
        "raw",
        [KEY.raw, Exported(ALICE, new=True).user().raw, armoured(KEY.raw).encode()],
        ids=["old", "new", "armoured"],
    )
    def test_a_file_with_a_key_is_known_by_its_first_bytes(self, raw: bytes) -> None:
        assert holds_gpg_key(raw)

    @pytest.mark.parametrize("raw", [b"", b"-----BEGIN PUBLIC KEY-----", b"0\x82", b"{", b"\xef\xbb\xbf"])
    def test_any_other_file_is_known_for_none(self, raw: bytes) -> None:
        assert not holds_gpg_key(raw)

    def test_a_private_key_is_refused_and_not_shown(self) -> None:
        with pytest.raises(Malformed, match="found a private one") as caught:
            parse_certificates(packet(5, ALICE.body + b"\x00hunter2"), WHERE)
        assert "hunter2" not in str(caught.value)

    def test_a_key_of_another_algorithm_alone_is_no_key(self) -> None:
        with pytest.raises(Malformed, match="keys of other algorithms only"):
            fingerprints(plain(PgpKey("rsa2048", algorithm=17)).raw)

    def test_a_signature_alone_is_no_key(self) -> None:
        with pytest.raises(Malformed, match="other packets in front"):
            fingerprints(packet(2, ALICE.sign(0x00, b"").body))

    def test_a_file_that_is_too_long_says_how_to_make_it_shorter(self) -> None:
        with pytest.raises(Malformed, match="export-minimal"):
            fingerprints(bytes(GPG_CAP + 1))

    def test_packets_that_say_nothing_are_passed_over(self) -> None:
        assert fingerprints(plain().raw + packet(12, b"trust")) == [ALICE.fingerprint]

    def test_signatures_by_others_of_any_form_do_not_make_the_key_unreadable(self) -> None:
        junk = b"".join(
            packet(2, body) for body in (b"", b"\x03", b"\x05\x13" + bytes(30), b"\x04\x13\x11\x08")
        )
        assert fingerprints(plain().raw + junk) == [ALICE.fingerprint]

    @given(damaged(KEY.raw))
    def test_any_damage_is_malformed_or_some_keys(self, raw: bytes) -> None:
        try:
            fingerprints(raw)
        except Malformed:
            return
