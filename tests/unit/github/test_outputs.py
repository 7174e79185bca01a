"""The runner's file of outputs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.github.outputs import append_outputs, parse_outputs
from intoto_action.reason import Malformed, Misused

NAMES = st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True)
VALUES = (
    st.text()
    .map(lambda text: text.replace("\r\n", "\n").removesuffix("\r"))  # the runner reads \r\n as one line end
    .filter(lambda text: text.isascii() or text.isprintable())
)


@given(st.dictionaries(NAMES, VALUES))
def test_what_is_written_is_read_again(outputs: dict[str, str]) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        append_outputs({"GITHUB_OUTPUT": file.name}, outputs)
        assert parse_outputs(Path(file.name).read_bytes(), "outputs") == outputs


@given(st.binary() | st.text(alphabet="a=<\nE\r", max_size=40).map(str.encode))
def test_any_file_is_outputs_or_a_sentence(raw: bytes) -> None:
    try:
        found = parse_outputs(raw, "outputs")
    except Malformed:
        return
    assert all(found)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", {}),
        (b"a=1\n", {"a": "1"}),
        (b"a=b=c\n\nd=\n", {"a": "b=c", "d": ""}),
        (b"a=x<<y\n", {"a": "x<<y"}),
        (b"a<<E\nx=1\n\ny\nE\nb=2", {"a": "x=1\n\ny", "b": "2"}),
        (b"a=1\na=2\n", {"a": "2"}),
        (b"\xef\xbb\xbfa=1\r\nb=2\r\n", {"a": "1", "b": "2"}),
    ],
)
def test_lines_and_heredocs_are_read_as_the_runner_reads_them(raw: bytes, found: dict[str, str]) -> None:
    assert parse_outputs(raw, "outputs") == found


@pytest.mark.parametrize("raw", [b"a", b"=1", b"<<E\nx\nE", b"a<<\nx\n", b"a<<E\nx\n", b"\xff=1"])
def test_what_the_runner_refuses_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_outputs(raw, "outputs")


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="cannot be written"):
        append_outputs({"GITHUB_OUTPUT": str(tmp_path)}, {"a": "1"})
    with pytest.raises(Misused, match="found none"):
        append_outputs({}, {"a": "1"})
