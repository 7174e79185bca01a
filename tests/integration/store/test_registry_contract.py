import os
import secrets
from pathlib import Path

import pytest
from tests.parts.images import SmallImage, push_image
from tests.parts.registries import RunningRegistry
from tests.parts.store_contract import Place, StoreContract
from tests.parts.tools import tool

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import Reference
from intoto_action.store.interface import Store
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry

REGISTRIES = {
    "ghcr_like_registry": ("crane",),
    "referrers_registry": ("registry",),
    "docker_registry": ("docker-registry",),
    "password_registry": ("docker-registry", "htpasswd"),
    "token_registry": ("docker-registry",),
}


def _variants() -> list[object]:
    return [
        pytest.param(
            (name, push_with),
            id=f"{name}-{push_with}",
            marks=pytest.mark.needs(*needs, *(("cosign",) if push_with == "cosign" else ())),
        )
        for name, needs in REGISTRIES.items()
        for push_with in ("native", "cosign")
    ]


class RegistryPlace:
    def __init__(self, registry: RunningRegistry, push_with: str, home: Path) -> None:
        self._registry = registry
        self._push_with = push_with
        self._repository = f"octo/app-{secrets.token_hex(6)}"
        self._environ = {**os.environ, **registry.environ(home)}
        if push_with == "cosign":
            self._environ["PATH"] = f"{tool('cosign').parent}{os.pathsep}{os.environ['PATH']}"

    def put(self, image: SmallImage, tag: str) -> None:
        store = self.store()
        assert isinstance(store, Registry)
        push_image(store, image, tag)

    def reference(self, tag: str | None = None, digest: str | None = None) -> Reference:
        return Reference(self._registry.address, self._repository, tag, digest)

    def store(self) -> Store:
        return open_store(
            self.reference(), deadline=Deadline(60), environ=self._environ, push_with=self._push_with
        )


class TestRegistry(StoreContract):
    @pytest.fixture(params=_variants())
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
        name, push_with = request.param
        return RegistryPlace(request.getfixturevalue(name), push_with, tmp_path)
