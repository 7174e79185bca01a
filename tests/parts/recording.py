"""`intoto-action record` as people call it: a process of its own, in a directory, with an environment."""

import json
import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from intoto_action.record.task import Here

_KEPT = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR")
_LONGEST = 120


class Recorder:
    """Calls `record` in `base`, with a key, a link directory and a state directory beside it."""

    def __init__(self, directory: Path, environ: Mapping[str, str] | None = None) -> None:
        self.base = directory / "checkout"
        self.base.mkdir(parents=True)
        self.links = directory / "links"
        self.key = directory / "key.pem"
        self.environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self.environ.update({"XDG_RUNTIME_DIR": str(directory / "runtime"), **(environ or {})})
        self.new_key(self.key)

    def new_key(self, path: Path) -> str:
        """Write a private key and its public one beside it; the private PEM."""
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        Path(f"{path}.pub").write_bytes(public)
        return pem.decode()

    def write(self, name: str, content: str = "") -> Path:
        """A file in the base directory."""
        path = self.base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def argv(self, *words: str, step: str = "build", key: str | None = None) -> list[str]:
        """The words of a call; `key` empty leaves --key out."""
        signing = ["--key", key or str(self.key)] if key != "" else []
        front = ["--step-name", step, *signing, "--link-dir", str(self.links)]
        return [sys.executable, "-m", "intoto_action", "record", *front, *words]

    def __call__(
        self,
        *words: str,
        step: str = "build",
        key: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        return subprocess.run(
            self.argv(*words, step=step, key=key),
            cwd=self.base,
            env={**self.environ, **(environ or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST,
        )

    def start(self, *words: str, environ: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Run it without waiting; whoever calls this ends it."""
        return subprocess.Popen(
            self.argv(*words),
            cwd=self.base,
            env={**self.environ, **(environ or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def link(self, step: str = "build") -> dict[str, Any]:
        """The payload of the one signed link of a step."""
        (path,) = self.links.glob(f"{step}.*.link")
        document = json.loads(path.read_text())
        payload: dict[str, Any] = json.loads(b64decode(document["payload"]))
        return payload

    def no_link(self) -> bool:
        """Whether nothing at all lies in the link directory."""
        return not self.links.exists() or not list(self.links.iterdir())


def here(base: Path, environ: Mapping[str, str] | None = None, notes: list[str] | None = None) -> Here:
    """The surroundings of a step for tests in this process; notes are collected in `notes`."""
    collected = notes if notes is not None else []
    return Here(
        base=str(base),
        environ={} if environ is None else environ,
        tell=collected.append,
        progress=lambda what, files: lambda done, size: None,
    )
