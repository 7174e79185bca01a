from pathlib import Path

import pytest
from tests.parts.images import SmallImage, add_to_image_directory
from tests.parts.store_contract import Place, StoreContract

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import DirectoryReference
from intoto_action.store.interface import Store
from intoto_action.store.open import open_store


class DirectoryPlace:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, image: SmallImage, tag: str) -> None:
        add_to_image_directory(self._directory, image, tag)

    def reference(self, tag: str | None = None, digest: str | None = None) -> DirectoryReference:
        return DirectoryReference(str(self._directory), tag, digest)

    def store(self) -> Store:
        return open_store(self.reference(), deadline=Deadline(30), environ={})


class TestImageDirectory(StoreContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return DirectoryPlace(tmp_path / "images")
