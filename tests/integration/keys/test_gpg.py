"""Keys of a real gpg: what it signs, what it exports, and what is refused of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from securesystemslib.dsse import Envelope as ReferenceEnvelope
from securesystemslib.signer._gpg_signer import GPGKey, GPGSigner
from tests.parts.gpg_home import GpgHome, gpg_home

from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.gpg_key import GpgKey
from intoto_action.keys.interface import Signer
from intoto_action.keys.sealing import append_signature, seal
from intoto_action.keys.words import open_every_public_key, open_public_key, open_signer
from intoto_action.reason import Malformed, Misused, Reason, Unavailable
from intoto_action.trust.signature import check_signature

pytestmark = pytest.mark.needs("gpg")
PAYLOAD = b'{"_type": "link"}'
ENVIRON = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
ALGORITHMS = ["rsa2048", "rsa3072", "ed25519"]


@pytest.fixture
def home() -> Iterator[GpgHome]:
    with gpg_home() as made:
        yield made


def signer_of(home: GpgHome, fingerprint: str) -> Signer:
    return open_signer(home.key(fingerprint), environ=ENVIRON)


def public_of(home: GpgHome, fingerprint: str) -> GpgKey:
    key = open_public_key(home.key(fingerprint), environ=ENVIRON)
    assert isinstance(key, GpgKey)
    return key


def refusal(use: Callable[[], object], kind: type[Exception] = Malformed) -> str:
    with pytest.raises(kind) as caught:
        use()
    return str(caught.value)


class TestSigning:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_with_a_primary_key_verifies_here_and_for_securesystemslib(
        self, home: GpgHome, algorithm: str
    ) -> None:
        fingerprint = home.new_key(algorithm)
        signer = signer_of(home, fingerprint)
        assert signer.key.keyid == fingerprint
        document = seal(PAYLOAD_TYPE, PAYLOAD, signer)
        assert check_signature(parse_envelope(document, "x"), public_of(home, fingerprint))
        _, theirs = GPGSigner.import_(fingerprint, str(home.directory))
        ReferenceEnvelope.from_dict(msgspec.json.decode(document)).verify([theirs], 1)

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_what_securesystemslib_signs_with_gpg_verifies_here(self, home: GpgHome, algorithm: str) -> None:
        fingerprint = home.new_key(algorithm)
        uri, public = GPGSigner.import_(fingerprint, str(home.directory))
        theirs = ReferenceEnvelope(PAYLOAD, PAYLOAD_TYPE, {})
        theirs.sign(GPGSigner.from_priv_key_uri(uri, public))
        document = msgspec.json.encode(theirs.to_dict())
        assert check_signature(parse_envelope(document, "x"), public_of(home, fingerprint))
        other = home.new_key(algorithm)
        assert not check_signature(parse_envelope(document, "x"), public_of(home, other))

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_our_entry_of_a_key_is_the_one_of_securesystemslib(self, home: GpgHome, algorithm: str) -> None:
        fingerprint = home.new_key(algorithm)
        _, theirs = GPGSigner.import_(fingerprint, str(home.directory))
        assert isinstance(theirs, GPGKey)
        ours = public_of(home, fingerprint).entry
        assert (theirs.keyid, theirs.keytype, theirs.scheme) == (ours.keyid, ours.keytype, ours.scheme)
        assert theirs.keyval["public"] == msgspec.to_builtins(ours.keyval)["public"]

    @pytest.mark.parametrize("algorithm", ["rsa2048", "ed25519"])
    def test_with_each_of_two_subkeys_and_never_with_the_other(self, home: GpgHome, algorithm: str) -> None:
        """gpg itself takes the newest subkey, whichever one is named without a mark."""
        primary = home.new_key(usage="cert")
        subkeys = [home.new_subkey(primary, algorithm) for _ in range(2)]
        for fingerprint in subkeys:
            signer = signer_of(home, fingerprint)
            document = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, signer), "x")
            signed = [each for each in subkeys if check_signature(document, public_of(home, each))]
            assert signed == [fingerprint]

    def test_with_the_only_key_of_a_keyring_when_none_is_named(self, home: GpgHome) -> None:
        primary = home.new_key(usage="cert")
        subkey = home.new_subkey(primary)
        assert open_signer(home.uri, environ=ENVIRON).key.keyid == subkey
        assert open_public_key(home.uri, environ=ENVIRON).keyid == subkey
        home.new_key()
        told = refusal(lambda: open_signer(home.uri, environ=ENVIRON), Misused)
        assert "expected one private key" in told
        assert primary in told

    def test_with_a_primary_key_that_has_a_subkey_needs_its_mark(self, home: GpgHome) -> None:
        primary = home.new_key()
        subkey = home.new_subkey(primary)
        assert signer_of(home, primary).key.keyid == subkey
        alone = signer_of(home, f"{primary}!")
        assert alone.key.keyid == primary
        document = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, alone), "x")
        assert check_signature(document, public_of(home, f"{primary}!"))

    def test_when_gpg_conf_asks_for_another_form(self, home: GpgHome) -> None:
        fingerprint = home.new_key("rsa2048")
        home.configure(
            "armor",
            "textmode",
            "digest-algo SHA512",
            "default-sig-expire 1y",
            "personal-digest-preferences SHA1",
        )
        document = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, signer_of(home, fingerprint)), "x")
        assert check_signature(document, public_of(home, fingerprint))

    def test_in_a_home_directory_with_a_space(self) -> None:
        with gpg_home("my keys") as home:
            document = seal(PAYLOAD_TYPE, PAYLOAD, signer_of(home, home.new_key()))
            assert b"other_headers" in document

    def test_beside_other_signatures(self, home: GpgHome) -> None:
        keys = [home.new_key(), home.new_key("rsa2048")]
        document = seal(PAYLOAD_TYPE, PAYLOAD, signer_of(home, keys[0]))
        both = append_signature(parse_envelope(document, "x"), signer_of(home, keys[1]))
        for fingerprint in keys:
            assert check_signature(parse_envelope(both, "x"), public_of(home, fingerprint))

    def test_what_is_attached_to_an_image_says_what_to_do(self, home: GpgHome) -> None:
        signer = signer_of(home, home.new_key())
        told = refusal(lambda: signer.bundle(PAYLOAD_TYPE, PAYLOAD), Misused)
        assert "Attach with a PEM key" in told


class TestWhatIsExported:
    @pytest.mark.parametrize("armoured", [True, False])
    def test_is_read_as_the_key_that_signs(self, home: GpgHome, tmp_path: Path, armoured: bool) -> None:
        primary = home.new_key("rsa2048", "cert")
        subkey = home.new_subkey(primary)
        home.new_subkey(primary, "cv25519", "encr")
        path = home.export(primary, tmp_path / "alice.asc", armoured=armoured)
        assert open_public_key(str(path), environ={}) == public_of(home, subkey)

    def test_of_one_subkey_is_that_subkey(self, home: GpgHome, tmp_path: Path) -> None:
        primary = home.new_key(usage="cert")
        subkeys = [home.new_subkey(primary) for _ in range(2)]
        whole = home.export(primary, tmp_path / "both.asc")
        assert "expected one subkey that may sign, found 2" in refusal(
            lambda: open_public_key(str(whole), environ={})
        )
        for fingerprint in subkeys:
            path = home.export(f"{fingerprint}!", tmp_path / "one.asc")
            assert open_public_key(str(path), environ={}).keyid == fingerprint

    def test_of_a_keyring_without_the_key_says_how_to_look(self, home: GpgHome) -> None:
        home.new_key()
        told = refusal(lambda: public_of(home, "ab" * 20), Misused)
        assert "gpg --list-keys --with-subkey-fingerprint" in told

    @pytest.mark.parametrize("algorithm", ["nistp256", "dsa2048"])
    def test_of_another_algorithm_is_called_by_its_name(self, home: GpgHome, algorithm: str) -> None:
        fingerprint = home.new_key(algorithm)
        assert {"nistp256": "of ECDSA", "dsa2048": "of DSA"}[algorithm] in refusal(
            lambda: public_of(home, fingerprint)
        )


class TestAnEnd:
    def test_of_a_primary_key_ends_its_subkeys_too(self, home: GpgHome, tmp_path: Path) -> None:
        primary = home.new_key("rsa2048", "cert", "20200601T120000", at="20200101T120000")
        subkey = home.new_subkey(primary, at="20200101T120100")
        path = home.export(primary, tmp_path / "alice.asc")
        uses: list[Callable[[], object]] = [
            lambda: open_public_key(str(path), environ={}),
            lambda: public_of(home, subkey),
            lambda: signer_of(home, subkey),
        ]
        for use in uses:
            assert f"{primary}, which expired on 2020-06-01" in refusal(use)

    def test_of_a_subkey(self, home: GpgHome) -> None:
        primary = home.new_key(usage="cert", at="20200101T120000")
        subkey = home.new_subkey(primary, "rsa2048", expires="20200601T120000", at="20200101T120000")
        for use in (public_of, signer_of):
            assert f"{subkey}, which expired on 2020-06-01" in refusal(lambda use=use: use(home, subkey))  # type: ignore[misc]

    def test_that_was_put_off_is_the_later_one(self, home: GpgHome) -> None:
        primary = home.new_key(usage="sign", expires="20200601T120000", at="20200101T120000")
        home.gpg("--quick-set-expire", primary, "10y")
        assert public_of(home, primary).keyid == primary

    def test_that_was_put_off_for_the_subkey_is_the_later_one(self, home: GpgHome) -> None:
        primary = home.new_key(usage="cert", at="20200101T120000")
        subkey = home.new_subkey(primary, expires="20200601T120000", at="20200101T120000")
        home.gpg("--quick-set-expire", primary, "10y", subkey)
        assert public_of(home, subkey).keyid == subkey

    def test_is_looked_at_for_the_time_that_is_asked(self, home: GpgHome, tmp_path: Path) -> None:
        primary = home.new_key("ed25519", "sign", "20200601T120000", at="20200101T120000")
        path = str(home.export(primary, tmp_path / "alice.asc"))
        before = datetime(2020, 5, 31, tzinfo=UTC)
        assert open_public_key(path, environ={}, at=before).keyid == primary


class TestARevocation:
    def test_of_a_primary_key_ends_its_subkeys_too(self, home: GpgHome, tmp_path: Path) -> None:
        primary = home.new_key("rsa2048", "cert")
        subkey = home.new_subkey(primary)
        home.revoke(primary)
        path = home.export(primary, tmp_path / "alice.asc")
        uses: list[Callable[[], object]] = [
            lambda: open_public_key(str(path), environ={}),
            lambda: public_of(home, subkey),
            lambda: signer_of(home, subkey),
        ]
        for use in uses:
            assert f"{primary}, which was revoked on" in refusal(use)
        named = {key.keyid for key in open_every_public_key(str(path), environ={})}
        assert named == {primary, subkey}
        assert named == {key.keyid for key in open_every_public_key(home.key(primary), environ=ENVIRON)}

    def test_of_a_subkey_leaves_the_other_one(self, home: GpgHome) -> None:
        primary = home.new_key(usage="cert")
        first, second = home.new_subkey(primary), home.new_subkey(primary, "rsa2048")
        home.revoke_subkey(primary, 1)
        assert f"{first}, which was revoked on" in refusal(lambda: public_of(home, first))
        assert public_of(home, primary).keyid == second

    def test_of_the_key_counts_although_it_was_signed_before_and_verified(self, home: GpgHome) -> None:
        """What a layout holds of the key does not change: who verifies says --revoked."""
        primary = home.new_key()
        signer = signer_of(home, primary)
        document = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, signer), "x")
        home.revoke(primary)
        assert "which was revoked" in refusal(lambda: public_of(home, primary))
        assert check_signature(document, signer.key)
        assert "Unusable secret key" in refusal(lambda: signer.signature(b"data"), Misused)


def test_a_key_whose_self_signatures_are_with_sha1_is_refused_until_they_are_renewed(home: GpgHome) -> None:
    home.configure("cert-digest-algo SHA1")
    fingerprint = home.new_key("rsa2048")
    told = refusal(lambda: public_of(home, fingerprint))
    assert (
        "nothing but signatures with SHA-1 speaks: renew its self-signatures with `gpg --cert-digest-algo"
        in told
    )
    home.configure()
    home.gpg("--cert-digest-algo", "SHA256", "--quick-set-expire", fingerprint, "2y")
    assert public_of(home, fingerprint).keyid == fingerprint


def program(directory: Path, text: str) -> Mapping[str, str]:
    """The environment with another gpg in front of the real one."""
    directory.mkdir()
    (directory / "gpg").write_text(f"#!/bin/sh\n{text}\n")
    (directory / "gpg").chmod(0o755)
    return {**ENVIRON, "PATH": f"{directory}:{ENVIRON['PATH']}"}


class TestTheProgram:
    def test_gets_no_token_of_the_environment(self, home: GpgHome, tmp_path: Path) -> None:
        fingerprint = home.new_key()
        environ = program(tmp_path / "bin", f'env >> {tmp_path}/seen; exec /usr/bin/gpg "$@"')
        tokens = {
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t0ken",
            "AWS_SECRET_ACCESS_KEY": "t0ken",
            "GNUPG": "/bin/false",
        }
        seal(PAYLOAD_TYPE, PAYLOAD, open_signer(home.key(fingerprint), environ={**environ, **tokens}))
        seen = (tmp_path / "seen").read_text()
        assert "PATH=" in seen
        assert "t0ken" not in seen
        assert "GNUPG=" not in seen

    def test_that_does_not_answer_is_bounded(self, home: GpgHome, tmp_path: Path) -> None:
        fingerprint = home.new_key()
        script = 'case "$*" in *--detach-sign*) exec sleep 60 ;; esac; exec /usr/bin/gpg "$@"'
        environ = program(tmp_path / "bin", script)
        signer = open_signer(home.key(fingerprint), environ=environ, seconds=0.5)
        with pytest.raises(Unavailable, match=r"gpg did not answer within 0\.5 seconds") as caught:
            signer.signature(b"data")
        assert caught.value.reason is Reason.KEY_UNAVAILABLE

    @pytest.mark.parametrize("what", ["other bytes", "another key", "nothing", "no signature"])
    def test_that_makes_something_else_is_not_believed(
        self, home: GpgHome, tmp_path: Path, what: str
    ) -> None:
        fingerprint, other = home.new_key(), home.new_key()
        signs = f'/usr/bin/gpg --homedir "{home.directory}" --batch --digest-algo SHA256 --detach-sign -u'
        instead = {
            "other bytes": f"echo x | {signs} {fingerprint}",
            "another key": f"{signs} {other}",
            "nothing": "true",
            "no signature": "echo hello",
        }[what]
        script = f'case "$*" in *--detach-sign*) {instead}; exit ;; esac; exec /usr/bin/gpg "$@"'
        signer = open_signer(home.key(fingerprint), environ=program(tmp_path / "bin", script))
        told = refusal(lambda: signer.signature(b"data"), Misused)
        assert "does not hold under it" in told or "the signature that gpg made: expected" in told

    def test_that_cannot_ask_for_the_passphrase_says_what_gpg_said(self, home: GpgHome) -> None:
        words = ["--pinentry-mode=loopback", "--passphrase", "of a person"]
        home.gpg(*words, "--quick-gen-key", "Locked <locked@example.test>", "ed25519", "sign")
        home.close()  # the agent forgets the passphrase
        (fingerprint,) = home.primary_keys()
        (home.directory / "gpg-agent.conf").write_text("pinentry-program /bin/false\n")
        told = refusal(lambda: signer_of(home, fingerprint).signature(b"data"), Misused)
        assert "and said: gpg: signing failed" in told
        assert "its agent must have it already" in told

    def test_that_has_the_public_key_alone_says_what_gpg_said(self, home: GpgHome, tmp_path: Path) -> None:
        fingerprint = home.new_key()
        path = home.export(fingerprint, tmp_path / "alice.asc")
        with gpg_home() as verifier:
            verifier.gpg("--import", str(path))
            told = refusal(lambda: signer_of(verifier, fingerprint).signature(b"data"), Misused)
        assert "No secret key" in told
