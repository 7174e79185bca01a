"""An image with its evidence in a registry, verified by the command line, and VSAs that nobody should have issued."""

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.parts.attached import chain_about
from tests.parts.chain import REPOSITORY, Chain
from tests.parts.desk import Ended, console_script
from tests.parts.desk import run as run_product
from tests.parts.images import SmallImage, push_image, small_image
from tests.parts.registries import RunningRegistry

from intoto_action.deadline import Deadline
from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.evidence import PREDICATE_TYPE as EVIDENCE_TYPE
from intoto_action.formats.reference import Image, Reference
from intoto_action.formats.vsa import PREDICATE_TYPE
from intoto_action.keys.sealing import seal_bundle
from intoto_action.keys.words import open_signer
from intoto_action.store.open import NATIVE, open_store
from intoto_action.store.registry import Registry

Change = Callable[[dict[str, Any]], object]


_numbers = count()


@dataclass
class Deployed:
    """The files `owner.pub`, `vsa.pem` and `vsa.pub` in `directory`, and an image with evidence in a repository `name`
    of its own.
    """

    directory: Path
    registry: RunningRegistry
    name: str = field(default_factory=lambda: f"octo/app-{next(_numbers)}")
    kind: str = "ecdsa"
    content: SmallImage = field(default_factory=small_image)
    chain: Chain = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        self.chain = chain_about(self.content.digest)
        (self.directory / "owner.pub").write_text(self.chain.root.key.pem)
        self.keygen("vsa", self.kind)
        self.push(self.name)

    @property
    def repository(self) -> str:
        return f"{self.registry.address}/{self.name}"

    @property
    def image(self) -> str:
        return f"{self.repository}@{self.content.digest}"

    @property
    def reference(self) -> Reference:
        return Reference(self.registry.address, self.name, None, self.content.digest)

    def keygen(self, name: str, kind: str) -> None:
        """A key NAME.pem, and NAME.pub."""
        run_product("keygen", "--no-password", "--type", kind, name, cwd=self.directory)
        (self.directory / name).rename(self.directory / f"{name}.pem")

    def store(self, name: str | None = None) -> Registry:
        reference = Reference(self.registry.address, name or self.name)
        environ = self.registry.environ(self.directory)
        store = open_store(reference, deadline=Deadline(60), environ=environ, push_with=NATIVE)
        assert isinstance(store, Registry)
        return store

    def push(self, name: str) -> None:
        """The image and its evidence, in a repository."""
        store = self.store(name)
        push_image(store, self.content, "1.0")
        store.attach(self._in(store), self.chain.bundle(), EVIDENCE_TYPE)

    def verify(self, *words: str, job: Mapping[str, str] = MappingProxyType({})) -> Ended:
        """`verify`, to which this repository is a mirror of the layout's, as a job with this environment."""
        same = ("--same-as", f"{self.repository}={REPOSITORY}", "--layout-key", "owner.pub")
        environ = {**job, **self.registry.environ(self.directory)}
        return run_product("verify", self.image, *same, *words, cwd=self.directory, environ=environ)

    def issue(self, *words: str) -> Ended:
        """`verify` with the VSA key; the image passes."""
        ended = self.verify("--vsa-key", "vsa.pem", *words)
        assert ended.code == 0, ended
        return ended

    def vsa(self) -> bytes:
        """A VSA of the image as a bundle, that is attached to nothing."""
        path = self.directory / "kept.sigstore.json"
        self.issue("--vsa", path.name)
        return path.read_bytes()

    def statement(self) -> dict[str, Any]:
        """What a VSA of the image says."""
        statement: dict[str, Any] = json.loads(parse_envelope(self.vsa(), "the VSA").payload)
        return statement

    def attach(self, bundle: bytes, predicate_type: str = PREDICATE_TYPE) -> None:
        """Put a VSA, or something else, beside the image."""
        store = self.store()
        store.attach(self._in(store), bundle, predicate_type)

    def forged(self, change: Change, key: str = "vsa.pem") -> bytes:
        """A VSA that was changed before it was signed."""
        statement = self.statement()
        change(statement)
        signer = open_signer(str(self.directory / key), environ={})
        return seal_bundle(PAYLOAD_TYPE, json.dumps(statement).encode(), signer)

    def command(self, *argv: str | Path, places: Iterable[Path] = (), fails: bool = False) -> str:
        """Another program, with `places` on its PATH; what it prints, on both streams."""
        path = (*places, Path(console_script()).parent, "/usr/bin", "/bin")
        done = subprocess.run(
            [str(each) for each in argv],
            cwd=self.directory,
            env={**self.registry.environ(self.directory), "PATH": os.pathsep.join(map(str, path))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) == fails, (argv, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def _in(self, store: Registry) -> Image:
        registry, _, repository = store.distribution.name.partition("/")
        return store.resolve(Reference(registry, repository, None, self.content.digest))


def payload_of(document: bytes) -> dict[str, Any]:
    """The Statement in a DSSE envelope on a line."""
    statement: dict[str, Any] = json.loads(base64.b64decode(json.loads(document)["payload"]))
    return statement
