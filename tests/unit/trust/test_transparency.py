"""A leaf is in a tree when its proof leads to the root, at its place and nowhere else."""

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.transparency_log import TransparencyLog

from intoto_action.formats.log_entry import HASHEDREKORD_V2, InclusionProof, LogEntry
from intoto_action.formats.trusted_root import LogId, Period, TrustedKey, TrustedLog
from intoto_action.reason import Malformed
from intoto_action.trust.log_keys import LogKeys
from intoto_action.trust.transparency import check_inclusion, promised_time, root_of

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MOST_LEAVES = 40


@dataclasses.dataclass
class Logged:
    """A log with some leaves, and the entry of one of them."""

    leaves: int
    index: int
    period: Period = dataclasses.field(default_factory=lambda: Period(NOW - DAY, NOW + DAY))

    def __post_init__(self) -> None:
        self.log = TransparencyLog("log.test", ed25519.Ed25519PrivateKey.generate())
        first = self.log.size
        for number in range(self.leaves):
            self.log.append(b"leaf %d" % number)
        self.place = first + self.index
        self.body = b"leaf %d" % self.index

    @property
    def proof(self) -> InclusionProof:
        log = self.log
        checkpoint = log.signed_note(log.note(log.root_hash))
        return InclusionProof(self.place, log.size, log.root_hash, tuple(log.path(self.place)), checkpoint)

    @property
    def entry(self) -> LogEntry:
        return LogEntry(self.log.log_id, HASHEDREKORD_V2, self.place, 0, b"", self.proof, self.body)

    @property
    def keys(self) -> LogKeys:
        key = TrustedKey(self.log.public_der, self.log.key_details, self.period)
        return LogKeys([TrustedLog(self.log.base_url, key, LogId(self.log.log_id))], "the root")


@given(st.integers(1, MOST_LEAVES).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_every_leaf_of_every_tree_leads_to_its_root(sizes: tuple[int, int]) -> None:
    logged = Logged(*sizes)
    assert root_of(logged.proof, logged.body, "x") == logged.log.root_hash


@given(
    st.integers(2, MOST_LEAVES).flatmap(
        lambda size: st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True).map(
            lambda two: (size, *two)
        )
    )
)
def test_the_proof_of_one_leaf_is_none_of_another(sizes: tuple[int, int, int]) -> None:
    size, index, other = sizes
    logged = Logged(size, index)
    assert root_of(logged.proof, b"leaf %d" % other, "x") != logged.log.root_hash


@given(
    st.integers(2, MOST_LEAVES).flatmap(
        lambda size: st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True).map(
            lambda two: (size, *two)
        )
    )
)
def test_a_leaf_is_at_its_own_place_only(sizes: tuple[int, int, int]) -> None:
    size, index, other = sizes
    logged = Logged(size, index)
    moved = msgspec.structs.replace(logged.proof, index=logged.place + other - index)
    try:
        assert root_of(moved, logged.body, "x") != logged.log.root_hash
    except Malformed as error:
        assert "hashes" in error.expected


@given(st.integers(0, MOST_LEAVES - 1), st.data())
def test_no_hash_of_a_proof_can_be_another(index: int, data: st.DataObject) -> None:
    logged = Logged(MOST_LEAVES, index)
    hashes = list(logged.proof.hashes)
    place = data.draw(st.integers(0, len(hashes) - 1))
    hashes[place] = bytes([hashes[place][0] ^ 1]) + hashes[place][1:]
    changed = msgspec.structs.replace(logged.proof, hashes=tuple(hashes))
    assert root_of(changed, logged.body, "x") != logged.log.root_hash


@pytest.mark.parametrize("change", [lambda hashes: hashes[:-1], lambda hashes: (*hashes, b"x" * 32)])
def test_a_proof_has_as_many_hashes_as_its_place_asks_for(change: object) -> None:
    logged = Logged(9, 3)
    hashes = change(logged.proof.hashes)  # type: ignore[operator]
    with pytest.raises(Malformed, match="hashes"):
        root_of(msgspec.structs.replace(logged.proof, hashes=hashes), logged.body, "x")


def test_an_inner_node_of_the_tree_is_no_leaf() -> None:
    """RFC 6962 hashes leaves and nodes under different first bytes, so that none can pose as the other."""
    log = TransparencyLog("log.test", ed25519.Ed25519PrivateKey.generate())
    log.append(b"a")
    left, right = (hashlib.sha256(b"\x00" + each).digest() for each in (b"x", b"y"))
    node = hashlib.sha256(b"\x01" + left + right).digest()
    proof = InclusionProof(0, 1, node, (), "")
    assert root_of(proof, left + right, "x") != node


