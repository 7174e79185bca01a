"""Where a Link header says that a list goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.reason import Malformed
from intoto_action.store.pages import next_page


@pytest.mark.parametrize(
    "header",
    [
        '</2>; rel="next"',
        "</2>; rel=next",
        "</2>;rel=NEXT",
        '</2>; REL="Next"',
        '</2> ; rel = "next"',
        '</2>; rel="next prev"',
        '</2>; rel="prev  next"',
        '</2>; title="x"; rel="next"',
        '</2>; rel="next"; title="x"',
        '</2>; rel="next"; title="a, <b>; rel=\\"prev\\""',
        "</2>; rel=next; title*=UTF-8''%e2%82%ac",
        "</2>; crossorigin; rel=next",
        '</1>; rel="first", </2>; rel="next"',
        '</2>; rel="next", </9>; rel="last"',
        '</2>; rel="next",</2>; rel="next"',
        ', </2>; rel="next", ,',
        '</2>; rel="https://example.com/relation next"',
        '</2>; rel="ne\\xt"',
    ],
)
def test_the_next_page_is_found_however_rfc_8288_lets_it_be_written(header: str) -> None:
    assert next_page(header, "the list") == "/2"


@pytest.mark.parametrize(
    "header",
    ["", " , ", '</1>; rel="prev"', '</x>; title="rel=next"; rel="last"', "</a.css>; rel=preload; as=style"],
)
def test_a_header_that_names_no_next_page_is_the_end(header: str) -> None:
    assert next_page(header, "the list") is None


@pytest.mark.parametrize(
    "header",
    [
        "/2",
        "</2>",
        "<>; rel=next",
        "</2; rel=next",
        "</ 2>; rel=next",
        "</2>; rel='next'",
        '</2>; rel="next',
        '</2>; rel=""',
        "</2>; rel",
        "</2> rel=next",
        "</2>; rel=next;",
        "</2>; rel=prev; rel=next",
        "</2>; rel=next </3>; rel=prev",
        '</2>; rel="next"; anchor="/other"',
        "</2>; rel=next, </3>; rel=next",
        '</1>; rel="prev", nonsense',
        "</2>; rel=next\n",
        '</2>; rel=prev; title="' + "x" * 20_000 + '"',
    ],
)
def test_a_header_that_cannot_be_read_is_said_to_be_so(header: str) -> None:
    with pytest.raises(Malformed, match=r"the list: expected .* Link header"):
        next_page(header, "the list")


@given(st.text(alphabet=st.sampled_from('</2>;, rel="next\\a*'), max_size=60) | st.text(max_size=60))
def test_any_header_is_read_or_malformed(header: str) -> None:
    try:
        found = next_page(header, "the list")
    except Malformed:
        return
    assert found is None or f"<{found}>" in header


@given(
    st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='<>"'),
        min_size=1,
        max_size=30,
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30),
)
def test_a_target_is_read_as_it_was_written_beside_any_title(target: str, title: str) -> None:
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    header = f'</0>; rel=prev; title="{quoted}", <{target}>; title="{quoted}"; rel="next"'
    assert next_page(header, "the list") == target
