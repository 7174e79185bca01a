"""Start and stop, after the fact, and what the layout expects."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.parts.recording import Recorder

from intoto_action.formats.envelope import PAYLOAD_TYPE, Signature, encode_dsse
from intoto_action.formats.key import public_key_from_pem
from intoto_action.formats.layout import Layout, Step, encode_layout
from intoto_action.reason import Misused
from intoto_action.record.started import Started, StateDirectory

STARTED = "runtime/intoto-action/started"


def begin(recorder: Recorder, *words: str) -> str:
    done = recorder("--phase", "start", "--materials", "src", *words, key="")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_start_and_stop_record_what_was_there_before_and_after(recorder: Recorder) -> None:
    recorder.write("src/a", "before")
    state = begin(recorder, "--exclude", "*.o")
    recorder.write("src/a", "after")
    recorder.write("src/a.o", "object")
    done = recorder("--phase", "stop", "--state", state, "--products", "src")
    assert done.returncode == 0, done.stderr
    link = recorder.link()
    assert set(link["materials"]) == set(link["products"]) == {"src/a"}
    assert link["materials"] != link["products"]
    assert (link["command"], link["byproducts"]) == ([], {})
    said = link["environment"]["recorded"]
    assert (said["materials"], said["products"], said["exclude"]) == (["src"], ["src"], ["*.o"])
    assert said["after-the-fact"] is False


def test_a_step_that_makes_nothing_is_stopped_too(recorder: Recorder) -> None:
    recorder.write("src/a")
    assert recorder("--phase", "stop", "--state", begin(recorder)).returncode == 0
    assert (set(recorder.link()["materials"]), recorder.link()["products"]) == ({"src/a"}, {})


@pytest.mark.parametrize(("first", "second"), [("*.o", "*.a"), ("", "*.o")])
def test_stop_cannot_leave_out_what_start_did_not(recorder: Recorder, first: str, second: str) -> None:
    recorder.write("src/a")
    state = begin(recorder, *(("--exclude", first) if first else ()))
    words = ("--phase", "stop", "--state", state, "--products", "src")
    done = recorder(*words, "--exclude", second)
    assert done.returncode == 2
    assert "expected those of --phase start" in done.stderr
    assert recorder.no_link()
    assert recorder(*words, *(("--exclude", first) if first else ())).returncode == 0
    assert recorder.link()["environment"]["recorded"]["exclude"] == ([first] if first else [])


TOKEN = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"}


@pytest.mark.parametrize(
    ("at_start", "at_stop"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_work_in_brackets_that_could_ask_for_a_token_is_said_in_the_link(
    recorder: Recorder, at_start: bool, at_stop: bool
) -> None:
    recorder.write("src/a")
    begun = ("--phase", "start", "--materials", "src")
    state = recorder(*begun, key="", environ=TOKEN if at_start else {}).stdout.strip()
    words = ("--phase", "stop", "--state", state, "--products", "src")
    assert recorder(*words, environ=TOKEN if at_stop else {}).returncode == 0
    assert recorder.link()["environment"]["recorded"]["oidc"] is (at_start or at_stop)


@pytest.mark.parametrize("environ", [TOKEN, {}])
def test_work_before_the_link_that_could_ask_for_a_token_is_said_in_it(
    recorder: Recorder, environ: dict[str, str]
) -> None:
    recorder.write("out")
    assert recorder("--phase", "after", "--products", "out", environ=environ).returncode == 0
    assert recorder.link()["environment"]["recorded"]["oidc"] is bool(environ)


def test_nothing_of_a_started_step_is_in_the_work_tree_or_signed(recorder: Recorder) -> None:
    recorder.write("src/a")
    state = begin(recorder)
    assert [path.name for path in recorder.base.iterdir()] == ["src"]
    (started,) = (recorder.base.parent / STARTED).iterdir()
    assert json.loads(started.read_text())["_type"] == "intoto-action-started"
    assert recorder("--phase", "stop", "--state", state, "--products", "src").returncode == 0
    assert not started.exists()


def test_stop_without_start_is_told(recorder: Recorder) -> None:
    done = recorder("--phase", "stop", "--state", "sha256:" + "0" * 64, "--products", ".")
    assert done.returncode == 2
    assert "is not started" in done.stderr
    assert recorder.no_link()


def test_two_starts_are_told_and_the_first_one_stays(recorder: Recorder) -> None:
    recorder.write("src/a", "one")
    state = begin(recorder)
    recorder.write("src/a", "two")
    done = recorder("--phase", "start", "--materials", "src")
    assert done.returncode == 2
    assert "started already" in done.stderr
    assert recorder("--phase", "stop", "--state", state, "--products", "src").returncode == 0


def test_a_second_start_replaces_the_first_when_forced(recorder: Recorder) -> None:
    recorder.write("src/a", "one")
    first = begin(recorder)
    recorder.write("src/a", "two")
    second = begin(recorder, "--force")
    assert recorder("--phase", "stop", "--state", first, "--products", "src").returncode == 2
    assert recorder("--phase", "stop", "--state", second, "--products", "src").returncode == 0


def test_a_state_that_was_changed_is_told(recorder: Recorder) -> None:
    recorder.write("src/a", "one")
    state = begin(recorder)
    (started,) = (recorder.base.parent / STARTED).iterdir()
    started.write_text(started.read_text().replace("src/a", "src/b"))
    done = recorder("--phase", "stop", "--state", state, "--products", "src")
    assert done.returncode == 2
    assert "expected the digest that --phase start printed" in done.stderr
    assert recorder.no_link()


def test_the_state_of_another_directory_is_none_of_ours(recorder: Recorder, tmp_path: Path) -> None:
    recorder.write("src/a")
    state = begin(recorder)
    other = Recorder(tmp_path / "other", recorder.environ)
    other.write("src/a")
    assert other("--phase", "stop", "--state", state, "--products", "src").returncode == 2


def test_a_failed_stop_can_be_tried_again(recorder: Recorder) -> None:
    recorder.write("src/a")
    state = begin(recorder)
    assert recorder("--phase", "stop", "--state", state, "--products", "out").returncode == 2
    recorder.write("out")
    assert recorder("--phase", "stop", "--state", state, "--products", "out").returncode == 0


def test_a_state_directory_that_others_can_enter_is_refused(recorder: Recorder) -> None:
    recorder.write("src/a")
    place = recorder.base.parent / STARTED
    place.mkdir(parents=True, mode=0o755)
    done = recorder("--phase", "start", "--materials", "src")
    assert done.returncode == 2
    assert "0700" in done.stderr


def test_a_state_directory_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    owner = os.geteuid()
    directory = StateDirectory(str(tmp_path / "work"), {"XDG_RUNTIME_DIR": str(tmp_path)})
    started = Started("build", str(tmp_path / "work"), {}, {}, [], [], oidc=False)
    directory.put(started, force=False)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(Misused, match="a directory that you own"):
        directory.put(started, force=True)


def test_a_state_directory_inside_the_recorded_one_is_refused(recorder: Recorder) -> None:
    recorder.write("src/a")
    done = recorder("--phase", "start", "--materials", "src", environ={"XDG_RUNTIME_DIR": str(recorder.base)})
    assert done.returncode == 2
    assert "inside the recorded directory" in done.stderr


def test_the_started_half_under_the_name_of_a_link_is_no_link(recorder: Recorder) -> None:
    from intoto_action.formats.envelope import parse_envelope
    from intoto_action.formats.link import parse_link
    from intoto_action.reason import Malformed

    recorder.write("src/a")
    begin(recorder)
    (started,) = (recorder.base.parent / STARTED).iterdir()
    with pytest.raises(Malformed):
        parse_envelope(started.read_bytes(), "build.00000000.link")
    with pytest.raises(Malformed):
        parse_link(started.read_bytes(), "build.00000000.link")


@pytest.mark.parametrize(
    "words",
    [
        ("--phase", "start", "--materials", "src", "--", "true"),
        ("--phase", "start", "--products", "src"),
        ("--phase", "start", "--materials", "src", "--state", "sha256:x"),
        ("--phase", "stop", "--products", "src"),
        ("--phase", "stop", "--state", "x", "--materials", "src", "--products", "src"),
        ("--phase", "after", "--products", "src", "--", "true"),
        ("--phase", "start", "--materials", "src", "--command-as", "make"),
        ("--phase", "after", "--products", "src", "--command-as", "make"),
        ("--phase", "run", "--products", "src"),
        ("--phase", "middle", "--products", "src"),
    ],
)
def test_words_that_do_not_belong_to_a_phase_are_refused(recorder: Recorder, words: tuple[str, ...]) -> None:
    recorder.write("src/a")
    assert recorder(*words).returncode == 2
    assert recorder.no_link()


def test_a_command_that_stop_did_not_see_is_not_recorded(recorder: Recorder) -> None:
    recorder.write("src/a")
    state = begin(recorder)
    done = recorder("--phase", "stop", "--state", state, "--products", "src", "--command-as", "make")
    assert done.returncode == 2
    assert "expected no --command-as" in done.stderr
    assert recorder.no_link()


def test_what_happened_already_is_recorded_and_says_so(recorder: Recorder) -> None:
    recorder.write("out", "x")
    assert recorder("--phase", "after", "--products", "out").returncode == 0
    link = recorder.link()
    assert set(link["products"]) == {"out"}
    assert (link["command"], link["byproducts"], link["materials"]) == ([], {}, {})
    assert link["environment"]["recorded"]["after-the-fact"] is True


@pytest.fixture
def write_layout(recorder: Recorder) -> Callable[..., Path]:
    """A layout with one step, for the keys beside these private ones; nobody has signed it."""

    def write(step: str, *keys: Path) -> Path:
        publics = [public_key_from_pem(Path(f"{key}.pub").read_text(), str(key)) for key in keys]
        steps = [Step(step, [], [], [key.keyid for key in publics], [], 1)]
        layout = Layout(steps, [], {key.keyid: key.entry for key in publics}, "2050-01-01T00:00:00Z")
        path = recorder.base.parent / "root.layout"
        path.write_bytes(encode_dsse(PAYLOAD_TYPE, encode_layout(layout), (Signature("00", b"none"),)))
        return path

    return write


def test_a_step_that_the_layout_does_not_know_fails_before_the_command_runs(
    recorder: Recorder, write_layout: Callable[..., Path]
) -> None:
    layout = write_layout("built", recorder.key)
    done = recorder("--layout", str(layout), "--", "touch", "ran")
    assert done.returncode == 2
    assert "did you mean 'built'?" in done.stderr
    assert not (recorder.base / "ran").exists()


def test_a_key_that_is_no_functionary_fails_before_the_command_runs(
    recorder: Recorder, write_layout: Callable[..., Path]
) -> None:
    other = recorder.base.parent / "other.pem"
    recorder.new_key(other)
    done = recorder("--layout", str(write_layout("build", other)), "--", "touch", "ran")
    assert done.returncode == 2
    assert "expected a functionary of step 'build'" in done.stderr
    assert not (recorder.base / "ran").exists()


def test_a_key_whose_public_part_is_not_there_is_compared_before_it_signs(
    recorder: Recorder, write_layout: Callable[..., Path]
) -> None:
    other = recorder.base.parent / "other.pem"
    recorder.new_key(other)
    layout = write_layout("build", other)
    Path(f"{recorder.key}.pub").unlink()
    done = recorder("--layout", str(layout), "--", "touch", "ran")
    assert done.returncode == 2
    assert (recorder.base / "ran").exists()
    assert [each.name for each in recorder.links.iterdir()] == ["build.link-unsigned"]


def test_a_functionary_of_the_step_records(recorder: Recorder, write_layout: Callable[..., Path]) -> None:
    done = recorder("--layout", str(write_layout("build", recorder.key)), "--", "true")
    assert done.returncode == 0, done.stderr
    assert "signature is for verify to check" in done.stderr


def test_a_file_that_is_no_layout_is_a_sentence(recorder: Recorder) -> None:
    path = recorder.base.parent / "root.layout"
    payload = b64encode(b'{"_type":"link"}').decode()
    path.write_text(json.dumps({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": []}))
    done = recorder("--layout", str(path), "--", "touch", "ran")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (recorder.base / "ran").exists()


_ELSEWHERE = """
import signal, sys
sys.platform = "darwin"
del signal.SIGRTMIN
from intoto_action.cli.main import main
sys.argv[0] = "intoto-action"
main()
"""


def elsewhere(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A system that has not what Linux has, as far as this one can be made to look like it."""
    command = [sys.executable, "-c", _ELSEWHERE, "record", "--step-name", "build", "--unsigned", *words]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_a_command_is_not_run_where_what_it_starts_cannot_be_ended(tmp_path: Path) -> None:
    done = elsewhere(tmp_path, "--", "touch", "ran")
    assert done.returncode == 2
    assert "expected Linux" in done.stderr and "between --phase start and --phase stop" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_runs_no_command_is_recorded_there_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    done = elsewhere(tmp_path, "--phase", "after", "--products", "a")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "build.link-unsigned").exists()
