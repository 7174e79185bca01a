"""Many jobs attach to one image at the same moment, to a registry that ignores If-Match."""

import multiprocessing
from pathlib import Path

import pytest
from tests.parts.bundles import PREDICATE_TYPE
from tests.parts.images import push_image, small_image
from tests.parts.registries import RunningRegistry

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import Reference
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry

PROCESSES = multiprocessing.get_context("spawn")
WRITERS = 8


def open_native(address: str, repository: str, home: str) -> Registry:
    store = open_store(
        Reference(address, repository), deadline=Deadline(120), environ={"HOME": home}, push_with="native"
    )
    assert isinstance(store, Registry)
    return store


def attach(address: str, repository: str, home: str, number: int) -> str:
    store = open_native(address, repository, home)
    image = store.resolve(Reference(address, repository, "1.0"))
    return store.attach(image, b'{"n": %d}' % number, PREDICATE_TYPE).digest


@pytest.mark.needs("docker-registry", "crane")
@pytest.mark.parametrize("name", ["docker_registry", "ghcr_like_registry"])
def test_eight_jobs_that_attach_at_once_are_all_listed(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    registry: RunningRegistry = request.getfixturevalue(name)
    where = (registry.address, "octo/at-once", str(tmp_path))
    store = open_native(*where)
    push_image(store, small_image(), "1.0")
    with PROCESSES.Pool(WRITERS) as pool:
        owns = pool.starmap(attach, [(*where, number) for number in range(WRITERS)])
    listed = {
        each.digest for each in store.referrers(store.resolve(Reference(*where[:2], "1.0"))).descriptors
    }
    assert listed == set(owns)
    assert len(listed) == WRITERS
