"""The inspections that are built in, as the `run` of a classic layout.

A classic layout has no field for "every link comes from this repository". It is said as an inspection, so
that it is inside the layout's signature and every in-toto tool carries it:
`run: [intoto-action, inspect, source, …]`. This module knows that list of words; what the words demand of
links is `decide`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from intoto_action.formats.link import step_name_fault
from intoto_action.reason import Malformed

PROGRAM = "intoto-action"
VERB = "inspect"
SOURCE = "source"
BUILT_IN = (SOURCE,)
"""The names of the inspections that there are."""
GITHUB = "https://github.com/"

_SHORT_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+\Z")
_REPOSITORY = re.compile(r"https://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9_.-]+){2,}\Z")
# Not {}: a stock verifier passes `run` through str.format; not ?[\: they read as patterns and are none.
_REF = re.compile(r"refs/[^\x00-\x20\x7f-\x9f*?\[\]\\{}~^:]+\*?\Z|refs/\*\Z")
_EVENT = re.compile(r"[a-z][a-z_]{0,63}\Z")
_MOST_WORDS = 1024


class SourceDemand(msgspec.Struct, frozen=True):
    """Where every link must come from.

    `repository` is a URI such as `https://github.com/octo/app`. A link's ref is one of `refs`, each literal
    or with one `*` as its last character; no refs: any ref. Its event is one of `events`; no events: any but
    those that run code of strangers (`decide` has the list). Steps in `any_commit` may come from another
    commit than the others, and the commands of steps in `pass_oidc` may have had the OIDC token.
    """

    repository: str
    refs: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    any_commit: tuple[str, ...] = ()
    pass_oidc: tuple[str, ...] = ()


_FLAGS = {
    "--ref": "refs",
    "--event": "events",
    "--any-commit": "any_commit",
    "--pass-oidc": "pass_oidc",
}


def encode_source(demand: SourceDemand) -> list[str]:
    """The `run` of the inspection: one flag and its value after the other, in one order."""
    words = [PROGRAM, VERB, SOURCE, "--repository", demand.repository]
    for flag, field in _FLAGS.items():
        for value in getattr(demand, field):
            words += [flag, value]
    return words


def parse_run(run: Sequence[str], where: str) -> SourceDemand | None:
    """What an inspection's `run` demands, or None when it is not a built-in inspection of ours.

    Raises: Malformed when it is ours, and its words are not as `encode_source` writes them (in any order).
    """
    if tuple(run[:3]) != (PROGRAM, VERB, SOURCE):
        return None
    if len(run) > _MOST_WORDS:
        raise Malformed(where, f"at most {_MOST_WORDS} words", str(len(run)))
    repositories: list[str] = []
    collected: dict[str, list[str]] = {field: [] for field in _FLAGS.values()}
    for flag, value in _pairs(run[3:], where):
        if flag == "--repository":
            repositories.append(value)
        else:
            collected[_FLAGS[flag]].append(value)
    if len(repositories) != 1:
        raise Malformed(where, "--repository exactly once", f"it {len(repositories)} times")
    demand = SourceDemand(repositories[0], **{field: tuple(values) for field, values in collected.items()})
    check_source(demand, where)
    return demand


def check_source(demand: SourceDemand, where: str) -> None:
    """Raises: Malformed with the first value that cannot be what its field says."""
    if fault := repository_fault(demand.repository):
        raise Malformed(where, "a repository such as https://github.com/octo/app", fault)
    for ref in demand.refs:
        if fault := ref_fault(ref):
            raise Malformed(where, "a ref such as refs/heads/main or refs/tags/v*", fault)
    for event in demand.events:
        if fault := event_fault(event):
            raise Malformed(where, "the name of an event such as push", fault)
    for step in (*demand.any_commit, *demand.pass_oidc):
        if fault := step_name_fault(step):
            raise Malformed(where, "the name of a step", f"{step[:200]!r}: {fault}")


def repository_uri(text: str) -> str:
    """The URI of a repository written short as `octo/app` (then it is on GitHub); any other text as it is."""
    return f"{GITHUB}{text}" if _SHORT_REPOSITORY.match(text) else text


def repository_fault(uri: str) -> str | None:
    """What is wrong with the URI of a repository, in words, or None.

    Source: the source repository URI in Fulcio's certificates (1.3.6.1.4.1.57264.1.12) has no `.git`.
    """
    if not _REPOSITORY.match(uri):
        return f"{uri[:200]!r}, which is not https:// with a host, an owner and a name"
    if uri.endswith(".git"):
        return f"{uri[:200]!r}: leave .git out"
    if any(segment in {".", ".."} for segment in uri.split("/")):
        return f"{uri[:200]!r}, which has . or .. in its path"
    return None


def ref_fault(ref: str) -> str | None:
    """What is wrong with a ref (literal, or with one `*` at its end), in words, or None."""
    if _REF.match(ref):
        return None
    if not ref.startswith("refs/"):
        return f"{ref[:200]!r}: a branch is refs/heads/NAME, a tag refs/tags/NAME"
    if "*" in ref[:-1]:
        return f"{ref[:200]!r}, which has a * that is not its last character"
    return f"{ref[:200]!r}, which has a character that no ref has"


def event_fault(event: str) -> str | None:
    """What is wrong with the name of a GitHub event, in words, or None."""
    return None if _EVENT.match(event) else f"{event[:200]!r}, which is not lower-case letters and _"


def _pairs(words: Sequence[str], where: str) -> Iterator[tuple[str, str]]:
    known = ("--repository", *_FLAGS)
    for place in range(0, len(words), 2):
        flag = words[place]
        if flag not in known:
            raise Malformed(where, f"one of {', '.join(known)}", repr(flag[:200]))
        if place + 1 == len(words):
            raise Malformed(where, f"a value after {flag}", "the end")
        yield flag, words[place + 1]
