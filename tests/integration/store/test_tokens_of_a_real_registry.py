"""Debian's docker-registry with a token server, and with passwords."""

import base64
import json
from pathlib import Path

import pytest
from tests.parts.bundles import PREDICATE_TYPE
from tests.parts.images import push_image, small_image
from tests.parts.registries import RunningRegistry
from tests.parts.token_server import IDENTITY_TOKEN

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import Reference
from intoto_action.reason import Unavailable
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry


def open_native(registry: RunningRegistry, environ: dict[str, str]) -> Registry:
    reference = Reference(registry.address, "octo/tokens")
    store = open_store(reference, deadline=Deadline(30), environ=environ, push_with="native")
    assert isinstance(store, Registry)
    return store


@pytest.mark.needs("docker-registry")
def test_an_identity_token_is_enough_to_push_and_to_attach(
    token_registry: RunningRegistry, tmp_path: Path
) -> None:
    entry = {"auth": base64.b64encode(b"robot:").decode(), "identitytoken": IDENTITY_TOKEN}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {token_registry.address: entry}}))
    server = token_registry.token_server
    assert server is not None
    begun = len(server.asked)
    store = open_native(token_registry, {"DOCKER_CONFIG": str(tmp_path)})
    push_image(store, small_image(), "1.0")
    image = store.resolve(Reference(token_registry.address, "octo/tokens", "1.0"))
    store.attach(image, b"{}", PREDICATE_TYPE)
    asked = server.asked[begun:]
    assert {method for method, _ in asked} == {"POST"}
    assert [scope for _, scope in asked] == [
        "repository:octo/tokens:pull,push",
        "repository:octo/tokens:pull",
    ]


@pytest.mark.needs("docker-registry")
def test_tokens_that_expire_at_once_are_fetched_again(
    token_registry: RunningRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = token_registry.token_server
    assert server is not None
    monkeypatch.setattr(server, "lifetime", 1)
    store = open_native(token_registry, dict(token_registry.environ(tmp_path)))
    push_image(store, small_image("expiring"), "2.0")
    image = store.resolve(Reference(token_registry.address, "octo/tokens", "2.0"))
    own = store.attach(image, b"{}", PREDICATE_TYPE)
    assert own.digest in {each.digest for each in store.referrers(image).descriptors}


@pytest.mark.needs("docker-registry", "htpasswd")
@pytest.mark.parametrize("name", ["password_registry", "token_registry"])
def test_nobody_and_a_wrong_password_are_told_to_log_in(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    registry: RunningRegistry = request.getfixturevalue(name)
    auth = base64.b64encode(b"robot:wrong-secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.address: {"auth": auth}}}))
    for environ in ({}, {"DOCKER_CONFIG": str(tmp_path)}):
        with pytest.raises(Unavailable, match=f"docker login {registry.address}") as caught:
            open_native(registry, environ).resolve(Reference(registry.address, "octo/tokens", "1.0"))
        assert "wrong-secret" not in str(caught.value)