class TestInclusion:
    def test_an_entry_under_a_signed_root_is_in_the_log(self) -> None:
        logged = Logged(5, 2)
        check_inclusion(logged.entry, logged.keys, [NOW], "x")

    @pytest.mark.parametrize("at", [NOW - 2 * DAY, NOW + 2 * DAY])
    def test_a_log_counts_for_the_time_that_it_is_trusted_for(self, at: datetime) -> None:
        logged = Logged(5, 2)
        with pytest.raises(Malformed, match="not trusted at that time"):
            check_inclusion(logged.entry, logged.keys, [NOW, at], "x")

    def test_a_log_that_is_not_in_the_root_is_told(self) -> None:
        with pytest.raises(Malformed, match="nobody here knows"):
            check_inclusion(Logged(5, 2).entry, LogKeys([], "x"), [NOW], "x")

    def test_a_checkpoint_of_a_tree_of_another_size_is_none_of_the_proof_s(self) -> None:
        logged = Logged(5, 2)
        log = logged.log
        note = log.note(log.root_hash).replace(f"\n{log.size}\n", f"\n{log.size + 1}\n")
        proof = msgspec.structs.replace(logged.proof, checkpoint=log.signed_note(note))
        with pytest.raises(Malformed, match="a checkpoint of the proof's tree of"):
            check_inclusion(msgspec.structs.replace(logged.entry, proof=proof), logged.keys, [NOW], "x")

    @pytest.mark.parametrize("place", [0, 1])
    def test_a_checkpoint_is_the_log_s_by_its_origin_and_by_who_signed_it(self, place: int) -> None:
        """One key may be that of two logs, and the origin is what tells their trees apart (tlog-checkpoint)."""
        logged = Logged(5, 2)
        log = logged.log
        note = log.note(log.root_hash)
        other = log.signed_note(note.replace("log.test", "other.test"))
        checkpoints = (other, log.signed_note(note).replace("\u2014 log.test", "\u2014 other.test"))
        proof = msgspec.structs.replace(logged.proof, checkpoint=checkpoints[place])
        with pytest.raises(Malformed, match=r"a checkpoint of the log 'log\.test'"):
            check_inclusion(msgspec.structs.replace(logged.entry, proof=proof), logged.keys, [NOW], "x")

    def test_a_log_of_one_tree_has_one_index_for_an_entry(self) -> None:
        logged = Logged(5, 2)
        with pytest.raises(Malformed, match="the same index"):
            check_inclusion(msgspec.structs.replace(logged.entry, index=0), logged.keys, [NOW], "x")

    def test_witnesses_before_and_after_the_log_s_own_signature_do_no_harm(self) -> None:
        logged = Logged(5, 2)
        log = logged.log
        witness = TransparencyLog("witness.test", ed25519.Ed25519PrivateKey.generate())
        note = log.note(log.root_hash)
        line, own = (each.signed_note(note).removeprefix(f"{note}\n") for each in (witness, log))
        for lines in (line + own, own + line):
            proof = msgspec.structs.replace(logged.proof, checkpoint=f"{note}\n{lines}")
            check_inclusion(msgspec.structs.replace(logged.entry, proof=proof), logged.keys, [NOW], "x")

    def test_a_witness_alone_is_not_the_log(self) -> None:
        logged = Logged(5, 2)
        witness = TransparencyLog("witness.test", ed25519.Ed25519PrivateKey.generate())
        checkpoint = witness.signed_note(logged.log.note(logged.log.root_hash))
        proof = msgspec.structs.replace(logged.proof, checkpoint=checkpoint)
        with pytest.raises(Malformed, match=r"found one signed by 'witness\.test'"):
            check_inclusion(msgspec.structs.replace(logged.entry, proof=proof), logged.keys, [NOW], "x")


class TestPromises:
    def test_a_time_that_nobody_signed_is_no_time(self) -> None:
        entry = msgspec.structs.replace(Logged(5, 2).entry, integrated_time=1)
        assert promised_time(entry, LogKeys([], "x"), "x") is None

    def test_an_entry_of_rekor_v2_makes_no_promises(self) -> None:
        entry = msgspec.structs.replace(Logged(5, 2).entry, integrated_time=1, promise=b"x")
        with pytest.raises(Malformed, match="Rekor v1 only"):
            promised_time(entry, LogKeys([], "x"), "x")

    @pytest.mark.parametrize(("seconds", "found"), [(0, "without"), (10**18, "0")])
    def test_a_promise_without_a_time_is_none(self, seconds: int, found: str) -> None:
        entry = msgspec.structs.replace(
            Logged(5, 2).entry, kind=("hashedrekord", "0.0.1"), integrated_time=seconds, promise=b"x"
        )
        with pytest.raises(Malformed, match=found):
            promised_time(entry, LogKeys([], "x"), "x")
