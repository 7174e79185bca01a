"""Provenance as a process: written, attached beside evidence, demanded of an image."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.parts.desk import Desk, Ended
from tests.parts.github_job import GitHubJob
from tests.parts.oidc_issuer import OidcIssuer, Terms
from tests.parts.provenance import JOB, by_github, signed

BUILDER = ("--builder-id", "https://ci.example.com/builders/7")
SOURCE = ("--source-repository", "https://git.example.com/octo/app")
REF = ("--source-ref", "refs/heads/main")


@pytest.fixture
def job() -> Iterator[dict[str, str]]:
    """The environment of a job that may ask for a token."""
    with OidcIssuer() as provider:
        yield {"GITHUB_ACTIONS": "true", **provider.environ(Terms(JOB, {}))}


def referrers(desk: Desk) -> list[str]:
    return [each.digest for each in desk.shelf.store().referrers(desk.shelf.image).descriptors]


def written(desk: Desk, *words: str) -> Ended:
    given = ("--link-dir", "links", "-o", "provenance.json", *words)
    return desk.run("provenance", desk.image, *BUILDER, *SOURCE, *REF, *given)


def test_what_provenance_writes_attach_signs_and_verify_demands(desk: Desk) -> None:
    assert written(desk).code == 0
    ended = desk.attach("--provenance", "provenance.json", "--tag", "released")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert [line.split()[1] for line in lines] == sorted(referrers(desk), key=ended.out.find)
    assert lines[0].endswith(f"to {desk.shelf.digest}")
    assert lines[1].endswith("(provenance)")
    assert desk.verify(*BUILDER, *SOURCE, *REF).code == 0
    denied = desk.verify(*BUILDER, *SOURCE, "--source-ref", "refs/tags/*")
    assert denied.code == 1
    for words in ("provenance-mismatch", "refs/tags/*", "refs/heads/main", "reason-codes.md#provenance"):
        assert words in denied.out


@pytest.mark.parametrize("version", ["1", "0.2"])
def test_either_version_is_attached_and_demanded(version: str, desk: Desk) -> None:
    assert written(desk, "--slsa-version", version).code == 0
    assert desk.attach("--provenance", "provenance.json").code == 0
    assert desk.verify(*BUILDER, *SOURCE, *REF).code == 0


def test_the_token_of_the_job_tells_it(desk: Desk, job: dict[str, str]) -> None:
    assert desk.attach("--provenance", "auto", environ=job).code == 0
    source = ("--source-repository", "https://github.com/octo/app", "--source-ref", JOB.ref)
    passed = desk.verify(*source, "--builder-id", JOB.identity)
    assert passed.code == 0
    assert JOB.identity in passed.out
    assert desk.verify("--builder-id", GitHubJob(workflow="other.yml").identity).code == 1


def test_auto_without_a_token_is_2_and_nothing_is_pushed(desk: Desk) -> None:
    ended = desk.attach("--provenance", "auto", "--tag", "new", environ={"GITHUB_ACTIONS": "true"})
    assert ended.code == 2
    assert "id-token: write" in ended.err
    assert "--provenance none" in ended.err
    assert referrers(desk) == []


@pytest.mark.parametrize("words", [(), ("--provenance", "none")])
def test_by_default_there_is_none(words: tuple[str, ...], desk: Desk, job: dict[str, str]) -> None:
    assert desk.attach(*words, environ=job).code == 0
    assert len(referrers(desk)) == 1
    ended = desk.verify(*SOURCE)
    assert ended.code == 1
    assert "provenance-missing" in ended.out
    assert desk.verify().code == 0


def test_a_file_about_another_image_is_2_and_nothing_is_pushed(desk: Desk) -> None:
    (desk.directory / "provenance.json").write_text(json.dumps(by_github()))
    for words in ((), ("--no-verify",)):
        ended = desk.attach("--provenance", "provenance.json", *words)
        assert ended.code == 2
        assert desk.shelf.digest in ended.err
        assert referrers(desk) == []


def test_evidence_that_is_denied_takes_its_provenance_with_it(desk: Desk) -> None:
    assert written(desk).code == 0
    desk.chain.link("scan").change(products={})
    desk.write()
    assert desk.attach("--provenance", "provenance.json").code == 1
    assert referrers(desk) == []


def test_output_keeps_the_evidence_alone(desk: Desk) -> None:
    assert written(desk).code == 0
    assert desk.attach("--provenance", "provenance.json", "--output", "bundle.json").code == 0
    offline = (
        "verify",
        "--digest",
        desk.shelf.digest,
        "--layout-key",
        "owner.pub",
        "--bundle",
        "bundle.json",
    )
    assert desk.run(*offline).code == 0
    missing = desk.run(*offline, *SOURCE)
    assert (missing.code, "provenance-missing" in missing.out) == (1, True)


def test_provenance_from_a_file_beside_the_evidence(desk: Desk, tmp_path: Path) -> None:
    assert written(desk).code == 0
    (desk.directory / "bundle.json").write_bytes(desk.chain.bundle())
    statement = (desk.directory / "provenance.json").read_bytes()
    (desk.directory / "described.json").write_bytes(signed(statement, desk.chain.root))
    offline = (
        "verify",
        "--digest",
        desk.shelf.digest,
        "--layout-key",
        "owner.pub",
        "--bundle",
        "bundle.json",
    )
    assert desk.run(*offline, "--bundle", "described.json", *SOURCE, *BUILDER).code == 0


def test_json_says_what_was_demanded_and_what_was_found(desk: Desk) -> None:
    assert written(desk).code == 0
    assert desk.attach("--provenance", "provenance.json").code == 0
    verdict = json.loads(desk.verify(*BUILDER, "--format", "json").out)
    assert f"provenance: built by {BUILDER[1]}" in verdict["criteria"]
    assert any(BUILDER[1] in note for note in verdict["notes"])
