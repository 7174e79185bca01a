"""What of the project's own workflows does not need GitHub itself, run by the runner."""

import pytest
from make.cache import CHECKOUT
from tests.parts.github_job import GitHubJob
from tests.parts.runner import Runner, as_downloaded

pytestmark = pytest.mark.needs("act", "git")

SELF_TEST = (CHECKOUT / ".github/workflows/self-test.yml").read_text()
ON_LINUX = ("--job", "hostile-workspace", "--matrix", "os:ubuntu-latest")


def test_the_self_test_finds_nothing_taken_over_in_a_hostile_workspace(runner: Runner) -> None:
    runner.installs = True
    as_downloaded(runner.workspace)
    ran = runner.run(SELF_TEST, job=GitHubJob(workflow="self-test.yml"), only=ON_LINUX)
    assert ran.succeeded, ran.log
    assert "nothing was taken over" in ran.printed


def test_the_self_test_would_find_it(runner: Runner) -> None:
    """A Python that is not isolated imports what lies in the workspace."""
    runner.installs = True
    as_downloaded(runner.workspace)
    script = runner.workspace / "verify" / "verify.sh"
    assert "-I -X utf8" in script.read_text()
    script.write_text(script.read_text().replace("-I -X utf8", "-X utf8"))
    ran = runner.run(SELF_TEST, job=GitHubJob(workflow="self-test.yml"), only=ON_LINUX)
    assert not ran.succeeded
    assert "taken over by " in ran.summary, ran.log
