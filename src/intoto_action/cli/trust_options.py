"""The flags that say what a verifier trusts: `verify`, `attach` and `evidence extract` share them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from intoto_action.cli.options import Callback, group, pair
from intoto_action.reason import Misused

if TYPE_CHECKING:
    from intoto_action.decide.demands import Demands, ProvenanceDemand, Revoked, SameAs
    from intoto_action.formats.envelope import Envelope

R = TypeVar("R")
_GPG_FINGERPRINT = re.compile(r"[0-9a-fA-F]{40}\Z")


class TrustOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The words of a verifier, their form checked; `demands` opens the keys among them."""

    layout_keys: tuple[str, ...] = ()
    layout_threshold: int = 1
    attesters: tuple[str, ...] = ()
    same_as: tuple[tuple[str, str], ...] = ()
    subject_step: str | None = None
    revoked: tuple[str, ...] = ()
    layout_expires_after: datetime | None = None
    same_run: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The words that may name files which are read."""
        return (*self.layout_keys, *self.attesters, *self.revoked)

    def demands(
        self,
        *,
        environ: Mapping[str, str],
        layout: Envelope | None = None,
        provenance: ProvenanceDemand | None = None,
    ) -> Demands:
        """What the words demand; without --layout-key the layout's root is not checked (`layout_trust` None).

        Raises: Misused and Malformed for keys that cannot be read, or a threshold that they cannot reach.
        """
        from intoto_action.decide.demands import Demands, Trust
        from intoto_action.keys.words import open_public_key
        from intoto_action.trust.counting import most_signers

        if self.layout_threshold > 1 and not self.layout_keys:
            raise Misused(
                "expected --layout-key PUB beside --layout-threshold: whose signatures are to be counted?"
            )
        keys = tuple(open_public_key(word, environ=environ) for word in self.layout_keys)
        distinct = most_signers(keys)
        if keys and self.layout_threshold > distinct:
            raise Misused(
                f"expected at least {self.layout_threshold} different keys or identities after --layout-key, because "
                f"of --layout-threshold, found {distinct} (one identity counts once, whatever claims stand beside it)"
            )
        return Demands(
            layout_trust=Trust(keys, self.layout_threshold) if keys else None,
            layout=layout,
            attesters=tuple(open_public_key(word, environ=environ) for word in self.attesters),
            revoked=_revoked(self.revoked, environ),
            layout_expires_after=self.layout_expires_after,
            same_as=tuple(_same_as(mirror, origin) for mirror, origin in self.same_as),
            subject_step=self.subject_step,
            same_run=self.same_run,
            provenance=provenance,
        )


def trust_options(callback: Callback[R]) -> Callback[R]:
    """The flags that say what a verifier trusts, handed to the verb as `trust: TrustOptions`."""
    return group(
        "trust",
        _trust_options,
        click.option(
            "--layout-key",
            multiple=True,
            metavar="PUB",
            help="A layout owner: a PEM or GPG file, its text, env:NAME, gnupg:…, what `layout functionary` prints, or "
            "an identity (identity=URI,issuer=URL[,claim=value]). Repeatable.",
        ),
        click.option(
            "--layout-threshold",
            type=click.IntRange(min=1),
            default=1,
            metavar="N",
            help="How many of them must have signed the layout (1).",
        ),
        click.option(
            "--attester",
            multiple=True,
            metavar="PUB",
            help="Who may attach evidence (else a signer of the layout, or a functionary). Repeatable.",
        ),
        click.option(
            "--same-as",
            multiple=True,
            metavar="FROM=TO",
            help="Images of FROM are mirrors of TO, e.g. mirror.corp/x/**=ghcr.io/x/**. Repeatable.",
        ),
        click.option(
            "--subject-step",
            metavar="S",
            help="The step whose product the image is, if the layout does not say.",
        ),
        click.option(
            "--revoked",
            multiple=True,
            metavar="WORD",
            help="A keyid, a public key or an identity (PUB), or the sha256 of a layout that counts no more. "
            "Repeatable.",
        ),
        click.option(
            "--layout-expires-after",
            metavar="T",
            help="Refuse layouts that end before T, e.g. 2030-01-31T12:00:00Z: older ones are out of use.",
        ),
        click.option("--same-run", is_flag=True, help="All links must come from one run of the workflow."),
    )(callback)


def _trust_options(
    layout_key: Sequence[str],
    layout_threshold: int,
    attester: Sequence[str],
    same_as: Sequence[str],
    subject_step: str | None,
    revoked: Sequence[str],
    layout_expires_after: str | None,
    same_run: bool,
) -> TrustOptions:
    return TrustOptions(
        layout_keys=tuple(layout_key),
        layout_threshold=layout_threshold,
        attesters=tuple(attester),
        same_as=tuple(pair("--same-as", "FROM=TO", word) for word in same_as),
        subject_step=subject_step,
        revoked=tuple(revoked),
        layout_expires_after=_instant(layout_expires_after),
        same_run=same_run,
    )


def _instant(text: str | None) -> datetime | None:
    from intoto_action.formats.layout import parse_instant

    return None if text is None else parse_instant(text, "--layout-expires-after")


def _same_as(mirror: str, origin: str) -> SameAs:
    from intoto_action.decide.demands import SameAs

    if mirror.endswith("/**") != origin.endswith("/**"):
        raise Misused(
            f"--same-as: expected two repositories, or two prefixes that both end in /**, found "
            f"{mirror[:200]!r} and {origin[:200]!r}"
        )
    return SameAs(_repositories(mirror), _repositories(origin))


def _repositories(text: str) -> str:
    """A repository, or a prefix of some with `/**`, as references are written out in full."""
    from intoto_action.formats.reference import parse_registry_reference

    # Two segments more, because one behind docker.io would be read as docker.io/library/….
    probe = "/probe/probe" if text.endswith("/**") else ""
    reference = parse_registry_reference(text.removesuffix("/**") + probe)
    if reference.tag or reference.digest:
        raise Misused(f"--same-as: expected a repository without tag and digest, found {text[:200]!r}")
    return reference.name.removesuffix(probe) + "/**" if probe else reference.name


def _revoked(words: Sequence[str], environ: Mapping[str, str]) -> Revoked:
    from intoto_action.decide.demands import Revoked, is_hex_digest
    from intoto_action.formats.identity import Identity
    from intoto_action.keys.words import open_every_public_key

    keyids: set[str] = set()
    layouts: set[str] = set()
    identities: list[Identity] = []
    for word in words:
        digest = word.removeprefix("sha256:")
        if is_hex_digest(digest):
            layouts.add(digest)
            keyids |= {digest} if digest == word else set()
        elif _GPG_FINGERPRINT.match(word):
            keyids.add(word.lower())
        elif digest != word or (len(word) < 64 and all(each in "0123456789abcdef" for each in word)):
            raise Misused(
                f"--revoked: expected a whole keyid or sha256 of 64 hex digits, or the fingerprint of a GPG key of 40, "
                f"found {word[:200]!r}"
            )
        else:
            keys = open_every_public_key(word, environ=environ)
            keyids.update(*(key.names for key in keys))
            identities += [key for key in keys if isinstance(key, Identity)]
    return Revoked(frozenset(keyids), frozenset(layouts), tuple(identities))
