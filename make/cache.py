"""The user's cache directory, and things in it that are made once, whole, by one process at a time."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build"
"""What make keeps in the checkout; `make clean` removes it."""

_COMPLETE = ".complete"


def cache_directory() -> Path:
    """The directory for what is shared between checkouts, made if missing.

    $XDG_CACHE_HOME/intoto-action, else ~/.cache/intoto-action, as the XDG base directory specification says;
    where that cannot be written (no home, a read-only one), build/cache in the checkout.
    """
    for base in _bases():
        directory = base / "intoto-action"
        with contextlib.suppress(OSError):
            directory.mkdir(parents=True, exist_ok=True)
            if os.access(directory, os.W_OK | os.X_OK):
                return directory
    directory = BUILD / "cache"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _bases() -> Iterator[Path]:
    named = os.environ.get("XDG_CACHE_HOME", "")
    if named.startswith("/"):  # the specification: a relative path is ignored
        yield Path(named)
    with contextlib.suppress(RuntimeError):
        yield Path.home() / ".cache"


def key_of(*parts: str | bytes) -> str:
    """A short name for these parts together: the same parts, the same name."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8) + content)
    return digest.hexdigest()[:20]


def kept(place: Path, fill: Callable[[Path], None], *, what: str) -> Path:
    """Return the directory `place`, filled by `fill` when it is not there yet.

    A mark is written last: without it the directory is half-made (a crash, a full disk) and made again.
    It is filled under its final name because the scripts of a virtual environment hold their own path. One
    process fills it; others wait for that one.
    """
    mark = place / _COMPLETE
    if mark.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with held(place.with_name(place.name + ".lock"), what=what):
        if mark.exists():
            return place
        if place.exists():
            shutil.rmtree(place)
        place.mkdir()
        fill(place)
        mark.touch()
    return place


def is_kept(place: Path) -> bool:
    """Whether `place` is there and was finished."""
    return (place / _COMPLETE).exists()


@contextlib.contextmanager
def held(lock: Path, *, what: str) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it whenever the process ends."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that makes {what} …")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def say(sentence: str) -> None:
    """Tell the person at the terminal; standard output is for results."""
    print(f"make: {sentence}", file=sys.stderr, flush=True)
