"""Values of secrets never enter a link: links are published."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from intoto_action.formats.link import Link
from intoto_action.reason import NotRecordable
from intoto_action.record.child_environment import OWN_PREFIX

_TELLING = ("TOKEN", "SECRET", "PASSWORD", "KEY")
_SHORTEST = 8
_LINES = re.compile(r"[\r\n]|\\n")
"""Between lines; some CI systems keep a line feed as two characters."""
_ARMOUR = "-----"
_WORDS_OF_OURS = tuple(f"{OWN_PREFIX}{rest}" for rest in ("RECORD_", "SIGN_", "KEYGEN_", "LAYOUT_"))
"""Variables that stand for flags: they hold a path to a key or the name of a variable, never a secret."""


def check_secrets(link: Link, environ: Mapping[str, str], private: Collection[str] = ()) -> None:
    """Refuse a link that holds the value of a variable whose name says that it is a secret, or of a `private` one.

    Raises: Misused; it names the variable and the place, not the value.
    """
    secrets = _secrets(environ, private)
    if not secrets:
        return
    _check([link.name], secrets, "the name of the step", "give another --step-name")
    _check(link.command, secrets, "the command", "say --command-as TEXT to record other words in its place")
    _check(
        (*link.materials, *link.products),
        secrets,
        "the name of a material or product",
        "rename the file, or leave it out with --exclude",
    )
    _check(
        _strings(link.environment), secrets, "the link's environment", "give other patterns or image names"
    )


def _secrets(environ: Mapping[str, str], private: Collection[str]) -> dict[str, list[str]]:
    """Name to what must not stand in a link."""
    found = {}
    for name, value in environ.items():
        upper = name.upper()
        telling = any(word in upper for word in _TELLING) and not upper.startswith(_WORDS_OF_OURS)
        if (telling or name in private) and (parts := _parts(value)):
            found[name] = parts
    return found


def _parts(value: str) -> list[str]:
    """The lines of a secret, of which one gives most of it away, as the whole does.

    They are stripped, because a secret often has a newline at its end which its use has not. The first and last lines
    of PEM are no secret.
    """
    lines = (line.strip() for line in _LINES.split(value))
    return [line for line in lines if len(line) >= _SHORTEST and not line.startswith(_ARMOUR)]


def _check(texts: Iterable[str], secrets: Mapping[str, Collection[str]], where: str, advice: str) -> None:
    joined = "\n".join(texts)
    for name, parts in secrets.items():
        if any(part in joined for part in parts):
            raise NotRecordable(
                f"{where} holds the value of the environment variable {name}, which looks like a secret, and links are "
                f"published: {advice}; if it is no secret, give the variable another name"
            )


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.items() for each in item for text in _strings(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _strings(each)]
    return []
