"""The root action's inputs as words; tests/integration/actions holds them against the scripts of the composites."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from intoto_action.cli import container_action
from intoto_action.cli.attach import attach
from intoto_action.cli.container_action import INPUTS, argv, checked
from intoto_action.cli.verify import verify
from intoto_action.reason import Misused

PEM = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
ODD = "a b'c\"d $(touch injected) `touch injected` ${HOME} ; % é"


def given(verb: str, **values: str) -> dict[str, str]:
    """As the runner gives them: every one, most of them empty."""
    return dict.fromkeys(INPUTS, "") | {"verb": verb} | {k.replace("_", "-"): v for k, v in values.items()}


def words(verb: str, **values: str) -> list[str]:
    return list(argv(checked(given(verb, **values)), {"RUNNER_TEMP": "/temp"}))


def test_an_input_that_is_empty_is_no_word() -> None:
    assert words("verify", image="a", layout_key="k") == [
        "verify",
        "--github",
        "--layout-key",
        "k",
        "--",
        "a",
    ]


def test_what_a_job_recorded_is_attached_when_no_directory_is_named() -> None:
    found = words("attach", image="a", layout="l", key="secret")
    assert found[found.index("--link-dir") + 1] == "/temp/in-toto/links"
    assert "secret" not in found


@pytest.mark.parametrize(("keyless", "provenance"), [("true", ["--provenance", "auto"]), ("false", [])])
def test_who_signs_as_the_job_vouches_for_provenance_too(keyless: str, provenance: list[str]) -> None:
    found = words("attach", image="a", layout="l", keyless=keyless, key="" if keyless == "true" else "secret")
    assert [each for each in found if each in {"--provenance", "auto"}] == provenance


def test_the_text_of_keys_is_one_word_each() -> None:
    found = words("verify", image="a", layout_key=f"one.pub\r\n{PEM}\n{PEM}two.pub", attester=PEM[:40])
    assert [found[i + 1] for i, word in enumerate(found) if word == "--layout-key"] == [
        "one.pub",
        PEM,
        PEM,
        "two.pub",
    ]
    assert found[found.index("--attester") + 1].startswith("-----BEGIN")


@pytest.mark.parametrize("hostile", ["--no-verify", "--on-deny=warn", "--", ODD, "-h", "--version"])
def test_what_an_input_says_is_never_a_flag(hostile: str) -> None:
    """click takes the word after a flag for its value, whatever it looks like, and what is behind `--` for an image."""
    for command, verb in ((attach, "attach"), (verify, "verify")):
        names = container_action.ATTACH if verb == "attach" else container_action.VERIFY
        for name in set(names) - {"keyless", "rehearse", "allow-public-log", "other-runs", "on-deny"}:
            key = {"key": "k"} if verb == "attach" else {}
            values = given(verb, image="a", layout="l", layout_key="k", **key) | {name: hostile}
            _, *found = argv(checked(values), {"RUNNER_TEMP": "/temp"})
            context = command.make_context(verb, list(found), resilient_parsing=True)
            assert context.params["github"] is True
            assert not context.params.get("no_verify")
            assert context.params.get("on_deny", "fail") == "fail"


@pytest.mark.parametrize("name", ["rehearse", "keyless", "other-runs", "allow-public-log"])
@pytest.mark.parametrize("word", ["True", "yes", "1", " true", "true\n", "--no-verify"])
def test_a_flag_is_true_or_false_and_nothing_else(name: str, word: str) -> None:
    verb, key = ("verify", "") if name == "rehearse" else ("attach", "k")
    with pytest.raises(Misused, match=f"expected true or false for the input {name}"):
        words(verb, **{"image": "a", "layout": "l", "key": key, name: word})


def test_a_denial_is_let_through_for_the_word_warn_alone() -> None:
    assert "--on-deny" not in words("verify", image="a", on_deny="fail")
    assert words("verify", image="a", on_deny="warn")[2:4] == ["--on-deny", "warn"]
    with pytest.raises(Misused, match="on-deny"):
        words("verify", image="a", on_deny="Warn")


def test_record_is_refused_and_the_other_action_named() -> None:
    with pytest.raises(Misused, match="would run your command inside of this action's image"):
        words("record")


@pytest.mark.parametrize("verb", ["", "verify --on-deny warn", "keygen", "Verify"])
def test_another_verb_is_refused(verb: str) -> None:
    with pytest.raises(Misused, match="expected attach or verify for the input verb"):
        words(verb)


@pytest.mark.parametrize(
    ("verb", "name"), [("attach", "rehearse"), ("verify", "key"), ("attach", "attester")]
)
def test_an_input_of_the_other_verb_is_refused_and_never_ignored(verb: str, name: str) -> None:
    with pytest.raises(Misused, match=f"the input {name} is of the verb"):
        words(verb, **{"image": "a", "layout": "l", name: "x"})


def run(tmp_path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """The module as the image runs it, with the variables that GitHub's runner sets."""
    (tmp_path / "workspace").mkdir(exist_ok=True)
    (tmp_path / "temp").mkdir(exist_ok=True)
    environ = {
        "GITHUB_WORKSPACE": str(tmp_path / "workspace"),
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-m", "intoto_action.cli.container_action"],
        env=environ | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def variables(verb: str, **values: str) -> dict[str, str]:
    return {f"INPUT_{name.upper()}": value for name, value in given(verb, **values).items()}


def test_outside_of_an_action_it_says_who_else_to_call(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert done.stdout.startswith("::error title=intoto-action::expected the inputs of the action")
    assert "intoto-action attach" in done.stdout


def test_an_empty_key_is_said_to_be_a_secret_that_is_not_there(tmp_path: Path) -> None:
    done = run(tmp_path, **variables("attach", image="oci-layout:none", layout="none"))
    assert done.returncode == 2
    (error,) = done.stderr.splitlines()
    assert re.search(
        r"::the input key is empty\. .*pull requests from forks get none \(docs/.*#wrong-key\)$", error
    )
    without = run(tmp_path, **variables("attach", image="oci-layout:none", layout="none", keyless="true"))
    assert "#wrong-file)" in without.stderr, "who signs without a key needs none, and the layout is missing"


@pytest.mark.parametrize("verb", ["record", "attach", "verify"])
def test_what_it_refuses_says_where_that_is_explained(tmp_path: Path, verb: str) -> None:
    done = run(tmp_path, **variables(verb, image="a", layout="l", keyless="yes", rehearse="yes"))
    assert done.returncode == 2
    assert done.stdout.endswith(" (docs/reason-codes.md#wrong-input)\n")
    elsewhere = run(tmp_path, **variables("verify", image="a") | {"GITHUB_WORKSPACE": str(tmp_path / "none")})
    assert elsewhere.stdout.endswith(" (docs/reason-codes.md#wrong-place)\n")


def test_an_input_that_was_not_declared_is_not_read(tmp_path: Path) -> None:
    environ = variables("verify", image="oci-layout:none", layout_key="no.pub")
    done = run(tmp_path, **environ, **{"INPUT_NO-VERIFY": "true", "INTOTO_ACTION_VERIFY_ON_DENY": "warn"})
    assert done.returncode == 2
    assert "no.pub" in done.stderr


def test_a_path_among_the_outputs_is_the_one_that_later_steps_see(tmp_path: Path) -> None:
    """A denial leaves a report, and needs no registry."""
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace/owner.pub").write_text(
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
        "-----END PUBLIC KEY-----\n"
    )
    paths = "\n/home/runner/_temp\n/home/runner/app"
    environ = variables("verify", image="not a reference", layout_key="owner.pub", runner_paths=paths)
    done = run(tmp_path, **environ)
    assert done.returncode == 1, done.stdout + done.stderr
    last = (tmp_path / "output").read_text().splitlines()[-2]
    assert last.startswith("/home/runner/_temp/in-toto/")
    inside = str(tmp_path / "temp") + last.removeprefix("/home/runner/_temp")
    (verdict,) = [json.loads(Path(inside).read_text())]
    assert verdict["reason"] == "invalid-reference"


def test_a_rehearsal_is_green_only_where_one_was_asked_for() -> None:
    for rehearse, code in (("true", 0), ("false", 4), ("", 4)):
        assert container_action.ended(4, {"rehearse": rehearse}) == code
    for code in (0, 1, 2, 3):
        assert container_action.ended(code, {"rehearse": "true"}) == code
    assert container_action.ended(4, {}) == 4


def test_nothing_that_reads_openssl_s_variables_is_loaded_before_they_are_gone() -> None:
    code = (
        "import sys, intoto_action.cli.container_action; "
        "print([each for each in ('ssl', '_ssl', '_hashlib', 'cryptography') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_neither_a_key_nor_what_an_earlier_step_set_reaches_what_is_started() -> None:
    environ = {
        **variables("attach", key="secret", github_token="token"),
        **{
            "OPENSSL_CONF": "evil",
            "LD_PRELOAD": "evil.so",
            "GCONV_PATH": "evil",
            "SSLKEYLOGFILE": "evil",
            "PYTHONPATH": "evil",
            "SIGSTORE_ID_TOKEN": "evil",
        },
        **{"INTOTO_ACTION_ATTACH_NO_VERIFY": "true", "PATH": "evil", "INPUT_UNDECLARED": "evil"},
        **{"HOME": "/github/home", "DOCKER_CONFIG": "/github/home/x", "INTOTO_ACTION_DEBUG": "1"},
    }
    inputs = container_action.take(environ)
    assert inputs["key"] == "secret"
    assert environ == {
        "HOME": "/github/home",
        "DOCKER_CONFIG": "/github/home/x",
        "INTOTO_ACTION_DEBUG": "1",
        "PATH": container_action.PATH,
    }
