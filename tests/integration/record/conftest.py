from pathlib import Path

import pytest
from tests.parts.recording import Recorder


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)
