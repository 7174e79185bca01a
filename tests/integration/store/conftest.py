from collections.abc import Iterator

import pytest
from tests.parts.hostile_registry import HostileRegistry


@pytest.fixture
def hostile() -> Iterator[HostileRegistry]:
    with HostileRegistry() as registry:
        yield registry
