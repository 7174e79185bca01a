"""The verb, called as people call it."""

import hashlib
import json
import os
import stat
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from tests.parts.recording import Recorder

from intoto_action.formats.artifact import Digests
from intoto_action.formats.link import Link
from intoto_action.keys.keygen import generate
from intoto_action.reason import Misused
from intoto_action.record.step import payload_of

SH = ("--", "sh", "-c")


def test_the_link_says_what_went_in_what_ran_and_what_came_out(recorder: Recorder) -> None:
    recorder.write("src/a", "a")
    done = recorder("--materials", "src", "--products", "out", *SH, "cat src/a >out")
    assert done.returncode == 0, done.stderr
    link = recorder.link()
    assert link["name"] == "build"
    assert link["command"] == ["sh", "-c", "cat src/a >out"]
    digest = {"sha256": hashlib.sha256(b"a").hexdigest()}
    assert (link["materials"], link["products"]) == ({"src/a": digest}, {"out": digest})
    assert link["byproducts"] == {"return-value": 0}
    assert link["environment"] == {
        "recorded": {
            "materials": ["src"],
            "products": ["out"],
            "exclude": [],
            "oidc": False,
            "after-the-fact": False,
        }
    }


def test_the_output_of_the_command_is_its_own(recorder: Recorder) -> None:
    done = recorder(*SH, "head -c 3000000 /dev/zero | tr '\\0' x; echo err >&2")
    assert done.stdout == "x" * 3_000_000
    assert done.stderr.startswith("err\n")


def test_the_command_reads_our_standard_input(recorder: Recorder) -> None:
    done = subprocess.run(
        recorder.argv("--", "cat"),
        cwd=recorder.base,
        env=recorder.environ,
        input=b"\xff\x00in",
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"\xff\x00in"


def test_the_exit_code_is_that_of_the_command_and_a_failure_leaves_no_link(recorder: Recorder) -> None:
    done = recorder(*SH, "exit 7")
    assert done.returncode == 7
    assert recorder.no_link()


def test_a_command_that_a_signal_ended_counts_as_shells_count(recorder: Recorder) -> None:
    done = recorder(*SH, "kill -9 $$")
    assert done.returncode == 137
    assert recorder.no_link()


def test_a_failure_is_recorded_when_asked(recorder: Recorder) -> None:
    done = recorder("--record-failure", *SH, "exit 7")
    assert done.returncode == 7
    assert recorder.link()["byproducts"] == {"return-value": 7}


def test_a_command_that_is_not_there_is_a_sentence(recorder: Recorder) -> None:
    done = recorder("--", "no-such-command-at-all")
    assert done.returncode == 2
    assert "cannot be started" in done.stderr and "Traceback" not in done.stderr
    assert recorder.no_link()


def test_products_that_match_nothing_leave_no_link(recorder: Recorder) -> None:
    done = recorder("--products", "out", "--", "true")
    assert done.returncode == 2
    assert "--products out: nothing matches it" in done.stderr
    assert recorder.no_link()


def test_materials_that_match_nothing_are_said_and_no_more(recorder: Recorder) -> None:
    done = recorder("--materials", "src", "--", "true")
    assert done.returncode == 0
    assert "--materials src: nothing matches it" in done.stderr
    assert recorder.link()["materials"] == {}


def test_nothing_to_record_is_refused(recorder: Recorder) -> None:
    assert recorder("--phase", "after").returncode == 2


def test_a_signer_is_needed_before_the_command_runs(recorder: Recorder) -> None:
    done = recorder("--", "touch", "ran", key="")
    assert done.returncode == 2
    assert "who signs?" in done.stderr
    assert not (recorder.base / "ran").exists()


@pytest.mark.parametrize("key", ["../missing.pem", "env:NOT_SET", "keyless:"])
def test_a_key_that_is_not_there_is_told_before_the_command_runs(recorder: Recorder, key: str) -> None:
    done = recorder("--", "touch", "ran", key=key)
    assert done.returncode == 2
    assert not (recorder.base / "ran").exists()


@pytest.mark.parametrize("word", ["{pem}", "env:{pem}", "env:{body}", "{wrapped}", "{body}", "{pem:.60}"])
@pytest.mark.parametrize(
    "more", [("--", "touch", "ran"), ("--if-no-credentials", "unsigned", "--", "touch", "ran")]
)
def test_a_key_in_the_place_of_its_path_is_not_repeated_and_nothing_runs(
    recorder: Recorder, word: str, more: tuple[str, ...]
) -> None:
    pem = recorder.key.read_text()
    body, wrapped = pem.split("\n")[1], b64encode(pem.encode()).decode()
    given = word.format(pem=pem, body=body, wrapped=wrapped)
    by_variable = recorder(*more, key="", environ={"INTOTO_ACTION_RECORD_KEY": given})
    for done in (recorder(*(f"--key={given}", *more), key=""), by_variable):
        assert body[:16] not in done.stderr and body[16:32] not in done.stderr
        assert wrapped[:16] not in done.stderr
        if more[0] == "--":
            assert done.returncode == 2
            assert not (recorder.base / "ran").exists()


@pytest.mark.parametrize("key", ["key.pem.pub", "checkout"])
def test_a_key_that_cannot_sign_is_told_before_the_command_runs(recorder: Recorder, key: str) -> None:
    done = recorder("--", "touch", "ran", key=str(recorder.base.parent / key))
    assert done.returncode == 2
    assert "is a public key" in done.stderr or "is a directory" in done.stderr
    assert not (recorder.base / "ran").exists()


@pytest.mark.parametrize("signing", [(), ("--unsigned",)])
@pytest.mark.parametrize("place", ["file", "file/below", "closed", "closed/below"])
def test_a_link_directory_that_cannot_be_written_is_told_before_the_command_runs(
    recorder: Recorder, place: str, signing: tuple[str, ...]
) -> None:
    recorder.write("file")
    (recorder.base / "closed").mkdir(mode=0o555)
    words = recorder.argv(*signing, "--link-dir", place, "--", "touch", "ran")
    if os.geteuid() == 0:  # root without the right to write everywhere
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *words]
    done = subprocess.run(
        words, cwd=recorder.base, env=recorder.environ, capture_output=True, check=False, text=True
    )
    assert done.returncode == 2
    assert "--link-dir: " in done.stderr
    assert not (recorder.base / "ran").exists()


