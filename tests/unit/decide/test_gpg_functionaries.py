"""GPG keys as functionaries and owners, in the whole decision."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.parts.chain import Chain
from tests.parts.openpgp import ALICE, BOB, Made, PgpKey, seconds

from intoto_action.decide.demands import Revoked, Trust
from intoto_action.formats.envelope import Signature
from intoto_action.formats.gpg_key import GpgKey, gpg_key
from intoto_action.formats.key import public_key_from_crypto
from intoto_action.reason import Misused, Reason


class GpgInMemory:
    """A GPG key that signs without gpg; `more` is given to every signature."""

    def __init__(self, pgp: PgpKey, *said: bytes, **more: Any) -> None:
        self.pgp = pgp
        self.said = said
        self.more = more

    @property
    def key(self) -> GpgKey:
        return gpg_key(self.pgp.fingerprint, self.pgp.public, "a test key")

    def signature(self, data: bytes) -> Signature:
        made: Made = self.pgp.sign(0x00, data, *self.said, **self.more)
        return Signature("", made.value, {"other_headers": msgspec.json.encode(made.headers.hex())})

    def bundle(self, payload_type: str, payload: bytes) -> bytes:
        raise Misused("none")


def chain_with(signer: GpgInMemory, step: str = "build") -> Chain:
    """The chain, its `step` done by the signer in place of whoever did it."""
    chain = Chain()
    chain.add_functionary(step, signer)
    chain.change_step(step, pubkeys=[signer.key.keyid])
    chain.link(step).signed_by(signer)
    return chain


@pytest.mark.parametrize("key", [ALICE, BOB])
def test_a_step_by_a_gpg_key_passes(key: PgpKey) -> None:
    verdict = chain_with(GpgInMemory(key)).verify()
    assert verdict.reason is None
    assert str(GpgInMemory(key).key) in str(verdict)


@pytest.mark.parametrize("key", [ALICE, BOB])
def test_a_step_by_another_gpg_key_is_denied(key: PgpKey) -> None:
    chain = chain_with(GpgInMemory(key))
    chain.link("build").signer = GpgInMemory(PgpKey(key.kind, 9))
    assert chain.verify().reason is Reason.LINK_SIGNATURE


def test_a_step_by_the_other_subkey_of_the_same_owner_is_denied() -> None:
    chain = chain_with(GpgInMemory(ALICE))
    chain.link("build").signed_by(GpgInMemory(PgpKey("ed25519", 1)))
    assert chain.verify().reason is Reason.LINK_SIGNATURE


@pytest.mark.parametrize(
    ("signer", "told"),
    [
        (
            GpgInMemory(ALICE, hash_algorithm=2),
            "one that does not hold: SHA-1 (expected a GPG signature with SHA-256",
        ),
        (GpgInMemory(ALICE, seconds(3, 60)), "one that expires"),
        (GpgInMemory(ALICE, version=3), "version 3"),
    ],
)
def test_a_signature_that_readers_of_intoto_do_not_take_is_explained(signer: GpgInMemory, told: str) -> None:
    verdict = chain_with(signer).verify()
    assert verdict.reason is Reason.LINK_SIGNATURE
    assert told in verdict.explanation[0].found


@pytest.mark.parametrize("key", [ALICE, BOB])
def test_a_layout_signed_with_a_gpg_key_passes_under_it_and_under_no_other(key: PgpKey) -> None:
    chain = Chain()
    owner = GpgInMemory(key)
    chain.layout_signers = [owner]
    by = Trust((owner.key,))
    assert chain.verify(layout_trust=by, attesters=(chain.root.key,)).reason is None
    other = Trust((GpgInMemory(PgpKey(key.kind, 9)).key,))
    assert chain.verify(layout_trust=other, attesters=(chain.root.key,)).reason is Reason.LAYOUT_SIGNATURE


def test_a_revoked_gpg_key_counts_no_more_under_any_of_its_names() -> None:
    signer = GpgInMemory(ALICE)
    chain = chain_with(signer)
    for name in (signer.key.keyid, signer.key.spki):
        assert chain.verify(revoked=Revoked(frozenset({name}))).reason is Reason.LINK_SIGNATURE
    same = public_key_from_crypto(ALICE.public, "the same key in a PEM file")
    assert chain.verify(revoked=Revoked(same.names)).reason is Reason.LINK_SIGNATURE


def test_one_key_with_gpg_and_in_a_pem_file_does_not_meet_a_threshold_of_two() -> None:
    chain = Chain()
    private = ALICE.private

    class Plain(GpgInMemory):
        @property
        def key(self) -> Any:
            return public_key_from_crypto(self.pgp.public, "the same key in a PEM file")

        def signature(self, data: bytes) -> Signature:
            return Signature("", private.sign(data))  # type: ignore[call-arg]  # ALICE is of Ed25519

    both = (GpgInMemory(ALICE), Plain(ALICE))
    for signer in both:
        chain.add_functionary("build", signer)
    chain.change_step("build", pubkeys=[signer.key.keyid for signer in both], threshold=2)
    chain.link("build").signed_by(both[0])
    chain.add_link("build", both[1])
    assert chain.verify().reason in {Reason.THRESHOLD, Reason.LAYOUT_INVALID}
