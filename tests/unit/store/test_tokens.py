"""Who is asked for a token, with what, and who never sees a credential."""

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.hostile_registry import (
    REPOSITORY,
    HostileRegistry,
    Reply,
    docker_config,
    hostile_reference,
    log_in,
    open_hostile,
)
from tests.parts.images import small_image
from tests.parts.loopback import Asked

from intoto_action.deadline import Deadline
from intoto_action.reason import Unavailable
from intoto_action.store.challenge import Challenge, parse_challenges
from intoto_action.store.credentials import Credentials
from intoto_action.store.http import Answer, Transport
from intoto_action.store.tokens import Authorizer

PULL = f"repository:{REPOSITORY}:pull"


def demand(hostile: HostileRegistry, realm: str, good: str = "Bearer good") -> None:
    """A registry that wants a token from `realm`, with its own token server at /token on the same host."""
    hostile.put(small_image(), "1.0")

    def script(asked: Asked) -> Reply | None:
        if asked.path.startswith("/token"):
            return Reply(body=json.dumps({"token": "good", "expires_in": 300}).encode())
        if asked.headers.get("authorization") != good:
            challenge = (
                f'Bearer realm="{realm}",service="the service",scope="repository:other/repo:pull,push"'
            )
            return Reply(401, headers={"WWW-Authenticate": challenge})
        return None

    hostile.script = script


def tokens_asked(registry: HostileRegistry) -> list[Asked]:
    return [each for each in registry.asked if each.path.startswith("/token")]


def test_a_token_is_asked_for_with_the_password_for_our_own_scope(
    hostile: HostileRegistry, tmp_path: Path
) -> None:
    demand(hostile, f"http://{hostile.address}/token")
    open_hostile(hostile, environ=log_in(tmp_path, hostile.address)).resolve(hostile_reference(hostile))
    (asked,) = tokens_asked(hostile)
    fields = parse_qs(urlsplit(asked.path).query)
    assert (fields["scope"], fields["service"]) == ([PULL], ["the service"])
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"robot:secret").decode()


def test_without_credentials_the_token_is_asked_for_anonymously(hostile: HostileRegistry) -> None:
    demand(hostile, f"http://{hostile.address}/token")
    open_hostile(hostile).resolve(hostile_reference(hostile))
    (asked,) = tokens_asked(hostile)
    assert "authorization" not in asked.headers


def test_a_token_is_kept_for_the_next_request(hostile: HostileRegistry) -> None:
    demand(hostile, f"http://{hostile.address}/token")
    store = open_hostile(hostile)
    store.resolve(hostile_reference(hostile))
    store.resolve(hostile_reference(hostile))
    assert len(tokens_asked(hostile)) == 1


def test_pushing_asks_for_a_token_of_its_own(hostile: HostileRegistry) -> None:
    demand(hostile, f"http://{hostile.address}/token")
    store = open_hostile(hostile)
    store.tag(store.resolve(hostile_reference(hostile)), "latest")
    scopes = [parse_qs(urlsplit(each.path).query)["scope"] for each in tokens_asked(hostile)]
    assert scopes == [[PULL], [f"{PULL},push"]]


def test_a_token_that_was_refused_is_fetched_anew_once(hostile: HostileRegistry) -> None:
    demand(hostile, f"http://{hostile.address}/token")
    store = open_hostile(hostile)
    store.resolve(hostile_reference(hostile))
    demand(hostile, f"http://{hostile.address}/token", good="Bearer another")
    with pytest.raises(Unavailable, match="refuses it"):
        store.resolve(hostile_reference(hostile))
    assert len(tokens_asked(hostile)) == 2


def test_an_identity_token_is_posted_and_is_in_no_url(hostile: HostileRegistry, tmp_path: Path) -> None:
    demand(hostile, f"http://{hostile.address}/token")
    auth = base64.b64encode(b"robot:").decode()
    config = {"auths": {hostile.address: {"auth": auth, "identitytoken": "id-secret"}}}
    open_hostile(hostile, environ=docker_config(tmp_path, config)).resolve(hostile_reference(hostile))
    (asked,) = tokens_asked(hostile)
    fields = parse_qs(asked.body.decode())
    assert (asked.method, fields["grant_type"], fields["refresh_token"]) == (
        "POST",
        ["refresh_token"],
        ["id-secret"],
    )
    assert fields["scope"] == [PULL]
    assert not any("id-secret" in each.path for each in hostile.asked)


def test_basic_is_answered_with_the_password(hostile: HostileRegistry, tmp_path: Path) -> None:
    hostile.put(small_image(), "1.0")
    expected = "Basic " + base64.b64encode(b"robot:secret").decode()
    hostile.script = lambda asked: (
        None
        if asked.headers.get("authorization") == expected
        else Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    )
    open_hostile(hostile, environ=log_in(tmp_path, hostile.address)).resolve(hostile_reference(hostile))
    assert hostile.asked[-1].headers["authorization"] == expected