def test_the_key_is_read_only_after_the_command(recorder: Recorder) -> None:
    pem = recorder.key.read_text()
    recorder.key.write_text("no key yet")
    (recorder.base / "real").write_text(pem)
    assert recorder(*SH, f"mv real {recorder.key}").returncode == 0
    assert recorder.link()["byproducts"] == {"return-value": 0}


def test_a_step_name_that_leaves_the_directory_is_refused(recorder: Recorder) -> None:
    done = recorder("--", "touch", "ran", step="../x")
    assert done.returncode == 2
    assert not (recorder.base / "ran").exists()


def test_another_link_of_the_step_is_not_overwritten(recorder: Recorder) -> None:
    recorder("--", "true")
    first = recorder.link()
    done = recorder("--", "sh", "-c", "true")
    assert done.returncode == 2
    assert "step names" in done.stderr
    assert recorder.link() == first
    assert recorder("--force", "--", "sh", "-c", "true").returncode == 0
    assert recorder.link() != first


def test_the_same_link_again_is_no_conflict(recorder: Recorder) -> None:
    assert recorder("--", "true").returncode == 0
    assert recorder("--", "true").returncode == 0


def test_the_same_link_again_by_an_ecdsa_key_is_no_conflict(recorder: Recorder) -> None:
    recorder.key.write_bytes(generate("ecdsa", None).private_pem)
    Path(f"{recorder.key}.pub").unlink()
    assert recorder("--", "true").returncode == 0
    (path,) = recorder.links.iterdir()
    document = path.read_bytes()
    again = recorder("--", "true")
    assert again.returncode == 0, again.stderr
    assert path.read_bytes() == document
    assert recorder("--", "sh", "-c", "true").returncode == 2


def test_an_unsigned_link_is_what_sign_signs(recorder: Recorder) -> None:
    done = recorder("--unsigned", "--", "true", key="")
    assert done.returncode == 0
    expected = done.stdout.strip()
    (left,) = recorder.links.iterdir()
    assert json.loads(left.read_text())["name"] == "build"
    words = ["--step-name", "build", "--key", str(recorder.key), "--expect", expected, str(left)]
    signed = subprocess.run(
        [*recorder.argv()[:3], "sign", *words],
        cwd=recorder.base,
        env=recorder.environ,
        capture_output=True,
        check=False,
    )
    assert signed.returncode == 0, signed.stderr
    assert recorder.link()["name"] == "build"


@pytest.mark.parametrize("output", ["", "a line\n", "no line feed", "two\nlines"])
def test_the_digest_of_an_unsigned_link_is_the_last_line_whatever_the_command_prints(
    recorder: Recorder, output: str
) -> None:
    done = recorder("--unsigned", "--", "printf", "%s", output, key="")
    (left,) = recorder.links.iterdir()
    assert done.stdout.startswith(output)
    assert done.stdout.endswith("\n")
    assert done.stdout.splitlines()[-1] == f"sha256:{hashlib.sha256(left.read_bytes()).hexdigest()}"


