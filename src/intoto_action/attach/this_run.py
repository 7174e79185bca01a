"""Whether links are of the run that attaches them.

A workflow artifact or a directory of an earlier run holds links that are signed as well as those of this one. The
decision sees that they fit together; that they were made now, of this commit, only the run can say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from intoto_action.formats.environment import GithubEnvironment, github_environment
from intoto_action.formats.evidence import parse_signed
from intoto_action.formats.link import parse_link
from intoto_action.github.environment import link_environment
from intoto_action.reason import Malformed, WrongLinks, WrongPlace

_MOST_NAMED = 5


def check_this_run(links: Mapping[str, bytes], environ: Mapping[str, str]) -> None:
    """Refuse links, by file name, that do not say that they are of the repository, commit and run of `environ`.

    Attempts of one run are one run: a job that is run again finds the links of the jobs that were not.
    Raises: Misused with what they say.
    """
    here = _here(environ)
    others = list(_others(links, here))
    if not others:
        return
    more = f" (and {len(others) - _MOST_NAMED} more)" if len(others) > _MOST_NAMED else ""
    raise WrongLinks(
        f"expected links of this run, {_shown(here)}, found {'; '.join(others[:_MOST_NAMED])}{more}: attach the links "
        "that this run recorded, in a directory of their own, or say --other-runs"
    )


def _others(links: Mapping[str, bytes], here: GithubEnvironment) -> Iterator[str]:
    for name, raw in links.items():
        try:
            run = github_environment(parse_link(parse_signed(raw, name).payload, name), name)
        except Malformed as error:
            yield str(error)
            continue
        if run is None:
            yield f"{name} of no run of GitHub Actions"
        elif _facts(run) != _facts(here):
            yield f"{name} of {_shown(run)}"


def _here(environ: Mapping[str, str]) -> GithubEnvironment:
    found = link_environment(environ).get("github")
    here = msgspec.convert(found, GithubEnvironment) if found is not None else None
    if here is None or not all(_facts(here)):
        raise WrongPlace(
            "--github: expected GITHUB_REPOSITORY, GITHUB_SHA and GITHUB_RUN_ID of a job of GitHub Actions, found not "
            "all of them: which run is this?"
        )
    return here


def _facts(run: GithubEnvironment) -> tuple[str, str, str]:
    return run.repository, run.sha, run.run_id


def _shown(run: GithubEnvironment) -> str:
    return f"run {run.run_id or '(none)'} of {run.repository} at commit {run.sha[:12]}"
