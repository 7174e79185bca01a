"""cosign that is missing, too old or failing: its own words, and what to do. The real one is in tests/integration."""

import errno
import json
import os
import time
from pathlib import Path

import pytest
from tests.parts.hostile_registry import REPOSITORY, HostileRegistry, hostile_reference
from tests.parts.images import small_image

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import Image
from intoto_action.reason import Misused, Reason, Unavailable
from intoto_action.store.open import open_store

BUNDLE = json.dumps(
    {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "dsseEnvelope": {"payload": "e30=", "payloadType": "x/y", "signatures": [{"sig": "eA=="}]},
    }
).encode()


@pytest.fixture
def image(hostile: HostileRegistry) -> Image:
    small = small_image()
    hostile.put(small, "1.0")
    return Image(f"{hostile.address}/{REPOSITORY}", small.digest, small.media_type, len(small.document))


def cosign(directory: Path, script: str, version: str = "v3.1.2") -> dict[str, str]:
    """Variables under which this script is cosign."""
    answer = json.dumps({"gitVersion": version})
    path = directory / "cosign"
    path.write_text(f"#!/bin/sh\nif [ \"$1\" = version ]; then echo '{answer}'; exit 0; fi\n{script}\n")
    path.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin", "HOME": str(directory)}


def attach(hostile: HostileRegistry, image: Image, environ: dict[str, str], bundle: bytes = BUNDLE) -> None:
    store = open_store(hostile_reference(hostile), deadline=Deadline(10), environ=environ)
    store.attach(image, bundle, "https://example.com")


def test_a_cosign_that_is_missing_is_said_with_what_to_do(
    hostile: HostileRegistry, image: Image, tmp_path: Path
) -> None:
    with pytest.raises(
        Unavailable, match=r"no program cosign.*install cosign 3\.1.*--push-with native"
    ) as caught:
        attach(hostile, image, {"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert caught.value.reason is Reason.REGISTRY_ERROR


@pytest.mark.parametrize("version", ["v2.5.0", "v3.0.6", "devel", ""])
def test_a_cosign_that_is_too_old_is_refused_before_anything_is_pushed(
    hostile: HostileRegistry, image: Image, tmp_path: Path, version: str
) -> None:
    with pytest.raises(Unavailable, match="too old"):
        attach(hostile, image, cosign(tmp_path, "touch $HOME/called", version))
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("version", ["v3.1.0", "v3.10.1", "v4.0.0", "3.2.0-rc.1"])
def test_a_newer_cosign_is_taken(
    hostile: HostileRegistry, image: Image, tmp_path: Path, version: str
) -> None:
    with pytest.raises(Unavailable, match="exit code 7"):
        attach(hostile, image, cosign(tmp_path, "exit 7", version))


def test_a_cosign_that_fails_is_quoted(hostile: HostileRegistry, image: Image, tmp_path: Path) -> None:
    script = "printf 'Error: \\033[31mno space\\n' >&2; exit 1"
    with pytest.raises(Unavailable, match=r"exit code 1.*it says: Error:  \[31mno space"):
        attach(hostile, image, cosign(tmp_path, script))


def test_a_cosign_that_hangs_is_ended_at_the_deadline(
    hostile: HostileRegistry, image: Image, tmp_path: Path
) -> None:
    environ = cosign(tmp_path, "exec sleep 20")
    store = open_store(hostile_reference(hostile), deadline=Deadline(1), environ=environ)
    with pytest.raises(Unavailable, match="cosign was not finished"):
        store.attach(image, BUNDLE, "https://example.com")


@pytest.mark.parametrize("ending", ["wait", "exit 0"])
def test_what_a_cosign_that_is_late_has_started_is_ended_with_it(
    hostile: HostileRegistry, image: Image, tmp_path: Path, ending: str
) -> None:
    os.mkfifo(tmp_path / "alive")
    listening = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    environ = cosign(tmp_path, f'exec 9>"$HOME/alive"; echo yes >&9; sleep 20 & {ending}')
    store = open_store(hostile_reference(hostile), deadline=Deadline(1), environ=environ)
    with pytest.raises(Unavailable, match="cosign was not finished"):
        store.attach(image, BUNDLE, "https://example.com")
    assert read_until_all_writers_ended(listening) == b"yes\n"


def read_until_all_writers_ended(descriptor: int) -> bytes:
    """What was written into a named pipe; BlockingIOError when somebody keeps it open for seconds."""
    said, until = b"", time.monotonic() + 5
    with open(descriptor, "rb", buffering=0) as stream:
        while (chunk := stream.read(100)) != b"":
            if chunk is None and time.monotonic() > until:
                raise BlockingIOError("somebody still has the pipe open")
            said += chunk or b""
            time.sleep(0.01)
    return said


def test_a_cosign_that_attaches_nothing_is_noticed(
    hostile: HostileRegistry, image: Image, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match="not listed"):
        attach(hostile, image, cosign(tmp_path, "exit 0"))


def test_cosign_gets_one_bundle_the_digest_and_none_of_our_secrets(
    hostile: HostileRegistry, image: Image, tmp_path: Path
) -> None:
    environ = {
        **cosign(tmp_path, 'env > "$HOME/env"; echo "$@" > "$HOME/argv"; cat "$5" > "$HOME/bundle"; exit 1'),
        "INTOTO_ACTION_SIGNING_KEY": "a secret",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a secret",
        "SIGSTORE_ID_TOKEN": "a secret",
        "COSIGN_PASSWORD": "a secret",
        "COSIGN_REPOSITORY": "elsewhere.example/x",
        "DOCKER_CONFIG": str(tmp_path),
    }
    with pytest.raises(Unavailable):
        attach(hostile, image, environ)
    seen = (tmp_path / "env").read_text()
    assert "a secret" not in seen
    assert "elsewhere" not in seen
    assert f"DOCKER_CONFIG={tmp_path}" in seen
    argv = (tmp_path / "argv").read_text().split()
    assert argv[:4] == ["attach", "attestation", "--allow-http-registry", "--attestation"]
    assert argv[5:] == [str(image)]
    assert (tmp_path / "bundle").read_bytes() == BUNDLE
    assert not Path(argv[4]).exists()


def test_what_is_no_bundle_is_not_handed_to_cosign(
    hostile: HostileRegistry, image: Image, tmp_path: Path
) -> None:
    with pytest.raises(Misused, match="Sigstore bundles"):
        attach(hostile, image, cosign(tmp_path, "touch $HOME/called"), b'{"payload": ""}')
    assert not (tmp_path / "called").exists()


def test_a_machine_without_room_for_temporary_files_is_said(
    hostile: HostileRegistry, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    environ = cosign(tmp_path, "exit 0")
    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    with pytest.raises(Unavailable, match="for cosign: No space left on device; make room"):
        attach(hostile, image, environ)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(Unavailable, match="no temporary file can be written: No space left on device"):
        attach(hostile, image, environ)
