"""`verify` as a process: exit codes, output for machines and people, and what cannot change a verdict."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.parts.chain import ARTIFACT, NOW, digests
from tests.parts.desk import Desk, console_script, run
from tests.parts.images import add_to_image_directory, small_image

from intoto_action.cli.main import main
from intoto_action.formats.layout import INSTANT

CONTRACT = {"verdict", "reason", "image", "layout", "steps", "explanation"}
LOOSENING = {
    f"INTOTO_ACTION_{verb}_{flag}": value
    for verb in ("VERIFY", "ATTACH", "EVIDENCE_EXTRACT")
    for flag, value in {
        "LAYOUT_KEY": "/nowhere",
        "LAYOUT_THRESHOLD": "1",
        "LAYOUT": "/nowhere",
        "ATTESTER": "/nowhere",
        "ON_DENY": "warn",
        "NO_VERIFY": "1",
        "SAME_AS": "a=b",
        "SUBJECT_STEP": "build",
        "REVOKED": "0" * 64,
        "FORMAT": "json",
        "GITHUB": "1",
        "TIMEOUT": "nonsense",
        "BUNDLE": "/nowhere",
        "ALLOW_HTTP_REGISTRY": "1",
        "IMAGES": "other",
    }.items()
}


def broken(desk: Desk) -> Desk:
    """Evidence whose scan saw another image."""
    desk.chain.link("scan").change(materials={ARTIFACT: digests("9")})
    desk.shelf.attach(desk.chain.bundle())
    return desk.write()


class TestExitCodes:
    def test_a_pass_is_0_and_says_so(self, attached: Desk) -> None:
        ended = attached.verify()
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith("PASS")
        assert attached.shelf.digest in ended.out

    def test_a_verdict_that_nobody_could_write_down_is_3(self, attached: Desk) -> None:
        with Path("/dev/full").open("w") as full:
            command = [console_script(), "verify", "--layout-key", "owner.pub", attached.image]
            done = subprocess.run(
                command, cwd=attached.directory, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 3
        assert "no space left" in done.stderr

    def test_a_report_never_replaces_what_is_verified(self, attached: Desk) -> None:
        before = (attached.directory / "root.layout").read_bytes()
        ended = attached.verify("--layout", "root.layout", "--report", "./root.layout")
        assert ended.code == 2
        assert (attached.directory / "root.layout").read_bytes() == before

    def test_a_denial_is_1_with_its_reason_and_what_to_do(self, desk: Desk) -> None:
        ended = broken(desk).verify()
        assert ended.code == 1
        assert ended.out.startswith("DENIED: rule-violation")
        assert all(
            word in ended.out for word in ("DISALLOW *", ARTIFACT, "docs/reason-codes.md#rule-violation")
        )

    def test_nothing_attached_is_a_denial(self, desk: Desk) -> None:
        ended = desk.verify()
        assert ended.code == 1
        assert "no-attestation" in ended.out

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "IMAGE"),
            (("app",), "--layout-key"),
            (("app", "--layout-key", "nowhere.pub"), "nowhere.pub"),
            (("app", "--layout-key", "owner.pem"), "private"),
            (("app", "--layout-key", "owner.pub", "--layout", "nowhere"), "nowhere"),
            (("app", "--layout-key", "owner.pub", "--bundle", "nowhere"), "nowhere"),
            (("app", "--layout-key", "owner.pub", "--layout-threshold", "2"), "--layout-threshold"),
            (("app", "--layout-key", "owner.pub", "--revoked", "abc"), "--revoked"),
            (("app", "--layout-key", "owner.pub", "--layout-expires-after", "soon"), "2030-01-31T12:00:00Z"),
            (("app", "--layout-key", "owner.pub", "--same-as", "a/**=b"), "/**"),
            (("app", "--layout-key", "owner.pub", "--link-dir", "links"), "one of"),
            (("--layout-key", "owner.pub", "--link-dir", "links"), "--layout FILE"),
            (
                ("--layout-key", "owner.pub", "--layout", "root.layout", "--link-dir", "nowhere"),
                "does not exist",
            ),
            (("--layout-key", "owner.pub", "--digest", "sha256:" + "0" * 64), "--bundle"),
            (("a", "b", "--layout-key", "owner.pub", "--bundle", "x"), "one IMAGE"),
            (("app", "--layout-key", "owner.pub", "--nonsense"), "--nonsense"),
        ],
    )
    def test_wrong_words_are_2_and_a_sentence(
        self, words: tuple[str, ...], said: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(desk.directory)
        ended = CliRunner().invoke(main, ["verify", *words])
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert said in ended.stderr

    def test_a_registry_that_nobody_answers_for_is_3(self, desk: Desk) -> None:
        ended = desk.run(
            "verify",
            "127.0.0.1:9/octo/app",
            "--layout-key",
            "owner.pub",
            "--timeout",
            "1",
            "--format",
            "json",
        )
        verdict = json.loads(ended.out)
        assert (ended.code, verdict["verdict"], verdict["reason"]) == (3, "error", "registry-error")

    def test_a_name_that_is_none_is_an_invalid_reference(self, desk: Desk) -> None:
        ended = desk.run("verify", "UPPER/..", "--layout-key", "owner.pub")
        assert ended.code == 1
        assert "invalid-reference" in ended.out

    @pytest.mark.parametrize(("tags", "code"), [("1.0 2.0", 1), ("1.0 1.0", 0)])
    def test_of_several_images_the_worst_counts(self, tags: str, code: int, attached: Desk) -> None:
        add_to_image_directory(attached.shelf.directory, small_image("other"), "2.0")
        images = [f"oci-layout:images:{tag}" for tag in tags.split()]
        ended = attached.run("verify", *images, "--layout-key", "owner.pub", "--format", "json")
        assert ended.code == code
        assert [json.loads(line)["verdict"] for line in ended.out.splitlines()] == [
            "pass",
            "deny" if code else "pass",
        ]

    def test_warn_lets_a_denial_through_and_says_it(self, desk: Desk) -> None:
        ended = broken(desk).verify("--on-deny", "warn")
        assert ended.code == 0
        assert "rule-violation" in ended.out

    def test_warn_hides_no_error_of_a_registry(self, desk: Desk) -> None:
        words = ("verify", desk.image, "127.0.0.1:9/octo/app", "--layout-key", "owner.pub", "--timeout", "1")
        assert desk.run(*words, "--on-deny", "warn").code == 3

    def test_warn_hides_no_wrong_words(self, desk: Desk) -> None:
        assert desk.verify("--on-deny", "warn", "--layout", "nowhere").code == 2


class TestOutput:
    def test_json_has_the_keys_of_the_contract(self, attached: Desk) -> None:
        ended = attached.verify("--format", "json")
        verdict = json.loads(ended.out)
        assert verdict.keys() >= CONTRACT
        assert (verdict["verdict"], verdict["reason"], verdict["image"]) == (
            "pass",
            None,
            attached.shelf.digest,
        )
        assert verdict["layout"]["expires"] == attached.chain.layout.expires
        assert [step["name"] for step in verdict["steps"]] == ["checkout", "build", "scan"]
        assert verdict["explanation"] == []

    def test_json_of_a_denial_explains(self, desk: Desk) -> None:
        ended = broken(desk).verify("--format", "json")
        verdict = json.loads(ended.out)
        assert verdict.keys() >= CONTRACT
        assert (verdict["verdict"], verdict["reason"]) == ("deny", "rule-violation")
        first = verdict["explanation"][0]
        assert (first["step"], first["rule"], first["artifacts"]) == ("scan", "DISALLOW *", [ARTIFACT])
        assert {each["step"] for each in first["sightings"]} == {"build", "scan"}

    @pytest.mark.parametrize(
        ("name", "begins"), [("report.json", "{"), ("report.md", "#"), ("report.txt", "PASS")]
    )
    def test_a_report_is_written_in_the_form_of_its_suffix(
        self, name: str, begins: str, attached: Desk
    ) -> None:
        (attached.directory / name).write_text("an older report")
        assert attached.verify("--report", name).code == 0
        assert (attached.directory / name).read_text().startswith(begins)

    def test_a_report_of_a_denial_is_written_too(self, desk: Desk) -> None:
        assert broken(desk).verify("--report", "report.json").code == 1
        assert json.loads((desk.directory / "report.json").read_text())["reason"] == "rule-violation"

    def test_a_report_that_cannot_be_written_is_2(self, attached: Desk) -> None:
        assert attached.verify("--report", "nowhere/report.json").code == 2

    def test_markdown_is_a_table_for_a_summary(self, attached: Desk) -> None:
        assert "| " in attached.verify("--format", "markdown").out


class TestWithoutARegistry:
    def test_links_of_a_directory_pass_and_no_image_was_checked(self, desk: Desk) -> None:
        ended = desk.run(
            "verify", "--link-dir", "links", "--layout", "root.layout", "--layout-key", "owner.pub"
        )
        assert ended.code == 0
        assert "not checked" in ended.out

    def test_a_digest_and_a_bundle_pass(self, desk: Desk) -> None:
        (desk.directory / "bundle.json").write_bytes(desk.chain.bundle())
        words = ("--bundle", "bundle.json", "--layout-key", "owner.pub")
        assert desk.run("verify", "--digest", desk.shelf.digest, *words).code == 0
        assert desk.run("verify", "--digest", "sha256:" + "0" * 64, *words).code == 1
        image = f"ghcr.io/octo/app@{desk.shelf.digest}"
        assert desk.run("verify", image, *words, environ={"HTTPS_PROXY": "http://127.0.0.1:9"}).code == 0

    def test_a_bundle_that_is_none_is_no_attestation(self, desk: Desk) -> None:
        words = (
            "verify",
            "--digest",
            desk.shelf.digest,
            "--bundle",
            "root.layout",
            "--layout-key",
            "owner.pub",
        )
        ended = desk.run(*words)
        assert ended.code == 1
        assert ended.out.startswith("DENIED: no-attestation")
        assert "Sigstore bundle" in ended.out

    def test_bytes_that_are_no_layout_are_a_verdict(self, attached: Desk) -> None:
        (attached.directory / "bad.layout").write_text("{}")
        ended = attached.verify("--layout", "bad.layout", "--format", "json")
        assert (ended.code, json.loads(ended.out)["reason"]) == (1, "layout-invalid")


class TestDemands:
    def test_a_pinned_layout_beats_the_evidence(self, attached: Desk) -> None:
        laxer = [step for step in attached.chain.layout.steps if step.name != "scan"]
        attached.chain.change_layout(steps=laxer).link("scan").present = False
        attached.shelf.attach(attached.chain.bundle())
        assert attached.verify().code == 0
        assert attached.verify("--layout", "root.layout").code == 0
        attached.chain.change_layout(readme="another")
        attached.write()
        ended = attached.verify("--layout", "root.layout")
        assert "the verifier" in ended.out

    def test_an_older_layout_is_stopped_by_a_floor_or_by_its_digest_or_by_its_key(
        self, attached: Desk
    ) -> None:
        floor = (NOW + timedelta(days=91)).strftime(INSTANT)
        layout = json.loads(attached.verify("--format", "json").out)["layout"]
        for words in (
            ("--layout-expires-after", floor),
            ("--revoked", layout["sha256"]),
            ("--revoked", f"sha256:{layout['sha256']}"),
            ("--revoked", "owner.pub"),
            ("--revoked", attached.chain.root.key.keyid),
        ):
            ended = attached.verify(*words, "--format", "json")
            assert (ended.code, json.loads(ended.out)["reason"]) == (1, "layout-revoked"), words

    def test_a_threshold_of_owners_counts_keys(self, attached: Desk) -> None:
        words = ("--layout-key", "scan.pub", "--layout-threshold", "2", "--format", "json")
        ended = attached.verify(*words)
        assert json.loads(ended.out)["reason"] == "layout-signature"
        attached.chain.layout_signers.append(attached.chain.signers["scan"])
        attached.shelf.attach(attached.chain.bundle())
        assert attached.verify(*words).code == 0

    def test_an_attester_is_demanded(self, attached: Desk) -> None:
        ended = attached.verify("--attester", "scan.pub", "--format", "json")
        assert json.loads(ended.out)["reason"] == "attestation-signature"
        assert attached.verify("--attester", "owner.pub").code == 0


class TestTheEnvironment:
    def test_it_changes_no_verdict(self, desk: Desk) -> None:
        quiet, loud = broken(desk).verify(), desk.verify(environ=LOOSENING)
        assert loud == quiet
        assert quiet.code == 1

    def test_it_gives_no_key_that_argv_did_not_ask_for(self, attached: Desk) -> None:
        given = {"INTOTO_ACTION_VERIFY_LAYOUT_KEY": str(attached.directory / "owner.pub")}
        assert attached.run("verify", attached.image, environ=given).code == 2

    def test_a_key_in_a_variable_that_argv_names_counts(self, attached: Desk) -> None:
        given = {"OWNER": attached.chain.root.key.pem}
        assert run("verify", attached.image, "--layout-key", "env:OWNER", environ=given).code == 0

    def test_an_empty_variable_is_named(self, attached: Desk) -> None:
        ended = run("verify", attached.image, "--layout-key", "env:OWNER", environ={"OWNER": ""})
        assert ended.code == 2
        assert "OWNER" in ended.err

    def test_completion_is_no_way_to_a_0(self, desk: Desk) -> None:
        given = {"_INTOTO_ACTION_COMPLETE": "bash_source", "_VERIFY_COMPLETE": "bash_source"}
        assert broken(desk).verify(environ=given).code == 1


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_what_others_wrote_reaches_no_terminal_and_no_runner_as_more_than_text(form: str, desk: Desk) -> None:
    evil = "##[error]\u009b2J\u202e\u2028\x7fä"
    scan = desk.chain.link("scan")
    scan.change(
        environment={"github": {"repository": f"\x1b[2J{evil}", "sha": evil, "ref": evil, "event": evil}}
    )
    desk.shelf.attach(desk.chain.bundle())
    ended = desk.verify("--format", form)
    assert ended.code == 1
    assert not any(each in ended.out for each in ("\x1b", "\u009b", "\u202e", "\u2028", "\x7f", "##["))
    if form == "json":
        assert any(evil in each["found"] for each in json.loads(ended.out)["explanation"])


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
@pytest.mark.parametrize("image", ["app\udc80", "oci-layout:nowhere\udc80"])
def test_a_name_that_is_no_utf_8_is_shown_escaped(image: str, form: str, desk: Desk) -> None:
    ended = desk.run("verify", image, "--layout-key", "owner.pub", "--format", form, "--report", "r.json")
    assert ended.code == 1
    assert "udc80" in ended.out
    assert r"\udc80" in json.loads((desk.directory / "r.json").read_text())["image"]


def test_a_private_key_given_as_a_public_one_is_never_shown(desk: Desk) -> None:
    secret = desk.chain.root.private_pem.decode()
    words = ("verify", desk.image, "--layout-key")
    for ended in (
        desk.run(*words, secret),
        desk.run(*words, "env:K", environ={"K": secret}),
        desk.run(*words, "owner.pem"),
    ):
        assert ended.code == 2
        assert secret.splitlines()[1] not in ended.out + ended.err
