"""`inspect source` as a process, as a stock verifier starts it in the directory of the links."""

import pytest
from tests.parts.chain import SOURCE
from tests.parts.desk import Desk, run


def test_the_words_of_the_layout_are_the_words_of_the_command(desk: Desk) -> None:
    ended = run(*SOURCE[1:], cwd=desk.directory / "links")
    assert (ended.code, ended.out) == (0, "3 links come from https://github.com/octo/app\n")


def test_links_from_elsewhere_are_1(desk: Desk) -> None:
    words = ("inspect", "source", "--repository", "https://github.com/octo/other", "--link-dir", "links")
    ended = desk.run(*words)
    assert ended.code == 1
    assert ended.err.count("denied: source-mismatch") == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--repository", "octo"), 2),
        (("--repository", "https://github.com/octo/app", "--ref", "main"), 2),
        (("--repository", "https://github.com/octo/app", "--link-dir", "nowhere"), 2),
        (("--repository", "https://github.com/octo/app", "--link-dir", "images"), 1),
    ],
)
def test_anything_else_is_no_pass(words: tuple[str, ...], code: int, desk: Desk) -> None:
    assert desk.run("inspect", "source", *words).code == code
