"""Tokens of the other CI systems and clouds that the `id` library knows: GitLab, Buildkite, CircleCI, Google Cloud.

`id` 1.6 reads the environment of this process and asks without retries; its errors are told in its own words.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from intoto_action.formats.token import parse_token, without_tokens
from intoto_action.keys.attempts import PASSING, Attempts, Passing
from intoto_action.keys.http_get import innermost
from intoto_action.keys.oidc import TOKEN_FLAG, TOKEN_VARIABLE, IdentityToken
from intoto_action.reason import Malformed, Reason, Unavailable, WrongIdentity
from intoto_action.system import RUNS_PROGRAMS

_GOOGLE_PRODUCT = Path("/sys/class/dmi/id/product_name")
_GOOGLE = frozenset({"Google", "Google Compute Engine"})
_COMMANDS = {"BUILDKITE": "buildkite-agent", "CIRCLECI": "circleci"}
_STATUS = re.compile(r"code=([0-9]{3})")
_NOWHERE = (
    f"nobody vouches here for who signs: this is no CI job whose OIDC token can be had, and neither {TOKEN_FLAG} nor "
    f"{TOKEN_VARIABLE} holds one; sign in CI, give a token, or sign with --key"
)


class AmbientTokens:
    """The token that `id` finds. `google_product` is for tests."""

    where = "the OIDC token of this job"

    def __init__(self, environ: Mapping[str, str], google_product: Path = _GOOGLE_PRODUCT) -> None:
        self._environ = environ
        self._google_product = google_product

    def missing(self) -> str | None:
        """Why `id` will find none."""
        if self._environ.get("GITLAB_CI"):
            return (
                f"this GitLab job has no OIDC token: add `id_tokens: {{{TOKEN_VARIABLE}: {{aud: sigstore}}}}` to the "
                "job in .gitlab-ci.yml"
            )
        for variable, command in _COMMANDS.items():
            if self._environ.get(variable):
                if not RUNS_PROGRAMS:
                    return f"the {command} command, which has the OIDC token, is not run on Windows"
                found = shutil.which(command, path=self._environ.get("PATH"))
                return (
                    None if found else f"the {command} command, which has the OIDC token, is not on the PATH"
                )
        return None if self._is_google() else _NOWHERE

    def check(self, audience: str) -> None:
        """Nothing is known before it is asked for."""

    def visibility(self) -> str:
        """Not known before the token is asked for."""
        return ""

    def fetch(self, audience: str, attempts: Attempts) -> IdentityToken:
        """A token for that audience. Raises: Misused, Unavailable."""
        if why := self.missing():
            raise WrongIdentity(why)
        secret = attempts.make("the provider of OIDC tokens", lambda: _detect(audience))
        if secret is None:
            raise WrongIdentity(_NOWHERE)
        try:
            return IdentityToken(secret, parse_token(secret, self.where))
        except Malformed as error:
            raise Unavailable(str(error), Reason.SIGSTORE_UNAVAILABLE) from None

    def _is_google(self) -> bool:
        if self._environ.get("GOOGLE_SERVICE_ACCOUNT_NAME"):
            return True
        try:
            return self._google_product.read_text().strip() in _GOOGLE
        except (OSError, UnicodeDecodeError):
            return False


def _detect(audience: str) -> str | None:
    import id as ambient
    from urllib3.exceptions import HTTPError

    try:
        return ambient.detect_credential(audience)
    except ambient.IdentityError as error:
        said = without_tokens(" ".join(str(error).split()))[:500]
        status = _STATUS.search(said)
        if "timed out" in said or (status and int(status[1]) in PASSING):
            raise Passing(said) from None
        raise Unavailable(f"no OIDC token: {said}", Reason.SIGSTORE_UNAVAILABLE) from None
    except (HTTPError, OSError) as error:
        raise Passing(f"no answer: {innermost(error)}") from None
