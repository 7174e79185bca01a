"""Where credentials are found, and that they are for exactly one registry."""

import base64
import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.hostile_registry import docker_config, log_in

from intoto_action.deadline import Deadline
from intoto_action.reason import IntotoActionError, Misused, Unavailable
from intoto_action.store.credentials import Credentials, Keychain


def auth(username: str, password: str = "secret") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def find(
    environ: dict[str, str], registry: str = "ghcr.io", repository: str = "octo/app"
) -> Credentials | None:
    """As if podman had kept nothing for the user that runs the tests."""
    return Keychain(environ, Deadline(10), per_user=Path("/nowhere")).find(registry, repository)


def user(environ: dict[str, str], registry: str = "ghcr.io", repository: str = "octo/app") -> str | None:
    found = find(environ, registry, repository)
    return found.username if found else None


def helper(home: Path, name: str, script: str) -> None:
    path = home / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_any_file_one_is_nobody(tmp_path: Path) -> None:
    assert find({"HOME": str(tmp_path)}) is None


def test_docker_s_login_is_found(tmp_path: Path) -> None:
    found = find(log_in(tmp_path, "ghcr.io"))
    assert found is not None
    assert (found.username, found.password, found.source) == (
        "robot",
        "secret",
        str(tmp_path / "config.json"),
    )


def test_the_home_directory_s_docker_config_is_found(tmp_path: Path) -> None:
    log_in(tmp_path / ".docker", "ghcr.io")
    assert user({"HOME": str(tmp_path)}) == "robot"


@pytest.mark.parametrize(
    "key", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/", "https://ghcr.io/v1/", "https://ghcr.io/v2/"]
)
def test_docker_s_ways_to_write_a_host_are_known(tmp_path: Path, key: str) -> None:
    assert user(docker_config(tmp_path, {"auths": {key: auth("robot")}})) == "robot"


@pytest.mark.parametrize(
    "key",
    [
        "ghcr.io:443",
        "io",
        "xghcr.io",
        "ghcr.io.evil.example",
        "https://evil.example/ghcr.io",
        "evil.example/ghcr.io",
        "*.io",
        "ghcr.io/oct",
        "ghcr.io/octo/app/more",
    ],
)
def test_another_host_port_or_path_is_not_this_one(tmp_path: Path, key: str) -> None:
    assert find(docker_config(tmp_path, {"auths": {key: auth("robot")}})) is None


def test_the_port_belongs_to_the_registry(tmp_path: Path) -> None:
    environ = docker_config(
        tmp_path, {"auths": {"localhost:5000": auth("right"), "localhost": auth("wrong")}}
    )
    assert user(environ, "localhost:5000") == "right"
    assert user(environ, "localhost:5001") is None


@pytest.mark.parametrize(
    "key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
)
def test_docker_hub_has_several_names(tmp_path: Path, key: str) -> None:
    assert (
        user(docker_config(tmp_path, {"auths": {key: auth("robot")}}), "docker.io", "library/alpine")
        == "robot"
    )


def test_podman_s_longest_key_counts(tmp_path: Path) -> None:
    keys = {"ghcr.io": auth("host"), "ghcr.io/octo": auth("owner"), "ghcr.io/octo/app": auth("app")}
    environ = docker_config(tmp_path, {"auths": keys})
    assert user(environ) == "app"
    assert user(environ, repository="octo/other") == "owner"
    assert user(environ, repository="octocat/app") == "host"


@pytest.mark.parametrize("variable", ["REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"])
def test_podman_s_file_is_found(tmp_path: Path, variable: str) -> None:
    path = tmp_path / "containers" / "auth.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"auths": {"ghcr.io": auth("podman")}}))
    assert user({variable: str(path if variable == "REGISTRY_AUTH_FILE" else tmp_path)}) == "podman"


def podman_s(path: Path, username: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"auths": {"ghcr.io": auth(username)}}))


