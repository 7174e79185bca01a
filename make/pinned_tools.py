"""The pinned tools of tests/tools, in whatever they are written."""

from pathlib import Path

from make import go_tools, node_tools


def names() -> tuple[str, ...]:
    """All of them."""
    return tuple(sorted((*go_tools.names(), *node_tools.names())))


def build(name: str, *, niceness: int = 0) -> Path:
    """The tool's command, made when this machine has not made it before. Raises MakeError."""
    if name in node_tools.names():
        return node_tools.build(name)
    return go_tools.build(name, niceness=niceness)


def why_missing(name: str) -> str | None:
    """None when `build` has nothing to do or nothing to fetch first; else what is not there."""
    if name in node_tools.names():
        there = node_tools.is_built(name) or node_tools.has_toolchain()
        return None if there else f"{name} is not installed"
    if go_tools.is_built(name) or go_tools.has_toolchain():
        return None
    release = ".".join(str(number) for number in go_tools.needed_release())
    return f"{name} is not built and there is no Go ≥ {release}"
