"""What tests share: one Firestore emulator per session (per worker, with xdist), and stand-ins of a test's own.

Nothing is cleared between tests: each has a Firestore project of its own, which costs nothing. Tests of what is
deployed share one whole stack, and have a studio of their own in it.
"""

import uuid
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from google.auth import _exponential_backoff
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from local.cloud_tasks import LocalCloudTasks
from local.firestore_emulator import EmulatorMissingError, FirestoreEmulator
from local.oidc import Signer
from local.secret_manager import LocalSecretManager
from local.stack import Stack
from local.triggers import TriggerRelay
from shared.adapters.firestore_store import FirestoreStore
from tests.functions.deployed import FRONT_END, Deployed, House
from tests.soak import deselected


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = deselected(items)
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


pytest_plugins = ("tests.figures",)


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def relay(signer: Signer) -> Iterator[TriggerRelay]:
    """Takes the emulator's triggers. Without a route and a registered trigger it does nothing."""
    made = TriggerRelay(signer)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def emulator(relay: TriggerRelay) -> Iterator[FirestoreEmulator]:
    """Ends the session where no emulator is installed: a green run that tested nothing would say too much."""
    made = FirestoreEmulator(relay.address)
    try:
        made.start()
    except EmulatorMissingError as missing:
        pytest.exit(str(missing), returncode=2)
    relay.fence(made)
    yield made
    made.stop()


@pytest.fixture
def project() -> str:
    """A project id that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def no_pauses_of_google_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries as often as ever where a token endpoint is sick, but does not wait 1 s and 2 s in between."""
    monkeypatch.setattr(_exponential_backoff, "time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture
def firestore_client(
    emulator: FirestoreEmulator, project: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[firestore.Client]:
    """The vendor's client, at an empty database; the environment points at the emulator for the test's time."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
    client = firestore.Client(project=project, credentials=AnonymousCredentials())
    yield client
    client.close()


@pytest.fixture
def store(firestore_client: firestore.Client) -> FirestoreStore:
    return FirestoreStore(firestore_client)


@pytest.fixture
def local_tasks(signer: Signer) -> Iterator[LocalCloudTasks]:
    made = LocalCloudTasks(signer)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def local_secrets() -> Iterator[LocalSecretManager]:
    made = LocalSecretManager()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def deployed() -> Iterator[Deployed]:
    """One stack for the session; without an emulator the session ends, saying how to install it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
        stack = Stack(tick_seconds=None, front_end_origins=[FRONT_END])
        try:
            stack.__enter__()
        except EmulatorMissingError as missing:
            pytest.exit(str(missing), returncode=2)
    made = Deployed(stack)
    # Nothing waits long for a second attempt here.
    stack.google.push.retry_delay = 0.2
    yield made
    stack.__exit__(None, None, None)


@pytest.fixture
def house(deployed: Deployed) -> Iterator[House]:
    """A studio of the test's own."""
    yield House(deployed)
    deployed.calm()
