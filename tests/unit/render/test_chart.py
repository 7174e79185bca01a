"""The chain as a picture, whatever its steps and artifacts are called."""

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.verdict import Flow, Signer, StepReport
from intoto_action.render.chart import MOST_FLOWS, MOST_STEPS, chart

BUILD = StepReport("build", ("alice",), 1, (Signer("alice", "build.aaaaaaaa.link"),), "pass")
SCAN = StepReport("scan", ("bob",), 1, (), "deny", (Flow("build", "dist/*"), Flow("build", "log")))
EVIL = '"]|`<b>&{}\n```\n%%{init: {}}%%;\u202e#quot;'


def test_steps_are_nodes_with_who_signed_and_artifacts_are_edges() -> None:
    assert chart([BUILD, SCAN]).splitlines() == [
        "```mermaid",
        "flowchart LR",
        '  s0["✓ build<br>alice"]',
        '  s1["✗ scan<br>signed by nobody"]',
        '  s0 -->|"dist/#42;<br>log"| s1',
        "  classDef pass fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
        "  class s0 pass",
        "  classDef deny fill:#ffebe9,stroke:#cf222e,color:#1f2328",
        "  class s1 deny",
        "```",
    ]


def test_one_signer_of_two_links_is_named_once_and_many_are_counted() -> None:
    signers = tuple(Signer(f"key {number // 2}", "x.link") for number in range(10))
    assert '"✓ build<br>key 0<br>key 1<br>key 2<br>and 2 more"' in chart(
        [msgspec.structs.replace(BUILD, signers=signers)]
    )


def test_a_long_name_keeps_its_end() -> None:
    name = "https://github.com/octo/app/.github/workflows/build.yml@refs/heads/main"
    shown = chart([msgspec.structs.replace(BUILD, signers=(Signer(name, "x.link"),))])
    assert "refs/heads/main" in shown and "#8230;" in shown


def test_what_is_too_much_for_a_picture_is_none() -> None:
    assert chart([]) == ""
    assert chart([BUILD] * MOST_STEPS) != ""
    assert chart([BUILD] * (MOST_STEPS + 1)) == ""
    flows = tuple(Flow("build", str(number)) for number in range(MOST_FLOWS + 1))
    assert chart([BUILD, msgspec.structs.replace(SCAN, receives=flows)]) == ""


def test_a_flow_from_a_step_that_is_not_there_is_left_out() -> None:
    assert "-->" not in chart([msgspec.structs.replace(SCAN, receives=(Flow("nowhere", "x"),))])


@given(st.one_of(st.just(EVIL), st.text(), st.text(st.sampled_from('"]|`<>&{}()#;%\n\r -~'))))
def test_no_name_is_syntax(text: str) -> None:
    step = StepReport(text, (text,), 1, (Signer(text, text),), "deny", (Flow("build", text),))
    lines = chart([BUILD, step]).split("\n")
    assert len(lines) == 10
    assert lines[0] == "```mermaid" and lines[-1] == "```" and not any("`" in line for line in lines[1:-1])
    for line in (lines[3].removeprefix('  s1["✗ ').removesuffix('"]'), lines[4][10:-5]):
        bare = re.sub(r"#\d+;", "", line.replace("<br>", ""))
        assert not re.search(r'["\[\]|<>&{}()#;%\n\r~]', bare), line
