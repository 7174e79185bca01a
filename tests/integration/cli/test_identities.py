"""Identities on the command line: layout owners, attesters and functionaries of whom there is no key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.parts.desk import Desk, Ended
from tests.parts.forge import Forge, GitHubJob
from tests.parts.keyless_signer import KeylessSigner, by_identity

from intoto_action.formats.identity import GITHUB_ISSUER, identity_of
from intoto_action.formats.link import link_file_name

OWNER = GitHubJob(workflow="layout.yml")
BUILD = GitHubJob(sha="c0ffee", run_id="7")
FUNCTIONARY = identity_of(BUILD.identity, GITHUB_ISSUER, {"source-repository": "https://github.com/octo/app"})
WORD = f"identity={OWNER.identity},issuer={GITHUB_ISSUER}"


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


@pytest.fixture
def keyless(desk: Desk, forge: Forge) -> Desk:
    """A layout, a link and evidence by jobs of a private instance; its trust config lies beside."""
    by_identity(desk.chain, "build", KeylessSigner(forge, BUILD), FUNCTIONARY)
    desk.chain.layout_signers = [KeylessSigner(forge, OWNER)]
    desk.chain.outer = KeylessSigner(forge, BUILD)
    desk.write()
    desk.shelf.attach(desk.chain.bundle())
    (desk.directory / "sigstore.json").write_text(forge.trust_config)
    return desk


def verify(desk: Desk, *words: str) -> Ended:
    return desk.run("verify", desk.image, "--sigstore", "sigstore.json", "--format", "json", *words)


def reason(ended: Ended) -> str | None:
    found: str | None = json.loads(ended.out)["reason"]
    return found


def test_a_layout_by_an_identity_passes_for_who_names_it(keyless: Desk) -> None:
    ended = verify(keyless, "--layout-key", WORD)
    assert (ended.code, reason(ended)) == (0, None), ended


def test_what_layout_functionary_prints_of_the_layout_is_its_owner(keyless: Desk) -> None:
    printed = keyless.run("layout", "functionary", "--from-link", "root.layout")
    (keyless.directory / "owner.yaml").write_text(printed.out)
    assert verify(keyless, "--layout-key", "owner.yaml").code == 0
    environ = {"OWNER": printed.out}
    words = ("verify", keyless.image, "--sigstore", "sigstore.json", "--layout-key", "env:OWNER")
    assert keyless.run(*words, environ=environ).code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--layout-key", WORD.replace("layout.yml", "other.yml")), "layout-signature"),
        (("--layout-key", f"{WORD},source-repository=https://github.com/evil/app"), "layout-signature"),
        (("--layout-key", WORD, "--layout-key", "owner.pub", "--layout-threshold", "2"), "layout-signature"),
        (("--layout-key", WORD, "--revoked", WORD), "layout-revoked"),
        (("--layout-key", WORD, "--attester", WORD), "attestation-signature"),
    ],
)
def test_who_is_somebody_else_or_counts_no_more_is_denied(
    keyless: Desk, words: tuple[str, ...], expected: str
) -> None:
    ended = verify(keyless, *words)
    assert (ended.code, reason(ended)) == (1, expected), ended


def test_a_key_and_an_identity_meet_a_threshold_together(keyless: Desk, forge: Forge) -> None:
    keyless.chain.layout_signers = [KeylessSigner(forge, OWNER), keyless.chain.root]
    keyless.shelf.attach(keyless.chain.bundle())
    words = ("--layout-key", WORD, "--layout-key", "owner.pub", "--layout-threshold", "2")
    assert verify(keyless, *words).code == 0


def test_one_identity_by_two_words_meets_no_threshold_of_two(keyless: Desk) -> None:
    ended = verify(
        keyless, "--layout-key", WORD, "--layout-key", f"{WORD},event=push", "--layout-threshold", "2"
    )
    assert ended.code == 2
    assert "one identity counts once" in ended.err


def test_the_extracted_evidence_is_of_one_source_for_inspect_too(keyless: Desk, tmp_path: Path) -> None:
    words = ("--sigstore", "sigstore.json", "--layout-key", WORD)
    extracted = keyless.run("evidence", "extract", keyless.image, "out", *words)
    assert extracted.code == 0, extracted
    assert (tmp_path / "out" / link_file_name("build", FUNCTIONARY.keyid)).is_file()
    inspect = ("inspect", "source", "--link-dir", "out", "--repository")
    assert keyless.run(*inspect, "https://github.com/octo/app").code == 0
    other = keyless.run(*inspect, "https://github.com/octo/other")
    assert other.code == 1
    assert "source-mismatch" in other.err
