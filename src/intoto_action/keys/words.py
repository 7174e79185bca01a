"""The words KEY and PUB of the command line: to a signer, to a public key or an identity."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from intoto_action.formats.gpg_key import GPG_CAP, holds_gpg_key
from intoto_action.formats.key import Key
from intoto_action.formats.spelling import did_you_mean
from intoto_action.keys.interface import SIGNING_SECONDS, Access, Elsewhere, Signer
from intoto_action.keys.memory import clear_dumpable
from intoto_action.keys.pem import (
    TEXT_CAP,
    holds_pem,
    is_encrypted,
    public_key_from_text,
    signer_from_pem,
    unwrap,
)
from intoto_action.reason import WrongKey
from intoto_action.system import MODE_SAYS_WHO_READS, place_fault

VARIABLE_SCHEME = "env:"
ACTION_KEY = "INTOTO_ACTION_SIGNING_KEY"
"""Where our actions put their input `key`, for `env:`: what is said of it speaks of the input."""
KEYLESS = "keyless:"
GNUPG = "gnupg"
KMS_SCHEMES = ("awskms", "gcpkms", "azurekms", "hv", "hsm")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{1,15}):")
_NO_PATH = re.compile(r"[\x00\n\ud800-\udbff]|\A\Z|\A.{4097}|[^/]{256}", re.DOTALL)
_MAY_BE_A_KEY = re.compile(r"[\x00-\x1f\x7f]|BEGIN|PRIVATE|[A-Za-z0-9+/=]{32}|.{256}")
"""Base64, or a piece of PEM. No path that a person would miss in a message looks like that."""
_IDENTITY_WORD = re.compile(r"\s*(?:identity|issuer)=")
_IDENTITY_FILE = re.compile(r"""(?m)(?:^|[\s{,])["']?(?:identity|repository)["']?\s*:""")
_EMPTY = (
    "{where} is {state}. In CI this is mostly a secret that is not there: pull requests from forks get none, "
    "and the name of the secret must be right; set it, or run this step where the secret is given"
)

EMPTY_INPUT = (
    "the input key is empty. In a workflow that is mostly a secret that is not there: look whether the name in "
    "${{ secrets.NAME }} is right and whether this repository, and the environment of this job, have it; pull requests "
    "from forks get none"
)

Tell = Callable[[str], None]
"""Takes a note for the person who runs the command: a fact that changes nothing."""


def open_signer(
    word: str,
    *,
    environ: Mapping[str, str],
    password_env: str | None = None,
    public_key: str | None = None,
    prompt: Callable[[str], str] | None = None,
    tell: Tell | None = None,
    seconds: float = SIGNING_SECONDS,
) -> Signer:
    """The signer that KEY names: a path to a PEM file, `env:NAME` with PEM text in that variable, or a URI.

    The password of an encrypted key, or the PIN of a token, comes from the variable `password_env`, else from `prompt`
    (which gets the question), else there is none. `public_key` is the PUB of `--public-key`: the public part of KEY.
    `tell` gets notes. `seconds` bounds a signature that is made elsewhere. This process is made undumpable before the
    key is read.

    Raises: Misused for anything that is no private key which can be opened; the text never quotes the key. Unavailable,
    and Malformed for a public part that is refused.
    """
    note = tell or _keep_quiet
    if not clear_dumpable():
        note(
            "this system cannot hide the memory of this process, which holds the key, from others of the user"
        )
    check_private_word(word)
    public = open_public_key(public_key, environ=environ) if public_key else None
    kind = elsewhere(word)
    if kind is None:
        signer: Signer = _pem_signer(word, environ, password_env, prompt, note)
    else:
        secret = _secret(password_env, environ, prompt)
        signer = kind.open(word, Access(environ=environ, public=public, secret=secret, seconds=seconds))
    if public is not None and public.fingerprint != signer.key.fingerprint:
        raise WrongKey(
            f"expected KEY to be the private part of --public-key ({public}), found {signer.key}: nothing is signed"
        )
    return signer


def elsewhere(word: str) -> Elsewhere | None:
    """The kind of keys whose URI the word is; None for a file or a variable.

    A known scheme is one even when a file has that name: whoever can write a file must not become the signer.
    """
    scheme, colon, _ = word.partition(":")
    if colon and scheme == GNUPG:
        from intoto_action.keys.gpg import KIND

        return KIND
    if colon and scheme in KMS_SCHEMES:
        from intoto_action.keys.kms import KINDS

        return next(kind for kind in KINDS if kind.scheme == scheme)
    return None


def open_public_key(word: str, *, environ: Mapping[str, str], at: datetime | None = None) -> Key:
    """The public key or identity that PUB names.

    PUB is a path to a file, the text of one, `env:NAME` with that text, `gnupg:…`, or an identity itself:
    `identity=URI,issuer=URL[,claim=value…]`. The file is PEM, holds a GPG key, armoured or not (which must not be
    expired `at` that time, None is now, nor revoked), or is what `layout functionary` printed.

    Raises: Misused when there is nothing to read; Malformed for what is neither, or no key that may sign.
    """
    moment = at or datetime.now(UTC)
    if word.startswith(f"{GNUPG}:"):
        from intoto_action.keys.gpg import open_public

        return open_public(word, environ, moment)
    if _IDENTITY_WORD.match(word):
        return _identity_from_word(word, "the identity on the command line")
    raw, where = _public_part(word, environ)
    if holds_gpg_key(raw):
        from intoto_action.formats.gpg_certificate import parse_certificates
        from intoto_action.trust.gpg_validity import signing_key

        return signing_key(parse_certificates(raw, where), None, moment, where)
    text = raw.decode("utf-8", "surrogateescape")
    if _IDENTITY_WORD.match(text):
        return _identity_from_word(text.strip(), where)
    if _IDENTITY_FILE.search(text) and not holds_pem(text):
        from intoto_action.formats.functionary import parse_functionary

        return parse_functionary(raw, where)
    return public_key_from_text(unwrap(_decoded(raw, where)), where)


def open_every_public_key(word: str, *, environ: Mapping[str, str]) -> tuple[Key, ...]:
    """All keys that PUB names, be they expired or revoked: for what takes them out of use.

    Raises: Misused, Malformed.
    """
    from intoto_action.formats.gpg_certificate import every_key, parse_certificates

    if word.startswith(f"{GNUPG}:"):
        from intoto_action.keys.gpg import exported_certificates, parse_address

        return every_key(exported_certificates(parse_address(word), environ), word)
    if _IDENTITY_WORD.match(word):
        return (open_public_key(word, environ=environ),)
    raw, where = _public_part(word, environ)
    if holds_gpg_key(raw):
        return every_key(parse_certificates(raw, where), where)
    return (open_public_key(word, environ=environ),)


def _identity_from_word(word: str, where: str) -> Key:
    from intoto_action.formats.functionary import parse_identity_word

    return parse_identity_word(word, where)


def password_from(name: str, environ: Mapping[str, str]) -> bytes:
    """The password in the environment variable `name`.

    Raises: Misused when there is none, or `name` is no name of a variable.
    """
    if not _VARIABLE.match(name) or (name not in environ and _MAY_BE_A_KEY.search(name)):
        raise WrongKey(
            "expected the name of an environment variable after --password-env, found something else (it "
            "is not shown, it may be the password); put it into a variable and give the name of that variable"
        )
    password = environ.get(name, "")
    if not password:
        where = f"the password in the environment variable {name}"
        raise WrongKey(_EMPTY.format(where=where, state="empty, or not set"))
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
            raise WrongKey(
                f"expected the name of an environment variable after {VARIABLE_SCHEME}, found something else "
                f"(not shown: it may be a key); give env:NAME, and put the {what} into NAME"
            )
        if name == ACTION_KEY:
            return KeyWord("the input key", variable=name)
        shown = name if name in environ or not _MAY_BE_A_KEY.search(name) else "(not shown: it may be a key)"
        return KeyWord(f"the {what} in the environment variable {shown}", variable=name)
    if _NO_PATH.search(word) or place_fault(word):
        raise WrongKey(
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


def check_private_word(word: str) -> None:
    """Refuse a word that names no private key, without looking at what it names.

    Raises: Misused.
    """
    if holds_pem(word):
        raise WrongKey(
            "the key itself stands on the command line, where every process can read it: put it into an "
            "environment variable and give env:NAME, and replace this key, because it is no secret any more"
        )
    if word.startswith(KEYLESS):
        raise WrongKey(
            f"expected a key, found {word[:40]!r}: {KEYLESS} stands alone, where record, sign, layout sign and attach "
            "have --keyless"
        )
    scheme = _SCHEME.match(word)
    if (
        scheme
        and elsewhere(word) is None
        and not word.startswith(VARIABLE_SCHEME)
        and not os.path.lexists(word)
    ):
        raise WrongKey(_unknown_scheme(scheme.group(1)))


def check_variable(word: str, environ: Mapping[str, str]) -> None:
    """Refuse `env:NAME` with nothing in NAME, before there is anything to sign; other words are not looked at.

    Raises: Misused.
    """
    if word.startswith(VARIABLE_SCHEME):
        _variable(parse_key_word(word, "private key", environ), environ)


def _unknown_scheme(scheme: str) -> str:
    known = (GNUPG, *KMS_SCHEMES)
    listed = ", ".join(f"{each}:" for each in known)
    if scheme == "pkcs11":
        advice = "give hsm:ID?label=TOKEN, and the library of the token in the variable PYKCS11LIB"
    else:
        advice = f"the URIs of keys are {listed}; give one of them, a PEM file or env:NAME"
    return f"expected a key, found a {scheme}: URI{did_you_mean(scheme, known)}; {advice}"


def _pem_signer(
    word: str,
    environ: Mapping[str, str],
    password_env: str | None,
    prompt: Callable[[str], str] | None,
    note: Tell,
) -> Signer:
    named = parse_key_word(word, "private key", environ)
    mode = 0
    if named.variable:
        raw = _variable(named, environ)
    else:
        raw, mode = _file(named, TEXT_CAP)
    text = unwrap(_decoded(raw, named.where))
    password = _password(named.where, text, environ, password_env, prompt)
    signer = signer_from_pem(text, named.where, password)
    if password is None and password_env and environ.get(password_env):
        note(f"{named.where} is not encrypted: the password in {password_env} was not needed")
    if mode & 0o077:
        note(f"{named.where} can be read by others (mode {mode:04o}): `chmod 600` it")
    return signer


def _secret(
    password_env: str | None, environ: Mapping[str, str], prompt: Callable[[str], str] | None
) -> Callable[[str], str]:
    """Where the PIN of a token comes from."""

    def ask(question: str) -> str:
        if password_env:
            return password_from(password_env, environ).decode(errors="surrogateescape")
        if prompt is None:
            raise WrongKey(f"the {question} is needed: give --password-env VAR with it in the variable VAR")
        return prompt(question)

    return ask


def _public_part(word: str, environ: Mapping[str, str]) -> tuple[bytes, str]:
    """What PUB names, and where that is, in words. Raises: Misused."""
    if holds_pem(word):
        return unwrap(word).encode(errors="replace"), "the public key on the command line"
    named = parse_key_word(word, "public key", environ)
    return (_variable(named, environ) if named.variable else _file(named, GPG_CAP)[0]), named.where


def _variable(named: KeyWord, environ: Mapping[str, str]) -> bytes:
    where = named.where
    text = environ.get(named.variable)
    if text is None or not text.strip():
        if named.variable == ACTION_KEY:
            raise WrongKey(EMPTY_INPUT)
        raise WrongKey(
            _EMPTY.format(
                where=where, state="not there: the variable is not set" if text is None else "empty"
            )
        )
    if len(text) > TEXT_CAP:
        raise WrongKey(f"{where}: expected at most {TEXT_CAP} characters, found {len(text)}")
    return unwrap(text).encode(errors="surrogatepass")


def _file(named: KeyWord, cap: int) -> tuple[bytes, int]:
    """The bytes of a file and its permissions, which are 0 when it is none but a pipe, or the system has no such."""
    where = named.where
    try:
        with Path(named.path).open("rb") as file:
            state = os.fstat(file.fileno())
            raw = file.read(cap + 1)
    except UnicodeEncodeError as error:
        raise WrongKey(f"{where} cannot be a path: it is not UTF-8") from error
    except OSError as error:
        raise WrongKey(
            f"{where} cannot be read: {error.strerror}; give the path of a PEM file, or env:NAME"
        ) from None  # the error holds the word, which may be a key
    if len(raw) > cap:
        raise WrongKey(f"{where}: expected a file with a key of at most {cap} bytes, found more")
    if not raw.strip():
        raise WrongKey(f"{where} is empty: give the path of a PEM file, or env:NAME")
    return raw, state.st_mode & 0o777 if MODE_SAYS_WHO_READS and stat.S_ISREG(state.st_mode) else 0


def _decoded(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrongKey(
            f"{where}: expected PEM text, found binary data: convert DER with `openssl pkey -inform DER`"
        ) from error


def _password(
    where: str,
    text: str,
    environ: Mapping[str, str],
    password_env: str | None,
    prompt: Callable[[str], str] | None,
) -> bytes | None:
    if not is_encrypted(text):
        return None
    if password_env:
        return password_from(password_env, environ)
    if prompt is None:
        raise WrongKey(f"{where} is encrypted: give --password-env VAR with its password in the variable VAR")
    return prompt(f"Password of {where}").encode()


def _keep_quiet(_: str) -> None:
    """Nobody wants notes."""
