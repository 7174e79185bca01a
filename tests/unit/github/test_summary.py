"""The summary of a job: appended, never too large, and never a reason to fail."""

from pathlib import Path

from intoto_action.github.summary import CAP, append_summary


def test_it_is_appended_as_a_paragraph_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_text("of the command")
    assert append_summary({"GITHUB_STEP_SUMMARY": str(path)}, "### é\n") is None
    assert path.read_text() == "of the command\n### é\n"


def test_a_runner_without_summaries_misses_nothing() -> None:
    assert append_summary({}, "x\n") is None
    assert append_summary({"GITHUB_STEP_SUMMARY": ""}, "x\n") is None


def test_one_that_cannot_be_written_is_told_and_fails_nothing(tmp_path: Path) -> None:
    assert str(tmp_path) in str(append_summary({"GITHUB_STEP_SUMMARY": str(tmp_path)}, "x\n"))


def test_what_does_not_fit_is_cut_at_a_paragraph(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_bytes(b"x" * (CAP // 2))
    append_summary({"GITHUB_STEP_SUMMARY": str(path)}, "\n\n".join(["y" * 999] * 2000) + "\n")
    written = path.read_text()
    assert CAP - 2000 < len(written) <= CAP
    kept, _, said = written.rpartition("\n\n")
    assert kept.endswith("y" * 999)
    assert "1 MiB" in said


def test_a_full_one_gets_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_bytes(b"x" * CAP)
    append_summary({"GITHUB_STEP_SUMMARY": str(path)}, "y\n")
    assert path.stat().st_size == CAP


def test_a_name_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    assert append_summary({"GITHUB_STEP_SUMMARY": str(path)}, "\udcff\n") is None
    assert path.read_text() == "\n\\udcff\n"
