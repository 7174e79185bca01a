"""A layout.yaml with its keys in a directory of the test."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from intoto_action.author.compile import Compiled
from intoto_action.author.faults import BadLayout
from intoto_action.author.sign import compile_file
from intoto_action.formats.layout import Layout, Rule
from intoto_action.keys.keygen import KeyPair

NOW = datetime(2031, 5, 1, 12, 0, 0, tzinfo=UTC)
NAMES = ("alice", "bob", "carl")
HEAD = """\
expires: 6 months
functionaries:
  alice: {key: alice.pub}
  bob: {key: keys/bob.pub}
"""
STEPS = """\
steps:
  - name: checkout
    functionaries: [alice]
    expected_products: [CREATE src/*, CREATE Makefile]
  - name: build
    functionaries: [bob]
    expected_materials: [MATCH src/* WITH PRODUCTS FROM checkout]
    expected_products: [CREATE out/*]
"""


class Draft:
    """Where somebody writes a layout.yaml."""

    def __init__(self, directory: Path, pairs: dict[str, KeyPair]) -> None:
        self.directory = directory
        self.pairs = pairs
        self.file = directory / "layout.yaml"
        (directory / "keys").mkdir()
        for name, pair in pairs.items():
            for place in (directory, directory / "keys"):
                (place / f"{name}.pub").write_text(pair.public.pem)
            (directory / name).write_bytes(pair.private_pem)
            (directory / name).chmod(0o600)

    def keyid(self, name: str) -> str:
        return self.pairs[name].public.keyid

    def compile(self, text: str, at: datetime = NOW) -> Compiled:
        self.file.write_text(text)
        return compile_file(self.file, at=at)

    def layout(self, text: str) -> Layout:
        return self.compile(text).layout

    def rules(self, products: str, *, more: str = "", head: str = HEAD) -> list[Rule]:
        """The expected_products of step build, written as a list in YAML."""
        text = (
            head + STEPS.replace("expected_products: [CREATE out/*]", f"expected_products: {products}") + more
        )
        step = self.layout(text).step("build")
        assert step is not None
        return step.expected_products

    def faults(self, text: str, at: datetime = NOW) -> list[str]:
        """What is said of a bad layout, without the path of the file."""
        with pytest.raises(BadLayout) as raised:
            self.compile(text, at=at)
        lines = [str(fault) for fault in raised.value.faults]
        assert str(raised.value) == "\n".join(lines)
        return [line.removeprefix(f"{self.file}:") for line in lines]
