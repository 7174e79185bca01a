"""A desk with everything that a chain is made of as files, and the command line to use on it."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.parts.attached import Shelf
from tests.parts.chain import Chain
from tests.parts.forked import is_about_a_start, run_forked

_SECONDS = 120.0


@dataclass(frozen=True)
class Ended:
    """How a run of the command line ended."""

    code: int
    out: str
    err: str


def run(*words: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> Ended:
    """Run the console script as a process of its own, which is forked. Wherever it fails, it is with a sentence."""
    argv, place, variables = [console_script(), *words], cwd or Path.cwd(), {**os.environ, **(environ or {})}
    ended = Ended(*_run(argv, place, variables))
    for sign in ("Traceback", "internal-error", "PRIVATE KEY"):
        assert sign not in ended.out + ended.err, ended
    assert ended.code in {0, 1, 2, 3, 4}, ended
    return ended


def _run(argv: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> tuple[int, str, str]:
    if not is_about_a_start(environ):
        return run_forked(argv, cwd, environ, _SECONDS)
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def console_script() -> str:
    """The script that an installation makes, beside the Python that runs this."""
    return str(Path(sys.executable).parent / "intoto-action")


@dataclass(frozen=True)
class Desk:
    """The files: `root.layout`, `links/`, `owner.pub`, `owner.pem`, `<step>.pem`, and an image in `images/`."""

    directory: Path
    shelf: Shelf
    chain: Chain

    @property
    def image(self) -> str:
        return self.shelf.word

    def write(self) -> "Desk":
        """Write the chain as it is now."""
        links = self.directory / "links"
        links.mkdir(exist_ok=True)
        for path in links.iterdir():
            path.unlink()
        for each in self.chain.links:
            if each.present:
                (links / each.file_name).write_bytes(each.sealed())
        (self.directory / "root.layout").write_bytes(self.chain.sealed_layout())
        (self.directory / "owner.pub").write_text(self.chain.root.key.pem)
        (self.directory / "owner.pem").write_bytes(self.chain.root.private_pem)
        for name, signer in self.chain.signers.items():
            (self.directory / f"{name}.pub").write_text(signer.key.pem)
            (self.directory / f"{name}.pem").write_bytes(signer.private_pem)
        for path in self.directory.glob("*.pem"):
            path.chmod(0o600)
        return self

    def run(self, *words: str, environ: Mapping[str, str] | None = None) -> Ended:
        return run(*words, cwd=self.directory, environ=environ)

    def attach(self, *words: str, environ: Mapping[str, str] | None = None) -> Ended:
        given = ("attach", self.image, "--layout", "root.layout", "--link-dir", "links")
        return self.run(*given, "--layout-key", "owner.pub", "--key", "owner.pem", *words, environ=environ)

    def verify(self, *words: str, environ: Mapping[str, str] | None = None) -> Ended:
        return self.run("verify", self.image, "--layout-key", "owner.pub", *words, environ=environ)


def desk_at(directory: Path) -> Desk:
    """A desk with a chain that passes; nothing is attached to its image."""
    shelf = Shelf(directory / "images")
    return Desk(directory, shelf, shelf.chain()).write()
