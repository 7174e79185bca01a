"""Where the layout.yaml of a signed layout is looked for, and where it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from intoto_action.author.sign import compile_file
from intoto_action.cli.layout_lines import lines_in
from intoto_action.decide.chain import rules_as_told
from intoto_action.formats.layout import encode_layout
from intoto_action.formats.verdict import LayoutReport, Verdict
from intoto_action.keys.keygen import generate
from intoto_action.reason import Finding, Reason
from intoto_action.render.annotations import Line

YAML = """\
expires: 2099-01-01T00:00:00Z
functionaries: {alice: {key: alice.pub}}
steps:
  - {name: build, functionaries: [alice], expected_products: [CREATE out/*]}
"""
FINDING = Finding(
    reason=Reason.RULE_VIOLATION,
    expected="x",
    found="y",
    step="build",
    where=rules_as_told("products", "build"),
    rule="DISALLOW *",
)


class Place:
    """A workspace, and what lies beside it."""

    def __init__(self, directory: Path) -> None:
        self.workspace = directory / "work space"
        self.outside = directory / "outside"
        self.key = generate("ed25519", None).public.pem
        self.written = self.write(self.outside)

    def write(self, folder: Path, name: str = "layout.yaml") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "alice.pub").write_text(self.key)
        (folder / name).write_text(YAML)
        return folder / name

    def line(self, layout: Path | None = None, workspace: str | None = None) -> Line | None:
        self.workspace.mkdir(exist_ok=True)
        compiled = compile_file(self.written, at=datetime.now(UTC)).layout
        report = LayoutReport(sha256(encode_layout(compiled)).hexdigest(), (), compiled.expires, "")
        verdict = Verdict(verdict="deny", layout=report, explanation=(FINDING,))
        return lines_in(str(self.workspace) if workspace is None else workspace, layout)(verdict, FINDING)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("folder", ["", "in-toto", ".in-toto"])
def test_it_is_found_at_the_usual_places_of_a_repository(place: Place, folder: str) -> None:
    place.write(place.workspace / folder, "layout.yml")
    found = place.line()
    assert found == Line(f"{folder}/layout.yml".lstrip("/"), 4)


def test_it_is_found_beside_the_signed_layout(place: Place) -> None:
    place.write(place.workspace / "deep" / "down")
    assert place.line() is None
    assert place.line(place.workspace / "deep/down/root.layout") == Line("deep/down/layout.yaml", 4)


def test_what_lies_outside_the_workspace_is_no_file_of_it(place: Place) -> None:
    place.workspace.mkdir()
    (place.workspace / "layout.yaml").symlink_to(place.outside / "layout.yaml")
    (place.workspace / "in-toto").symlink_to(place.outside)
    assert place.line(place.outside / "root.layout") is None


def test_without_a_workspace_no_line_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.outside)
    assert place.line(workspace="") is None


def test_another_file_of_that_name_does_not_hide_the_right_one(place: Place) -> None:
    place.write(place.workspace).write_text("steps: []\n")
    place.write(place.workspace / "in-toto")
    assert place.line() == Line("in-toto/layout.yaml", 4)


def test_symlinks_that_lead_in_a_circle_are_no_error(place: Place) -> None:
    place.workspace.mkdir()
    (place.workspace / "layout.yaml").symlink_to("layout.yaml")
    (place.workspace / "in-toto").symlink_to("in-toto")
    assert place.line() is None
