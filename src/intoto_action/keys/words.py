"""The words KEY and PUB of the command line: to a signer, to a public key or an identity."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from intoto_action.formats.key import Key
from intoto_action.keys.interface import Signer
from intoto_action.keys.memory import clear_dumpable
from intoto_action.keys.pem import (
    TEXT_CAP,
    holds_pem,
    is_encrypted,
    public_key_from_text,
    signer_from_pem,
    unwrap,
)
from intoto_action.reason import Misused

VARIABLE_SCHEME = "env:"
KEYLESS = "keyless:"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{1,15}):")
_NO_PATH = re.compile(r"[\x00\n\ud800-\udbff]|\A\Z|\A.{4097}|[^/]{256}", re.DOTALL)
_MAY_BE_A_KEY = re.compile(r"[\x00-\x1f\x7f]|BEGIN|PRIVATE|[A-Za-z0-9+/=]{32}|.{256}")
"""Base64, or a piece of PEM. No path that a person would miss in a message looks like that."""
_IDENTITY_WORD = re.compile(r"\s*(?:identity|issuer)=")
_IDENTITY_FILE = re.compile(r"""(?m)(?:^|[\s{,])["']?(?:identity|repository)["']?\s*:""")
_KEYS_ONLY = (
    "this version signs with keys: give a PEM file or env:NAME; `intoto-action keygen PATH` makes one"
)
_EMPTY = (
    "{where} is {state}. In CI this is mostly a secret that is not there: pull requests from forks get none, "
    "and the name of the secret must be right; set it, or run this step where the secret is given"
)

Tell = Callable[[str], None]
"""Takes a note for the person who runs the command: a fact that changes nothing."""


def open_signer(
    word: str,
    *,
    environ: Mapping[str, str],
    password_env: str | None = None,
    prompt: Callable[[str], str] | None = None,
    tell: Tell | None = None,
) -> Signer:
    """The signer that KEY names: a path to a PEM file, or `env:NAME` with PEM text in that variable.

    The password of an encrypted key comes from the variable `password_env`, else from `prompt` (which gets
    the question), else there is none. `tell` gets notes. This process is made undumpable before the key is
    read.

    Raises: Misused for anything that is no private key which can be opened; the text never quotes the key.
    """
    note = tell or _keep_quiet
    if not clear_dumpable():
        note(
            "this system cannot hide the memory of this process, which holds the key, from others of the user"
        )
    check_private_word(word)
    source = _source(word, "private key", environ)
    text = unwrap(source.text)
    password = _password(source.where, text, environ, password_env, prompt, note)
    signer = signer_from_pem(text, source.where, password)
    if source.mode & 0o077:
        note(f"{source.where} can be read by others (mode {source.mode:04o}): `chmod 600` it")
    return signer


def open_public_key(word: str, *, environ: Mapping[str, str]) -> Key:
    """The public key or identity that PUB names.

    PUB is a path to a PEM file or to what `layout functionary` printed, PEM text itself, `env:NAME` with one of these
    or an identity in that variable, or the identity: `identity=URI,issuer=URL[,claim=value…]`.

    Raises: Misused when there is nothing to read; Malformed for what is neither.
    """
    if holds_pem(word):
        return public_key_from_text(unwrap(word), "the public key on the command line")
    if _IDENTITY_WORD.match(word):
        return _identity_from_word(word, "the identity on the command line")
    source = _source(word, "public key", environ)
    if _IDENTITY_WORD.match(source.text):
        return _identity_from_word(source.text.strip(), source.where)
    if _IDENTITY_FILE.search(source.text) and not holds_pem(source.text):
        from intoto_action.formats.functionary import parse_functionary

        return parse_functionary(source.text.encode(errors="surrogateescape"), source.where)
    return public_key_from_text(unwrap(source.text), source.where)


def _identity_from_word(word: str, where: str) -> Key:
    from intoto_action.formats.functionary import parse_identity_word

    return parse_identity_word(word, where)


def password_from(name: str, environ: Mapping[str, str]) -> bytes:
    """The password in the environment variable `name`.

    Raises: Misused when there is none, or `name` is no name of a variable.
    """
    if not _VARIABLE.match(name) or (name not in environ and _MAY_BE_A_KEY.search(name)):
        raise Misused(
            "expected the name of an environment variable after --password-env, found something else (it "
            "is not shown, it may be the password); put it into a variable and give the name of that variable"
        )
    password = environ.get(name, "")
    if not password:
        where = f"the password in the environment variable {name}"
        raise Misused(_EMPTY.format(where=where, state="empty, or not set"))
    return password.encode(errors="surrogateescape")


class KeyWord(NamedTuple):
    """What a word for a key names: a variable or else a file. `where` says it in messages, and is never a key."""

    where: str
    variable: str = ""
    path: str = ""


def parse_key_word(word: str, what: str, environ: Mapping[str, str]) -> KeyWord:
    """What KEY or PUB names, without looking into it; `what` is `private key` or `public key`.

    It may be the key itself, by mistake: a word is repeated only when there is such a file or variable, or when
    nothing in it looks like base64 or PEM.

    Raises: Misused for a word that can name neither; it does not hold the word.
    """
    if word.startswith(VARIABLE_SCHEME):
        name = word.removeprefix(VARIABLE_SCHEME)
        if not _VARIABLE.match(name):
            raise Misused(
                f"expected the name of an environment variable after {VARIABLE_SCHEME}, found something else "
                f"(not shown: it may be a key); give env:NAME, and put the {what} into NAME"
            )
        shown = name if name in environ or not _MAY_BE_A_KEY.search(name) else "(not shown: it may be a key)"
        return KeyWord(f"the {what} in the environment variable {shown}", variable=name)
    if _NO_PATH.search(word):
        raise Misused(
            f"expected the path of a PEM file or env:NAME for the {what}, found something that can be neither (it "
            "is not shown: it may be a key)"
        )
    shown = repr(word) if _is_shown(word) else "(its path is not shown: it may be a key)"
    return KeyWord(f"the {what} {shown}", path=word)


def _is_shown(path: str) -> bool:
    if os.path.lexists(path):
        return True
    directory, _, name = path.rpartition("/")
    is_below = os.path.isdir(directory)  # noqa: PTH112 - never raises, whatever the word is
    return not _MAY_BE_A_KEY.search(name if is_below else path)


class _Source(NamedTuple):
    """Where a key comes from, in words; its text; the permissions of its file, 0 when it is none."""

    where: str
    text: str
    mode: int = 0


def check_private_word(word: str) -> None:
    """Refuse a word that names no private key, without looking at what it names.

    Raises: Misused.
    """
    if holds_pem(word):
        raise Misused(
            "the key itself stands on the command line, where every process can read it: put it into an "
            "environment variable and give env:NAME, and replace this key, because it is no secret any more"
        )
    if word.startswith(KEYLESS):
        raise Misused(f"expected a key, found {KEYLESS} {_KEYS_ONLY}")
    scheme = _SCHEME.match(word)
    if scheme and not word.startswith(VARIABLE_SCHEME) and not os.path.lexists(word):
        raise Misused(f"expected a key, found a {scheme.group(1)}: URI; {_KEYS_ONLY}")


def _source(word: str, what: str, environ: Mapping[str, str]) -> _Source:
    named = parse_key_word(word, what, environ)
    return _from_variable(named, environ) if named.variable else _from_file(named)


def _from_variable(named: KeyWord, environ: Mapping[str, str]) -> _Source:
    where = named.where
    text = environ.get(named.variable)
    if text is None or not text.strip():
        raise Misused(
            _EMPTY.format(
                where=where, state="not there: the variable is not set" if text is None else "empty"
            )
        )
    if len(text) > TEXT_CAP:
        raise Misused(f"{where}: expected at most {TEXT_CAP} characters, found {len(text)}")
    return _Source(where, text)


def _from_file(named: KeyWord) -> _Source:
    where = named.where
    try:
        with Path(named.path).open("rb") as file:
            state = os.fstat(file.fileno())
            raw = file.read(TEXT_CAP + 1)
    except UnicodeEncodeError as error:
        raise Misused(f"{where} cannot be a path: it is not UTF-8") from error
    except OSError as error:
        raise Misused(
            f"{where} cannot be read: {error.strerror}; give the path of a PEM file, or env:NAME"
        ) from None  # the error holds the word, which may be a key
    if len(raw) > TEXT_CAP:
        raise Misused(f"{where}: expected a PEM file of at most {TEXT_CAP} bytes, found more")
    if not raw.strip():
        raise Misused(f"{where} is empty: give the path of a PEM file, or env:NAME")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Misused(
            f"{where}: expected PEM text, found binary data: convert DER with `openssl pkey -inform DER`"
        ) from error
    return _Source(where, text, state.st_mode & 0o777 if stat.S_ISREG(state.st_mode) else 0)


def _password(
    where: str,
    text: str,
    environ: Mapping[str, str],
    password_env: str | None,
    prompt: Callable[[str], str] | None,
    note: Tell,
) -> bytes | None:
    if not is_encrypted(text):
        if password_env and environ.get(password_env):
            note(f"{where} is not encrypted: the password in {password_env} was not needed")
        return None
    if password_env:
        return password_from(password_env, environ)
    if prompt is None:
        raise Misused(f"{where} is encrypted: give --password-env VAR with its password in the variable VAR")
    return prompt(f"Password of {where}").encode()


def _keep_quiet(_: str) -> None:
    """Nobody wants notes."""
