"""Which server an OIDC issuer speaks for: a certificate's word on builds and sources elsewhere counts for nothing.

Fulcio takes many issuers, and writes for some of them whatever repository their users name into a certificate. So an
issuer is believed about its own server only. Source: GitHub documentation, OpenID Connect reference (github.com,
`*.ghe.com`, Enterprise Server); Fulcio's configuration for CI providers.
"""

from __future__ import annotations

import re

from intoto_action.formats.identity import GITHUB_ISSUER

GITHUB = "https://github.com"
_GHE = re.compile(r"https://token\.actions\.([a-z0-9-]+\.ghe\.com)\Z")
_LOOPBACK = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?:/|\Z)")
_ORIGIN = re.compile(r"(https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?)(?:/|\Z)")


def server_of(issuer: str) -> str:
    """The server (`https://github.com`) that the issuer speaks for, empty for what is no URL.

    GitHub's issuers, that of an enterprise (`…/SLUG`) included, have hosts of their own; every other issuer speaks for
    the host it is on, as GitHub Enterprise Server's and GitLab's do. One on loopback, which no public instance takes,
    stands for GitHub's in tests.
    """
    if issuer == GITHUB_ISSUER or issuer.startswith(f"{GITHUB_ISSUER}/"):
        return GITHUB
    if found := _GHE.match(issuer):
        return f"https://{found[1]}"
    if _LOOPBACK.match(issuer):
        return GITHUB
    return origin_of(issuer)


def origin_of(uri: str) -> str:
    """Scheme and host of an https URI, with its port if it names one; empty for any other text."""
    found = _ORIGIN.match(uri)
    return found[1].lower() if found else ""
