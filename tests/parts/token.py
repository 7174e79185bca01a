"""A PKCS#11 token in software: Debian's SoftHSM, with the keys that a test puts in."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.parts.key_material import pem, private_key
from tests.parts.tools import debian_command

PIN = "7311-pin-of-the-token"
LABEL = "build token"
_LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")


class Token:
    """One token; `environ` is what a process needs to find it, but for its PIN."""

    def __init__(self, directory: Path, label: str = LABEL) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "tokens").mkdir()
        self._configuration = directory / "softhsm2.conf"
        self._configuration.write_text(
            f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self._directory = directory
        self._label = label
        self._run("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "0000-of-the-officer")

    @property
    def environ(self) -> Mapping[str, str]:
        library = next(path for path in _LIBRARIES if Path(path).is_file())
        return {"SOFTHSM2_CONF": str(self._configuration), "PYKCS11LIB": library}

    def put(self, kind: str, keyid: int, number: int = 0) -> Path:
        """Put a private key on the token; the path of its public key."""
        private = private_key(kind, number)
        path = self._directory / f"{kind}-{number}"
        path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = path.with_suffix(".pub")
        public.write_text(pem(private.public_key()))
        where = ["--token", self._label, "--pin", PIN, "--label", path.name, "--id", f"{keyid:02x}"]
        self._run("--import", str(path), *where)
        path.unlink()
        return public

    def word(self, keyid: int) -> str:
        """The word KEY for a key on it."""
        return f"hsm:{keyid}?label={self._label.replace(' ', '+')}"

    def _run(self, *words: str) -> None:
        command = [str(debian_command("softhsm2-util")), *words]
        environ = {"SOFTHSM2_CONF": str(self._configuration)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
