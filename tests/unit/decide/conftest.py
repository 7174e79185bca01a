import pytest
from tests.parts.chain import Chain


@pytest.fixture
def chain() -> Chain:
    return Chain()
