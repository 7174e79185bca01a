"""`verify --vsa-key` and `--vsa` as a process."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.parts.chain import ARTIFACT, digests
from tests.parts.deployed import payload_of
from tests.parts.desk import Desk, run
from tests.parts.images import add_to_image_directory, small_image

from intoto_action.cli.main import main
from intoto_action.formats.vsa import PREDICATE_TYPE


@pytest.fixture
def issuing(attached: Desk) -> Desk:
    """A desk with a key `vsa` for VSAs."""
    run("keygen", "--no-password", "vsa", cwd=attached.directory)
    return attached


def types(desk: Desk) -> list[str]:
    listed = desk.shelf.store().referrers(desk.shelf.image).descriptors
    return [(each.annotations or {})["dev.sigstore.bundle.predicateType"] for each in listed]


def denied(desk: Desk) -> Desk:
    """Instead of the evidence that passes, some whose scan saw another image."""
    index = desk.shelf.directory / "index.json"
    listing = json.loads(index.read_text())
    listing["manifests"] = listing["manifests"][:1]
    index.write_text(json.dumps(listing))
    desk.chain.link("scan").change(materials={ARTIFACT: digests("9")})
    desk.shelf.attach(desk.chain.bundle())
    return desk


class TestAPass:
    def test_gets_its_vsa_and_says_where_it_is(self, issuing: Desk) -> None:
        ended = issuing.verify("--vsa-key", "vsa", "--format", "json")
        assert (ended.code, ended.err) == (0, "")
        assert types(issuing).count(PREDICATE_TYPE) == 1
        assert json.loads(ended.out)["notes"][0].startswith("its VSA is attached as sha256:")
        assert issuing.verify().code == 0

    def test_into_a_file_beside_which_nothing_is_attached(self, issuing: Desk) -> None:
        ended = issuing.verify("--vsa-key", "vsa", "--vsa", "out.intoto.jsonl")
        assert (ended.code, "its VSA is written to out.intoto.jsonl" in ended.out) == (0, True)
        assert PREDICATE_TYPE not in types(issuing)
        said = payload_of((issuing.directory / "out.intoto.jsonl").read_bytes())
        assert said["subject"][0]["digest"] == {"sha256": issuing.shelf.digest.removeprefix("sha256:")}

    def test_by_a_key_from_the_environment_with_a_password(self, attached: Desk) -> None:
        secret = {"PW": "correct horse battery"}
        run("keygen", "--password-env", "PW", "locked", cwd=attached.directory, environ=secret)
        key = {"VSA_KEY": (attached.directory / "locked").read_text()}
        words = ("--vsa-key", "env:VSA_KEY", "--password-env", "PW")
        ended = attached.verify(*words, environ={**secret, **key})
        assert ended.code == 0, ended
        assert PREDICATE_TYPE in types(attached)
        assert "correct horse" not in ended.out + ended.err

    def test_of_a_digest_and_a_bundle_without_a_registry(self, issuing: Desk) -> None:
        (issuing.directory / "evidence.json").write_bytes(issuing.chain.bundle())
        given = ("verify", "--digest", issuing.shelf.digest, "--bundle", "evidence.json")
        keys = ("--layout-key", "owner.pub", "--vsa-key", "vsa")
        assert issuing.run(*given, *keys, "--vsa", "out.json").code == 0
        assert (issuing.directory / "out.json").exists()
        assert issuing.run(*given, *keys).code == 2

    def test_of_several_images_those_that_passed(self, issuing: Desk) -> None:
        add_to_image_directory(issuing.shelf.directory, small_image("other"), "2.0")
        images = ("oci-layout:images:2.0", issuing.image)
        ended = issuing.run("verify", *images, "--layout-key", "owner.pub", "--vsa-key", "vsa")
        assert (ended.code, ended.out.count("its VSA is attached")) == (1, 1)
        assert types(issuing).count(PREDICATE_TYPE) == 1


class TestNoPass:
    @pytest.mark.parametrize("on_deny", ["fail", "warn"])
    def test_a_denial_gets_none(self, on_deny: str, issuing: Desk) -> None:
        ended = denied(issuing).verify("--vsa-key", "vsa", "--on-deny", on_deny)
        assert ended.code == {"fail": 1, "warn": 0}[on_deny]
        assert PREDICATE_TYPE not in types(issuing)

    def test_a_denial_leaves_an_older_file_as_it_is(self, issuing: Desk) -> None:
        (issuing.directory / "out.json").write_text("older")
        assert denied(issuing).verify("--vsa-key", "vsa", "--vsa", "out.json").code == 1
        assert (issuing.directory / "out.json").read_text() == "older"

    @pytest.mark.parametrize("on_deny", ["fail", "warn"])
    def test_a_vsa_that_cannot_be_written_is_3_and_the_verdict_says_that_the_image_passed(
        self, on_deny: str, issuing: Desk
    ) -> None:
        ended = issuing.verify(
            "--vsa-key", "vsa", "--vsa", "nowhere/out.json", "--format", "json", "--on-deny", on_deny
        )
        verdict = json.loads(ended.out)
        assert (ended.code, verdict["verdict"]) == (3, "error")
        assert verdict["explanation"][0]["expected"] == "a VSA of this image, which passed"
        assert {step["verdict"] for step in verdict["steps"]} == {"pass"}


class TestWords:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("app", "--vsa", "out.json"), "--vsa-key KEY"),
            (("app", "--password-env", "PW"), "--vsa-key KEY"),
            (("app", "--public-key", "vsa.pub"), "--vsa-key KEY"),
            (("a", "b", "--vsa-key", "vsa", "--vsa", "out.json"), "one IMAGE"),
            (("app", "--vsa-key", "nowhere"), "nowhere"),
            (("app", "--vsa-key", "vsa.pub"), "public key"),
            (("app", "--vsa-key", "owner.pem"), "owner of the layout"),
            (("app", "--vsa-key", "vsa", "--attester", "vsa.pub"), "attester"),
            (("app", "--vsa-key", "vsa", "--vsa", "./vsa"), "overwrite"),
            (("app", "--vsa-key", "vsa", "--vsa", "r.md", "--report", "r.md"), "overwrite"),
            (("app", "--vsa-key", "vsa", "--vsa", "root.layout", "--layout", "root.layout"), "overwrite"),
            (("app", "--vsa-key", "vsa", "--vsa", "owner.pub"), "overwrite"),
            (("app", "--vsa-key", "vsa", "--report", "vsa"), "overwrite"),
            (("app", "--attester", "scan.pub", "--report", "./scan.pub"), "overwrite"),
            (("--link-dir", "links", "--layout", "root.layout", "--vsa-key", "vsa"), "--link-dir"),
        ],
    )
    def test_wrong_ones_are_2_and_a_sentence_before_anything_is_decided(
        self, words: tuple[str, ...], said: str, issuing: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(issuing.directory)
        key = (issuing.directory / "vsa").read_bytes()
        ended = CliRunner().invoke(main, ["verify", "--layout-key", "owner.pub", *words])
        assert (ended.exit_code, ended.stdout) == (2, ""), ended.output
        assert said in ended.stderr
        assert (issuing.directory / "vsa").read_bytes() == key

    def test_a_functionary_is_2_and_named_and_nothing_is_written(self, issuing: Desk) -> None:
        before = types(issuing)
        ended = issuing.verify("--vsa-key", "build.pem", "--report", "report.json")
        assert (ended.code, ended.out) == (2, "")
        assert "a functionary of 'build'" in ended.err
        assert types(issuing) == before
        assert not (issuing.directory / "report.json").exists()

    def test_the_environment_cannot_ask_for_a_vsa(self, issuing: Desk) -> None:
        words = {"INTOTO_ACTION_VERIFY_VSA_KEY": "vsa", "INTOTO_ACTION_VERIFY_VSA": "out.json"}
        assert issuing.verify(environ=words).code == 0
        assert not Path(issuing.directory / "out.json").exists()
        assert PREDICATE_TYPE not in types(issuing)
