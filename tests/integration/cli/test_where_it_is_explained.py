"""What keeps a verb from its work ends with the section of the documentation about it, wherever a person reads it."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from make.cache import CHECKOUT
from tests.parts.desk import Desk

from intoto_action.cli.main import main
from intoto_action.reason import Trouble
from intoto_action.render.sentences import DOCS, anchor

SECTIONS = set(re.findall(r"^##+ ([a-z-]+)$", (CHECKOUT / DOCS).read_text(), re.MULTILINE))
NOBODY = "127.0.0.1:9/octo/app:1.0"
ATTACH = ("attach", "--layout", "root.layout", "--link-dir", "links", "--key")
VERIFY = ("verify", "--layout-key", "owner.pub")
RECORD = ("record", "--step-name", "build", "--link-dir", "new")
TROUBLES = [
    (("verify", "--layout-key", "owner.pub"), Trouble.INPUT),
    (("verify", "--no-such-flag", NOBODY), Trouble.INPUT),
    ((*VERIFY, "--images-from", "none/*.yaml"), Trouble.INPUT),
    ((*VERIFY, "--layout-key", "nowhere.pub", NOBODY), Trouble.KEY),
    ((*VERIFY, "--layout-key", "root.layout", NOBODY), Trouble.KEY),
    ((*VERIFY, "--layout-key", "identity=octo", NOBODY), Trouble.KEY),
    ((*VERIFY, "--layout", "none", NOBODY), Trouble.FILE),
    (
        ("attach", "--layout", "owner.pub", "--link-dir", "links", "--key", "owner.pem", NOBODY),
        Trouble.DOCUMENT,
    ),
    ((*ATTACH, "none.pem", "--other-runs", "oci-layout:images:1.0"), Trouble.KEY),
    ((*ATTACH, "env:INTOTO_ACTION_SIGNING_KEY", NOBODY), Trouble.KEY),
    ((*ATTACH, "owner.pem", "--other-runs", "127.0.0.1:9/Octo/App"), Trouble.IMAGE),
    ((*ATTACH, "owner.pem", "--tag", "a/b", NOBODY), Trouble.IMAGE),
    (
        ("attach", "--layout", "root.layout", "--link-dir", "empty", "--key", "owner.pem", NOBODY),
        Trouble.LINKS,
    ),
    ((*RECORD, "--key", "owner.pem", "--products", "none", "--", "true"), Trouble.RECORDING),
    ((*RECORD, "--key", "owner.pem", "--materials", "git:tracked", "--", "true"), Trouble.RECORDING),
    ((*RECORD, "--key", "owner.pem", "--", "no-such-command"), Trouble.RECORDING),
    ((*RECORD, "--keyless", "--", "true"), Trouble.IDENTITY),
]
OF_NO_JOB = dict.fromkeys(
    (
        *("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SIGSTORE_ID_TOKEN"),
        *("GITHUB_EVENT_NAME", "INTOTO_ACTION_SIGNING_KEY", "XDG_RUNTIME_DIR"),
    ),
    "",
)


def job_at(folder: Path) -> dict[str, str]:
    """The variables of a job, with an empty directory for links at the desk."""
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "runner").mkdir(exist_ok=True)
    files = {"GITHUB_OUTPUT": "outputs", "GITHUB_STEP_SUMMARY": "summary", "RUNNER_TEMP": ""}
    environ = {name: str(folder / "runner" / file) for name, file in files.items()}
    return OF_NO_JOB | environ | {"GITHUB_ACTIONS": "true"}


@pytest.fixture
def at_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(desk.directory)
    return desk


def run(desk: Desk, *words: str, **environ: str) -> str:
    """What a run says that ends with exit code 2."""
    ended = CliRunner().invoke(main, words, env=job_at(desk.directory) | environ)
    assert ended.exit_code == 2, ended.output
    return ended.stderr


@pytest.mark.parametrize(("words", "trouble"), TROUBLES)
def test_a_person_at_a_terminal_is_told_at_the_end_of_the_sentence(
    at_desk: Desk, words: Sequence[str], trouble: Trouble
) -> None:
    said = run(at_desk, *words)
    assert said.endswith(f" ({anchor(trouble)})\n")
    assert said.count(DOCS) == 1
    assert trouble.value in SECTIONS


@pytest.mark.parametrize(("words", "trouble"), TROUBLES)
def test_a_job_is_told_in_the_annotation_and_in_the_summary(
    at_desk: Desk, words: Sequence[str], trouble: Trouble
) -> None:
    said = run(at_desk, words[0], "--github", *words[1:])
    (error,) = (line for line in said.splitlines() if line.startswith("::error "))
    assert error.endswith(f" ({anchor(trouble)})")
    summary = at_desk.directory / "runner/summary"
    if summary.exists():  # not yet, where the words themselves are wrong, or nothing has begun
        assert f"<code>docs/reason-codes&#46;md&#35;{trouble.value}</code>\n" in summary.read_text()
    assert summary.exists() or words[0] == "record" or trouble is Trouble.INPUT


@pytest.mark.parametrize("verb", [(*ATTACH, "owner.pem"), VERIFY])
def test_what_is_no_job_is_told_where_jobs_are_explained(at_desk: Desk, verb: Sequence[str]) -> None:
    said = run(at_desk, *verb, "--github", at_desk.image, RUNNER_TEMP="", GITHUB_OUTPUT="")
    assert said.endswith(f" ({anchor(Trouble.PLACE)})\n")


def test_a_step_that_cannot_be_recorded_is_explained_in_the_summary(at_desk: Desk) -> None:
    run(at_desk, *RECORD, "--unsigned", "--github", "--products", "none", "--", "true")
    summary = (at_desk.directory / "runner/summary").read_text()
    assert "### Not recorded" in summary
    assert summary.endswith("<code>docs/reason-codes&#46;md&#35;not-recordable</code>\n")
