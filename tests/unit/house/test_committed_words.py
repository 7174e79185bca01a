"""What no committed text says: the host of a package registry (which mirror is the reader's choice), a test off."""

import re
from pathlib import Path

import pytest
from make.cache import CHECKOUT

# Written in parts, or this file would be found by its own search.
HOSTS = [
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("registry", "npmjs", "org"),
        ("crates", "io"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
    )
]
SWITCHED_OFF = re.compile(
    r"mark\.(?:skip|xfail)|pytest\.(?:skip|xfail)\(|importor" + r"skip|NotImplemented" + "Error"
)
UNFINISHED = re.compile(r"(?:#|//)\s*(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")


def found(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(CHECKOUT)}:{number}: {line.strip()[:120]}"
        for path in paths
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("host", HOSTS)
def test_no_committed_text_names_a_package_registry(committed: list[Path], host: str) -> None:
    assert found(re.compile(re.escape(host)), committed) == []


def test_no_test_is_switched_off(committed: list[Path]) -> None:
    here = Path(__file__).resolve()
    python = [path for path in committed if path.suffix == ".py" and path != here]
    assert found(SWITCHED_OFF, python) == []


def test_nothing_is_marked_unfinished(committed: list[Path]) -> None:
    assert (
        found(UNFINISHED, [path for path in committed if path.suffix in {".py", ".go", ".yml", ".toml"}])
        == []
    )


def test_what_is_forbidden_is_found_where_it_is(tmp_path: Path) -> None:
    guilty = CHECKOUT / "build" / f"{tmp_path.name}.py"
    guilty.parent.mkdir(exist_ok=True)
    guilty.write_text(f"# from {HOSTS[0]}\n@pytest.mark.sk" + "ip\n# TO" + "DO\n")
    try:
        assert [len(found(each, [guilty])) for each in (re.compile(HOSTS[0]), SWITCHED_OFF, UNFINISHED)] == [
            1,
            1,
            1,
        ]
    finally:
        guilty.unlink()
