"""The token of a GitHub job: who sees it, who never does, and what it must not make worse."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.parts.hostile_registry import (
    HostileRegistry,
    Reply,
    docker_config,
    hostile_reference,
    log_in,
)
from tests.parts.images import small_image
from tests.parts.loopback import Asked

from intoto_action.deadline import Deadline
from intoto_action.reason import Unavailable
from intoto_action.store.job_token import REGISTRY, JobToken
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry

TOKEN = "ghs_TokenOfTheJob"
NOBODY = ""


def who(asked: Asked) -> str:
    """The user and the password in a request."""
    scheme, _, value = asked.headers.get("authorization", "").partition(" ")
    return base64.b64decode(value).decode() if scheme == "Basic" else value


def opened(
    hostile: HostileRegistry, environ: dict[str, str], registry: str | None = None, realm: str = ""
) -> Registry:
    token = JobToken(TOKEN, registry or hostile.address)
    store = open_store(
        hostile_reference(hostile),
        deadline=Deadline(20),
        environ=environ,
        push_with="native",
        token_realms={hostile.address: realm} if realm else {},
        job_token=token,
    )
    assert isinstance(store, Registry)
    return store


def guard(
    hostile: HostileRegistry,
    *,
    gives_to: Callable[[str, str], bool] = lambda who, scope: True,
    reads: Callable[[str], bool] = lambda bearer: True,
    realm: str = "",
) -> None:
    """A registry with a token server, which makes of who asks the token; it says who gets one, and who may read."""
    hostile.put(small_image(), "1.0")

    def script(asked: Asked) -> Reply | None:
        if asked.path.startswith("/token"):
            scope = parse_qs(urlsplit(asked.path).query)["scope"][0]
            if not gives_to(who(asked), scope):
                return Reply(403)
            named = base64.b64encode(f"{who(asked)}!".encode()).decode()
            return Reply(body=json.dumps({"token": named}).encode())
        if "authorization" not in asked.headers:
            at = realm or f"http://{hostile.address}/token"
            return Reply(401, headers={"WWW-Authenticate": f'Bearer realm="{at}",service="s"'})
        bearer = base64.b64decode(who(asked)).decode().removesuffix("!")
        return None if reads(bearer) else Reply(403)

    hostile.script = script


def asked_as(hostile: HostileRegistry) -> list[str]:
    return [who(each) for each in hostile.asked if each.path.startswith("/token")]


def nowhere(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}


def test_it_is_for_github_s_registry() -> None:
    assert REGISTRY == "ghcr.io"


def test_it_reads_where_nobody_logged_in(hostile: HostileRegistry, tmp_path: Path) -> None:
    guard(hostile)
    opened(hostile, nowhere(tmp_path)).resolve(hostile_reference(hostile))
    assert asked_as(hostile) == [f"x-access-token:{TOKEN}"]
    assert not any(TOKEN in each.path for each in hostile.asked)


@pytest.mark.parametrize("kind", ["auths", "credHelpers", "credsStore"])
def test_whoever_logged_in_is_who_asks(hostile: HostileRegistry, tmp_path: Path, kind: str) -> None:
    guard(hostile)
    environ = log_in(tmp_path, hostile.address)
    if kind != "auths":
        script = tmp_path / "docker-credential-own"
        script.write_text('#!/bin/sh\necho \'{"Username": "robot", "Secret": "secret"}\'\n')
        script.chmod(0o755)
        environ = docker_config(
            tmp_path, {kind: {hostile.address: "own"} if kind == "credHelpers" else "own"}
        )
        environ["PATH"] += ":/usr/bin:/bin"
    opened(hostile, environ).resolve(hostile_reference(hostile))
    assert asked_as(hostile) == ["robot:secret"]


@pytest.mark.parametrize("registry", ["ghcr.io", "127.0.0.1", "127.0.0.1:1", "localhost:{port}"])
def test_every_other_registry_sees_nothing_of_it(
    hostile: HostileRegistry, tmp_path: Path, registry: str
) -> None:
    guard(hostile)
    port = hostile.address.rpartition(":")[2]
    opened(hostile, nowhere(tmp_path), registry.format(port=port)).resolve(hostile_reference(hostile))
    assert asked_as(hostile) == [NOBODY]


def test_a_realm_elsewhere_sees_nothing_of_it(hostile: HostileRegistry, tmp_path: Path) -> None:
    guard(hostile, realm="https://evil.example/token")
    with pytest.raises(Unavailable, match="nothing was sent there") as caught:
        opened(hostile, nowhere(tmp_path)).resolve(hostile_reference(hostile))
    assert TOKEN not in str(caught.value)


def test_a_realm_that_was_allowed_for_a_login_sees_nothing_of_it(
    hostile: HostileRegistry, tmp_path: Path
) -> None:
    guard(hostile, realm="https://tokens.example/token")
    with pytest.raises(Unavailable, match="nothing was sent there"):
        opened(hostile, nowhere(tmp_path), realm="tokens.example").resolve(hostile_reference(hostile))


def test_it_is_not_used_where_plain_http_is_allowed(hostile: HostileRegistry, tmp_path: Path) -> None:
    guard(hostile)
    token = JobToken(TOKEN, hostile.address)
    store = open_store(
        hostile_reference(hostile),
        deadline=Deadline(20),
        environ=nowhere(tmp_path),
        allow_http=True,
        job_token=token,
    )
    store.resolve(hostile_reference(hostile))
    assert asked_as(hostile) == [NOBODY]


@pytest.mark.parametrize("door", ["the token server", "the registry"])
def test_what_everybody_may_read_is_read_although_the_job_may_not(
    hostile: HostileRegistry, tmp_path: Path, door: str
) -> None:
    if door == "the registry":
        guard(hostile, reads=lambda who: who == NOBODY)
    else:
        guard(hostile, gives_to=lambda who, scope: who == NOBODY)
    store = opened(hostile, nowhere(tmp_path))
    assert store.resolve(hostile_reference(hostile)).digest == small_image().digest
    store.resolve(hostile_reference(hostile))
    assert asked_as(hostile) == [f"x-access-token:{TOKEN}", NOBODY], "and remembers it"


@pytest.mark.parametrize("door", ["the token server", "the registry"])
def test_a_refusal_says_which_permission_to_give_and_not_the_token(
    hostile: HostileRegistry, tmp_path: Path, door: str
) -> None:
    if door == "the registry":
        guard(hostile, reads=lambda who: False)
    else:
        guard(hostile, gives_to=lambda who, scope: False)
    with pytest.raises(Unavailable, match=r"from the input github-token.*`packages: read`") as caught:
        opened(hostile, nowhere(tmp_path)).resolve(hostile_reference(hostile))
    assert TOKEN not in str(caught.value)
    assert base64.b64encode(TOKEN.encode()).decode() not in str(caught.value)


def test_nobody_does_not_push(hostile: HostileRegistry, tmp_path: Path) -> None:
    guard(hostile, gives_to=lambda who, scope: scope.endswith(":pull"))
    store = opened(hostile, nowhere(tmp_path))
    image = store.resolve(hostile_reference(hostile))
    with pytest.raises(Unavailable, match="write"):
        store.tag(image, "latest")
    assert NOBODY not in asked_as(hostile)


def test_a_login_that_is_refused_is_not_replaced_by_it(hostile: HostileRegistry, tmp_path: Path) -> None:
    guard(hostile, gives_to=lambda who, scope: who != "robot:secret")
    with pytest.raises(Unavailable, match="docker login"):
        opened(hostile, log_in(tmp_path, hostile.address)).resolve(hostile_reference(hostile))
    assert asked_as(hostile) == ["robot:secret"]


def test_it_is_in_no_representation() -> None:
    token = JobToken(TOKEN, REGISTRY)
    assert TOKEN not in f"{token!r} {token} {token.credentials()!r}"
