"""What `system.windows` promises, asked of Windows itself: python -I check_system.py [--wine], in an empty directory.

No test for pytest, which runs on Linux: the self-test runs it on GitHub's Windows. `--wine` leaves out what Wine has
not, links and access lists that stay as they were given.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from intoto_action import system
from intoto_action.cli.main import main
from intoto_action.reason import Misused
from intoto_action.record.digest import digest_file
from intoto_action.record.excludes import Excludes
from intoto_action.record.publish import check_directory
from intoto_action.record.walk import Walker
from intoto_action.store.files import Exists, read_capped, read_plain, write_whole
from intoto_action.store.link_directory import read_links, write_link

if sys.platform != "win32":
    raise SystemExit("this asks Windows, and is not on it")


def _fails(kind: type[BaseException], what: Callable[[], object], number: int | None = None) -> None:
    try:
        what()
    except kind as error:
        if number is not None and getattr(error, "errno", None) != number:
            raise
        return
    raise AssertionError(f"expected {kind.__name__}, found none")


def bytes_are_read_and_written_as_they_are() -> None:
    content = b"one\r\ntwo\n\x1athree\r"
    write_whole(Path("bytes"), content, overwrite=False)
    assert Path("bytes").stat().st_size == len(content)
    assert read_plain(Path("bytes"), 100, "a file") == content
    assert digest_file("bytes", lambda *_: None).hex() == (
        "bd7c700820d57aa17fb0b4487e669b43f597db18637dca664c723ac892655279"
    )


def nobody_writes_to_a_file_that_is_read() -> None:
    Path("shared").write_bytes(b"abc")
    descriptor = system.open_to_read("shared")
    _fails(PermissionError, partial(Path("shared").write_bytes, b"x"))
    os.close(descriptor)
    with Path("shared").open("r+b"):
        _fails(PermissionError, lambda: system.open_to_read("shared"))


def a_child_inherits_no_file() -> None:
    descriptor = system.open_to_read("shared")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def a_name_is_given_once() -> None:
    write_whole(Path("named"), b"first", overwrite=False)
    _fails(Exists, lambda: write_whole(Path("named"), b"second", overwrite=False))
    assert Path("named").read_bytes() == b"first"
    write_whole(Path("named"), b"third", overwrite=True)
    assert Path("named").read_bytes() == b"third"
    assert not list(Path().glob(".intoto-action-*"))


def one_process_has_the_lock() -> None:
    first, second = system.open_to_read("shared"), system.open_to_read("shared")
    system.lock_alone(first)
    _fails(BlockingIOError, lambda: system.lock_alone(second))
    assert os.read(second, 3) == b"abc"
    os.close(first)
    system.lock_alone(second)
    os.close(second)


def what_windows_reads_as_another_file_is_not_opened() -> None:
    for path in (
        "nul",
        "con",
        "shared:hidden",
        "shared.",
        "shared ",
        r"\\.\pipe\x",
        r"\\?\C:\x",
        r"\\server\share\x",
    ):
        _fails(OSError, partial(system.open_to_read, path), errno.EINVAL)
        _fails(OSError, partial(system.open_new, path, 0o644), errno.EINVAL)
    _fails(Misused, lambda: read_capped(Path(), 10, "a directory"))


def a_file_is_recorded_under_the_name_that_its_directory_lists() -> None:
    Path("Sources").mkdir()
    Path("Sources/App.txt").write_bytes(b"x")
    walker = Walker("", Excludes())
    assert walker.files("Sources") == walker.files("S*/*.txt") == ["Sources/App.txt"]
    for other in ("sources", "SOURCES/App.txt", "Sources/app.txt", "SOURCE~1"):
        try:
            assert not walker.files(other), other
        except Misused:
            continue


def nothing_in_a_directory_that_windows_opens_as_another_is_left_out() -> None:
    """`Dist.` beside an empty `Dist`, as WSL or a path past the rules for names can make them."""
    Path("Rewritten/Dist").mkdir(parents=True)
    hidden = Path(f"\\\\?\\{Path('Rewritten').absolute()}\\Dist.")
    hidden.mkdir()
    file = Path(f"{hidden}\\file")
    file.write_bytes(b"x")
    try:
        for pattern in ("Rewritten", "Rewritten/*", "Rewritten/**/file"):
            _fails(Misused, partial(Walker("", Excludes()).files, pattern))
        _fails(Misused, partial(Walker("", Excludes()).below, "Rewritten"))
        assert not Walker("", Excludes(["Dist."])).files("Rewritten")
    finally:  # nothing else could remove them
        file.unlink()
        hidden.rmdir()


def a_directory_on_another_machine_is_not_asked_for() -> None:
    elsewhere = Path(r"\\server\share\links")
    for what in (
        partial(check_directory, elsewhere),
        partial(write_link, elsewhere, "a.link", b"{}", force=False),
        partial(read_links, elsewhere),
    ):
        _fails(Misused, what)


def a_drive_that_is_not_there_is_no_place_for_links() -> None:
    there = [letter for letter in "PQRSTUVW" if not os.path.lexists(f"{letter}:\\")]
    _fails(Misused, partial(check_directory, Path(f"{there[0]}:\\links")))


def a_name_that_no_file_can_have_is_no_link() -> None:
    assert not system.is_link(Path("a|b"))
    assert not system.is_link(Path("missing/file"))


def a_pattern_is_recorded_as_it_was_typed() -> None:
    """click would put the files for `*`, and the value for `$NAME`, in the words of a program of Windows."""
    os.environ["NAME"] = "value"
    words = "record --phase after --step-name s --unsigned --link-dir links --products Sources/*.txt --exclude $NAME"
    sys.argv = ["intoto-action", *words.split()]
    try:
        main()
    except SystemExit as ended:
        assert ended.code == 0, ended.code
    recorded = json.loads(Path("links/s.link-unsigned").read_bytes())["environment"]["recorded"]
    assert (recorded["products"], recorded["exclude"]) == (["Sources/*.txt"], ["$NAME"]), recorded


def a_file_for_its_owner_has_nobody_else_in_its_access_list() -> None:
    write_whole(Path("private"), b"key", mode=0o600, overwrite=False)
    access = _access("private")
    assert access.startswith("D:P"), access
    assert set(re.findall(r"\(.*?\)", access)) == {"(A;;FA;;;OW)", "(A;;FA;;;SY)", "(A;;FA;;;BA)"}, access


def _access(path: str) -> str:
    advapi32 = ctypes.WinDLL("advapi32", use_last_error=True)
    descriptor, words = ctypes.c_void_p(), ctypes.c_wchar_p()
    code = advapi32.GetNamedSecurityInfoW(
        ctypes.c_wchar_p(path), 1, 4, None, None, None, None, ctypes.byref(descriptor)
    )
    assert code == 0, code
    assert advapi32.ConvertSecurityDescriptorToStringSecurityDescriptorW(
        descriptor, 1, 4, ctypes.byref(words), None
    ), ctypes.get_last_error()
    return str(words.value)


def links_are_neither_opened_nor_recorded() -> None:
    Path("real").mkdir()
    Path("real/file").write_bytes(b"x")
    Path("tree").mkdir()
    Path("tree/file").symlink_to(Path("real/file").absolute())
    _junction("tree/junction", "real")
    assert system.is_link(Path("tree/file"))
    assert system.is_link(Path("tree/junction"))
    assert not system.is_link(Path("real"))
    assert not system.is_link(Path("real/file"))
    _fails(OSError, lambda: system.open_to_read("tree/file", follow=False), errno.ELOOP)
    _fails(OSError, lambda: system.open_to_read("tree/junction", follow=False), errno.ELOOP)
    _fails(FileExistsError, lambda: system.open_new("tree/file", 0o600))
    for pattern in ("tree", "tree/file", "tree/junction/file", "tree/*", "**/file"):
        _fails(Misused, partial(Walker("", Excludes()).files, pattern))
    kept = Walker("", Excludes(["/tree"])).files("**/file")
    assert kept == ["real/file"], kept


def a_junction_in_a_circle_ends_nowhere() -> None:
    Path("circle").mkdir()
    _junction("circle/again", "circle")
    _fails(Misused, lambda: Walker("", Excludes()).files("circle"))


def _junction(path: str, target: str) -> None:
    words = ["cmd", "/c", "mklink", "/J", str(Path(path).absolute()), str(Path(target).absolute())]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


ALL: tuple[Callable[[], None], ...] = (
    bytes_are_read_and_written_as_they_are,
    nobody_writes_to_a_file_that_is_read,
    a_child_inherits_no_file,
    a_name_is_given_once,
    one_process_has_the_lock,
    what_windows_reads_as_another_file_is_not_opened,
    a_file_is_recorded_under_the_name_that_its_directory_lists,
    nothing_in_a_directory_that_windows_opens_as_another_is_left_out,
    a_directory_on_another_machine_is_not_asked_for,
    a_drive_that_is_not_there_is_no_place_for_links,
    a_name_that_no_file_can_have_is_no_link,
    a_pattern_is_recorded_as_it_was_typed,
)
NOT_UNDER_WINE: tuple[Callable[[], None], ...] = (
    a_file_for_its_owner_has_nobody_else_in_its_access_list,
    links_are_neither_opened_nor_recorded,
    a_junction_in_a_circle_ends_nowhere,
)

if __name__ == "__main__":
    for check in ALL if "--wine" in sys.argv[1:] else (*ALL, *NOT_UNDER_WINE):
        check()
        print(f"ok {check.__name__.replace('_', ' ')}")
