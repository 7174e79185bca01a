import subprocess
from pathlib import Path

import pytest
from make.cache import CHECKOUT


@pytest.fixture(scope="session")
def committed() -> list[Path]:
    """The text files that are in the repository or would be with the next commit."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = (CHECKOUT / name for name in listed.split("\0") if name)
    texts = [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]
    assert CHECKOUT / "pyproject.toml" in texts
    return texts
