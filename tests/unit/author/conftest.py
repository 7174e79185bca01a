from __future__ import annotations

from pathlib import Path

import pytest
from tests.parts.draft import NAMES, Draft
from tests.parts.forge import Forge

from intoto_action.keys.keygen import KeyPair, generate


@pytest.fixture(scope="session")
def pairs() -> dict[str, KeyPair]:
    return {name: generate("ed25519", None) for name in NAMES}


@pytest.fixture
def draft(tmp_path: Path, pairs: dict[str, KeyPair]) -> Draft:
    return Draft(tmp_path, pairs)


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge()
