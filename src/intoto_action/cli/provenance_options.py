"""The flags that say what provenance must say, and those that say what it tells where no OIDC token does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import click

from intoto_action.cli.options import Callback, group
from intoto_action.reason import Misused

if TYPE_CHECKING:
    from intoto_action.decide.demands import ProvenanceDemand
    from intoto_action.formats.build import Build

R = TypeVar("R")

_REPOSITORY = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9._~/-]*[A-Za-z0-9_~-]\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+\Z")
_REF = re.compile(r"refs/[\x21-\x7e\xa1-\U0010ffff]+\Z")


def provenance_demand(callback: Callback[R]) -> Callback[R]:
    """The demands on provenance, handed to the verb as `provenance: ProvenanceDemand | None`."""
    return group(
        "provenance",
        _demand,
        click.option(
            "--source-repository",
            metavar="URI",
            help="Provenance must say that this was built, e.g. https://github.com/octo/app.",
        ),
        click.option(
            "--source-ref", metavar="REF", help="… and at this ref: refs/heads/main, or refs/tags/*."
        ),
        click.option(
            "--builder-id",
            metavar="URI",
            help="Provenance must name this builder: its workflow, with the ref after @.",
        ),
    )(callback)


def told_build(callback: Callback[R]) -> Callback[R]:
    """What was built by whom in the user's own words, handed to the verb as `told: Build | None`."""
    return group(
        "told",
        _told,
        click.option("--builder-id", metavar="URI", help="Who built it, where no OIDC token says so."),
        click.option("--source-repository", metavar="URI", help="What was built, likewise."),
        click.option("--source-ref", metavar="REF", help="At which ref, likewise."),
    )(callback)


def _demand(
    source_repository: str | None, source_ref: str | None, builder_id: str | None
) -> ProvenanceDemand | None:
    from intoto_action.decide.demands import ProvenanceDemand

    if source_repository is source_ref is builder_id is None:
        return None
    if source_repository is None and source_ref is not None:
        raise Misused("expected --source-repository beside --source-ref: a ref of which repository?")
    return ProvenanceDemand(
        source_repository=_checked_repository(source_repository),
        source_ref=_checked_ref(source_ref),
        builder_id=_checked_builder(builder_id),
    )


def _told(builder_id: str | None, source_repository: str | None, source_ref: str | None) -> Build | None:
    from intoto_action.formats.build import STEPS_BUILD_TYPE, Build, Source

    if builder_id is source_repository is source_ref is None:
        return None
    if builder_id is None or source_repository is None:
        raise Misused(
            "expected both --builder-id and --source-repository: provenance says who built what; or neither, and "
            "the claims of the job's OIDC token say it"
        )
    source = Source(_checked_repository(source_repository), _checked_ref(source_ref))
    for word in (source.ref, builder_id):
        if "*" in word:
            raise Misused(f"expected what was built by whom, found a pattern: {word[:200]!r}")
    return Build(builder=_checked_builder(builder_id), build_type=STEPS_BUILD_TYPE, source=source)


def _checked_repository(word: str | None) -> str:
    if word is None:
        return ""
    if not _REPOSITORY.match(word) or word.endswith(".git"):
        raise Misused(
            "--source-repository: expected the repository's URI as certificates have it, without .git, such as "
            f"https://github.com/octo/app, found {word[:200]!r}"
        )
    return word


def _checked_ref(word: str | None) -> str:
    if word is None:
        return ""
    if not _REF.match(word):
        raise Misused(f"--source-ref: expected a whole ref such as refs/heads/main, found {word[:200]!r}")
    return word


def _checked_builder(word: str | None) -> str:
    if word is None:
        return ""
    if not _URI.match(word):
        raise Misused(
            "--builder-id: expected a URI such as "
            f"https://github.com/octo/app/.github/workflows/build.yml@refs/heads/main, found {word[:200]!r}"
        )
    return word
