"""`attach` as a process: what is pushed, what is refused, what is said."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from tests.parts.chain import ARTIFACT, digests
from tests.parts.desk import Desk, Ended
from tests.parts.hostile_registry import HostileRegistry

from intoto_action.cli.main import main


def referrers(desk: Desk) -> int:
    return len(desk.shelf.store().referrers(desk.shelf.image).descriptors)


def broken(desk: Desk) -> Desk:
    desk.chain.link("scan").change(materials={ARTIFACT: digests("9")})
    return desk.write()


def test_what_was_attached_passes_and_its_digest_is_printed(desk: Desk) -> None:
    ended = desk.attach("--tag", "released")
    listed = desk.shelf.store().referrers(desk.shelf.image).descriptors
    assert ended.code == 0
    assert ended.out == f"attached {listed[0].digest} to {desk.shelf.digest}\n"
    assert desk.run("verify", "oci-layout:images:released", "--layout-key", "owner.pub").code == 0


def test_a_tag_given_as_image_is_resolved_once_and_said(desk: Desk) -> None:
    ended = desk.attach()
    assert f"{desk.image} is {desk.shelf.digest} now" in ended.err


def test_what_verify_would_deny_is_not_pushed_and_explained(desk: Desk) -> None:
    ended = broken(desk).attach("--tag", "released", "--output", "bundle.json")
    assert ended.code == 1
    assert "rule-violation" in ended.err
    assert "nothing was pushed" in ended.err
    assert referrers(desk) == 0
    assert not (desk.directory / "bundle.json").exists()
    assert desk.run("verify", "oci-layout:images:released", "--layout-key", "owner.pub").code == 1


def test_no_verify_pushes_it_all_the_same(desk: Desk) -> None:
    assert broken(desk).attach("--no-verify").code == 0
    assert referrers(desk) == 1
    assert desk.verify().code == 1


def test_an_owner_of_another_layout_is_refused(desk: Desk) -> None:
    ended = desk.attach("--layout-key", "scan.pub", "--layout-threshold", "2")
    assert ended.code == 1
    assert "layout-signature" in ended.err
    assert referrers(desk) == 0


def test_without_a_layout_key_it_says_what_was_not_checked(desk: Desk) -> None:
    words = ("attach", desk.image, "--layout", "root.layout", "--link-dir", "links", "--key", "scan.pem")
    ended = desk.run(*words)
    assert ended.code == 0
    assert "root was not checked" in ended.err


def test_the_bundle_is_kept_as_a_file_that_needs_no_registry(desk: Desk) -> None:
    (desk.directory / "bundle.json").write_text("an older one")
    assert desk.attach("--output", "bundle.json").code == 0
    words = ("--bundle", "bundle.json", "--layout-key", "owner.pub")
    assert desk.run("verify", "--digest", desk.shelf.digest, *words).code == 0


@pytest.mark.parametrize("file", ["root.layout", "scan.json", "owner.pem", "owner.pub"])
def test_the_bundle_never_replaces_what_it_is_made_of(file: str, desk: Desk) -> None:
    (desk.directory / "scan.json").write_text("{}")
    before = (desk.directory / file).read_bytes()
    ended = desk.attach("--file", "report.json=scan.json", "--output", f"./{file}")
    assert (ended.code, ended.out) == (2, "")
    assert "would overwrite" in ended.err
    assert (desk.directory / file).read_bytes() == before


def test_a_file_goes_with_the_links(desk: Desk) -> None:
    (desk.directory / "scan.json").write_text("{}")
    assert desk.attach("--file", "report.json=scan.json").code == 0
    assert desk.run("evidence", "extract", "--layout-key", "owner.pub", desk.image, "out").code == 0
    assert (desk.directory / "out" / "report.json").read_text() == "{}"


def test_links_of_an_earlier_attempt_are_named(desk: Desk) -> None:
    scan = desk.chain.link("scan")
    github = dict(scan.link.environment["github"])  # type: ignore[call-overload]
    for attempt in ("1", "2"):
        place = desk.directory / "links" / attempt
        place.mkdir()
        scan.change(environment={"github": {**github, "run_attempt": attempt}})
        (place / scan.file_name).write_bytes(scan.sealed())
    (desk.directory / "links" / scan.file_name).unlink()
    ended = desk.attach()
    assert ended.code == 0
    assert f"links/1/{scan.file_name} is of an earlier attempt" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--layout", "nowhere"), "nowhere"),
        (("--layout", "owner.pub"), "owner.pub"),
        (("--link-dir", "nowhere"), "nowhere"),
        (("--link-dir", "images"), "*.link"),
        (("--key", "owner.pub"), "private"),
        (("--key", "nowhere.pem"), "nowhere.pem"),
        (("--key", "env:NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"),
        (("--tag", "no tag"), "tag"),
        (("--file", "report.json"), "NAME=PATH"),
        (("--file", "report.json=nowhere"), "nowhere"),
        (("--file", "../x=owner.pub"), "file name"),
        (("--output", "nowhere/bundle.json"), "nowhere/bundle.json"),
        (("--push-with", "oras"), "cosign"),
    ],
)
def test_wrong_words_are_2_and_nothing_is_pushed(
    words: tuple[str, ...], said: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.directory)
    given = ("attach", desk.image, "--layout", "root.layout", "--link-dir", "links")
    ended = CliRunner().invoke(
        main, [*given, "--layout-key", "owner.pub", "--key", "owner.pem", "--tag", "new", *words]
    )
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert referrers(desk) == 0
    assert "new" not in (desk.directory / "images" / "index.json").read_text()


def test_an_image_that_is_not_there_is_an_invalid_reference(desk: Desk) -> None:
    words = ("--layout", "root.layout", "--link-dir", "links", "--key", "owner.pem")
    ended = desk.run("attach", "oci-layout:images:9.9", *words)
    assert ended.code == 1
    assert "invalid-reference" in ended.err


def test_the_environment_pushes_nothing_that_is_denied(desk: Desk) -> None:
    loose = {
        "INTOTO_ACTION_ATTACH_NO_VERIFY": "1",
        "INTOTO_ACTION_ATTACH_LAYOUT_KEY": str(desk.directory / "owner.pub"),
        "INTOTO_ACTION_ATTACH_KEY": str(desk.directory / "owner.pem"),
        "INTOTO_ACTION_ATTACH_TAG": "released",
    }
    assert broken(desk).attach(environ=loose).code == 1
    assert referrers(desk) == 0


def test_a_password_and_a_key_are_never_shown(desk: Desk) -> None:
    password = "correct horse battery staple"
    made = desk.run("keygen", "--password-env", "P", "locked", environ={"P": password})
    assert made.code == 0
    locked = (desk.directory / "locked").read_text()
    shown = made.out + made.err
    for words, given in (
        (("--key", "locked", "--password-env", "P"), {"P": "wrong " + password}),
        (("--key", "locked", "--password-env", "P"), {"P": password}),
        (("--key", "locked"), {}),
        (("--key", "env:K", "--password-env", "P"), {"K": locked, "P": ""}),
        (("--key", locked), {}),
    ):
        ended = desk.attach(*words, environ=given)
        assert ended.code in {1, 2}, ended
        shown += ended.out + ended.err
    assert password not in shown
    assert not any(line in shown for line in locked.splitlines()[1:-1])


class TestCosign:
    """A cosign that does not do its part, for an image in a registry."""

    @pytest.fixture
    def registry(self, desk: Desk) -> Iterator[HostileRegistry]:
        with HostileRegistry() as registry:
            registry.put(desk.shelf.content, "1.0")
            yield registry

    def attach(self, desk: Desk, registry: HostileRegistry, script: str | None) -> Ended:
        """`attach --tag new` with this script as cosign, or with none."""
        tools = desk.directory / "tools"
        tools.mkdir()
        if script is not None:
            (tools / "cosign").write_text(f"#!/bin/sh\n{script}\n")
            (tools / "cosign").chmod(0o755)
        image = f"{registry.address}/octo/app:1.0"
        given = ("attach", image, "--layout", "root.layout", "--link-dir", "links", "--tag", "new")
        same = ("--same-as", f"{registry.address}/octo/app=ghcr.io/octo/app")
        path = {"PATH": f"{tools}:/usr/bin:/bin" if script is not None else str(tools)}
        ended = desk.run(*given, "--layout-key", "owner.pub", "--key", "owner.pem", *same, environ=path)
        assert (ended.code, ended.out) == (3, "")
        assert not any(asked.method == "PUT" for asked in registry.asked)
        return ended

    def test_one_that_is_missing_is_said_with_what_to_do(self, desk: Desk, registry: HostileRegistry) -> None:
        ended = self.attach(desk, registry, None)
        assert all(each in ended.err for each in ("no program cosign", "3.1", "--push-with native"))

    def test_one_that_is_too_old_is_named(self, desk: Desk, registry: HostileRegistry) -> None:
        ended = self.attach(desk, registry, 'echo \'{"gitVersion": "v2.6.1"}\'')
        assert all(each in ended.err for each in ("v2.6.1", "too old", "--push-with native"))

    def test_one_that_fails_has_its_own_words(self, desk: Desk, registry: HostileRegistry) -> None:
        version = 'if [ "$1" = version ]; then echo \'{"gitVersion": "v3.1.2"}\'; exit 0; fi'
        ended = self.attach(desk, registry, f"{version}; echo 'no quota left' >&2; exit 1")
        assert all(each in ended.err for each in ("exit code 1", "no quota left", "--push-with native"))


def test_json_of_what_was_attached_is_one_statement(desk: Desk) -> None:
    assert desk.attach("--output", "bundle.json").code == 0
    bundle = json.loads((desk.directory / "bundle.json").read_text())
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert len(bundle["dsseEnvelope"]["signatures"]) == 1
