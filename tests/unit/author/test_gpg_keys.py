"""GPG keys of functionaries: a file in layout.yaml, an entry of securesystemslib's in the signed layout."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.parts.draft import STEPS, Draft
from tests.parts.openpgp import (
    ALICE,
    ALICE_SUBKEY,
    AT,
    SIGN,
    Exported,
    armoured,
    expires_after,
    key_flags,
    with_subkey,
)

HEAD = """\
expires: 6 months
functionaries:
  alice: {key: alice.asc}
  bob: {key: bob.pub}
"""


@pytest.fixture
def gpg_draft(draft: Draft) -> Draft:
    """A draft with alice's GPG key, a primary one with a subkey for signatures, beside it."""
    (draft.directory / "alice.asc").write_text(armoured(with_subkey().raw))
    return draft


def test_the_subkey_that_signs_is_listed_as_securesystemslib_does(gpg_draft: Draft) -> None:
    layout = gpg_draft.compile(HEAD + STEPS, at=AT).layout
    entry = layout.keys[ALICE_SUBKEY.fingerprint]
    assert (entry.keytype, entry.scheme) == ("eddsa", "pgp+eddsa-ed25519")
    step = layout.step("checkout")
    assert step is not None
    assert step.pubkeys == [ALICE_SUBKEY.fingerprint]
    assert ALICE.fingerprint not in layout.keys


def test_a_key_is_looked_at_for_the_time_of_signing(gpg_draft: Draft) -> None:
    ending = Exported(ALICE).user("A", key_flags(SIGN), expires_after(360))
    (gpg_draft.directory / "alice.asc").write_text(armoured(ending.raw))
    assert gpg_draft.compile(HEAD + STEPS, at=AT - timedelta(days=10)).layout.keys
    (told,) = gpg_draft.faults(HEAD + STEPS, AT)
    assert "expected an OpenPGP key that may sign now" in told
    assert f"{ALICE.fingerprint}, which expired on 2030-12-27" in told


@pytest.mark.parametrize("uri", ["gnupg:", "gnupg:/tmp/evil?id=0123456789abcdef", "hsm:2", "awskms:alias/x"])
def test_the_uri_of_a_key_is_told_to_be_none_and_nothing_is_run(gpg_draft: Draft, uri: str) -> None:
    """A proposed layout must not choose the home directory, and so the programs, of a gpg that its reader runs."""
    (told,) = gpg_draft.faults(f"{HEAD.replace('alice.asc', repr(uri))}{STEPS}", AT)
    assert "expected the path of a public key" in told
    assert "export it into a file" in told


def test_one_key_as_gpg_and_as_pem_cannot_be_under_two_names(gpg_draft: Draft) -> None:
    spki = ALICE_SUBKEY.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (gpg_draft.directory / "bob.pub").write_bytes(spki)
    (told,) = gpg_draft.faults(HEAD + STEPS, AT)
    assert "expected every key once, under one name" in told
