"""Who one is at a registry: the files and helpers of docker and podman.

Sources: docker's config.json and credential helper protocol (docker/cli, docker/docker-credential-helpers), and
containers-auth.json(5) for podman's files and its keys with a path. docker's file comes first, as in
go-containerregistry, so that cosign and this project are the same person; then podman's, in the order in which
containers/image reads them (pkg/docker/config/config.go, getAuthFilePaths).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from intoto_action.deadline import Deadline, Overdue
from intoto_action.formats.reference import DOCKER_HUB
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed, Unavailable, WrongImage
from intoto_action.store.command import NotThere, run
from intoto_action.store.files import read_capped, why
from intoto_action.system import home, user_id

_FILE_CAP = 1 << 20
_HELPER_SECONDS = 30.0
_HELPER_CAP = 1 << 16
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_IDENTITY_TOKEN_USER = "<token>"  # noqa: S105 (docker's marker, no secret)
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_PER_USER = Path("/run/containers")
_NOT_FOUND = b"credentials not found in native keychain"


@dataclass(frozen=True)
class Credentials:
    """A user and a password, or an identity token; `source` says where they are from. No secret in the repr.

    `offered` are those that are there although nobody logged in with them: where they are refused, nobody in particular
    may be let in. `remedy` is what to do about a refusal, when it is not to log in.
    """

    source: str
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    offered: bool = False
    remedy: str = ""

    @property
    def basic(self) -> str:
        """The value of an Authorization header for Basic. Source: RFC 7617."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


class _Entry(msgspec.Struct):
    auth: str | None = None
    username: str | None = None
    password: str | None = None
    identitytoken: str | None = None

    def __repr__(self) -> str:
        return "_Entry(…)"


class _File(msgspec.Struct, rename="camel"):
    auths: dict[str, _Entry | None] | None = None
    cred_helpers: dict[str, str] | None = None
    creds_store: str | None = None


class _HelperAnswer(msgspec.Struct, rename="pascal"):
    username: str
    secret: str

    def __repr__(self) -> str:
        return "_HelperAnswer(…)"


class Keychain:
    """Looks credentials up in the files that `environ` leads to, and in podman's own of this user under `per_user`."""

    def __init__(self, environ: Mapping[str, str], deadline: Deadline, *, per_user: Path = _PER_USER) -> None:
        self._environ = environ
        self._deadline = deadline
        self._per_user = per_user

    def find(self, registry: str, repository: str) -> Credentials | None:
        """The credentials for a repository of exactly this registry (host and port), or None: anonymous.

        Raises: Misused when a file is broken; Unavailable when a helper fails.
        """
        for path in self._paths():
            file = _read(path)
            found = self._by_helper(file, path, registry) or _by_file(file, path, registry, repository)
            if found is not None:
                return found
        return None

    def _paths(self) -> Iterator[Path]:
        of_user = home(self._environ)
        if docker := self._environ.get("DOCKER_CONFIG"):
            yield from _existing(Path(docker) / "config.json")
        elif of_user:
            yield from _existing(of_user / ".docker" / "config.json")
        if podman := self._environ.get("REGISTRY_AUTH_FILE"):
            yield from _existing(Path(podman))
            return
        if runtime := self._environ.get("XDG_RUNTIME_DIR"):
            yield from _existing(Path(runtime) / "containers" / "auth.json")
        else:
            yield from self._of_this_user()
        if config := self._environ.get("XDG_CONFIG_HOME") or (of_user and of_user / ".config"):
            yield from _existing(Path(config) / "containers" / "auth.json")

    def _of_this_user(self) -> Iterator[Path]:
        """podman's file for users without XDG_RUNTIME_DIR, as root's often is.

        Nobody named it, and root's podman may have closed the folder to everybody else: then there is none for us.
        """
        user = user_id()
        if user is None:
            return
        path = self._per_user / f"{user}" / "auth.json"
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        yield path

    def _by_helper(self, file: _File, path: Path, registry: str) -> Credentials | None:
        helpers = file.cred_helpers or {}
        name = next(
            (helper for key, helper in helpers.items() if _host_of_key(key) in _names(registry)), None
        )
        name = name or file.creds_store
        if not name:
            return None
        if not _HELPER_NAME.match(name):
            raise WrongImage(f"{path}: expected the name of a credential helper, found {name[:64]!r}")
        return self._ask(f"docker-credential-{name}", path, registry)

    def _ask(self, helper: str, path: Path, registry: str) -> Credentials | None:
        server = _DOCKER_HUB_KEY if registry == DOCKER_HUB else registry
        try:
            seconds = self._deadline.require(f"asking {helper}", at_most=_HELPER_SECONDS)
            ended = run(
                [helper, "get"],
                environ=self._environ,
                given=server.encode(),
                seconds=seconds,
                cap=_HELPER_CAP,
            )
        except Overdue as error:
            raise Unavailable(str(error)) from error
        except NotThere as error:
            raise Unavailable(
                f"{path} names the credential helper {helper} for {registry}, and there is no such program on the "
                "PATH: install it, or remove it from the file and log in again"
            ) from error
        if ended.code != 0 and _NOT_FOUND in ended.output:
            return None
        if ended.code != 0:
            raise Unavailable(f"{helper} (named in {path}) failed for {registry} with exit code {ended.code}")
        return _from_helper(ended.output, f"{helper} (named in {path})")


