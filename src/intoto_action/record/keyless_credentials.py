"""Who is to sign without a key, as far as it can be known before the command runs: the token is had after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from intoto_action.reason import WrongIdentity

if TYPE_CHECKING:
    from intoto_action.record.expected import ExpectedStep


class KeylessCredentials(msgspec.Struct, frozen=True):
    """Whoever the OIDC token of the run speaks of.

    `why_missing` says for an environment why there can be no token in it, or None; `check_words` refuses the flags that
    cannot sign; `variables` hold a token.
    """

    why_missing: Callable[[Mapping[str, str]], str | None]
    check_words: Callable[[Mapping[str, str]], None]
    variables: tuple[str, ...] = ()

    def lack(self, environ: Mapping[str, str]) -> str | None:
        """Why no token can be had in this run."""
        return self.why_missing(environ)

    def check(self, environ: Mapping[str, str]) -> None:
        """Refuse before the command what could not be signed after it. Raises: Misused."""
        if lack := self.lack(environ):
            raise WrongIdentity(f"--keyless: {lack}; or say --if-no-credentials unsigned")
        self.check_words(environ)

    def check_expected(self, expected: ExpectedStep, environ: Mapping[str, str]) -> None:
        """Refuse when the step is for keys only; whose certificate it will be is not known yet. Raises: Misused."""
        expected.check_takes_identities()
