"""The two modules of the room, of which a system can import one."""

import ast
from pathlib import Path

import pytest

from intoto_action import system

_ROOM = Path(system.__file__).parent


def _signatures(name: str) -> dict[str, str]:
    tree = ast.parse((_ROOM / name).read_text(encoding="utf-8"))
    return {
        each.name: ast.unparse(each.args) + " -> " + ast.unparse(each.returns or ast.Constant(None))
        for each in tree.body
        if isinstance(each, ast.FunctionDef) and each.name in system.__all__
    }


def test_both_systems_have_every_function_in_the_same_shape() -> None:
    ours, theirs = _signatures("posix.py"), _signatures("windows.py")
    assert ours == theirs
    functions = {name for name in system.__all__ if name.islower() and name != "fork"}
    assert functions == set(ours)


def test_the_module_of_windows_says_on_another_system_what_it_is() -> None:
    with pytest.raises(ImportError, match="of Windows"):
        __import__("intoto_action.system.windows")


def test_a_link_is_not_opened_unless_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\r\n\x1a")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="symbolic links"):
        system.open_to_read(tmp_path / "link", follow=False)
