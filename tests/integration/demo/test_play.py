"""The demo ends as it must, says what did not, and leaves nothing behind."""

import errno
import os
import re
import tempfile
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from intoto_action.demo.play import play
from intoto_action.demo.site import Site
from intoto_action.demo.stage import Stage
from intoto_action.demo.story import ACTS, CLOSING, RELEASE, Outcome
from intoto_action.formats.verdict import DENY, PASS
from intoto_action.reason import ExitCode, Misused, Reason

SKIPPED = ACTS[1]
CHECKOUT = Path(__file__).parents[3]


class Audience:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stage = Stage(self.lines.append, colour=False, width=None)

    @property
    def seen(self) -> str:
        return "".join(self.lines)


@pytest.fixture
def audience() -> Audience:
    return Audience()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "a temporary directory"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def test_it_passes_and_leaves_nothing_behind(audience: Audience, temporary: Path) -> None:
    assert play(audience.stage, acts=[SKIPPED]) is ExitCode.PASS
    assert "All 2 outcomes are what they must be." in audience.seen
    assert list(temporary.iterdir()) == []


def test_it_comes_back_to_where_it_was_called(
    audience: Audience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    play(audience.stage, tmp_path / "kept", acts=[])
    assert Path.cwd() == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_another_reason_than_the_expected_one_is_a_failure_that_is_named(
    audience: Audience, temporary: Path
) -> None:
    wrong = msgspec.structs.replace(SKIPPED, outcome=Outcome(DENY, Reason.THRESHOLD))
    assert play(audience.stage, acts=[wrong]) is ExitCode.DENIED
    assert "1 of 2 outcomes are not what they must be" in audience.seen
    assert "A step is skipped: must end with deny: threshold, ended with deny: link-missing" in audience.seen
    assert list(temporary.iterdir()) == []


def test_an_attack_that_passes_is_a_failure(audience: Audience, temporary: Path) -> None:
    def do_nothing(site: Site, at: datetime) -> None:
        del site, at

    harmless = msgspec.structs.replace(SKIPPED, play=do_nothing)
    assert play(audience.stage, acts=[harmless]) is ExitCode.DENIED
    assert "must end with deny: link-missing, ended with pass" in audience.seen


def test_a_release_that_does_not_end_as_it_must_is_a_failure(audience: Audience, temporary: Path) -> None:
    assert play(audience.stage, acts=[], release=Outcome(DENY, Reason.NO_ATTESTATION)) is ExitCode.DENIED
    assert "The release: must end with deny: no-attestation, ended with pass" in audience.seen


def test_a_verdict_for_the_right_reason_must_be_the_right_verdict_too(
    audience: Audience, temporary: Path
) -> None:
    wrong = msgspec.structs.replace(SKIPPED, outcome=Outcome(PASS, Reason.LINK_MISSING))
    assert play(audience.stage, acts=[wrong]) is ExitCode.DENIED


def test_a_step_that_fails_is_told_and_leaves_nothing_behind(
    audience: Audience, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up = Site.set_up

    def broken(site: Site) -> None:
        set_up(site)
        (site.root / "upstream/ci/scan.py").write_text("import sys; sys.exit('no disk')\n")

    monkeypatch.setattr(Site, "set_up", broken)
    with pytest.raises(Misused, match=r"(?s)'scan' ended with 1.*no disk"):
        play(audience.stage)
    assert list(temporary.iterdir()) == []


def test_a_directory_with_something_in_it_is_left_alone(audience: Audience, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(Misused, match="new or empty"):
        play(audience.stage, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_directory_that_cannot_be_made_is_told(audience: Audience, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misused, match="cannot be made"):
        play(audience.stage, tmp_path / "file" / "below")


def test_without_a_temporary_directory_it_says_what_to_set(
    audience: Audience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(Misused, match="TMPDIR"):
        play(audience.stage)


def test_a_full_disk_is_told_and_leaves_nothing_behind(
    audience: Audience, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(site: Site, root: Path) -> Site:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root))

    monkeypatch.setattr(Site, "copy", full)
    with pytest.raises(Misused, match="No space left on device"):
        play(audience.stage)
    assert list(temporary.iterdir()) == []


def test_what_it_says_to_read_next_is_there() -> None:
    words = " ".join(where for _, where in CLOSING)
    documents = re.findall(r"[\w/]+\.md", words)
    assert len(documents) == 2
    assert all((CHECKOUT / each).is_file() for each in documents)
    [section] = re.findall(r'README.md, section "(.*?)"', words)
    assert f"\n## {section}\n" in (CHECKOUT / "README.md").read_text()


def test_the_release_must_pass() -> None:
    assert Outcome(PASS) == RELEASE
