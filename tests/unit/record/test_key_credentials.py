"""Who is to sign, as far as it is known before the command runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.parts.key_material import pem, private_key
from tests.parts.openpgp import SIGN, Exported, PgpKey, armoured, expires_after, key_flags

from intoto_action.keys.kms import PKCS11_LIBRARY
from intoto_action.reason import Malformed, Misused
from intoto_action.record.credentials import credentials, unsigned_because

PUBLIC = pem(private_key("p256").public_key())


class TestAKeyThatIsElsewhere:
    @pytest.mark.parametrize(
        ("word", "variables"),
        [
            ("hsm:2", ("PIN",)),
            ("hv:name/1", ("PIN", "VAULT_TOKEN")),
            (
                "awskms:alias/x",
                ("PIN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
            ),
            ("gnupg:", ("PIN",)),
        ],
    )
    def test_hides_from_the_command_what_would_let_it_sign(
        self, word: str, variables: tuple[str, ...]
    ) -> None:
        assert credentials(word, "PIN", {}, PUBLIC).variables == variables

    def test_needs_its_public_key_before_the_command_runs(self) -> None:
        environ = {PKCS11_LIBRARY: __file__}
        with pytest.raises(Misused, match="needs its public key beside it: give --public-key PUB"):
            credentials("hsm:2", None, environ).check(environ)
        credentials("hsm:2", None, environ, PUBLIC).check(environ)

    def test_with_a_public_key_that_cannot_be_read_is_refused_before_the_command_runs(self) -> None:
        environ = {PKCS11_LIBRARY: __file__, "PUB": "nothing"}
        with pytest.raises(Malformed):
            credentials("hsm:2", None, environ, "env:PUB").check(environ)

    def test_without_its_library_is_refused_before_the_command_runs(self) -> None:
        with pytest.raises(Misused, match="PYKCS11LIB"):
            credentials("hsm:2", None, {}, PUBLIC).check({})

    def test_without_its_pin_is_refused_before_the_command_runs(self) -> None:
        environ = {PKCS11_LIBRARY: __file__}
        with pytest.raises(Misused, match="the password in the environment variable PIN is empty"):
            credentials("hsm:2", "PIN", environ, PUBLIC).check(environ)

    def test_lacks_its_pin_where_a_run_is_given_no_secrets(self) -> None:
        given = credentials("hsm:2", "PIN", {}, PUBLIC)
        for environ in ({}, {"PIN": ""}):
            told = unsigned_because(given, environ, without=True, pull_requests=True)
            assert told is not None
            assert "the variable PIN for the key hsm:2 is empty, so the link is not signed" in told
        assert unsigned_because(given, {"PIN": "1"}, without=True, pull_requests=True) is None
        assert unsigned_because(given, {}, without=False, pull_requests=True) is None
        assert credentials("gnupg:", None, {}).lack({}) is None

    def test_of_a_wrong_form_is_refused_before_the_command_runs(self) -> None:
        with pytest.raises(Misused, match="expected a key in AWS KMS as"):
            credentials("awskms:///alias/x", None, {}, PUBLIC).check({})

    def test_shows_its_public_key_to_who_asks_whether_it_is_a_functionary(self) -> None:
        key = credentials("hsm:2", None, {}, PUBLIC).public_key({})
        assert key is not None
        assert key.entry.keyval.public == PUBLIC

    def test_in_a_keyring_that_is_not_there_is_refused_before_the_command_runs(self, tmp_path: Path) -> None:
        with pytest.raises(Misused, match="found no directory"):
            credentials(f"gnupg:{tmp_path}/none", None, {}).check({})


def test_a_file_with_another_public_key_that_is_expired_is_refused_before_the_command_runs(
    tmp_path: Path,
) -> None:
    (tmp_path / "key.pem").write_text("not read yet")
    ended = Exported(PgpKey(created=0)).user("A", key_flags(SIGN), expires_after(30), created=0)
    given = credentials(str(tmp_path / "key.pem"), None, {}, armoured(ended.raw))
    with pytest.raises(Malformed, match="which expired on 1970-01-31"):
        given.check({})


def test_a_file_has_the_public_key_that_was_given_before_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "key.pem.pub").write_text(pem(private_key("ed25519").public_key()))
    given = credentials(str(tmp_path / "key.pem"), None, {}, PUBLIC).public_key({})
    beside = credentials(str(tmp_path / "key.pem"), None, {}).public_key({})
    assert given is not None
    assert beside is not None
    assert given.fingerprint != beside.fingerprint
