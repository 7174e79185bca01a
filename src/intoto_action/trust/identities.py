"""Is this certificate that of the identity that is wanted? Everything that differs is told."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from intoto_action.formats.certificate import Certificate
from intoto_action.formats.identity import PREFIX_CLAIM, Identity


class Difference(msgspec.Struct, frozen=True):
    """One thing that a certificate should say, and what it says."""

    expected: str
    found: str


def differences(wanted: Identity, certificate: Certificate) -> Iterator[Difference]:
    """What the certificate says otherwise than the identity demands; nothing when it is that identity.

    Only a ref may end in a `*`, which stands for the rest of its name. Source: design of this project; sigstore-python
    `policy.Identity`, which compares subject alternative name and issuer whole.
    """
    if not matches(wanted.identity, certificate.identity):
        yield Difference(wanted.identity, certificate.identity)
    if wanted.issuer != certificate.issuer:
        yield Difference(f"issuer {wanted.issuer}", f"issuer {certificate.issuer or 'not named'}")
    for name, value in wanted.claims:
        found = certificate.claim(name)
        agrees = matches(value, found) if name == PREFIX_CLAIM else value == found
        if not agrees or not found:
            yield Difference(
                f"{name} {value}", f"{name} {found}" if found else f"no {name} in the certificate"
            )


def share_a_signer(one: Identity, other: Identity) -> bool:
    """Whether somebody can fit both: the same issuer calls them the same, whatever else is demanded of them."""
    if one.issuer != other.issuer:
        return False
    first, second = one.identity, other.identity
    if first.endswith("*") and second.endswith("*"):
        return first[:-1].startswith(second[:-1]) or second[:-1].startswith(first[:-1])
    return matches(first, second) or matches(second, first)


def matches(pattern: str, text: str) -> bool:
    """Whether the text is the pattern, or begins as a pattern that ends in `*` does."""
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