def test_the_command_sees_neither_keys_nor_passwords_nor_tokens(recorder: Recorder) -> None:
    pem = recorder.new_key(recorder.base.parent / "other.pem")
    hidden = {
        "MY_SIGNING": pem,
        "MY_PHRASE": "correct horse battery",
        "INTOTO_ACTION_SIGNING_KEY": "x",
        "INTOTO_ACTION_RECORD_STEP_NAME": "other",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
        "ACTIONS_RUNTIME_TOKEN": "x",
        "SIGSTORE_ID_TOKEN": "x",
    }
    done = recorder("--password-env", "MY_PHRASE", "--", "env", key="env:MY_SIGNING", environ=hidden)
    assert done.returncode == 0, done.stderr
    seen = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert not seen & set(hidden)
    assert "PATH" in seen
    assert recorder.link()["environment"]["recorded"]["oidc"] is False


def test_a_command_keeps_the_token_for_caches_where_it_opens_nothing_else(recorder: Recorder) -> None:
    done = recorder("--", "env", environ={"ACTIONS_RUNTIME_TOKEN": "for-caches"})
    assert "ACTIONS_RUNTIME_TOKEN=for-caches" in done.stdout
    assert recorder.link()["environment"]["recorded"]["oidc"] is False


def test_a_command_that_may_ask_for_a_token_is_said_in_the_link(recorder: Recorder) -> None:
    done = recorder("--pass-oidc", "--", "env", environ={"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"})
    assert "ACTIONS_ID_TOKEN_REQUEST_URL=https://x" in done.stdout
    assert recorder.link()["environment"]["recorded"]["oidc"] is True


def test_a_secret_in_the_command_is_refused_before_it_runs(recorder: Recorder) -> None:
    environ = {"DEPLOY_TOKEN": "s3cr3t-s3cr3t"}
    words = (*SH, "touch ran; echo s3cr3t-s3cr3t")
    done = recorder(*words, environ=environ)
    assert done.returncode == 2
    assert "DEPLOY_TOKEN" in done.stderr and "s3cr3t" not in done.stderr
    assert not (recorder.base / "ran").exists()
    assert recorder("--command-as", "deploy", *words, environ=environ).returncode == 0
    assert recorder.link()["command"] == ["deploy"]


def test_a_line_of_the_key_in_the_command_is_refused_whatever_its_variable_is_called(
    recorder: Recorder,
) -> None:
    pem = recorder.key.read_text()
    line = pem.split("\n")[1]
    done = recorder(*SH, f"touch ran; echo {line}", key="env:SIGNING", environ={"SIGNING": pem})
    assert done.returncode == 2
    assert "SIGNING" in done.stderr and line not in done.stderr
    assert not (recorder.base / "ran").exists()


def test_a_secret_in_the_name_of_a_product_leaves_no_link(recorder: Recorder) -> None:
    done = recorder("--products", ".", *SH, 'touch "out-$A_TOKEN"', environ={"A_TOKEN": "s3cr3t-s3cr3t"})
    assert done.returncode == 2
    assert recorder.no_link()


def test_a_file_that_cannot_be_read_leaves_no_link(recorder: Recorder) -> None:
    recorder.write("secret", "x").chmod(0)
    words = recorder.argv("--materials", "secret", "--", "true")
    if os.geteuid() == 0:  # root without the right to read everything
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *words]
    done = subprocess.run(
        words, cwd=recorder.base, env=recorder.environ, capture_output=True, check=False, text=True
    )
    assert done.returncode == 2
    assert "'secret' cannot be read (Permission denied)" in done.stderr
    assert recorder.no_link()


def test_a_link_that_nobody_would_read_is_not_made() -> None:
    artifacts = {f"{number:06}{'x' * 100}": Digests(sha256="0" * 64) for number in range(90_000)}
    with pytest.raises(Misused, match="dir:PATH"):
        payload_of(Link("build", [], artifacts, {}, {}, {}))


def test_the_environment_of_github_is_recorded_only_there(recorder: Recorder) -> None:
    variables = {
        "GITHUB_REPOSITORY": "octo/app",
        "GITHUB_SHA": "a" * 40,
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_RUN_ID": "1",
        "GITHUB_RUN_ATTEMPT": "2",
        "GITHUB_JOB": "build",
        "GITHUB_WORKFLOW_REF": "octo/app/.github/workflows/w.yml@refs/heads/main",
    }
    recorder("--", "true", environ=variables, step="elsewhere")
    assert "github" not in recorder.link("elsewhere")["environment"]
    recorder("--", "true", environ=variables | {"GITHUB_ACTIONS": "true"})
    assert recorder.link()["environment"]["github"] == {
        "repository": "octo/app",
        "sha": "a" * 40,
        "ref": "refs/heads/main",
        "event": "push",
        "run_id": "1",
        "run_attempt": "2",
        "job": "build",
        "workflow_ref": "octo/app/.github/workflows/w.yml@refs/heads/main",
    }


