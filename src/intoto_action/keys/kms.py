"""Keys in a cloud's key service or in a hardware token: the URIs of securesystemslib.

securesystemslib's signer makes the signature; which of its libraries that needs is an extra of ours. The public key
comes from `--public-key`, and no signature leaves this module that does not hold under it: another slot, another
version of the key, or a service that lies ends here.
Source: securesystemslib 1.6, `signer/_*_signer.py`, for the form of each URI and for what it reads of the environment.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import msgspec

from intoto_action.formats.envelope import Wrapper
from intoto_action.formats.key import PublicKey
from intoto_action.formats.spelling import quoted, quoted_uri
from intoto_action.keys.bounded import within
from intoto_action.keys.interface import Access, Signer
from intoto_action.keys.key_signer import KeySigner
from intoto_action.reason import Misused, Reason, Unavailable, WrongKey
from intoto_action.trust.signature import verifies

PKCS11_LIBRARY = "PYKCS11LIB"
_LOGGERS = ("securesystemslib.signer", "azure", "botocore", "google")
_BUNDLE_SCHEMES = {
    "ed25519": "ed25519",
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "rsassa-pss-sha256": "rsa-pkcs1v15-sha256",
}
"""Scheme of a key to the one in which cosign checks its signatures (see `KeySigner.sign_for_bundle`)."""
_WRONG_WORDS = {
    "PinIncorrect": "the PIN is wrong; a token locks itself after a few wrong ones",
    "PinLenRange": "the PIN is too short or too long for this token",
    "PinLocked": "the token has locked itself after too many wrong PINs: its security officer can unlock it",
    "PinExpired": "the PIN must be changed first",
    "UserPinNotInitialized": "the token has no PIN yet",
    "ValueError": "",
    "UnsupportedAlgorithmError": "",
    "UnsupportedKeyType": "",
    "KeyError": "the service does not sign in the scheme of this key",
    "MechanismInvalid": "the token cannot sign with ECDSA",
    "KeyTypeInconsistent": "the token cannot sign in this way with the key",
}
"""Names of exceptions that tell of wrong words, and not of a service that failed; what to say, if not their own text.

By name, because their modules are there only with the extra.
"""


class Kms(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of keys in a service or device.

    `modules` are those of the `extra`; `form` is the URI, `example` one that a message can show; `needs` are the
    environment variables without which it cannot work, `private` those that let anybody sign; `asks_for` is what it
    wants of a person, empty for nothing.
    """

    scheme: str
    what: str
    extra: str
    modules: tuple[str, ...]
    form: str
    example: str
    private: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    asks_for: str = ""
    needs_public_key: bool = True

    def check(self, word: str, environ: Mapping[str, str]) -> None:
        """Raises: Misused for a URI of another form, an extra that is not installed, a variable that is not set."""
        if not re.fullmatch(self.form, word):
            raise WrongKey(f"expected a key in {self.what} as {self.example}, found {quoted_uri(word)}")
        if not all(_is_installed(module) for module in self.modules):
            raise self.not_installed()
        if missing := [name for name in self.needs if not environ.get(name)]:
            raise WrongKey(f"{self.scheme}: expected {_meaning(missing[0])}, found none")
        library = environ.get(PKCS11_LIBRARY, "") if PKCS11_LIBRARY in self.needs else ""
        if library and not Path(library).is_file():
            raise WrongKey(
                f"{self.scheme}: expected {_meaning(PKCS11_LIBRARY)}, found no file {quoted(library)}"
            )

    def open(self, word: str, access: Access) -> Signer:
        """Raises: Misused; also when the public key is of a kind that the service does not have."""
        self.check(word, access.environ)
        if not isinstance(access.public, PublicKey):
            found = f"a {access.public}" if access.public else "none"
            raise WrongKey(
                f"{self.scheme}: expected the public key of the key as a PEM file (--public-key PUB), found {found}; "
                f"{self.what} gives it to whoever may read the key"
            )
        pin = access.secret(f"{self.asks_for} of {word}") if self.asks_for else ""
        return KmsSigner(self, word, access.public, pin, access)

    def not_installed(self) -> Misused:
        """What to do when the extra is missing."""
        return WrongKey(
            f"{self.scheme}: signing with {self.what} needs libraries that are not installed: "
            f"pip install 'intoto-action[{self.extra}]'"
        )


