"""The flags of signing without a key: `record`, `sign`, `layout sign`, `attach` and `verify` share them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from intoto_action.cli.options import VERBS_WITH_ENVIRONMENT, Callback, SigstoreOptions, group, option, tell
from intoto_action.reason import Malformed, WrongIdentity

if TYPE_CHECKING:
    from intoto_action.author.propose import Proposal
    from intoto_action.keys.interface import Signer
    from intoto_action.keys.oidc import TokenSource
    from intoto_action.keys.sigstore_root import InstanceOnce

R = TypeVar("R")
SECONDS = 120


class KeylessOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of signing without a key."""

    identity_token: str | None = None
    seconds: float = SECONDS
    allow_public_log: bool = False
    expected_identity: str | None = None

    def __repr__(self) -> str:
        return "KeylessOptions(…)"

    def is_token(self, value: str) -> bool:
        """Whether this is the token that was given; the variable that holds it is no business of a command's."""
        return self.identity_token is not None and value == self.identity_token

    def public_environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment without the variable that holds the given token: for cosign and credential helpers."""
        return {name: value for name, value in environ.items() if not self.is_token(value)}

    def tokens(self, environ: Mapping[str, str]) -> TokenSource:
        """Where the token will come from."""
        from intoto_action.github.event import from_fork
        from intoto_action.keys.oidc import token_source

        return token_source(environ, given=self.identity_token, from_fork=from_fork(environ))

    def signer(self, instance: InstanceOnce, environ: Mapping[str, str] = os.environ) -> Signer:
        """A signer that asks for nothing before something is to be signed. Raises: Misused."""
        from intoto_action.keys.certified import Certifier, Terms
        from intoto_action.keys.keyless import KeylessSigner
        from intoto_action.keys.memory import clear_dumpable

        if not clear_dumpable():
            tell(
                "this system cannot hide the memory of this process, which holds a token, from others of the user"
            )
        terms = Terms(
            seconds=self.seconds,
            allow_public_log=self.allow_public_log,
            expected_identity=self.expected_identity,
        )
        return KeylessSigner(Certifier(instance.open, self.tokens(environ), terms))

    def check(self, sigstore: SigstoreOptions, environ: Mapping[str, str]) -> None:
        """Refuse, without asking anybody, what could not sign later.

        Raises: Misused for a token that is none, a word of --sigstore that names nothing to sign with, and a private
        repository whose name would go into a public log.
        """
        from intoto_action.github.event import visibility
        from intoto_action.keys.certified import check_visibility
        from intoto_action.keys.oidc import AUDIENCE
        from intoto_action.keys.sigstore import known_instance

        tokens = self.tokens(environ)
        tokens.check(AUDIENCE)
        known = known_instance(sigstore.word, root_file=sigstore.root_file)
        if known is not None and not self.allow_public_log:
            check_visibility(tokens.visibility() or visibility(environ), known.public_log)
        if known is not None:
            known.trust_config  # noqa: B018 - says what is missing

    def words(self, sigstore: SigstoreOptions) -> list[str]:
        """These flags again, without the token: for a command that is to be typed later."""
        words = ["--keyless"]
        if sigstore.word != "production":
            words += ["--sigstore", sigstore.word]
        if sigstore.root_file is not None:
            words += ["--sigstore-root", str(sigstore.root_file)]
        words += ["--offline"] if sigstore.offline else []
        words += ["--allow-public-log"] if self.allow_public_log else []
        words += ["--expected-identity", self.expected_identity] if self.expected_identity else []
        return words


def keyless_options(verb: str) -> Callable[[Callback[R]], Callback[R]]:
    """The flags of signing without a key, handed to `verb` as `keyless: KeylessOptions`."""
    make = partial(option, verb) if verb in VERBS_WITH_ENVIRONMENT else click.option
    return group(
        "keyless",
        _keyless_options,
        make(
            "--identity-token",
            metavar="T",
            help="The OIDC token for --keyless. Everybody on this machine can read it here: better put it into the "
            "variable SIGSTORE_ID_TOKEN, and in GitHub Actions give none.",
        ),
        make(
            "--signing-timeout",
            type=click.FloatRange(min=1, max=86_400),
            default=SECONDS,
            show_default=True,
            metavar="SECONDS",
            help="How long --keyless may take: token, certificate, timestamp and log.",
        ),
        click.option(
            "--allow-public-log",
            is_flag=True,
            help="Let the name of a private repository into a log that everybody can read.",
        ),
        make(
            "--expected-identity",
            metavar="URI",
            help="Sign only when the certificate names this identity; it may end in * for the rest of a ref.",
        ),
    )


def _keyless_options(
    identity_token: str | None, signing_timeout: float, allow_public_log: bool, expected_identity: str | None
) -> KeylessOptions:
    from intoto_action.formats.identity import GITHUB_ISSUER, identity_of
    from intoto_action.keys.memory import hide_argument

    if identity_token:
        hide_argument(identity_token)
    if expected_identity:
        try:
            identity_of(expected_identity, GITHUB_ISSUER, where="--expected-identity")
        except Malformed as error:
            raise WrongIdentity(str(error)) from error
    return KeylessOptions(
        identity_token=identity_token or None,
        seconds=signing_timeout,
        allow_public_log=allow_public_log,
        expected_identity=expected_identity or None,
    )


def say_signer(signer: Signer) -> None:
    """Print on stderr who signed without a key, as it goes into a layout.yaml; nothing of who has one."""
    from intoto_action.render.escape import terminal

    if (proposal := proposed(signer)) is None:
        return
    for note in proposal.notes:
        tell(note)
    for line in proposal.lines:
        click.echo(terminal(line, limit=4096), err=True)


def proposed(signer: Signer) -> Proposal | None:
    """Who signed without a key, for a layout.yaml; None when a key did."""
    from intoto_action.formats.identity import Identity

    if not isinstance(signer.key, Identity):
        return None  # and nothing of Sigstore is imported
    from intoto_action.author.propose import propose_certificate
    from intoto_action.keys.keyless import certificate_of

    certificate = certificate_of(signer)
    return propose_certificate(certificate, "the new signature") if certificate else None
