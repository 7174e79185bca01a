from pathlib import Path

import pytest
from tests.parts.desk import Desk, desk_at


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A chain that passes, as files; nothing is attached to its image."""
    return desk_at(tmp_path)


@pytest.fixture
def attached(desk: Desk) -> Desk:
    """The same, with the evidence on the image."""
    desk.shelf.attach(desk.chain.bundle())
    return desk