def test_podman_s_files_are_read_in_the_order_of_containers_image(tmp_path: Path) -> None:
    per_user = tmp_path / "run"
    podman_s(tmp_path / "named" / "auth.json", "named")
    podman_s(tmp_path / "runtime" / "containers" / "auth.json", "runtime")
    podman_s(per_user / f"{os.getuid()}" / "auth.json", "user")
    podman_s(tmp_path / "config" / "containers" / "auth.json", "config")
    podman_s(tmp_path / ".config" / "containers" / "auth.json", "home")
    environ = {
        "REGISTRY_AUTH_FILE": str(tmp_path / "named" / "auth.json"),
        "XDG_RUNTIME_DIR": str(tmp_path / "runtime"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "HOME": str(tmp_path),
    }

    def first() -> str | None:
        found = Keychain(environ, Deadline(10), per_user=per_user).find("ghcr.io", "octo/app")
        return found.username if found else None

    assert first() == "named"
    del environ["REGISTRY_AUTH_FILE"]
    assert first() == "runtime"
    (tmp_path / "runtime" / "containers" / "auth.json").unlink()
    assert first() == "config"
    del environ["XDG_RUNTIME_DIR"]
    assert first() == "user"
    (per_user / f"{os.getuid()}" / "auth.json").unlink()
    assert first() == "config"
    del environ["XDG_CONFIG_HOME"]
    assert first() == "home"
    del environ["HOME"]
    assert first() is None


def test_a_named_file_of_podman_is_the_only_one_of_podman_s(tmp_path: Path) -> None:
    podman_s(tmp_path / "named" / "auth.json", "robot")
    (tmp_path / "named" / "auth.json").write_text("{}")
    podman_s(tmp_path / "containers" / "auth.json", "another")
    named = str(tmp_path / "named" / "auth.json")
    assert find({"REGISTRY_AUTH_FILE": named, "XDG_CONFIG_HOME": str(tmp_path)}) is None


def test_podman_s_folder_that_is_closed_to_this_user_holds_nothing_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman_s(tmp_path / f"{os.getuid()}" / "auth.json", "robot")
    real = Path.stat

    def stat(path: Path, **more: bool) -> os.stat_result:
        if path.is_relative_to(tmp_path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, **more)

    keychain = Keychain({}, Deadline(10), per_user=tmp_path)
    assert keychain.find("ghcr.io", "octo/app") is not None
    monkeypatch.setattr(Path, "stat", stat)
    assert keychain.find("ghcr.io", "octo/app") is None


def test_a_docker_config_without_the_registry_leaves_it_to_podman_s(tmp_path: Path) -> None:
    environ = log_in(tmp_path, "other.example")
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {"ghcr.io": auth("podman")}}))
    assert user({**environ, "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}) == "podman"


def test_a_helper_for_the_registry_is_asked_with_its_name(tmp_path: Path) -> None:
    environ = docker_config(tmp_path, {"credHelpers": {"ghcr.io": "test"}})
    helper(tmp_path, "test", 'read server; echo "{\\"Username\\": \\"$1 $server\\", \\"Secret\\": \\"s\\"}"')
    assert user(environ) == "get ghcr.io"
    assert user(environ, "quay.io") is None


def test_the_store_of_all_credentials_is_asked_for_docker_hub_by_its_old_name(tmp_path: Path) -> None:
    environ = docker_config(tmp_path, {"credsStore": "test", "auths": {"https://index.docker.io/v1/": {}}})
    helper(tmp_path, "test", 'read server; echo "{\\"Username\\": \\"$server\\", \\"Secret\\": \\"s\\"}"')
    assert user(environ, "docker.io", "library/alpine") == "https://index.docker.io/v1/"


def test_a_helper_s_token_user_means_an_identity_token(tmp_path: Path) -> None:
    environ = docker_config(tmp_path, {"credsStore": "test"})
    helper(tmp_path, "test", 'echo \'{"Username": "<token>", "Secret": "id-secret"}\'')
    found = find(environ)
    assert found is not None
    assert (found.identity_token, found.password) == ("id-secret", "")


def test_a_helper_that_has_none_leaves_it_to_the_file(tmp_path: Path) -> None:
    environ = docker_config(tmp_path, {"credsStore": "test", "auths": {"ghcr.io": auth("robot")}})
    helper(tmp_path, "test", "echo credentials not found in native keychain; exit 1")
    assert user(environ) == "robot"


@pytest.mark.parametrize("script", ["exit 3", "echo nonsense", 'echo \'{"Secret": "top-secret"}\''])
def test_a_helper_that_fails_is_named_without_what_it_said(tmp_path: Path, script: str) -> None:
    environ = docker_config(tmp_path, {"credsStore": "test"})
    helper(tmp_path, "test", script)
    with pytest.raises(Unavailable, match="docker-credential-test") as caught:
        find(environ)
    assert "top-secret" not in str(caught.value)


def test_a_helper_gets_nothing_with_which_it_could_sign_as_this_job(tmp_path: Path) -> None:
    environ = {
        **docker_config(tmp_path, {"credsStore": "test"}),
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.example/a-secret",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a-secret",
        "ACTIONS_RUNTIME_TOKEN": "a-secret",
        "SIGSTORE_ID_TOKEN": "a-secret",
        "INTOTO_ACTION_SIGN_IDENTITY_TOKEN": "a-secret",
    }
    helper(
        tmp_path, "test", f"""export -p > {tmp_path}/seen; echo '{{"Username": "robot", "Secret": "s"}}'"""
    )
    assert user(environ) == "robot"
    seen = (tmp_path / "seen").read_text()
    assert "a-secret" not in seen
    assert "DOCKER_CONFIG=" in seen


def test_a_helper_that_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"no such program.*install it"):
        find(docker_config(tmp_path, {"credsStore": "desktop"}))


def test_a_helper_that_hangs_is_left_at_the_deadline(tmp_path: Path) -> None:
    environ = {**docker_config(tmp_path, {"credsStore": "test"}), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    helper(tmp_path, "test", "exec sleep 20")
    with pytest.raises(Unavailable, match="not finished"):
        Keychain(environ, Deadline(0.4)).find("ghcr.io", "octo/app")


def test_a_helper_that_talks_without_end_fills_no_memory(tmp_path: Path) -> None:
    environ = {**docker_config(tmp_path, {"credsStore": "test"}), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    helper(tmp_path, "test", "exec head -c 50000000 /dev/zero")
    with pytest.raises(Unavailable, match="user name and a secret"):
        find(environ)


@pytest.mark.parametrize("name", ["../evil", "a b", "a/b", ""])
def test_a_helper_s_name_is_no_path(tmp_path: Path, name: str) -> None:
    environ = docker_config(tmp_path, {"credHelpers": {"ghcr.io": name}})
    if not name:
        assert find(environ) is None
        return
    with pytest.raises(Misused, match="credential helper"):
        find(environ)


@pytest.mark.parametrize("value", ["%%%", "bm9jb2xvbg==", "/w==", "secret-but-not-base64"])
def test_an_auth_that_is_no_login_is_said_without_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(Misused, match="log in again") as caught:
        find(docker_config(tmp_path, {"auths": {"ghcr.io": {"auth": value}}}))
    assert value not in str(caught.value)


@pytest.mark.parametrize("variable", ["DOCKER_CONFIG", "REGISTRY_AUTH_FILE"])
def test_a_file_that_cannot_be_looked_for_is_said(variable: str) -> None:
    with pytest.raises(Misused, match="cannot be looked at: File name too long"):
        find({variable: "/" + "x" * 300})


@given(st.binary(max_size=200))
def test_any_config_file_is_read_or_said_to_be_broken(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "config.json").write_bytes(content)
    try:
        assert find({"DOCKER_CONFIG": str(home)}) is None
    except IntotoActionError as error:
        assert "config.json" in str(error)
