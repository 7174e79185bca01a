"""Signing without a key: one certificate for who runs this, and signatures with the proofs for them.

Nothing is asked before the first signature is wanted: a token lives minutes, and builds last longer.
Source: Sigstore client specification, "Signing"; sigstore-python 4.5 does it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from intoto_action.formats.certificate import Certificate
from intoto_action.formats.envelope import PAYLOAD_TYPE, Envelope, Signature, Wrapper, pae, parse_envelope
from intoto_action.formats.evidence import EVIDENCE_CAP
from intoto_action.formats.identity import Identity, identity_of
from intoto_action.formats.material import EXTENSION, encode_extension
from intoto_action.formats.statement import STATEMENT_TYPE
from intoto_action.keys.certified import Certified, Certifier
from intoto_action.keys.interface import Signer
from intoto_action.keys.sigstore_services import SignAnew
from intoto_action.reason import IntotoActionError, Malformed, Reason, Unavailable, WrongIdentity

if TYPE_CHECKING:
    from sigstore.dsse import Statement
    from sigstore.models import Bundle
    from sigstore.sign import Signer as SigstoreSigner

_MARGIN = 10.0
"""Seconds before its end from which a certificate is replaced by a new one."""
_MOST_TIMES = 3


class _Message(msgspec.Struct):
    signature: bytes


class _MessageBundle(msgspec.Struct, rename="camel"):
    verification_material: msgspec.Raw
    message_signature: _Message


class _Kind(msgspec.Struct, rename={"type_": "_type"}):
    type_: str = ""


class _Made(msgspec.Struct, frozen=True):
    """A bundle, and the certificate that was to be in it."""

    bundle: bytes
    certificate: Certificate


class _OldStatement:
    """A Statement v0.1, as SLSA 0.2 has it: what sigstore-python's signer asks of a Statement, which it knows as v1."""

    def __init__(self, contents: bytes) -> None:
        self._contents = contents

    def _pae(self) -> bytes:
        return pae(PAYLOAD_TYPE, self._contents)


class KeylessSigner:
    """Signs as whoever `certifier` has a certificate for; it is asked when it is first needed."""

    def __init__(self, certifier: Certifier) -> None:
        self._certifier = certifier
        self._current: Certified | None = None

    @property
    def key(self) -> Identity:
        """The exact identity of the certificate.

        Raises: Misused, Unavailable.
        """
        return identity_of(self.certificate.identity, self.certificate.issuer, where="the new certificate")

    @property
    def certificate(self) -> Certificate:
        """What the certificate says, had now if there is none yet; it may be over when all is signed.

        Raises: Misused, Unavailable, as `Certifier.certify` does.
        """
        return (self._current or self._certified()).certificate

    def signature(self, data: bytes) -> Signature:
        """A signature with the verification material beside it, as DSSE's extension.

        Raises: Misused, Unavailable.
        """
        made = self._sign(lambda signer: signer.sign_artifact(data))
        read = msgspec.json.decode(made.bundle, type=_MessageBundle)
        beside = {EXTENSION: encode_extension(bytes(read.verification_material))}
        signature = Signature("", read.message_signature.signature, beside)
        self._check(Envelope(Wrapper.DSSE, PAYLOAD_TYPE, b"", (signature,), b"", canonical=data), made)
        return signature

    def bundle(self, payload_type: str, payload: bytes) -> bytes:
        """A Sigstore bundle 0.3 with the payload, a Statement, in a DSSE envelope.

        Raises: Misused, Unavailable.
        """
        statement = _statement(payload_type, payload)
        made = self._sign(lambda signer: signer.sign_dsse(statement))
        envelope = parse_envelope(made.bundle, "the new bundle", cap=2 * EVIDENCE_CAP)
        if envelope.payload != payload:
            raise _unavailable("the new bundle: expected the payload that was to be signed, found another")
        self._check(envelope, made)
        return made.bundle

    def _sign(self, work: Callable[[SigstoreSigner], Bundle]) -> _Made:
        for _ in range(_MOST_TIMES):
            certified = self._certified()
            try:
                return _Made(work(certified.signer).to_json().encode(), certified.certificate)
            except SignAnew:
                continue
            except IntotoActionError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever sigstore-python makes of an answer
                said = " ".join(str(error).split())[:300] or type(error).__name__
                raise _unavailable(f"no signature by {self._certifier.instance.name}: {said}") from None
        raise _unavailable(
            f"the log of {self._certifier.instance.name} has taken none of {_MOST_TIMES} signatures: it says that it "
            "has them, or each certificate was over before its time; is the clock of this machine right?"
        )

    def _certified(self) -> Certified:
        """A certificate to sign under."""
        if self._current is None or time.time() > self._current.good_until - _MARGIN:
            self._current = self._certifier.certify()
        return self._current

    def _check(self, envelope: Envelope, made: _Made) -> None:
        """Hold what was made against the root that verifiers have, before anybody is told that it is signed."""
        try:
            found = self._certifier.instance.trust_root.certificate_of(
                envelope, envelope.signatures[0], "the new signature"
            )
        except Malformed as error:
            raise _unavailable(
                f"{error}. Do the services and the trusted root of --sigstore belong together, and is the clock of "
                "this machine right?"
            ) from error
        if found != made.certificate:
            raise _unavailable("the new signature: expected the certificate that Fulcio gave, found another")


def certificate_of(signer: Signer) -> Certificate | None:
    """What vouches for a signer without a key; None for one with a key. Raises: Misused, Unavailable."""
    return signer.certificate if isinstance(signer, KeylessSigner) else None


def _statement(payload_type: str, payload: bytes) -> Statement:
    from sigstore.dsse import Statement
    from sigstore.errors import Error

    if payload_type != PAYLOAD_TYPE:
        raise WrongIdentity(f"expected a payload of type {PAYLOAD_TYPE} to sign, found {payload_type[:80]!r}")
    if msgspec.json.decode(payload, type=_Kind).type_ != STATEMENT_TYPE:
        return _OldStatement(payload)  # type: ignore[return-value]  # it does for one where it is signed
    try:
        return Statement(payload)
    except Error as error:
        said = " ".join(str(error).split())[:300]
        raise WrongIdentity(
            f"expected an in-toto Statement v1 to sign, found another document: {said}"
        ) from None


def _unavailable(said: str) -> Unavailable:
    return Unavailable(said, Reason.SIGSTORE_UNAVAILABLE)
