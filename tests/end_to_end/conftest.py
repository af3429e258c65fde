"""Worlds on the real parts; the parts themselves live as long as the test session."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local import wiretap
from local.cloud_tasks import LocalCloudTasks
from local.firestore_emulator import FirestoreEmulator
from local.google.server import GoogleSimulator
from local.oidc import Signer
from local.secret_manager import LocalSecretManager
from tests.end_to_end.deleting import mass_cancelled, mass_deleted
from tests.world import Cloud, World


@pytest.fixture
def tap() -> wiretap.Wiretap:
    """Installed before a world makes its clients, so that every call of theirs is seen; other tests uninstall it."""
    return wiretap.install()


@pytest.fixture(scope="session")
def cloud(emulator: FirestoreEmulator, signer: Signer) -> Iterator[Cloud]:
    with contextlib.ExitStack() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
        google, tasks, secrets = GoogleSimulator(signer), LocalCloudTasks(signer), LocalSecretManager()
        google.behaviour.description_limit = 8192  # As people see it, though Google documents none.
        for part in (google, tasks, secrets):
            part.start()
            running.callback(part.stop)
        yield Cloud(emulator, google, tasks, secrets)


@pytest.fixture
def make_world(cloud: Cloud, tap: wiretap.Wiretap) -> Iterator[Callable[..., World]]:
    """Makes worlds; whatever a test armed or broke is put right after it."""

    def make(**studio: Any) -> World:
        return World(cloud, **studio)

    yield make
    tap.faults.clear()
    tap.disarm()
    cloud.google.clear_faults()
    cloud.google.limit_rate(None)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def held(world: World) -> World:
    """Ann has deleted 7 of 12 in her calendar, and they are held."""
    return mass_deleted(world)


@pytest.fixture
def withheld(world: World) -> World:
    """A front-end has cancelled 4 of 12 and erased 3, and they are held."""
    return mass_cancelled(world)