def _from_helper(output: bytes, source: str) -> Credentials | None:
    try:
        answer = decode(output, _HelperAnswer, source, cap=_HELPER_CAP)
    except Malformed as error:
        raise Unavailable(f"{source} did not answer with a user name and a secret") from error
    if not answer.secret:
        return None
    if answer.username == _IDENTITY_TOKEN_USER:
        return Credentials(source, identity_token=answer.secret)
    return Credentials(source, answer.username, answer.secret)


def _by_file(file: _File, path: Path, registry: str, repository: str) -> Credentials | None:
    """The entry of the longest key that is the registry, or the registry and the beginning of the path."""
    auths = file.auths or {}
    wanted = {
        f"{name}/{part}" if part else name for name in _names(registry) for part in _beginnings(repository)
    }
    found = [
        (key.count("/"), entry)
        for raw, entry in auths.items()
        if (key := _host_of_key(raw)) in wanted and entry
    ]
    for _, entry in sorted(found, key=lambda pair: pair[0], reverse=True):
        credentials = _from_entry(entry, f"{path}", registry)
        if credentials is not None:
            return credentials
    return None


def _from_entry(entry: _Entry, source: str, registry: str) -> Credentials | None:
    username, password = entry.username or "", entry.password or ""
    if entry.auth:
        username, password = _pair(entry.auth, source, registry)
    if entry.identitytoken:
        return Credentials(source, username, identity_token=entry.identitytoken)
    return Credentials(source, username, password) if username or password else None


def _pair(auth: str, source: str, registry: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    username, colon, password = text.partition(":")
    if not colon:
        raise WrongImage(f"{source}: the auth of {registry} is not base64 of user:password; log in again")
    return username, password.rstrip("\x00")


def _read(path: Path) -> _File:
    raw = read_capped(path, _FILE_CAP, "registry credentials")
    if not raw.strip():
        return _File()
    try:
        return decode(raw, _File, f"{path}")
    except Malformed as error:
        raise WrongImage(
            f"{path} is no credentials file of docker or podman: expected {error.expected}"
        ) from error


def _existing(path: Path) -> Iterator[Path]:
    try:
        is_there = path.exists()
    except OSError as error:
        raise WrongImage(f"registry credentials: {path} cannot be looked at: {why(error)}") from error
    if is_there:
        yield path


def _names(registry: str) -> frozenset[str]:
    return _DOCKER_HUB_NAMES if registry == DOCKER_HUB else frozenset({registry})


def _beginnings(repository: str) -> list[str]:
    parts = repository.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), -1, -1)]


def _host_of_key(key: str) -> str:
    """A key of `auths` as host, port and path; docker's own form `https://HOST/v1/` is the host."""
    plain = key.removeprefix("https://").removeprefix("http://")
    host, slash, path = plain.partition("/")
    if not slash or (plain != key and path.strip("/") in {"", "v1", "v2"}):
        return host.lower()
    return f"{host.lower()}/{path}"