def test_flags_come_from_the_environment_one_value_a_line(recorder: Recorder) -> None:
    recorder.write("with space", "x")
    recorder.write("b", "x")
    environ = {"INTOTO_ACTION_RECORD_MATERIALS": "with space\nb\n", "INTOTO_ACTION_RECORD_PRODUCTS": ""}
    assert recorder("--", "true", environ=environ).returncode == 0
    assert set(recorder.link()["materials"]) == {"with space", "b"}


@pytest.mark.parametrize(
    "flag", ["FORCE", "RECORD_FAILURE", "PASS_OIDC", "COMMAND_AS", "SIGN_PULL_REQUESTS", "UNSIGNED"]
)
def test_a_flag_that_loosens_does_not_come_from_the_environment(recorder: Recorder, flag: str) -> None:
    environ = {f"INTOTO_ACTION_RECORD_{flag}": "1", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"}
    done = recorder(*SH, "env; exit 3", environ=environ)
    assert "ACTIONS_ID_TOKEN" not in done.stdout
    assert recorder.no_link()
    recorder("--", "true", environ=environ)
    assert recorder.link()["command"] == ["true"]


def test_the_link_is_readable_and_the_state_is_not(recorder: Recorder) -> None:
    recorder("--", "true")
    (link,) = recorder.links.iterdir()
    assert stat.S_IMODE(link.stat().st_mode) & 0o444 == 0o444
    recorder("--phase", "start", "--materials", ".")
    (state,) = (recorder.base.parent / "runtime").rglob("*.started")
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700


def test_words_that_are_not_utf8_are_told_before_the_command_runs(recorder: Recorder) -> None:
    done = recorder(*SH, "touch ran; : \udcff")
    assert done.returncode == 2
    assert "is not UTF-8" in done.stderr
    assert not (recorder.base / "ran").exists()
    assert recorder("--command-as", "make", *SH, "touch ran; : \udcff").returncode == 0


def test_links_among_the_recorded_files_are_warned_of(recorder: Recorder) -> None:
    words = ("--link-dir", "links", "--materials", ".", "--", "true")
    assert "links go to links, which is recorded" in recorder(*words).stderr
    assert "which is recorded" not in recorder("--materials", ".", "--", "true").stderr


@pytest.mark.parametrize("script", ["rm -r $PWD", "rm -r $PWD && mkdir $PWD && echo x >$PWD/out"])
def test_a_working_directory_that_the_command_removed_is_a_sentence(recorder: Recorder, script: str) -> None:
    done = recorder("--products", "out", *SH, script)
    assert done.returncode == 2
    assert "the working directory was removed" in done.stderr
    assert recorder.no_link()


@pytest.mark.parametrize(
    ("link_dir", "pattern", "warned"),
    [
        ("../links", ".", False),
        ("../checkout/links", ".", True),
        ("sub/../links", "links", True),
        (".", "*", True),
        ("links", "*", True),
        ("links", "l?nks/*", True),
        ("links", "**", True),
        ("links", "dir:links", True),
        ("links", "src", False),
        (".", "*.txt", False),
        ("links", "src/*", False),
    ],
)
def test_links_are_warned_of_only_where_they_would_be_recorded(
    recorder: Recorder, link_dir: str, pattern: str, warned: bool
) -> None:
    done = recorder("--link-dir", link_dir, "--materials", pattern, "--", "true")
    assert done.returncode == 0, done.stderr
    assert ("which is recorded" in done.stderr) is warned
    left_out = recorder(
        "--link-dir", link_dir, "--materials", pattern, "--exclude", "*.link", "--force", "--", "true"
    )
    assert "which is recorded" not in left_out.stderr


def test_names_that_are_not_read_as_utf8_are_refused_before_the_command_runs(recorder: Recorder) -> None:
    recorder.write("src/a")
    environ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = recorder("--materials", "src", "--", "touch", "ran", environ=environ)
    assert done.returncode == 2
    assert "names of files are read as" in done.stderr
    assert not (recorder.base / "ran").exists()


@pytest.mark.parametrize("words", [("--unsigned", "--", "true"), ("--phase", "start", "--materials", ".")])
def test_a_digest_that_cannot_be_printed_is_told(recorder: Recorder, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            recorder.argv(*words, key=""),
            cwd=recorder.base,
            env=recorder.environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "stdout cannot take the digest (No space left on device), which is sha256:" in done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
