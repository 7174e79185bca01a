import pytest
from tests.parts.forge import Forge
from tests.parts.keyless_signer import trust_root

from intoto_action.trust.keyless import TrustRoot


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge()


@pytest.fixture(scope="session")
def sigstore(forge: Forge) -> TrustRoot:
    return trust_root(forge)