@pytest.mark.parametrize(
    "realm",
    [
        "https://evil.example/token",
        "http://{address}@evil.example/token",
        "http://evil.example/token",
        "http://10.0.0.1/token",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_realm_elsewhere_sees_no_credentials(hostile: HostileRegistry, tmp_path: Path, realm: str) -> None:
    demand(hostile, realm.format(address=hostile.address))
    with pytest.raises(Unavailable) as caught:
        open_hostile(hostile, environ=log_in(tmp_path, hostile.address)).resolve(hostile_reference(hostile))
    assert hostile.address in str(caught.value)
    assert all("authorization" not in each.headers for each in hostile.asked)


def test_a_realm_elsewhere_is_named_with_the_flag_that_allows_it(hostile: HostileRegistry) -> None:
    demand(hostile, "https://auth.corp.example/token")
    with pytest.raises(Unavailable, match=rf"--token-realm {hostile.address}=auth\.corp\.example"):
        open_hostile(hostile).resolve(hostile_reference(hostile))


def test_a_realm_on_another_host_that_is_allowed_is_asked(hostile: HostileRegistry) -> None:
    named = f"localhost:{hostile.address.partition(':')[2]}"
    demand(hostile, f"http://{named}/token")
    open_hostile(hostile, realms={hostile.address: named}).resolve(hostile_reference(hostile))
    assert len(tokens_asked(hostile)) == 1


def test_a_realm_that_redirects_elsewhere_hands_on_no_password(
    hostile: HostileRegistry, tmp_path: Path
) -> None:
    with HostileRegistry() as other:
        demand(hostile, f"http://{hostile.address}/token")
        honest = hostile.script
        redirect = Reply(307, headers={"Location": f"http://{other.address}/token"})
        hostile.script = lambda asked: (
            redirect if asked.path.startswith("/token") else honest and honest(asked)
        )
        with pytest.raises(Unavailable):
            open_hostile(hostile, environ=log_in(tmp_path, hostile.address)).resolve(
                hostile_reference(hostile)
            )
        assert [each.headers.get("authorization") for each in other.asked] == [None]


@pytest.mark.parametrize(
    ("registry", "realm", "is_allowed"),
    [
        ("docker.io", "https://auth.docker.io/token", True),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("ghcr.io", "https://ghcr.io/token", True),
        ("registry.corp:5000", "https://registry.corp:5000/token", True),
        ("registry.corp:5000", "https://registry.corp:5001/token", False),
        ("registry.corp:5000", "https://registry.corp/token", False),
        ("registry.corp", "https://registry.corp:8443/token", False),
        ("docker.io", "https://auth.docker.io:8443/token", False),
        ("localhost:5000", "http://localhost:5001/token", True),
        ("[::1]:5000", "https://[::1]:5001/token", True),
        ("localhost:5000", "http://127.0.0.1:5001/token", False),
        ("ghcr.io", "https://auth.docker.io/token", False),
        ("ghcr.io", "http://ghcr.io/token", False),
        ("docker.io", "https://auth.docker.io.evil.example/token", False),
        ("registry.gitlab.com", "https://evil.gitlab.com/jwt/auth", False),
        ("ghcr.io", "https://GHCR.IO/token", True),
        ("ghcr.io", "http://127.0.0.1/token", False),
    ],
)
def test_known_pairs_of_registry_and_realm(
    monkeypatch: pytest.MonkeyPatch, registry: str, realm: str, is_allowed: bool
) -> None:
    transport = Transport(Deadline(5))
    monkeypatch.setattr(transport, "send", lambda request: Answer(200, {}, b'{"token": "good"}', realm))
    authorizer = Authorizer(registry, lambda: None, transport, realms={})
    challenged = Answer(401, {"www-authenticate": f'Bearer realm="{realm}"'}, b"", f"https://{registry}/v2/")
    if is_allowed:
        assert authorizer.challenged(challenged, PULL) == "Bearer good"
        return
    with pytest.raises(Unavailable, match="--token-realm"):
        authorizer.challenged(challenged, PULL)


@pytest.mark.parametrize(
    ("named", "realm", "is_allowed"),
    [
        ("auth.corp", "https://auth.corp/token", True),
        ("AUTH.corp:443", "https://auth.corp/token", True),
        ("auth.corp", "https://auth.corp:8443/token", False),
        ("auth.corp:8443", "https://auth.corp:8443/token", True),
        ("auth.corp:8443", "https://auth.corp/token", False),
        ("registry.corp:5001", "https://registry.corp:5001/token", True),
        ("auth.corp:80", "http://auth.corp/token", False),
    ],
)
def test_an_allowed_realm_is_one_host_and_one_port(
    monkeypatch: pytest.MonkeyPatch, named: str, realm: str, is_allowed: bool
) -> None:
    transport = Transport(Deadline(5))
    monkeypatch.setattr(transport, "send", lambda request: Answer(200, {}, b'{"token": "good"}', realm))
    registry = "registry.corp:5000"
    authorizer = Authorizer(registry, lambda: None, transport, realms={registry: named})
    challenged = Answer(401, {"www-authenticate": f'Bearer realm="{realm}"'}, b"", f"https://{registry}/v2/")
    if is_allowed:
        assert authorizer.challenged(challenged, PULL) == "Bearer good"
        return
    with pytest.raises(Unavailable, match="nothing was sent there"):
        authorizer.challenged(challenged, PULL)


def test_a_realm_on_another_port_is_named_with_it_in_the_flag_that_allows_it() -> None:
    authorizer = Authorizer("registry.corp:5000", lambda: None, Transport(Deadline(5)), realms={})
    header = {"www-authenticate": 'Bearer realm="https://registry.corp:5001/token"'}
    with pytest.raises(Unavailable, match=r"--token-realm registry\.corp:5000=registry\.corp:5001$"):
        authorizer.challenged(Answer(401, header, b"", "https://registry.corp:5000/v2/"), PULL)


def test_a_token_is_fetched_again_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    sent = []
    transport = Transport(Deadline(5))

    def send(request: object) -> Answer:
        sent.append(request)
        return Answer(200, {}, b'{"access_token": "good", "expires_in": 100}', "https://ghcr.io/token")

    monkeypatch.setattr(transport, "send", send)
    authorizer = Authorizer("ghcr.io", lambda: None, transport, realms={}, clock=lambda: now[0])
    authorizer.challenged(
        Answer(401, {"www-authenticate": 'Bearer realm="https://ghcr.io/token"'}, b"", "https://ghcr.io"),
        PULL,
    )
    now[0] = 85.0
    authorizer.header(PULL)
    assert len(sent) == 1
    now[0] = 95.0
    authorizer.header(PULL)
    assert len(sent) == 2


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"token": ""}', b'{"token": "a b"}', b'{"token": "a\\nb"}', b"[]"]
)
def test_an_answer_without_a_token_is_an_error(hostile: HostileRegistry, body: bytes) -> None:
    demand(hostile, f"http://{hostile.address}/token")
    honest = hostile.script
    hostile.script = lambda asked: (
        Reply(body=body) if asked.path.startswith("/token") else honest and honest(asked)
    )
    with pytest.raises(Unavailable, match="no token"):
        open_hostile(hostile).resolve(hostile_reference(hostile))


