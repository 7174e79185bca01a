"""A home directory of gpg that is thrown away, with the keys that a test makes in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.parts.tools import debian_command

LONGEST = 60


class GpgHome:
    """One keyring. The times of gpg can be faked, so that a key expires without anybody waiting for it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.directory.mkdir(mode=0o700, parents=True)

    @property
    def uri(self) -> str:
        """The word KEY and PUB for it."""
        return f"gnupg:{self.directory}"

    def key(self, fingerprint: str) -> str:
        """The word KEY and PUB for one key in it."""
        return f"{self.uri}?id={fingerprint}"

    def gpg(self, *words: str, stdin: bytes = b"", at: str | None = None) -> bytes:
        """What gpg writes to stdout. `at` is `20300131T120000`, and time stands still there."""
        time = [f"--faked-system-time={at}!"] if at else []
        done = subprocess.run(
            [*self._command("gpg"), "--batch", "--yes", "--quiet", "--passphrase", "", *time, *words],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=LONGEST,
            env=self.environ,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    @property
    def environ(self) -> Mapping[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.directory), "LC_ALL": "C.UTF-8"}

    def new_key(
        self, algorithm: str = "ed25519", usage: str = "sign", expires: str = "never", at: str | None = None
    ) -> str:
        """The fingerprint of a new primary key."""
        name = f"Alice {len(self.fingerprints())} <alice@example.test>"
        self.gpg("--quick-gen-key", name, algorithm, usage, expires, at=at)
        return self.primary_keys()[-1]

    def new_subkey(
        self,
        primary: str,
        algorithm: str = "ed25519",
        usage: str = "sign",
        expires: str = "never",
        at: str | None = None,
    ) -> str:
        """The fingerprint of a new subkey."""
        before = set(self.fingerprints())
        self.gpg("--quick-add-key", primary, algorithm, usage, expires, at=at)
        (found,) = set(self.fingerprints()) - before
        return found

    def revoke(self, primary: str) -> None:
        """Revoke a primary key with the certificate that gpg made beside it."""
        path = self.directory / "openpgp-revocs.d" / f"{primary.upper()}.rev"
        self.gpg("--import", stdin=path.read_text().replace(":-----BEGIN", "-----BEGIN").encode())

    def revoke_subkey(self, primary: str, number: int = 1) -> None:
        """Revoke the subkey with that number."""
        answers = f"key {number}\nrevkey\ny\n0\n\ny\nsave\n"
        words = ["--no-batch", "--no-tty", "--command-fd=0", "--status-fd=2", "--pinentry-mode=loopback"]
        self.gpg(*words, "--edit-key", primary, stdin=answers.encode())

    def export(self, name: str, path: Path, *, armoured: bool = True) -> Path:
        """Write the public key to a file."""
        path.write_bytes(self.gpg(*(["--armor"] if armoured else []), "--export", name))
        return path

    def fingerprints(self) -> list[str]:
        """All keys and subkeys."""
        return [record[9].lower() for record in self._records() if record[0] == "fpr"]

    def primary_keys(self) -> list[str]:
        records = self._records()
        starts = [place for place, record in enumerate(records) if record[0] == "pub"]
        return [
            next(record[9] for record in records[start:] if record[0] == "fpr").lower() for start in starts
        ]

    def configure(self, *lines: str) -> None:
        """Write gpg.conf."""
        (self.directory / "gpg.conf").write_text("\n".join(lines) + "\n")

    def close(self) -> None:
        """End the agent of this home directory, and no other."""
        subprocess.run([*self._command("gpgconf"), "--kill", "all"], check=False, timeout=LONGEST)

    def _records(self) -> Sequence[Sequence[str]]:
        listed = self.gpg("--with-colons", "--with-subkey-fingerprint", "--list-keys").decode()
        return [line.split(":") for line in listed.splitlines()]

    def _command(self, name: str) -> list[str]:
        return [str(debian_command("gpg").parent / name), "--homedir", str(self.directory)]


@contextmanager
def gpg_home(name: str = "home") -> Iterator[GpgHome]:
    """A home directory that is gone afterwards, with its agent. Its path is short, because sockets lie in it."""
    place = Path(tempfile.mkdtemp(prefix="gpg-"))
    home = GpgHome(place / name)
    try:
        yield home
    finally:
        home.close()
        shutil.rmtree(place, ignore_errors=True)
