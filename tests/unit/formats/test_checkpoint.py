"""A checkpoint is a note with a size and a root hash, and lines of signature; anything else is none."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.checkpoint import LARGEST_CHECKPOINT, NoteSignature, parse_checkpoint
from intoto_action.reason import Malformed

ROOT = base64.b64encode(b"r" * 32).decode()
SIGNATURE = base64.b64encode(b"hintvalue").decode()
NOTE = f"log.test\n12\n{ROOT}\n"
LINE = f"\u2014 log.test {SIGNATURE}\n"


def test_origin_size_root_and_signatures_are_read() -> None:
    found = parse_checkpoint(f"{NOTE}\n{LINE}", "x")
    assert (found.origin, found.size, found.root_hash) == ("log.test", 12, b"r" * 32)
    assert found.signatures == (NoteSignature("log.test", b"hint", b"value"),)


def test_the_signatures_are_over_the_note_with_its_last_newline_and_no_more() -> None:
    assert parse_checkpoint(f"{NOTE}\n{LINE}", "x").signed == NOTE.encode()


def test_other_lines_of_the_note_are_signed_too() -> None:
    note = f"{NOTE}Timestamp: 1679349379012118479\n"
    assert parse_checkpoint(f"{note}\n{LINE}", "x").signed == note.encode()


def test_witnesses_sign_the_same_note() -> None:
    witness = LINE.replace("log.test", "witness")
    names = [each.name for each in parse_checkpoint(f"{NOTE}\n{witness}{LINE}", "x").signatures]
    assert names == ["witness", "log.test"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "one empty line"),
        (NOTE, "one empty line"),
        (f"{NOTE}\n{LINE}\n\n", "one empty line"),
        (f"{NOTE}\n", "lines of signature"),
        (f"{NOTE}\n{LINE}x", "lines of signature"),
        (f"{NOTE}\n{LINE}\n", "one empty line"),
        (f"{NOTE}\n{LINE[:-1]}", "lines of signature"),
        (f"{NOTE}\n- log.test {SIGNATURE}\n", "lines of signature"),
        (f"{NOTE}\n\u2014 log.test =\n", "base64"),
        (f"log.test\n{ROOT}\n\n{LINE}", "lines with origin"),
        (f"log.test\n12\n\n{LINE}", "lines with origin"),
        (f"\n12\n{ROOT}\n\n{LINE}", "lines with origin"),
        (f"log.test\n0x12\n{ROOT}\n\n{LINE}", "decimal digits"),
        (f"log.test\n-1\n{ROOT}\n\n{LINE}", "decimal digits"),
        (f"log.test\n012\n{ROOT}\n\n{LINE}", "decimal digits"),
        (f"log.test\n1_2\n{ROOT}\n\n{LINE}", "decimal digits"),
        (f"log.test\n12\n%%\n\n{LINE}", "base64"),
        (f" \u2003\n12\n{ROOT}\n\n{LINE}", "lines with origin"),
        (f"{NOTE}\n{LINE}\u2014 witness AAAA\n", "a signature after 4 bytes of hint"),
        (f"{NOTE}\n{LINE}\u2014 witness aGludA==\n", "a signature after 4 bytes of hint"),
        *(
            (f"{NOTE}\n\u2014 log{each}test {SIGNATURE}\n", "lines of signature")
            for each in "\t\xa0\u2028\r+"
        ),
        (f"log.test\ud800\n12\n{ROOT}\n\n{LINE}", "UTF-8"),
        (f"log.test\n12\n{ROOT}\n{'x' * LARGEST_CHECKPOINT}\n\n{LINE}", "at most"),
    ],
)
def test_what_is_no_checkpoint_is_said_to_be_none(text: str, expected: str) -> None:
    with pytest.raises(Malformed, match=expected):
        parse_checkpoint(text, "x")


@given(st.text())
def test_any_text_is_a_checkpoint_or_malformed(text: str) -> None:
    for each in (text, f"{NOTE}\n{text}", f"{text}\n\n{LINE}"):
        try:
            assert parse_checkpoint(each, "x").signed
        except Malformed as error:
            assert error.where == "x, checkpoint"
