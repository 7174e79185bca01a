"""An identity that may sign without a key: what the certificate of such a signature must say.

Source: securesystemslib 1.6 (`SigstoreKey`: key type `sigstore-oidc`, scheme `Fulcio`, exactly `identity` and
`issuer`); Fulcio's oid-info.md for the claims. Stock readers ignore members of `keyval` that they do not know, so an
identity with claims, or with a `*`, has a scheme that they do not know: they refuse it, and do not check less.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import msgspec

from intoto_action.formats.key_entry import KeyEntry, KeyValue, keyid_of
from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.reason import Malformed, MalformedKey

SIGSTORE_OIDC = "sigstore-oidc"
EXACT_SCHEME = "Fulcio"
CLAIMS_SCHEME = "fulcio-claims-v1"
EXACT_SCHEMES = (EXACT_SCHEME, "fulcio")  # gittuf writes it in lower case

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"

SOURCE_REPOSITORY = "source-repository"
CLAIMS = (
    SOURCE_REPOSITORY,
    "source-repository-id",
    "source-owner-id",
    "source-ref",
    "runner-environment",
    "event",
    "environment",
    "build-signer-digest",
)
"""What a layout can demand of a certificate besides identity and issuer; formats.certificate has their OIDs."""
PREFIX_CLAIM = "source-ref"
"""The claim that may end in one `*`, as the ref in an identity may."""
SPACED_CLAIM = "environment"
"""The claim whose value a person chose, so that it may have spaces in it."""

_LONGEST = 2048
_ISSUER = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?\Z")
_LOOPBACK_ISSUER = re.compile(
    r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?\Z"
)
_REF_PREFIX = re.compile(r"@refs/[^*]*\*\Z")


class Identity(msgspec.Struct, frozen=True):
    """Whoever `issuer` calls `identity`, when the certificate has these claims too.

    `identity` is the certificate's only subject alternative name: exact, or with one `*` at the end of its ref.
    `claims` are pairs in the order of their names.
    """

    keyid: str
    identity: str
    issuer: str
    claims: tuple[tuple[str, str], ...] = ()

    @property
    def keyids(self) -> frozenset[str]:
        """Every keyid under which somebody may have written a signature by this identity: hints that bind nobody."""
        return frozenset({self.keyid, self.computed_keyid})

    @property
    def names(self) -> frozenset[str]:
        """Everything the identity may be called where it is revoked."""
        return self.keyids

    @property
    def computed_keyid(self) -> str:
        """The keyid that securesystemslib computes of such an entry."""
        return keyid_of(
            {
                "keytype": SIGSTORE_OIDC,
                "keyval": msgspec.to_builtins(self._value),
                "scheme": self.scheme,
            }
        )

    @property
    def fingerprint(self) -> str:
        """What two entries of one identity have in common."""
        words = "\0".join((self.identity, self.issuer, *(f"{name}={value}" for name, value in self.claims)))
        return hashlib.sha256(words.encode()).hexdigest()

    @property
    def scheme(self) -> str:
        """`Fulcio` for what stock readers check whole."""
        return CLAIMS_SCHEME if self.claims or self.identity.endswith("*") else EXACT_SCHEME

    @property
    def entry(self) -> KeyEntry:
        """The identity as it goes into a layout."""
        return KeyEntry(keyid=self.keyid, keytype=SIGSTORE_OIDC, scheme=self.scheme, keyval=self._value)

    @property
    def _value(self) -> KeyValue:
        return KeyValue(identity=self.identity, issuer=self.issuer, claims=dict(self.claims))

    def __str__(self) -> str:
        claims = "".join(f", {name} {value}" for name, value in self.claims)
        return f"{self.identity} (issuer {self.issuer}{claims})"


def identity_of(
    identity: str, issuer: str, claims: dict[str, str] | None = None, where: str = ""
) -> Identity:
    """An identity under its own keyid.

    Raises: Malformed for what no certificate can say, or would match more than its author meant.
    """
    pairs = tuple(sorted((claims or {}).items()))
    made = Identity("", identity, issuer, pairs)
    if fault := next(_faults(made), None):
        raise MalformedKey(where or "the identity", *fault)
    return msgspec.structs.replace(made, keyid=made.computed_keyid)


def identity_from_entry(keyid: str, entry: KeyEntry, where: str) -> Identity:
    """An identity of a signed layout's `keys`.

    Raises: Malformed for a scheme that says less than the entry demands, or values that are none.
    """
    if entry.keyval.public or entry.keyval.private or entry.keyval.certificate:
        raise Malformed(where, f"an identity in an entry of type {SIGSTORE_OIDC}", "a key")
    found = identity_of(entry.keyval.identity, entry.keyval.issuer, entry.keyval.claims, where)
    exact = found.scheme == EXACT_SCHEME
    if entry.scheme not in (EXACT_SCHEMES if exact else (CLAIMS_SCHEME,)):
        raise Malformed(where, f"scheme {found.scheme} for this identity", repr(entry.scheme[:80]))
    return msgspec.structs.replace(found, keyid=keyid)


def issuer_fault(issuer: str) -> str | None:
    """What is wrong with the URL of an issuer, in words, or None.

    Source: OpenID Connect Discovery 1.0, section 3 (https, no query, no fragment); http on loopback is for tests.
    """
    if len(issuer) <= _LONGEST and (_ISSUER.match(issuer) or _LOOPBACK_ISSUER.match(issuer)):
        return None
    return f"{quoted(issuer)}, which is not https:// with a host and a path"


def identity_fault(identity: str) -> tuple[str, str] | None:
    """Expected and found, when a text is no identity that a layout can name; else None."""
    if not _is_text(identity):
        return "an identity: the subject alternative name of a certificate", quoted(identity)
    if "*" in identity and (identity.count("*") > 1 or not _REF_PREFIX.search(identity)):
        expected = "an identity that is exact, or ends in a ref with one * at its end (…@refs/tags/*)"
        return expected, quoted(identity)
    return None


def claim_fault(name: str, value: str) -> tuple[str, str] | None:
    """Expected and found, when that is no claim that a layout can demand; else None."""
    if name not in CLAIMS:
        return f"one of the claims {', '.join(CLAIMS)}", f"{quoted(name)}{did_you_mean(name, CLAIMS)}"
    has_spaces = name == SPACED_CLAIM and value == value.strip()
    if not _is_text(value.replace(" ", "_") if has_spaces else value):
        return f"a value of the claim {name}", quoted(value)
    if "*" in (value[:-1] if name == PREFIX_CLAIM else value):
        return f"an exact value of the claim {name}", quoted(value)
    return None


def _faults(made: Identity) -> Iterator[tuple[str, str]]:
    """Expected and found, for each thing that is wrong."""
    if fault := identity_fault(made.identity):
        yield fault
    if found := issuer_fault(made.issuer):
        yield f"an issuer such as {GITHUB_ISSUER}", found
    for name, value in made.claims:
        if fault := claim_fault(name, value):
            yield fault


def _is_text(text: str) -> bool:
    """Whether a certificate can say it and a person can see it: no white space, nothing without a shape of its own."""
    return 0 < len(text) <= _LONGEST and text.isprintable() and " " not in text
