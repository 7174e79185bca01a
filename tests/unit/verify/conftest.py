from pathlib import Path

import pytest
from tests.parts.attached import Shelf
from tests.parts.forge import Forge


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An image in an image directory of its own; nothing is attached to it."""
    return Shelf(tmp_path / "images")


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge()
