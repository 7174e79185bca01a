"""Which line of a layout.yaml a finding is about, and whether that file is the signed layout's at all."""

from __future__ import annotations

import time
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from tests.parts.draft import NOW, Draft

from intoto_action.author.original import LARGEST, places_of
from intoto_action.decide.chain import rule_as_told, rules_as_told
from intoto_action.formats.layout import Layout, encode_layout
from intoto_action.formats.rule import split_rule
from intoto_action.formats.verdict import LayoutReport
from intoto_action.reason import Finding, Reason

YAML = """\
expires: 6 months
functionaries:
  alice: {key: alice.pub}
  bob: {key: keys/bob.pub}
source: {repository: octo/app}
subject: {step: build, artifact: 'oci:ghcr.io/octo/app'}
steps:
  - name: checkout
    functionaries: [alice]
    expected_products:
      - CREATE src/*
      - CREATE Makefile
  - name: build
    functionaries:
      - alice
      - bob
    expected_materials: [MATCH src/* WITH PRODUCTS FROM checkout]
    expected_products:
      - CREATE out/*
      - MATCH Makefile WITH PRODUCTS FROM checkout
"""


def finding(reason: Reason, step: str | None = None, kind: str = "", rule: str = "") -> Finding:
    where = rules_as_told(kind, step or "") if kind else "the evidence"
    told = rule_as_told(split_rule(rule, "rule")) if rule else None
    return Finding(reason=reason, expected="x", found="y", where=where, step=step, rule=told)


def report(layout: Layout, expires: str | None = None) -> LayoutReport:
    signed = msgspec.structs.replace(layout, expires=expires or layout.expires)
    return LayoutReport(sha256(encode_layout(signed)).hexdigest(), ("owner",), signed.expires, "the verifier")


@pytest.mark.parametrize(
    ("step", "kind", "rule", "line"),
    [
        ("checkout", "products", "CREATE Makefile", 12),
        ("checkout", "products", "DISALLOW *", 11),
        ("checkout", "materials", "DISALLOW *", 8),
        ("build", "materials", "MATCH src/* WITH PRODUCTS FROM checkout", 17),
        ("build", "materials", "DISALLOW *", 17),
        ("build", "products", "MATCH Makefile WITH PRODUCTS FROM checkout", 20),
        ("build", "products", "REQUIRE Makefile", 20),
        ("build", "products", "REQUIRE oci:ghcr.io/octo/app", 6),
        ("build", "products", "CREATE oci:ghcr.io/octo/app", 6),
        ("build", "products", "CREATE not/there", 13),
    ],
)
def test_a_rule_is_in_the_line_that_it_comes_from_also_when_it_was_added(
    draft: Draft, step: str, kind: str, rule: str, line: int
) -> None:
    place = draft.compile(YAML).places.of(finding(Reason.RULE_VIOLATION, step, kind, rule))
    assert place is not None and (place.file, place.line) == (str(draft.file), line)


@pytest.mark.parametrize(
    ("kind", "artifact", "line"),
    [
        ("products", "Makefile", 20),
        ("products", "out/app", 19),
        ("products", "other", 19),
        ("materials", "src/a.c", 17),
    ],
)
def test_what_was_refused_at_the_end_is_at_the_rule_that_names_it(
    draft: Draft, kind: str, artifact: str, line: int
) -> None:
    denied = finding(Reason.RULE_VIOLATION, "build", kind, "DISALLOW *")
    place = draft.compile(YAML).places.of(msgspec.structs.replace(denied, artifacts=(artifact, "out/b")))
    assert place is not None and place.line == line


@pytest.mark.parametrize(
    ("reason", "step", "line"),
    [
        (Reason.LINK_MISSING, "build", 15),
        (Reason.IDENTITY_MISMATCH, "checkout", 9),
        (Reason.LINK_SIGNATURE, "build", 15),
        (Reason.THRESHOLD, "build", 15),
        (Reason.LINK_INVALID, "build", 13),
        (Reason.LAYOUT_EXPIRED, None, 1),
        (Reason.SOURCE_MISMATCH, "build", 5),
        (Reason.SUBJECT_UNBOUND, "build", 6),
        (Reason.LINK_MISSING, "other", None),
        (Reason.NO_ATTESTATION, None, None),
    ],
)
def test_what_is_about_no_rule_is_where_its_author_would_look(
    draft: Draft, reason: Reason, step: str | None, line: int | None
) -> None:
    place = draft.compile(YAML).places.of(finding(reason, step))
    assert (place.line if place else None) == line


def test_the_original_is_known_whenever_it_was_signed(draft: Draft) -> None:
    layout = draft.layout(YAML)
    signed_before = report(layout, "2031-04-30T00:00:00Z")
    for each in (report(layout), signed_before):
        assert places_of(each, [draft.directory / "none.yaml", draft.file], at=NOW) is not None


def test_a_layout_that_has_ended_is_still_its_file(draft: Draft) -> None:
    layout = draft.layout(YAML.replace("6 months", "2031-06-01T00:00:00Z"))
    assert places_of(report(layout), [draft.file], at=NOW + timedelta(days=365)) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CREATE out/*", "CREATE out/?"),
        ("[MATCH src/* WITH PRODUCTS FROM checkout]", "[]"),
        ("functionaries: [alice]", "functionaries: [bob]"),
        ("{key: alice.pub}", "{key: carl.pub}"),
        ("{key: alice.pub}", "{key: gone.pub}"),
        ("octo/app}", "octo/other}"),
        ("expires: 6 months\n", "expires: 6 months\nreadme: x\n"),
        ("steps:", "stpes:"),
        ("steps:", "steps: ["),
        ("steps:", "#" * LARGEST + "\nsteps:"),
    ],
)
def test_a_file_that_says_something_else_has_no_line_to_show(draft: Draft, old: str, new: str) -> None:
    signed = report(draft.layout(YAML))
    assert old in YAML
    draft.file.write_text(YAML.replace(old, new, 1))
    assert places_of(signed, [draft.file], at=NOW) is None


@pytest.mark.parametrize("expires", ["", "soon", "0001-01-01T00:00:00Z"])
def test_an_end_that_is_none_is_no_layout_of_a_file(draft: Draft, expires: str) -> None:
    signed = msgspec.structs.replace(report(draft.layout(YAML)), expires=expires)
    assert places_of(signed, [draft.file], at=NOW) is None


def test_a_directory_or_a_pipe_is_not_waited_for(draft: Draft, tmp_path: Path) -> None:
    import os

    signed = report(draft.layout(YAML))
    os.mkfifo(tmp_path / "pipe.yaml")
    assert places_of(signed, [tmp_path, tmp_path / "pipe.yaml"], at=NOW) is None


def test_a_key_that_is_slow_to_read_is_not_read_as_often_as_the_file_names_it(draft: Draft) -> None:
    signed = report(draft.layout(YAML))
    (draft.directory / "slow").write_text("identity: x\nother: [" + "a," * 10_000 + "]\n")
    draft.file.write_text(YAML.replace("{key: alice.pub}", f"{{keys: [{'slow,' * 2000}]}}"))
    begun = time.monotonic()
    assert places_of(signed, [draft.file], at=NOW) is None
    assert time.monotonic() - begun < 20
