"""A layout.yaml with every short form in it, taken to the end by in-toto's own verifiers in Python and in Go."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.parts.tools import tool

from intoto_action.author.sign import co_sign_layout, compile_file, sign_layout
from intoto_action.formats.artifact import Digests
from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.layout import Layout
from intoto_action.formats.link import Link, encode_link, link_file_name
from intoto_action.keys.interface import Signer
from intoto_action.keys.keygen import generate
from intoto_action.keys.sealing import seal
from intoto_action.keys.words import open_signer

YAML = """\
expires: 6 months
readme: "A layout: with every short form"
subject: {step: push, artifact: 'oci:localhost:5001/octo/app'}
source: {repository: octo/app, refs: [refs/heads/main]}
functionaries:
  alice: {key: alice.pub}
  bob: {key: bob.pub}
steps:
  - name: checkout
    functionaries: [alice]
    expected_products: [CREATE src/*]
  - name: build
    functionaries: [alice, bob]
    threshold: 2
    expected_command: make all
    expected_materials: [MATCH src/* WITH PRODUCTS FROM checkout]
    expected_products:
      - CREATE image:app
      - MATCH src/* WITH MATERIALS FROM build
  - name: scan
    functionaries: [bob]
    expected_materials: [MATCH image:app WITH PRODUCTS FROM build]
    open: true
  - name: push
    functionaries: [alice]
    expected_materials:
      - MATCH image:app WITH PRODUCTS FROM build
      - {rule: MATCH report.json WITH PRODUCTS FROM scan, optional: true}
"""
SOURCE = {"src/main.c": Digests(sha256="1" * 64), "src/lib/é.c": Digests(sha256="2" * 64)}
BUILT = {"image:app": Digests(sha256="3" * 64)}
IMAGE = {"oci:localhost:5001/octo/app": Digests(sha256="4" * 64)}
GITHUB = {"repository": "octo/app", "sha": "a" * 40, "ref": "refs/heads/main", "event": "push"}
Verifier = Callable[["Chain"], "subprocess.CompletedProcess[str]"]


class Chain:
    """A directory with root.layout and links, signed with keys of one kind."""

    def __init__(self, directory: Path, kind: str) -> None:
        self.directory = directory
        self.keys = {name: generate(kind, None) for name in ("owner", "second", "alice", "bob")}
        for name, pair in self.keys.items():
            (directory / f"{name}.pub").write_text(pair.public.pem)
        self.links = directory / "links"
        self.links.mkdir()
        self.layout = self._sign(directory / "layout.yaml")
        self.link("checkout", "alice", {}, SOURCE)
        for name in ("alice", "bob"):
            self.link("build", name, SOURCE, SOURCE | BUILT)
        self.link("scan", "bob", BUILT, {})
        self.link("push", "alice", BUILT, IMAGE)

    def signer(self, name: str) -> Signer:
        return open_signer("env:KEY", environ={"KEY": self.keys[name].private_pem.decode()})

    def link(
        self, step: str, name: str, materials: Mapping[str, Digests], products: Mapping[str, Digests]
    ) -> None:
        link = Link(step, ["true"], dict(materials), dict(products), {"return-value": 0}, {"github": GITHUB})
        signer = self.signer(name)
        path = self.links / link_file_name(step, signer.key.keyid)
        path.write_bytes(seal(PAYLOAD_TYPE, encode_link(link), signer))

    def _sign(self, path: Path) -> Layout:
        path.write_text(YAML)
        now = datetime.now(UTC)
        compiled = compile_file(path, at=now)
        first = sign_layout(compiled.layout, self.signer("owner"))
        both = co_sign_layout(
            compiled, parse_envelope(first.document, "layout"), self.signer("second"), at=now
        )
        (self.links / "root.layout").write_bytes(both.document)
        return compiled.layout


def _run(chain: Chain, words: list[str]) -> subprocess.CompletedProcess[str]:
    """In the directory of the links, as `inspect source` looks for them there, with our command on the PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = os.environ | {"PATH": path}
    return subprocess.run(
        words, cwd=chain.links, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def in_toto_verify(chain: Chain) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).parent / "in-toto-verify")
    keys = ["../owner.pub", "../second.pub"]
    return _run(chain, [program, "--layout", "root.layout", "--verification-keys", *keys, "--link-dir", "."])


def in_toto_golang(chain: Chain) -> subprocess.CompletedProcess[str]:
    words = [str(tool("in-toto-golang")), "verify", "-l", "root.layout", "-d", "."]
    return _run(chain, [*words, "-k", "../owner.pub", "-k", "../second.pub"])


VERIFIERS = [
    pytest.param(in_toto_verify, id="python"),
    pytest.param(in_toto_golang, id="go", marks=pytest.mark.needs("in-toto-golang")),
]
KINDS = ["ed25519", "ecdsa", "rsa"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verifier", VERIFIERS)
def test_an_honest_chain_passes(tmp_path: Path, verifier: Verifier, kind: str) -> None:
    ended = verifier(Chain(tmp_path, kind))
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("verifier", VERIFIERS)
class TestThatIsBroken:
    def test_by_a_changed_source_it_fails(self, tmp_path: Path, verifier: Verifier) -> None:
        chain = Chain(tmp_path, "ed25519")
        changed = SOURCE | {"src/main.c": Digests(sha256="9" * 64)}
        for name in ("alice", "bob"):
            chain.link("build", name, changed, changed | BUILT)
        assert verifier(chain).returncode != 0

    def test_by_a_scan_of_nothing_it_fails(self, tmp_path: Path, verifier: Verifier) -> None:
        chain = Chain(tmp_path, "ed25519")
        chain.link("scan", "bob", {}, {})
        assert verifier(chain).returncode != 0

    def test_by_a_push_without_the_image_it_fails(self, tmp_path: Path, verifier: Verifier) -> None:
        chain = Chain(tmp_path, "ed25519")
        chain.link("push", "alice", BUILT, {})
        assert verifier(chain).returncode != 0

    def test_by_a_product_that_nobody_expects_it_fails(self, tmp_path: Path, verifier: Verifier) -> None:
        chain = Chain(tmp_path, "ed25519")
        chain.link("checkout", "alice", {}, SOURCE | {"evil.so": Digests(sha256="9" * 64)})
        assert verifier(chain).returncode != 0

    def test_by_a_missing_second_link_it_fails(self, tmp_path: Path, verifier: Verifier) -> None:
        chain = Chain(tmp_path, "ed25519")
        (chain.links / link_file_name("build", chain.keys["bob"].public.keyid)).unlink()
        assert verifier(chain).returncode != 0

    def test_by_links_of_another_branch_it_fails(
        self, tmp_path: Path, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chain = Chain(tmp_path, "ed25519")
        monkeypatch.setitem(GITHUB, "ref", "refs/heads/evil")
        chain.link("scan", "bob", BUILT, {})
        assert verifier(chain).returncode != 0
