"""What the runner's variables say of the run."""

import pytest

from intoto_action.github.environment import link_environment
from intoto_action.github.script import script_command
from intoto_action.reason import Misused


def test_elsewhere_nothing_is_said() -> None:
    assert link_environment({"GITHUB_REPOSITORY": "octo/app"}) == {}


def test_a_repository_on_another_server_is_named_with_it() -> None:
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "octo/app",
        "GITHUB_SERVER_URL": "https://git.corp",
    }
    github = link_environment(environ)["github"]
    assert isinstance(github, dict)
    assert github["repository"] == "https://git.corp/octo/app"


@pytest.mark.parametrize(
    ("shell", "command"),
    [
        ("bash", ("bash", "--noprofile", "--norc", "-eo", "pipefail", "/t/it's")),
        ("sh", ("sh", "-e", "/t/it's")),
        ("perl -w {0}", ("perl", "-w", "/t/it's")),
    ],
)
def test_the_path_of_a_script_is_one_word(shell: str, command: tuple[str, ...]) -> None:
    assert script_command(shell, "/t/it's") == command


@pytest.mark.parametrize("shell", ["fish", "cmd", "perl '{0}", ""])
def test_a_shell_that_github_does_not_know_is_refused(shell: str) -> None:
    with pytest.raises(Misused):
        script_command(shell, "/t/s")
