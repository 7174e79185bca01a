"""A directory in which a release is made: keys, layout, steps, links, and a registry that is an image directory.

Everything here goes through the rooms that the command line goes through too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile

import msgspec

from intoto_action.attach.attach import prepare, publish
from intoto_action.attach.collect import collect
from intoto_action.author.open import read_envelope
from intoto_action.author.sign import compile_file, sign_layout
from intoto_action.deadline import Deadline
from intoto_action.decide.demands import Demands, Trust
from intoto_action.demo.steps import OWNER, RELEASER, TAG, Step
from intoto_action.formats.key import Key, PublicKey
from intoto_action.formats.oci import Descriptor
from intoto_action.formats.reference import DirectoryReference, Image
from intoto_action.formats.verdict import Verdict
from intoto_action.keys.interface import Signer
from intoto_action.keys.keygen import generate
from intoto_action.keys.sigstore_root import SigstoreRoot, without_sigstore
from intoto_action.keys.words import open_public_key, open_signer
from intoto_action.reason import Misused
from intoto_action.record.digest import Progress
from intoto_action.record.publish import publish_signed
from intoto_action.record.step import record_step
from intoto_action.record.task import Here, Task
from intoto_action.store.files import write_whole
from intoto_action.store.interface import Store
from intoto_action.store.open import open_store
from intoto_action.verify.verify import verify_image

_SECONDS = 60
_DATA = Path(__file__).parent
_CACHES = "__pycache__"
_FOR_THE_CHILD = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONHOME")
"""What the steps get of our environment: what a Python needs to start, and nothing that could end up in a link."""


class Attached(msgspec.Struct, frozen=True):
    """What was attached, and what `attach` said of it before."""

    referrer: Descriptor
    verdict: Verdict


class Site:
    """One place where a release is made."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def set_up(self) -> None:
        """Bring the source repository and the layout.yaml of this package."""
        _copy_tree(_DATA / "repository", self.root / "upstream")
        write_whole(self.root / "layout.yaml", (_DATA / "layout.yaml").read_bytes(), overwrite=False)

    def copy(self, root: Path) -> Site:
        """The same site again, at another place."""
        shutil.copytree(self.root, root)
        return Site(root)

    def make_key(self, name: str) -> PublicKey:
        """A key pair, as keys/NAME and keys/NAME.pub; the public one."""
        pair = generate("ed25519", None)
        (self.root / "keys").mkdir(exist_ok=True)
        write_whole(self._key(name), pair.private_pem, mode=0o600, overwrite=False)
        write_whole(self._public(name), pair.public.pem.encode(), overwrite=False)
        return pair.public

    def sign_layout(self, at: datetime) -> str:
        """Sign layout.yaml as root.layout, at that time; the instant at which it ends."""
        compiled = compile_file(self.root / "layout.yaml", at=at)
        signed = sign_layout(compiled.layout, self.signer(OWNER))
        write_whole(self.root / "root.layout", signed.document, overwrite=True)
        return signed.layout.expires

    def record(self, step: Step, *, key: str = "") -> list[str]:
        """Run a step and record it; the lines that its command, and record, had to say.

        Raises: Misused when the command fails; KeyboardInterrupt when we were asked to stop while it ran.
        """
        said: list[str] = []
        with _working_in(self.root):
            task = Task(
                step=step.name,
                command=step.run_by(sys.executable),
                recorded_command=step.command,
                materials=step.materials,
                products=step.products,
                more_environment={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"},
            )
            task.check()
            here = Here(base=str(Path.cwd()), environ=_environment(), tell=said.append, progress=_no_progress)
            with _captured(said):
                outcome, link = record_step(task, here)
            if outcome.interrupted:
                raise KeyboardInterrupt
            if link is None:
                raise _failed(step, outcome.exit_code, "\n".join(said))
            publish_signed(link, Path("links"), lambda: self.signer(key or step.name), force=True)
        return said

    def run(self, step: Step) -> None:
        """Run the command of a step and record nothing, as somebody would who has no key for it.

        Raises: Misused when the command fails.
        """
        environment = _environment() | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
        command = step.run_by(sys.executable)
        done = subprocess.run(
            command, cwd=self.root, env=environment, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise _failed(step, done.returncode, done.stderr)

    def attach(self, *, at: datetime) -> Attached:
        """Attach links and layout to the image in the registry, whatever the decision before it says."""
        store, image = self.image()
        prepared = prepare(
            image,
            read_envelope(self.root / "root.layout"),
            collect(self.root / "links").links,
            {},
            self.signer(RELEASER),
            self.demands(),
            at=at,
            sigstore=self.sigstore,
        )
        published = publish(store, image, prepared.bundle, (), _say_nothing)
        return Attached(published.evidence, prepared.verdict)

    def verify(self, *, at: datetime) -> Verdict:
        """What `verify` says of the image that the tag names now."""
        store, reference = self._store()
        return verify_image(store, reference, self.demands(), at=at, sigstore=self.sigstore).verdict

    def demands(self) -> Demands:
        """What the verifier knows before it looks: who the owner is."""
        return Demands(layout_trust=Trust((self.owner,)))

    @property
    def owner(self) -> Key:
        """Who signs the layout."""
        return open_public_key(str(self._public(OWNER)), environ={})

    @property
    def sigstore(self) -> SigstoreRoot:
        """What keyless signatures are held against: here are none."""
        return without_sigstore()

    def image(self) -> tuple[Store, Image]:
        """The registry, and the image that the tag names now."""
        store, reference = self._store()
        return store, store.resolve(reference)

    def signer(self, name: str) -> Signer:
        """The private key of that name."""
        return open_signer(str(self._key(name)), environ={})

    @property
    def registry(self) -> Path:
        """The image directory that stands for the registry."""
        return self.root / "registry"

    def _store(self) -> tuple[Store, DirectoryReference]:
        reference = DirectoryReference(str(self.registry), TAG)
        return open_store(reference, deadline=Deadline(_SECONDS), environ={}), reference

    def _key(self, name: str) -> Path:
        return self.root / "keys" / name

    def _public(self, name: str) -> Path:
        return self.root / "keys" / f"{name}.pub"


def _failed(step: Step, code: int, said: str) -> Misused:
    return Misused(f"the demo's step {step.name!r} ended with {code}:\n{said}")


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _FOR_THE_CHILD if name in os.environ}


def _copy_tree(source: Path, target: Path) -> None:
    """Copy contents, not modes: a package may be installed read-only, and this is deleted again."""
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        if path.is_file() and _CACHES not in name.parts:
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())


@contextmanager
def _working_in(directory: Path) -> Iterator[None]:
    """Steps run where record runs. Coming back needs no name: the directory we are in may be gone."""
    before = os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        os.chdir(directory)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


@contextmanager
def _captured(said: list[str]) -> Iterator[None]:
    """Catch what a child writes to the standard streams that it inherits from us."""
    sys.stdout.flush()
    sys.stderr.flush()
    with TemporaryFile() as caught:
        saved = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
        try:
            for descriptor, _ in saved:
                os.dup2(caught.fileno(), descriptor)
            yield
        finally:
            for descriptor, before in saved:
                os.dup2(before, descriptor)
                os.close(before)
            caught.seek(0)
            said += [line for line in caught.read().decode(errors="replace").splitlines() if line.strip()]


def _no_progress(what: str, files: int) -> Progress:
    del what, files
    return _ignore


def _ignore(done: int, size: int) -> None:
    """Nobody waits for so few files."""
    del done, size


def _say_nothing(note: str) -> None:
    """Notes of `attach` are about tags, and none is set."""
    del note
