"""`verify --rehearse` as a pull request uses it: steps recorded without a key, by a real `record`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.parts.desk import Desk, Ended, run

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "octo/app",
    "GITHUB_SHA": "5eed",
    "GITHUB_REF": "refs/pull/7/merge",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_RUN_ID": "8",
    "GITHUB_RUN_ATTEMPT": "1",
}
LAYOUT = """\
expires: 6 months
functionaries: {builder: {key: build.pub}}
source: {repository: https://github.com/octo/app, refs: [refs/heads/main]}
subject: {step: push, artifact: "oci:ghcr.io/octo/app"}
steps:
  - name: build
    functionaries: [builder]
    expected_products: ["CREATE app"]
  - name: push
    functionaries: [builder]
    expected_materials: ["MATCH app WITH PRODUCTS FROM build"]
    expected_products: ["MATCH app WITH PRODUCTS FROM build", "CREATE oci:ghcr.io/octo/app"]
"""
WORDS = ("verify", "--layout-key", "owner.pub", "--layout", "root.layout", "--link-dir", "recorded")


@pytest.fixture
def pull_request(desk: Desk) -> Desk:
    """A build and a push into nowhere, recorded in a pull request's run; nothing is signed but the layout."""
    directory = desk.directory
    (directory / "layout.yaml").write_text(LAYOUT)
    signed = desk.run("layout", "sign", "--key", "owner.pem", "--force", "-o", "root.layout", "layout.yaml")
    assert signed.code == 0, signed
    record(desk, "build", "--products", "app", "--", "sh", "-c", "echo 1 > app")
    (directory / "digest").write_text("sha256:" + "1a" * 32)
    products = ("--products", "app", "--products", "oci:ghcr.io/octo/app@digestfile:digest")
    record(desk, "push", "--materials", "app", *products, "--", "true")
    return desk


def record(desk: Desk, step: str, *words: str) -> None:
    given = ("record", "--step-name", step, "--unsigned", "--link-dir", "recorded", *words)
    ended = run(*given, cwd=desk.directory, environ=GITHUB)
    assert ended.code == 0, ended


def rehearse(desk: Desk, *more: str, environ: Mapping[str, str] | None = None) -> Ended:
    return desk.run(*WORDS, "--rehearse", *more, environ=environ)


def test_a_pull_request_is_rehearsed_with_4_in_every_form(pull_request: Desk) -> None:
    ended = rehearse(pull_request, "--format", "json", "--report", "verdict.json")
    assert ended.code == 4, ended
    verdict = json.loads(ended.out)
    assert (verdict["verdict"], verdict["reason"]) == ("rehearsed", None)
    assert {each["verdict"] for each in verdict["steps"]} == {"rehearsed"}
    assert json.loads((pull_request.directory / "verdict.json").read_text()) == verdict
    said = rehearse(pull_request)
    assert (said.code, said.out.splitlines()[0]) == (4, "REHEARSED")
    assert "refs/pull/7/merge" in said.out
    assert "PASS" not in said.out


def test_warn_makes_no_pass_of_it_and_none_of_a_denial(pull_request: Desk) -> None:
    assert rehearse(pull_request, "--on-deny", "warn").code == 4
    (pull_request.directory / "app").write_text("something else")
    record(pull_request, "push", "--force", "--materials", "app", "--", "true")
    assert rehearse(pull_request).code == 1
    warned = rehearse(pull_request, "--on-deny", "warn")
    assert warned.code == 4
    assert warned.out.startswith("DENIED: rule-violation")


def test_nothing_but_a_rehearsal_takes_unsigned_links(pull_request: Desk) -> None:
    verified = pull_request.run(*WORDS)
    assert (verified.code, verified.out.splitlines()[0]) == (1, "DENIED: link-missing")
    words = ("attach", pull_request.image, "--layout", "root.layout", "--link-dir", "recorded")
    attached = pull_request.run(*words, "--layout-key", "owner.pub", "--key", "owner.pem")
    assert attached.code in {1, 2}, attached
    assert pull_request.verify().code == 1


def test_the_environment_makes_no_rehearsal_of_a_verification(pull_request: Desk) -> None:
    environ = {"INTOTO_ACTION_VERIFY_REHEARSE": "1", "INTOTO_ACTION_REHEARSE": "true"}
    assert pull_request.run(*WORDS, environ=environ).code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ghcr.io/octo/app",), "--link-dir"),
        (("--digest", "sha256:" + "1a" * 32, "--bundle", "bundle"), "--link-dir"),
        (("--images-from", "*.yaml"), "--link-dir"),
    ],
)
def test_it_needs_links(words: tuple[str, ...], said: str, pull_request: Desk) -> None:
    ended = pull_request.run("verify", "--layout-key", "owner.pub", "--rehearse", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


@pytest.mark.parametrize(
    "words",
    [
        ("ghcr.io/octo/app",),
        ("--digest", "sha256:" + "1a" * 32),
        ("--bundle", "root.layout"),
        ("--vsa-key", "scan.pem"),
        ("--source-repository", "https://github.com/octo/app"),
        ("--builder-id", "https://example.com/b"),
        ("--attester", "owner.pub"),
        ("--subject-step", "push"),
        ("--same-as", "a.example/x=b.example/x"),
    ],
)
def test_what_speaks_of_an_image_is_refused_beside_it(words: tuple[str, ...], pull_request: Desk) -> None:
    ended = rehearse(pull_request, *words)
    assert (ended.code, ended.out) == (2, ""), ended


def test_a_symlink_among_the_unsigned_links_is_refused(pull_request: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere"
    secret.write_text("{}")
    os.symlink(secret, pull_request.directory / "recorded" / "more.link-unsigned")
    ended = rehearse(pull_request)
    assert (ended.code, ended.out) == (2, "")
    assert "symlink" in ended.err