def test_refused_credentials_are_named_by_their_file_without_the_secret(
    hostile: HostileRegistry, tmp_path: Path
) -> None:
    demand(hostile, f"http://{hostile.address}/token")
    honest = hostile.script
    hostile.script = lambda asked: Reply(401) if asked.path.startswith("/token") else honest and honest(asked)
    with pytest.raises(Unavailable) as caught:
        open_hostile(hostile, environ=log_in(tmp_path, hostile.address)).resolve(hostile_reference(hostile))
    assert f"'robot' from {tmp_path / 'config.json'}" in str(caught.value)
    assert "docker login" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_credentials_show_no_secret_when_printed() -> None:
    printed = repr(Credentials("a file", "robot", "password-secret", "token-secret"))
    assert "robot" in printed
    assert "secret" not in printed


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="x"', [("basic", {"realm": "x"})]),
        ('bearer REALM="https://a/b",service=s', [("bearer", {"realm": "https://a/b", "service": "s"})]),
        ('Bearer realm="a, b=\\"c\\""', [("bearer", {"realm": 'a, b="c"'})]),
        ('Negotiate, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('Negotiate YWJj==, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('Basic realm="x", Bearer realm="y"', [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})]),
        ('Bearer realm="x",realm="y"', []),
        ("", []),
        ("=,=", []),
        ("Bearer " + "x" * 9000, []),
    ],
)
def test_challenges_are_read_as_rfc_9110_has_them(
    header: str, expected: list[tuple[str, dict[str, str]]]
) -> None:
    assert [(each.scheme, dict(each.parameters)) for each in parse_challenges(header)] == expected


@given(st.text(alphabet=st.sampled_from('Bearer ="\\,abc='), max_size=80) | st.text(max_size=80))
def test_any_header_is_read_or_left(header: str) -> None:
    assert all(isinstance(each, Challenge) for each in parse_challenges(header))


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(st.characters(codec="ascii"), max_size=20)
    )
)
def test_a_challenge_is_read_as_it_was_written(parameters: dict[str, str]) -> None:
    quoted = {key: value.replace("\\", "\\\\").replace('"', '\\"') for key, value in parameters.items()}
    written = ", ".join(f'{key}="{value}"' for key, value in quoted.items())
    (challenge,) = parse_challenges(f"Bearer {written}")
    assert (challenge.scheme, challenge.parameters) == ("bearer", parameters)
