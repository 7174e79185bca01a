"""What is shown: plain in a pipe, no wider than the terminal, commands that can be copied."""

import re
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from intoto_action.demo.stage import Stage
from intoto_action.formats.verdict import DENY, Verdict
from intoto_action.reason import Finding, Reason
from intoto_action.render.text import text

VERDICT = Verdict(
    verdict=DENY,
    reason=Reason.RULE_VIOLATION,
    image="sha256:" + "a" * 64,
    explanation=(
        Finding(
            reason=Reason.RULE_VIOLATION,
            expected="no materials but those that the rules of this step allow, and these are many words",
            found="one",
            artifacts=("src/evil\x1b[2J.py",),
        ),
    ),
)
LETTERS = st.characters(exclude_characters="\0", codec="utf-8")
WORDS = st.lists(
    st.one_of(st.text(LETTERS, max_size=60), st.sampled_from(["--key", "--", "--step-name", "-c"])),
    min_size=1,
)


def _shown(colour: bool, width: int | None) -> tuple[list[str], Stage]:
    lines: list[str] = []
    return lines, Stage(lines.append, colour=colour, width=width)


@given(WORDS, st.one_of(st.none(), st.integers(1, 120)))
def test_a_command_can_be_copied_to_a_shell_however_narrow_the_terminal_is(
    words: list[str], width: int | None
) -> None:
    lines, stage = _shown(False, width)
    stage.command(words)
    copied = "".join(lines).removeprefix("  $ ")
    script = f"printf '%s\\0' {copied}".encode()
    printed = subprocess.run(["sh"], input=script, capture_output=True, check=True, timeout=10).stdout
    assert printed.decode().split("\0")[:-1] == words


def test_a_command_breaks_in_front_of_flags_and_keeps_what_is_run_together() -> None:
    lines, stage = _shown(False, 60)
    words = (
        "intoto-action",
        "record",
        "--step-name",
        "build",
        "--materials",
        "src",
        "--",
        "make",
        "--all",
        "it",
    )
    stage.command(words)
    assert lines == [
        "  $ intoto-action record --step-name build \\\n",
        "    --materials src -- make --all it\n",
    ]


def test_no_line_is_wider_than_the_terminal() -> None:
    lines, stage = _shown(True, 60)
    stage.say("word " * 50)
    stage.output(["word " * 50, "x" * 200])
    stage.document("  - word " + "word " * 50)
    stage.verdict(VERDICT)
    stage.command(("intoto-action", *["--materials", "a" * 30] * 9))
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines) <= 61


def test_a_value_that_is_too_long_goes_on_under_its_value() -> None:
    lines, stage = _shown(False, 60)
    stage.verdict(VERDICT)
    place = next(n for n, line in enumerate(lines) if line.startswith("  expected  "))
    assert lines[place + 1].startswith(" " * 12 + lines[place + 1].strip()[0])


def test_without_colour_there_is_no_escape_code_and_a_verdict_is_what_verify_prints() -> None:
    lines, stage = _shown(False, None)
    stage.headline("h")
    stage.good("g")
    stage.bad("b")
    stage.verdict(VERDICT)
    assert "\x1b" not in "".join(lines)
    assert "".join(lines).endswith(text([VERDICT], colour=False))


def test_with_colour_every_line_ends_without_any() -> None:
    lines, stage = _shown(True, 80)
    stage.headline("h")
    stage.verdict(VERDICT)
    assert any(line.startswith("\x1b[1;31m") for line in lines)
    assert all(line.endswith("\x1b[0m\n") for line in lines if "\x1b" in line)


def test_what_a_command_prints_is_escaped() -> None:
    lines, stage = _shown(False, None)
    stage.output(["\x1b]0;title\x07ok"])
    assert "\x1b" not in lines[0]
    assert "\x07" not in lines[0]
