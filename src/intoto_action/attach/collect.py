"""The links of one run, from a directory and its immediate subdirectories, one for each step and functionary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from intoto_action.formats.environment import GithubEnvironment, github_environment
from intoto_action.formats.evidence import MOST_LINKS, parse_signed
from intoto_action.formats.link import parse_link, step_of_file_name
from intoto_action.reason import Malformed, WrongLinks
from intoto_action.store.files import check_place, why
from intoto_action.store.link_directory import read_links
from intoto_action.system import is_link

_ATTEMPT = re.compile(r"[0-9]{1,9}\Z")


class Collected(msgspec.Struct, frozen=True):
    """The links by file name, and the paths of those that a later attempt of the run replaced."""

    links: Mapping[str, bytes]
    replaced: tuple[str, ...]


class _Found(msgspec.Struct, frozen=True):
    path: Path
    raw: bytes


def collect(directory: Path) -> Collected:
    """All links below `directory`, one level deep: a workflow's artifacts arrive as a folder each.

    The same link twice is one. Of links with one name from several attempts of one run the highest attempt wins.
    Raises: Misused when there are none, too many, or two that nothing tells apart.
    """
    found: dict[str, list[_Found]] = {}
    for place in _places(directory):
        for name, raw in read_links(place).items():
            found.setdefault(name, []).append(_Found(place / name, raw))
    if not found:
        raise WrongLinks(
            f"{directory} holds no link (*.link): record the steps with --link-dir {directory}, "
            "or name the directory they are in"
        )
    if sum(len(each) for each in found.values()) > MOST_LINKS:
        raise WrongLinks(
            f"{directory} holds more than {MOST_LINKS} links: give each release a directory of its own"
        )
    chosen = {name: _choose(name, each) for name, each in sorted(found.items())}
    replaced = [str(each.path) for name in chosen for each in found[name] if each.raw != chosen[name].raw]
    return Collected({name: each.raw for name, each in chosen.items()}, tuple(replaced))


def _places(directory: Path) -> Iterator[Path]:
    check_place(directory, "the link directory")
    yield directory
    try:
        children = sorted(directory.iterdir())
    except (OSError, ValueError) as error:
        raise WrongLinks(f"the link directory {directory} cannot be read: {why(error)}") from error
    yield from (each for each in children if not is_link(each) and each.is_dir())


def _choose(name: str, found: list[_Found]) -> _Found:
    distinct = list({each.raw: each for each in found}.values())
    if len(distinct) == 1:
        return distinct[0]
    runs = [_run(each) for each in distinct]
    attempts = [_attempt(run) for run in runs]
    same_run = len({(run.repository_uri, run.run_id) if run else None for run in runs}) == 1
    if None in runs or not same_run or len(set(attempts)) != len(attempts):
        paths = ", ".join(str(each.path) for each in distinct)
        raise WrongLinks(
            f"two different links of step {step_of_file_name(name)!r} by one functionary: {paths}. Give every leg "
            "of a matrix a step name of its own, and keep links of different builds in different directories"
        )
    return distinct[max(range(len(distinct)), key=lambda place: attempts[place])]


def _run(found: _Found) -> GithubEnvironment | None:
    where = str(found.path)
    try:
        github = github_environment(parse_link(parse_signed(found.raw, where).payload, where), where)
    except Malformed:
        return None  # whatever it is, it cannot say which attempt it is from; deciding names its fault
    return github if github and github.run_id else None


def _attempt(run: GithubEnvironment | None) -> int:
    return int(run.run_attempt) if run and _ATTEMPT.match(run.run_attempt) else 0
