"""The `--sigstore` word to one Sigstore instance: whose certificates and logs count, and where to sign.

Roots of two instances are never merged: one word, one instance, for signing and for verifying.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from intoto_action.deadline import Deadline
from intoto_action.formats.identity import issuer_fault
from intoto_action.formats.spelling import did_you_mean
from intoto_action.formats.strict_json import decode
from intoto_action.keys.tuf_repository import (
    SIGNING_CONFIG_TARGET,
    TRUSTED_ROOT_TARGET,
    NotRefreshed,
    Roots,
    TufRepository,
    first_root_fault,
)
from intoto_action.reason import Malformed, Reason, Unavailable, WrongIdentity
from intoto_action.trust.keyless import LARGEST_ROOT, TrustRoot

TRUST_CONFIG = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
TRUSTED_ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"

PUBLIC: Mapping[str, str] = {
    "production": "https://tuf-repo-cdn.sigstore.dev",
    "staging": "https://tuf-repo-cdn.sigstage.dev",
}
"""The public instances, and where their TUF repositories are."""
PUBLIC_HOSTS = ("sigstore.dev", "sigstage.dev")
"""The domains of the public instances: their logs can be read by everybody, and nothing is ever deleted there."""

GRACE = timedelta(days=30)
"""How long after the day that its TUF metadata was signed for a root serves, when its repository does not answer."""

Tell = Callable[[str], None]


class _TrustConfig(msgspec.Struct, rename="camel"):
    media_type: str
    trusted_root: msgspec.Raw
    signing_config: msgspec.Raw


class _MediaType(msgspec.Struct, rename="camel"):
    media_type: str


class _Service(msgspec.Struct):
    url: str


class _Services(msgspec.Struct):
    logs: list[_Service] = msgspec.field(name="rekorTlogUrls", default=[])
    authorities: list[_Service] = msgspec.field(name="caUrls", default=[])


class _Signed(msgspec.Struct):
    expires: datetime


class _RootMetadata(msgspec.Struct):
    signed: _Signed


class Instance:
    """One Sigstore instance. `name` says in words which; `signing_config` is None where there is only a root."""

    def __init__(self, name: str, trusted_root: bytes, signing_config: bytes | None) -> None:
        import logging

        # What sigstore-python logs goes to stderr where nobody listens; what matters of it, it raises too.
        logging.getLogger("sigstore").addHandler(logging.NullHandler())
        self.name = name
        self.signing_config = signing_config
        self._trusted_root = trusted_root

    @cached_property
    def trust_root(self) -> TrustRoot:
        """What keyless signatures are held against. Raises: Malformed."""
        return TrustRoot(self._trusted_root, self.name)

    @property
    def public_log(self) -> str | None:
        """The host of a public instance, among those that write signatures or certificates into a log, or None.

        Raises: Malformed.
        """
        config = decode(self.signing_config or b"{}", _Services, f"{self.name}, signing config")
        hosts = [urlsplit(each.url).hostname or "" for each in (*config.logs, *config.authorities)]
        return next((host for host in hosts if _is_public(host)), None)

    @property
    def trust_config(self) -> bytes:
        """Root and signing config in one document, as Sigstore's clients read it.

        Raises: Misused when there is no signing config.
        """
        if self.signing_config is None:
            raise WrongIdentity(
                f"{self.name} has no signing config, so it is not known where to sign: give a client trust config, "
                "which has both"
            )
        config = {
            "mediaType": TRUST_CONFIG,
            "trustedRoot": msgspec.Raw(self._trusted_root),
            "signingConfig": msgspec.Raw(self.signing_config),
        }
        return msgspec.json.encode(config)


def open_instance(
    word: str,
    *,
    root_file: Path | None,
    offline: bool,
    deadline: Deadline,
    tell: Tell,
    environ: Mapping[str, str] = os.environ,
    now: datetime | None = None,
) -> Instance:
    """The instance that `--sigstore` names: production, staging, a file, or the URL of a TUF repository.

    `root_file` is the first root.json of that URL. A repository is asked at most until `deadline`; `offline` asks
    none. When it does not answer, what is kept here of it serves while it is current, then what came with
    sigstore-python, then what is kept, each until GRACE after the day it was signed for; `tell` gets how old it is.

    Raises: Misused for a word or file that names none; Unavailable when its roots cannot be had.
    """
    if not _has_repository(word):
        return _from_file(Path(word), root_file)
    first_root, embedded = _first_root(word, root_file)
    repository = TufRepository(PUBLIC.get(word, word), first_root, environ)
    name = _name(word)
    opening = _Opening(name, repository, embedded, tell, now or datetime.now(UTC))
    roots = opening.offline() if offline else opening.online(deadline)
    return Instance(name, roots.trusted_root, roots.signing_config)


def known_instance(word: str, *, root_file: Path | None) -> Instance | None:
    """What can be said of the instance without asking anybody: all of a file, what came with the wheel of a public one.

    None for a TUF repository of one's own, whose words are right.
    Raises: Misused for a word or file that names none.
    """
    if not _has_repository(word):
        return _from_file(Path(word), root_file)
    embedded = _first_root(word, root_file)[1]
    return Instance(_name(word), embedded.trusted_root, embedded.signing_config) if embedded else None


def _has_repository(word: str) -> bool:
    return word in PUBLIC or "://" in word


def _name(word: str) -> str:
    return f"the {word} instance of Sigstore" if word in PUBLIC else f"the Sigstore of {word}"


class _Opening:
    """One opening of an instance that has a TUF repository."""

    def __init__(
        self, name: str, repository: TufRepository, embedded: Roots | None, tell: Tell, now: datetime
    ) -> None:
        self._name, self._repository, self._embedded = name, repository, embedded
        self._tell, self._now = tell, now

    def online(self, deadline: Deadline) -> Roots:
        try:
            return self._repository.refresh(deadline)
        except NotRefreshed as error:
            return self._in_place_of(error)

    def offline(self) -> Roots:
        """Of a public instance what came with sigstore-python: the same wheel, the same root, whatever lies around."""
        found, whence = (
            (self._embedded, "came with sigstore-python")
            if self._embedded
            else (self._repository.kept(), "was kept here")
        )
        if found is None:
            raise Unavailable(
                f"--offline: nothing of {self._name} is kept here; run it once without --offline, or give --sigstore "
                "FILE, a client trust config",
                Reason.SIGSTORE_UNAVAILABLE,
            )
        self._tell(f"--offline: {self._name} is taken as it {whence}, {self._age(found)}")
        return found

    def _in_place_of(self, error: NotRefreshed) -> Roots:
        kept = self._repository.kept()
        candidates = [(kept, timedelta(0)), (self._embedded, GRACE), (kept, GRACE)]
        for found, grace in candidates:
            if found is not None and self._now < found.good_until + grace:
                whence = "was kept here" if found is kept else "came with sigstore-python"
                self._tell(f"{error}; {self._name} is taken as it {whence}, {self._age(found)}")
                return found
        raise Unavailable(
            f"{error}; {self._too_old(kept)}. Try again, or say --offline to take what is here however old it is, or "
            "--sigstore FILE",
            Reason.SIGSTORE_UNAVAILABLE,
        )

    def _too_old(self, kept: Roots | None) -> str:
        there = [self._age(found) for found in (kept, self._embedded) if found is not None]
        if not there:
            return "nothing is kept here"
        return f"what is here is {' and '.join(there)}, and serves at most {GRACE.days} days longer than that"

    def _age(self, roots: Roots) -> str:
        over = (self._now - roots.good_until).days
        day = f"signed for use until {roots.good_until:%Y-%m-%d}"
        return f"{day} ({over} days ago)" if over > 0 else day


def _first_root(word: str, root_file: Path | None) -> tuple[bytes, Roots | None]:
    """The root.json to begin with, and the roots that came with sigstore-python for a public instance."""
    if word in PUBLIC:
        if root_file is not None:
            raise WrongIdentity(
                f"--sigstore-root {root_file}: expected beside --sigstore URL only: the {word} instance's came with "
                "sigstore-python"
            )
        return _embedded(PUBLIC[word])
    if fault := issuer_fault(word):
        raise WrongIdentity(f"--sigstore: expected the https URL of a TUF repository, found {fault}")
    if root_file is None:
        raise WrongIdentity(
            f"--sigstore {word}: expected --sigstore-root FILE beside it, the repository's root.json, had from whoever "
            "runs it on a way that you trust"
        )
    first_root = read_file(root_file, f"--sigstore-root {root_file}")
    if fault := first_root_fault(first_root):
        raise WrongIdentity(
            f"--sigstore-root {root_file}: expected the root.json of a TUF repository, found {fault}"
        )
    return first_root, None


def _embedded(url: str) -> tuple[bytes, Roots]:
    """What sigstore-python carries of a public instance: its first root.json, and its roots."""
    from importlib.resources import files

    folder = files("sigstore._store") / quote(url, safe="")
    first_root = (folder / "root.json").read_bytes()
    expires = msgspec.json.decode(first_root, type=_RootMetadata).signed.expires
    trusted_root, signing_config = (
        (folder / name).read_bytes() for name in (TRUSTED_ROOT_TARGET, SIGNING_CONFIG_TARGET)
    )
    return first_root, Roots(trusted_root, signing_config, expires)


def _from_file(path: Path, root_file: Path | None) -> Instance:
    """A client trust config, or a bare trusted root, with which nothing can be signed."""
    if root_file is not None:
        raise WrongIdentity(f"--sigstore-root {root_file}: expected beside --sigstore URL only, found {path}")
    where = f"--sigstore {path}"
    raw = read_file(path, where)
    try:
        kind = decode(raw, _MediaType, where).media_type
        if kind == TRUSTED_ROOT:
            return Instance(f"the trusted root {path}", raw, None)
        if kind != TRUST_CONFIG:
            raise Malformed(where, f"mediaType {TRUST_CONFIG} or {TRUSTED_ROOT}", repr(kind[:120]))
        config = decode(raw, _TrustConfig, where)
    except Malformed as error:
        raise WrongIdentity(
            f"{error}: give a client trust config, as `cosign` and `sigstore` use it"
        ) from error
    return Instance(f"the trust config {path}", bytes(config.trusted_root), bytes(config.signing_config))


def read_file(path: Path, where: str) -> bytes:
    """A file that a word of the command line names; `where` is that word. Raises: Misused."""
    try:
        with path.open("rb") as file:
            raw = file.read(2 * LARGEST_ROOT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        meant = did_you_mean(str(path), PUBLIC)
        raise WrongIdentity(f"{where} cannot be read: {reason}; give the path of a file{meant}") from error
    if len(raw) > 2 * LARGEST_ROOT:
        raise WrongIdentity(f"{where}: expected at most {2 * LARGEST_ROOT} bytes, found more")
    return raw


def _is_public(host: str) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in PUBLIC_HOSTS)
