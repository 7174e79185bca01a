"""Who signs a link, as `record` and `sign` take it from the command line and hold it against a layout."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from intoto_action.cli.keyless_options import KeylessOptions, proposed
from intoto_action.cli.options import Callback, SigningOptions, SigstoreOptions, option, tell

if TYPE_CHECKING:
    from intoto_action.keys.interface import Signer
    from intoto_action.record.credentials import WhoSigns
    from intoto_action.record.expected import ExpectedStep

R = TypeVar("R")


def layout_option(verb: str) -> Callable[[Callback[R]], Callback[R]]:
    """`--layout` of a verb that signs a link."""
    return option(
        verb,
        "--layout",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Fail now when this signed layout has no such step, or KEY is no functionary of it.",
    )


def sign_pull_requests_option(callback: Callback[R]) -> Callback[R]:
    """`--sign-pull-requests`, which loosens a rule, so that no variable can give it."""
    return click.option(
        "--sign-pull-requests",
        is_flag=True,
        help="With --github: sign in pull requests and merge queues too.",
    )(callback)


def no_credentials_option(verb: str) -> Callable[[Callback[R]], Callback[R]]:
    """`--if-no-credentials` of a verb that signs a link."""
    return option(
        verb,
        "--if-no-credentials",
        type=click.Choice(["unsigned", "fail"]),
        default="fail",
        show_default=True,
        help="What to do when the variable that should hold KEY is empty, or no OIDC token is to be had.",
    )


def who_signs(signing: SigningOptions, keyless: KeylessOptions, sigstore: SigstoreOptions) -> WhoSigns | None:
    """Whom the words name, as far as it can be known before anything is signed; None when they name nobody.

    Raises: Misused.
    """
    from intoto_action.record.credentials import credentials

    if not signing.is_keyless:
        if not signing.key:
            return None
        return credentials(signing.key, signing.password_env, os.environ, signing.public_key)
    from intoto_action.record.keyless_credentials import KeylessCredentials

    return KeylessCredentials(
        why_missing=lambda environ: keyless.tokens(environ).missing(),
        check_words=lambda environ: keyless.check(sigstore, environ),
        variables=tuple(name for name, value in os.environ.items() if keyless.is_token(value)),
    )


def expected_step(layout: Path | None, step: str) -> ExpectedStep | None:
    """What `--layout` expects of the step. Raises: Misused, Malformed."""
    if layout is None:
        return None
    from intoto_action.record.expected import ExpectedStep

    tell(
        f"{layout} is looked at for step {step!r} and its functionaries; its own signature is for verify to check"
    )
    return ExpectedStep(layout, step)


def signer_yaml(signer: Signer) -> str:
    """Who signed, as lines for `functionaries:` of a layout.yaml."""
    from intoto_action.record.github_job import key_functionary

    proposal = proposed(signer)
    return "\n".join([*proposal.lines, ""]) if proposal else key_functionary(signer.key)
