"""Keys in services and tokens: what is refused before anything is asked, and what a service may not get away with.

The services themselves are played by classes that do wrong what no real part would do on demand; a real token signs in
tests/integration.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from securesystemslib.signer import _signer
from securesystemslib.signer._signature import Signature as TheirSignature
from tests.parts.key_material import KINDS, pem, private_key
from tests.parts.openpgp import ALICE, armoured, plain

from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.keys.interface import Access, Signer
from intoto_action.keys.kms import KINDS as KMS_KINDS
from intoto_action.keys.kms import PKCS11_LIBRARY, Kms
from intoto_action.keys.sealing import seal, seal_bundle
from intoto_action.keys.words import KMS_SCHEMES, elsewhere, open_signer
from intoto_action.reason import Malformed, Misused, Reason, Unavailable
from intoto_action.trust.signature import check_signature

PAYLOAD = b'{"_type": "link"}'
PIN = "secret-pin-7311"
ENVIRON = {PKCS11_LIBRARY: __file__, "PIN": PIN, "PUB": pem(private_key("p256").public_key())}
WORD = "hsm:2?label=token"


class Service:
    """What stands for a signer of securesystemslib; `answers` makes the raw signature in a scheme."""

    asked: list[dict[str, str]]

    def __init__(self, answers: Callable[[bytes, str], bytes]) -> None:
        self.answers = answers
        self.asked = []
        self.pins: list[str] = []

    def from_priv_key_uri(self, word: str, public: Any, secrets: Callable[[str], str]) -> Service:
        self.public = public
        self.pins.append(secrets("pin"))
        self.asked.append(dict(os.environ))
        return self

    def sign(self, data: bytes) -> TheirSignature:
        return TheirSignature(self.public.keyid, self.answers(data, self.public.scheme).hex())


def signs(kind: str, number: int = 0) -> Callable[[bytes, str], bytes]:
    """A service that signs as real ones do: in the scheme that it is asked for."""
    private = private_key(kind, number)

    def answer(data: bytes, scheme: str) -> bytes:
        if isinstance(private, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            return private.sign(data, padding.PKCS1v15() if "pkcs1v15" in scheme else pss, hashes.SHA256())
        if isinstance(private, ec.EllipticCurvePrivateKey):
            return private.sign(data, ec.ECDSA(hashes.SHA384() if scheme[-3:] == "384" else hashes.SHA256()))
        return private.sign(data)

    return answer


def fails(error: Exception) -> Callable[[bytes, str], bytes]:
    def answer(data: bytes, scheme: str) -> bytes:
        raise error

    return answer


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[bytes, str], bytes]], Service]:
    """Puts a service in the place of the signer for `hsm:`."""

    def put(answers: Callable[[bytes, str], bytes]) -> Service:
        service = Service(answers)
        monkeypatch.setitem(_signer.SIGNER_FOR_URI_SCHEME, "hsm", service)
        return service

    return put


Play = Callable[[Callable[[bytes, str], bytes]], Service]


def opened(kind: str = "p256", **more: Any) -> Signer:
    environ = {**ENVIRON, "PUB": pem(private_key(kind).public_key())}
    return open_signer(WORD, environ=environ, password_env="PIN", public_key="env:PUB", **more)


def verifies(document: bytes, signer: Signer) -> bool:
    return check_signature(parse_envelope(document, "a document"), signer.key) is not None


class TestASignature:
    @pytest.mark.parametrize("kind", KINDS)
    def test_goes_into_a_link_in_the_scheme_of_the_key(self, play: Play, kind: str) -> None:
        service = play(signs(kind))
        signer = opened(kind)
        assert verifies(seal(PAYLOAD_TYPE, PAYLOAD, signer), signer)
        assert service.pins == [PIN]

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "p384"])
    def test_goes_into_a_bundle_as_cosign_checks_it(self, play: Play, kind: str) -> None:
        play(signs(kind))
        signer = opened(kind)
        assert verifies(seal_bundle(PAYLOAD_TYPE, PAYLOAD, signer), signer)

    def test_by_a_key_on_p384_cannot_go_into_a_bundle(self, play: Play) -> None:
        service = play(signs("p384"))
        with pytest.raises(Misused, match="expected a key on P-256 for what is attached to an image"):
            seal_bundle(PAYLOAD_TYPE, PAYLOAD, opened("p384"))
        assert service.asked == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_by_another_key_is_never_handed_on(self, play: Play, kind: str) -> None:
        play(signs(kind, 1))
        for make in (seal, seal_bundle):
            if (kind, make) == ("p384", seal_bundle):
                continue
            with pytest.raises(
                Misused, match=r"does not hold under it: is --public-key the public key of 'hsm:2"
            ):
                make(PAYLOAD_TYPE, PAYLOAD, opened(kind))

    @pytest.mark.parametrize("answer", [b"", b"\x00" * 64, b"0\x06\x02\x01\x00\x02\x01\x00"])
    def test_that_is_none_is_never_handed_on(self, play: Play, answer: bytes) -> None:
        play(lambda data, scheme: answer)
        with pytest.raises(Misused, match="does not hold under it"):
            seal(PAYLOAD_TYPE, PAYLOAD, opened())

    def test_over_other_data_is_never_handed_on(self, play: Play) -> None:
        honest = signs("p256")
        play(lambda data, scheme: honest(data + b" ", scheme))
        with pytest.raises(Misused, match="does not hold under it"):
            seal(PAYLOAD_TYPE, PAYLOAD, opened())


class TestAServiceThatFails:
    def test_by_never_answering_ends_with_the_bound(self, play: Play) -> None:
        forever = threading.Event()

        def wait(data: bytes, scheme: str) -> bytes:
            forever.wait(60)
            return b""

        play(wait)
        with pytest.raises(
            Unavailable, match=r"the PKCS#11 token did not answer within 0\.1 seconds"
        ) as caught:
            seal(PAYLOAD_TYPE, PAYLOAD, opened(seconds=0.1))
        forever.set()
        assert caught.value.reason is Reason.KEY_UNAVAILABLE

    def test_is_unavailable_in_one_sentence(self, play: Play) -> None:
        play(fails(OSError("connection refused\n  at some/file.py:12\n  and more")))
        with pytest.raises(Unavailable) as caught:
            seal(PAYLOAD_TYPE, PAYLOAD, opened())
        assert str(caught.value) == (
            f"the PKCS#11 token did not sign with '{WORD}': connection refused (OSError)"
        )
        assert caught.value.reason is Reason.KEY_UNAVAILABLE
        assert caught.value.__cause__ is None

    def test_without_a_word_is_told_by_its_kind(self, play: Play) -> None:
        class DeviceRemoved(RuntimeError):
            """As of python-pkcs11, whose errors are mostly without words."""

        play(fails(DeviceRemoved()))
        with pytest.raises(Unavailable, match="DeviceRemoved"):
            seal(PAYLOAD_TYPE, PAYLOAD, opened())

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("PinIncorrect", "the PIN is wrong"),
            ("PinLocked", "has locked itself"),
            ("MechanismInvalid", "cannot sign with ECDSA"),
        ],
    )
    def test_because_of_wrong_words_is_misused(self, play: Play, name: str, told: str) -> None:
        play(fails(type(name, (RuntimeError,), {})()))
        with pytest.raises(Misused, match=told):
            seal(PAYLOAD_TYPE, PAYLOAD, opened())

    def test_repeats_neither_the_pin_nor_a_long_text(self, play: Play) -> None:
        play(fails(OSError(f"CKR_WHATEVER for pin={PIN} {'x' * 9000}")))
        with pytest.raises(Unavailable) as caught:
            seal(PAYLOAD_TYPE, PAYLOAD, opened())
        assert PIN not in repr(caught.value)
        assert "(not shown)" in str(caught.value)
        assert len(str(caught.value)) < 600

    def test_does_not_print_beside_us(self, play: Play, caplog: pytest.LogCaptureFixture) -> None:
        def log(data: bytes, scheme: str) -> bytes:
            logging.getLogger("securesystemslib.signer._aws_signer").error("Failed to sign: %s", PIN)
            raise OSError("no")

        play(log)
        with pytest.raises(Unavailable):
            seal(PAYLOAD_TYPE, PAYLOAD, opened())
        assert caplog.records == []

    def test_with_an_error_of_our_own_is_told_as_it_is(self, play: Play) -> None:
        play(fails(Misused("as it is")))
        with pytest.raises(Misused, match=r"^as it is$"):
            seal(PAYLOAD_TYPE, PAYLOAD, opened())


class TestVariablesThatSign:
    KIND = Kms(
        scheme="hsm",
        what="a service",
        extra="some",
        modules=("json",),
        form=r"hsm:.*",
        example="hsm:x",
        private=("SERVICE_TOKEN", "SERVICE_OTHER"),
    )
    PUBLIC = ENVIRON["PUB"]

    def access(self, **environ: str) -> Access:
        from intoto_action.keys.words import open_public_key

        def nobody(question: str) -> str:
            raise Misused(question)

        public = open_public_key(self.PUBLIC, environ={})
        return Access(environ=environ, public=public, secret=nobody)

    def test_are_lent_to_the_library_and_taken_away_again(
        self, play: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SERVICE_TOKEN", raising=False)
        service = play(signs("p256"))
        signer = self.KIND.open("hsm:x", self.access(SERVICE_TOKEN="t0ken", SOMETHING_ELSE="x"))
        signer.signature(b"data")
        (seen,) = service.asked
        assert seen["SERVICE_TOKEN"] == "t0ken"
        assert "SOMETHING_ELSE" not in seen
        assert "SERVICE_TOKEN" not in os.environ

    def test_are_taken_away_when_the_service_fails(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SERVICE_TOKEN", raising=False)
        play(fails(OSError("no")))
        with pytest.raises(Unavailable):
            self.KIND.open("hsm:x", self.access(SERVICE_TOKEN="t0ken")).signature(b"data")
        assert "SERVICE_TOKEN" not in os.environ

    def test_that_were_there_stay_as_they_were(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SERVICE_TOKEN", "before")
        service = play(signs("p256"))
        self.KIND.open("hsm:x", self.access(SERVICE_TOKEN="t0ken")).signature(b"data")
        assert service.asked[0]["SERVICE_TOKEN"] == "before"
        assert os.environ["SERVICE_TOKEN"] == "before"

    def test_are_never_in_a_message(self, play: Play) -> None:
        play(fails(OSError("denied to t0ken-of-theirs")))
        with pytest.raises(Unavailable) as caught:
            self.KIND.open("hsm:x", self.access(SERVICE_TOKEN="t0ken-of-theirs")).signature(b"data")
        assert "t0ken" not in str(caught.value)


class TestWords:
    def test_every_scheme_has_its_kind(self) -> None:
        assert tuple(kind.scheme for kind in KMS_KINDS) == KMS_SCHEMES
        for kind in KMS_KINDS:
            assert elsewhere(f"{kind.scheme}:x") is kind
            assert kind.needs_public_key

    @pytest.mark.parametrize(
        "word",
        [
            "awskms:1234abcd-12ab-34cd-56ef-1234567890ab",
            "awskms:alias/build",
            "awskms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd",
            "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
            "azurekms://vault.vault.azure.net/keys/name/0123abcd",
            "hv:name/1",
        ],
    )
    def test_a_uri_without_the_libraries_for_it_names_the_extra(self, word: str) -> None:
        extras = {"awskms": "aws", "gcpkms": "gcp", "azurekms": "azure", "hv": "vault"}
        extra = extras[word.partition(":")[0]]
        kind = elsewhere(word)
        assert isinstance(kind, Kms)
        absent = msgspec.structs.replace(kind, modules=("no_such_library.of.theirs",))
        with pytest.raises(Misused, match=rf"pip install 'intoto-action\[{extra}\]'"):
            absent.check(word, {"VAULT_ADDR": "http://127.0.0.1:1"})

    def test_a_library_that_is_missing_only_when_it_is_needed_names_the_extra_too(self, play: Play) -> None:
        from securesystemslib.exceptions import UnsupportedLibraryError

        play(fails(UnsupportedLibraryError("'python-pkcs11' required")))
        with pytest.raises(Misused, match=r"pip install 'intoto-action\[pkcs11\]'"):
            seal(PAYLOAD_TYPE, PAYLOAD, opened())

    @pytest.mark.parametrize(
        "word",
        [
            "awskms:",
            "awskms:///alias/build",
            "awskms:a b",
            "gcpkms:projects/p",
            "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k",
            "azurekms:vault/name",
            "azurekms://vault.vault.azure.net/keys/name",
            "hv:name",
            "hv:name/latest",
            "hsm:two",
            "hsm:2?object=x",
            "hsm:2?label=",
            "hsm:2?label=a&x=y",
        ],
    )
    def test_a_uri_of_another_form_is_refused_with_an_example(self, word: str) -> None:
        with pytest.raises(Misused, match=f"expected a key in .* as {word.partition(':')[0]}:"):
            open_signer(word, environ=ENVIRON, password_env="PIN", public_key="env:PUB")

    @pytest.mark.parametrize(
        "word",
        [
            "hsm:2?pin-value=4711-4711",
            "hsm:2?label=a&pin=4711-4711",
            "awskms:key;secret=4711-4711",
            "gnupg:/home?passphrase=4711-4711",
        ],
    )
    def test_a_secret_that_somebody_put_into_a_uri_is_not_repeated(self, word: str) -> None:
        with pytest.raises(Misused) as caught:
            open_signer(word, environ=ENVIRON, password_env="PIN", public_key="env:PUB")
        assert "4711" not in str(caught.value)

    def test_a_file_of_that_name_is_not_read_in_its_place(
        self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who can write a file into the working directory would be the signer."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "hsm:2").write_text("-----BEGIN PRIVATE KEY-----\n")
        with pytest.raises(Misused, match="PYKCS11LIB"):
            open_signer("hsm:2", environ={})

    def test_without_the_public_key_says_how_to_give_it(self) -> None:
        with pytest.raises(Misused, match=r"--public-key PUB\), found none"):
            open_signer(WORD, environ=ENVIRON, password_env="PIN")

    def test_with_a_gpg_key_for_the_public_key_is_refused(self) -> None:
        environ = {**ENVIRON, "PUB": armoured(plain().raw)}
        with pytest.raises(Misused, match=f"found a GPG key {ALICE.fingerprint}"):
            open_signer(WORD, environ=environ, password_env="PIN", public_key="env:PUB")

    def test_with_a_public_key_that_is_none_is_refused(self) -> None:
        with pytest.raises(Malformed):
            open_signer(WORD, environ={**ENVIRON, "PUB": "nothing"}, password_env="PIN", public_key="env:PUB")

    def test_without_the_pin_says_how_to_give_it(self) -> None:
        with pytest.raises(
            Misused, match=r"the PIN of hsm:2\?label=token is needed: give --password-env VAR"
        ):
            open_signer(WORD, environ=ENVIRON, public_key="env:PUB")

    def test_the_pin_is_asked_for_where_somebody_can_answer(self, play: Play) -> None:
        service = play(signs("p256"))
        questions: list[str] = []

        def prompt(question: str) -> str:
            questions.append(question)
            return "4711"

        signer = open_signer(WORD, environ=ENVIRON, public_key="env:PUB", prompt=prompt)
        signer.signature(b"one")
        signer.signature(b"two")
        assert questions == [f"PIN of {WORD}"]
        assert service.pins == ["4711", "4711"]

    @pytest.mark.parametrize(
        ("environ", "told"),
        [
            ({}, "expected the PKCS#11 library of the token in the variable PYKCS11LIB, found none"),
            ({PKCS11_LIBRARY: ""}, "found none"),
            ({PKCS11_LIBRARY: "/no/such.so"}, "found no file '/no/such.so'"),
        ],
    )
    def test_without_the_library_of_the_token_says_so(self, environ: dict[str, str], told: str) -> None:
        with pytest.raises(Misused, match=told):
            open_signer(WORD, environ=environ)

    def test_what_a_signer_shows_of_itself_has_no_secret(self) -> None:
        assert PIN not in repr(opened())