class KmsSigner(KeySigner):
    """A signer whose private key is in a service or device."""

    def __init__(self, kind: Kms, word: str, key: PublicKey, pin: str, access: Access) -> None:
        self._kind = kind
        self._word = word
        self._key = key
        self._pin = pin
        self._access = access

    def __repr__(self) -> str:
        return f"KmsSigner({self._kind.scheme}, {self._key})"

    @property
    def key(self) -> PublicKey:
        """The public part, as it was given."""
        return self._key

    def sign(self, data: bytes) -> bytes:
        """Raises: Misused, Unavailable; also when what comes back does not hold under the public key."""
        return self._signed(data, self._key.scheme, Wrapper.DSSE)

    def sign_for_bundle(self, data: bytes) -> bytes:
        """Raises: Misused, Unavailable; also for a key that cannot sign in the way in which cosign checks."""
        scheme = _BUNDLE_SCHEMES.get(self._key.scheme)
        if scheme is None:
            raise WrongKey(
                f"{self._kind.scheme}: expected a key on P-256 for what is attached to an image, found {self._key} of "
                f"scheme {self._key.scheme}: cosign checks every signature with SHA-256, and {self._kind.what} signs "
                "with the hash of the key's curve; attach with another key, and let verifiers name it with --attester"
            )
        return self._signed(data, scheme, Wrapper.BUNDLE)

    def _signed(self, data: bytes, scheme: str, wrapper: Wrapper) -> bytes:
        with _lent(self._kind.private, self._access.environ), _silent():
            signature = self._ask(data, scheme)
        if not verifies(self._key, signature, data, wrapper):
            raise WrongKey(
                f"{self._kind.scheme}: expected a signature by {self._key}, found one that does not hold under it: "
                f"is --public-key the public key of {quoted(self._word)}, and does that key sign with {scheme}?"
            )
        return signature

    def _ask(self, data: bytes, scheme: str) -> bytes:
        """Raises: Misused, Unavailable, with what the library says in one sentence and without a secret."""
        from securesystemslib.exceptions import UnsupportedLibraryError

        try:
            return within(self._access.seconds, self._kind.what, lambda: self._call(data, scheme))
        except (Misused, Unavailable):
            raise
        except UnsupportedLibraryError as error:
            raise self._kind.not_installed() from error
        except Exception as error:  # noqa: BLE001 - each library has its own family of exceptions, and some have none
            raise self._translated(error) from None  # the error may hold a secret

    def _call(self, data: bytes, scheme: str) -> bytes:
        from securesystemslib.signer import (  # type: ignore[attr-defined]  # re-exported without saying so
            Signer as RemoteSigner,
        )
        from securesystemslib.signer import (  # type: ignore[attr-defined]
            SSlibKey,
        )

        public = SSlibKey(self._key.keyid, self._key.keytype, scheme, {"public": self._key.public})
        signer = RemoteSigner.from_priv_key_uri(self._word, public, lambda _: self._pin)
        return bytes.fromhex(signer.sign(data).signature)

    def _translated(self, error: Exception) -> Misused | Unavailable:
        name = type(error).__name__
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = lines[0][:300] if lines else name
        for secret in (self._pin, *(self._access.environ.get(each, "") for each in self._kind.private)):
            said = said.replace(secret, "(not shown)") if secret else said
        ended = f"{self._kind.what} did not sign with {quoted(self._word)}"
        if name in _WRONG_WORDS:
            return WrongKey(f"{ended}: {_WRONG_WORDS[name] or said}")
        return Unavailable(f"{ended}: {said} ({name})", Reason.KEY_UNAVAILABLE)


@contextmanager
def _lent(names: tuple[str, ...], environ: Mapping[str, str]) -> Iterator[None]:
    """The variables in the environment of this process, where the libraries look for them, and only meanwhile.

    `record` has taken them out of it, so that no command of anybody else's finds them there.
    """
    lent = {name: environ[name] for name in names if name in environ and name not in os.environ}
    os.environ.update(lent)
    try:
        yield
    finally:
        for name in lent:
            os.environ.pop(name, None)


@contextmanager
def _silent() -> Iterator[None]:
    """The libraries print errors that they raise too, and that are told here in one sentence."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # what it is a part of is not there
        return False


def _meaning(variable: str) -> str:
    meanings = {
        PKCS11_LIBRARY: "the PKCS#11 library of the token in the variable PYKCS11LIB",
        "VAULT_ADDR": "the address of Vault in the variable VAULT_ADDR",
    }
    return meanings[variable]


KINDS = (
    Kms(
        scheme="awskms",
        what="AWS KMS",
        extra="aws",
        modules=("boto3",),
        form=r"awskms:(?!//)[A-Za-z0-9:/_-]{1,2048}",
        example="awskms:KEYID (or a key's or alias's ARN, or alias/NAME)",
        private=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    ),
    Kms(
        scheme="gcpkms",
        what="Google Cloud KMS",
        extra="gcp",
        modules=("google.cloud.kms",),
        form=r"gcpkms:projects/[^/?#\s]+/locations/[^/?#\s]+/keyRings/[^/?#\s]+/cryptoKeys/[^/?#\s]+"
        r"/cryptoKeyVersions/[0-9]+",
        example="gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N",
    ),
    Kms(
        scheme="azurekms",
        what="Azure Key Vault",
        extra="azure",
        modules=("azure.keyvault.keys", "azure.identity"),
        form=r"azurekms://[A-Za-z0-9.-]+/keys/[A-Za-z0-9-]+/[0-9a-fA-F]+",
        example="azurekms://VAULT.vault.azure.net/keys/NAME/VERSION",
        private=("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_PASSWORD"),
    ),
    Kms(
        scheme="hv",
        what="HashiCorp Vault",
        extra="vault",
        modules=("hvac",),
        form=r"hv:[A-Za-z0-9._-]+/[0-9]+",
        example="hv:NAME/VERSION",
        private=("VAULT_TOKEN",),
        needs=("VAULT_ADDR",),
    ),
    Kms(
        scheme="hsm",
        what="the PKCS#11 token",
        extra="pkcs11",
        modules=("pkcs11",),
        form=r"hsm:[0-9]*(?:\?label=[^&=#\s]{1,200})?",
        example="hsm:ID?label=TOKEN (both may be left out: ID is then 2)",
        needs=(PKCS11_LIBRARY,),
        asks_for="PIN",
    ),
)
