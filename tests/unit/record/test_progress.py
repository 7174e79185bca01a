"""The bar for what takes longer than a second."""

import sys
import time

import pytest

from intoto_action.cli.progress import bar


def test_what_is_quick_shows_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    show = bar("materials", 2)
    show(1, 10)
    show(1, 10)
    assert capsys.readouterr().err == ""


def test_what_takes_longer_is_shown_and_wiped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    show = bar("materials", 2)
    later = time.monotonic() + 5
    monkeypatch.setattr(time, "monotonic", lambda: later)
    show(1, 10)
    assert "materials: 1 of 2 files hashed" in capsys.readouterr().err
    show(1, 10)
    assert capsys.readouterr().err == "\r\x1b[K"


def test_nothing_is_shown_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    show = bar("materials", 2)
    later = time.monotonic() + 5
    monkeypatch.setattr(time, "monotonic", lambda: later)
    show(1, 10)
    assert capsys.readouterr().err == ""
