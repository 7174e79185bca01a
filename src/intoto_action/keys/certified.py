"""A certificate for who runs this: the token, what must hold before it is shown to anybody, and Fulcio's answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from intoto_action.deadline import Deadline
from intoto_action.formats.certificate import Certificate, facts_of
from intoto_action.formats.identity import GITHUB_ISSUER, identity_of
from intoto_action.keys.attempts import Attempts
from intoto_action.keys.oidc import AUDIENCE, IdentityToken, TokenSource, check_token
from intoto_action.keys.sigstore import Instance
from intoto_action.keys.sigstore_services import Fulcio, Log, TimestampAuthority
from intoto_action.reason import IntotoActionError, Malformed, Reason, Unavailable, WrongIdentity
from intoto_action.trust.identities import matches

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig, SigningConfig
    from sigstore.oidc import IdentityToken as SigstoreToken
    from sigstore.sign import Signer as SigstoreSigner

SECONDS = 120.0
"""How long all signing of an invocation may take, if nothing else is said."""

_MARGIN = 10.0
"""Seconds before its end from which a token is replaced by a new one."""
_NOT_FOR_EVERYBODY = frozenset({"private", "internal"})


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of signing without a key.

    `seconds` bounds all of it; `allow_public_log` lets the name of a private repository into a log that everybody can
    read; `expected_identity` is whom the certificate must name, exactly or with a `*` at the end of its ref.
    """

    seconds: float = SECONDS
    allow_public_log: bool = False
    expected_identity: str | None = None

    def check(self) -> None:
        """Raises: Misused for an identity that no certificate can name."""
        if self.expected_identity is None:
            return
        try:
            identity_of(self.expected_identity, GITHUB_ISSUER, where="--expected-identity")
        except Malformed as error:
            raise WrongIdentity(str(error)) from error


class Certified(msgspec.Struct, frozen=True):
    """A certificate, until when it is good, and sigstore-python's signer that has its key."""

    signer: SigstoreSigner
    certificate: Certificate
    good_until: float


class Certifier:
    """Gets certificates of one instance for one token source; all it does ends within one deadline.

    `open_instance` opens the instance before that deadline, when it is needed.
    """

    def __init__(
        self, open_instance: Callable[[Deadline], Instance], tokens: TokenSource, terms: Terms
    ) -> None:
        terms.check()
        self._open_instance = open_instance
        self._tokens = tokens
        self._terms = terms
        self._token: IdentityToken | None = None
        self._named: Certificate | None = None

    @cached_property
    def instance(self) -> Instance:
        """The instance, opened once. Raises: Misused, Unavailable."""
        return self._open_instance(self._attempts.deadline)

    def certify(self) -> Certified:
        """A new certificate, and what signs under it.

        Raises: Misused for a token that cannot be had or is not taken, for a private repository and a public log, and
        for an identity that is not the expected one; Unavailable.
        """
        from sigstore.sign import Signer as SigstoreSigner
        from sigstore.sign import SigningContext

        config, services = self._config, self._services
        token = self._fresh_token()
        fulcio = Fulcio(services.get_fulcio, self._fresh_token, self._attempts)
        tsas = [TimestampAuthority(each, self._attempts) for each in services.get_tsas()]
        log = Log(services.get_tlogs()[0], self._attempts, lambda: fulcio.good_until)
        context = SigningContext(
            fulcio=fulcio,  # type: ignore[arg-type]  # it stands in the place of one
            rekor=log,  # type: ignore[arg-type]
            tsa_clients=tsas,  # type: ignore[arg-type]
            trusted_root=config.trusted_root,
        )
        try:
            signer = SigstoreSigner(token, context)
        except IntotoActionError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever sigstore-python makes of an answer
            raise Unavailable(
                f"Fulcio {fulcio.url}: its certificate does not hold under {self.instance.name}: {_words(error)}",
                Reason.SIGSTORE_UNAVAILABLE,
            ) from None
        certificate = facts_of(fulcio.certificate, f"the certificate of Fulcio {fulcio.url}")
        self._check_identity(certificate)
        return Certified(signer, certificate, fulcio.good_until)

    def _check_identity(self, certificate: Certificate) -> None:
        expected = self._terms.expected_identity
        if expected is not None and not matches(expected, certificate.identity):
            raise WrongIdentity(
                f"--expected-identity: expected {expected}, found {certificate}; nothing is signed. Is this the "
                "workflow and the ref that should sign? A job of a reusable workflow signs as that workflow, one of a "
                "pull request as its merge ref"
            )
        named = self._named or certificate
        if (named.identity, named.issuer) != (certificate.identity, certificate.issuer):
            raise WrongIdentity(
                f"expected another certificate for {named}, found one for {certificate}; nothing is signed"
            )
        self._named = named

    def _fresh_token(self) -> SigstoreToken:
        """The token, as sigstore-python takes it; another one when it is nearly over."""
        from sigstore.errors import Error
        from sigstore.oidc import IdentityToken as SigstoreToken

        if self._token is None or time.time() > self._token.said.expires - _MARGIN:
            token = self._tokens.fetch(AUDIENCE, self._attempts)
            check_token(token, AUDIENCE, self._tokens.where)
            if not self._terms.allow_public_log:
                check_visibility(token.said.visibility, self.instance.public_log)
            self._token = token
        try:
            return SigstoreToken(self._token.secret)
        except Error:
            raise WrongIdentity(
                f"{self._tokens.where}: expected the claims iss, sub, aud, exp and iat, and in a person's token the "
                "e-mail address, found less"
            ) from None

    @cached_property
    def _attempts(self) -> Attempts:
        """Its deadline begins when something is first asked."""
        return Attempts(Deadline(self._terms.seconds))

    @cached_property
    def _config(self) -> ClientTrustConfig:
        from sigstore.errors import Error
        from sigstore.models import ClientTrustConfig

        try:
            return ClientTrustConfig.from_json(self.instance.trust_config.decode())
        except (ValueError, Error) as error:
            raise WrongIdentity(f"{self.instance.name} cannot be read: {_words(error)}") from None

    @cached_property
    def _services(self) -> SigningConfig:
        from sigstore.errors import Error

        try:
            return self._config.signing_config
        except (ValueError, Error) as error:
            raise WrongIdentity(f"{self.instance.name}, signing config: {_words(error)}") from None


def check_visibility(visibility: str, public_log: str | None) -> None:
    """Refuse to tell everybody of a repository that not everybody can see (`private`, `internal`).

    Raises: Misused.
    """
    if visibility in _NOT_FOR_EVERYBODY and public_log:
        raise WrongIdentity(
            f"this repository is {visibility}, and {public_log} writes its name, the workflow and the commit into a "
            "log that everybody can read and nobody can delete from: say --allow-public-log if that may be, name a "
            "Sigstore of your own with --sigstore, or sign with --key"
        )


def _words(error: Exception) -> str:
    """What a library says, in one line and without the advertisement in the last one of pydantic's."""
    lines = [line.strip() for line in str(error).split("\n") if "For further information" not in line]
    return " ".join(line for line in lines if line)[:300] or type(error).__name__
