"""The container action and the composite actions make the same words of the same inputs, or refuse them alike."""

import os
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from make.cache import CHECKOUT

from intoto_action.cli.container_action import ATTACH, INPUTS, VERIFY, argv, checked
from intoto_action.reason import Misused
from intoto_action.render.sentences import anchor

INPUTS_OF = {"attach": ATTACH, "verify": VERIFY}
_WORDS = st.sampled_from(
    [
        *(
            "",
            "",
            "true",
            "false",
            "fail",
            "warn",
            "auto",
            "a",
            "a\nb",
            "a\r\n\r\nb\n",
            " \t\n x ",
            "--no-verify",
        ),
        *(
            "-----BEGIN A-----\nx\n-----END A-----\ny",
            "-----BEGIN A-----\n\nx",
            "é$(x)`y`'\"",
            "*",
            "\\n",
            "a\rb\r",
        ),
    ]
) | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs")), max_size=12)


@st.composite
def inputs(draw: st.DrawFn) -> Mapping[str, str]:
    verb = draw(st.sampled_from(["attach", "verify"]))
    mine = INPUTS_OF[verb]
    chosen = {name: draw(_WORDS) for name in draw(st.sets(st.sampled_from(mine)))}
    for name in {"keyless", "rehearse", "allow-public-log", "other-runs", "on-deny"} & chosen.keys():
        if draw(st.booleans()):  # or hardly any would be told apart from what is refused
            chosen[name] = ""
    return dict.fromkeys(INPUTS, "") | chosen | {"verb": verb}


@cache
def place() -> Path:
    """Something that prints its words, and a cosign, as there is in the image."""
    folder = Path(mkdtemp(prefix="words-"))
    for name, text in (("python", "printf '%s\\0' \"$@\""), ("cosign", "exit 1")):
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def of_the_composite(given: Mapping[str, str]) -> tuple[int, list[str], str]:
    """The words that attach.sh or verify.sh starts Python with, or the sentence that it refuses them with."""
    verb = given["verb"]
    environ = {
        "PATH": "/usr/bin:/bin",
        "GITHUB_WORKSPACE": "/",
        "INTOTO_ACTION_PYTHON": str(place() / "python"),
        "INTOTO_ACTION_COSIGN": str(place() / "cosign"),
        "INTOTO_ACTION_SIGNING_KEY": given["key"],
        "INTOTO_ACTION_SIGNING_KEY_PASSWORD": given["key-password"],
    }
    for name in INPUTS_OF[verb]:
        environ[f"INTOTO_ACTION_{verb.upper()}_{name.upper().replace('-', '_')}"] = given[name]
    environ["INTOTO_ACTION_ATTACH_LINK_DIR"] = given["link-dir"] or "/temp/in-toto/links"
    done = subprocess.run(
        ["/bin/bash", "-p", CHECKOUT / verb / f"{verb}.sh"],
        env={os.fsencode(name): value.encode() for name, value in environ.items()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    told = done.stdout.decode()
    sentence = re.search(r"^::error title=[^:]*::(.*)$", told, re.MULTILINE)
    return done.returncode, told.split("\0")[:-1], sentence[1] if sentence else ""


@settings(max_examples=int(os.environ.get("INTOTO_TEST_EXAMPLES", "50")) * 2)
@given(inputs())
@example(dict.fromkeys(INPUTS, "") | {"verb": "attach"})
@example(dict.fromkeys(INPUTS, "") | {"verb": "attach", "keyless": "yes", "key": "k"})
@example(dict.fromkeys(INPUTS, "") | {"verb": "verify", "on-deny": "no"})
def test_the_same_inputs_are_the_same_words_or_the_same_refusal(chosen: Mapping[str, str]) -> None:
    code, composite, sentence = of_the_composite(chosen)
    try:
        words = argv(checked(chosen), {"RUNNER_TEMP": "/temp"})
    except Misused as refused:
        assert (code, sentence) == (2, f"{refused} ({anchor(refused.topic)})")
        return
    assert sentence == ""
    assert composite == ["-I", "-X", "utf8", "-m", "intoto_action", *words]


@pytest.mark.parametrize("verb", ["attach", "verify"])
def test_the_script_reads_no_input_that_the_container_action_does_not_have(verb: str) -> None:
    text = (CHECKOUT / verb / f"{verb}.sh").read_text()
    read = set(re.findall(rf"INTOTO_ACTION_{verb.upper()}_(\w+)", text))
    assert {name.lower().replace("_", "-") for name in read} <= set(INPUTS_OF[verb])
