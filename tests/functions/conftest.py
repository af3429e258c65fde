"""One stack for the session, and a studio of its own for each test that wants one."""

from collections.abc import Iterator

import pytest

from local.firestore_emulator import EmulatorMissingError
from local.stack import Stack
from tests.functions.deployed import Deployed, House


@pytest.fixture(scope="session")
def deployed() -> Iterator[Deployed]:
    """One stack for the session; without an emulator the session ends, saying how to install it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
        stack = Stack(tick_seconds=None)
        try:
            stack.__enter__()
        except EmulatorMissingError as missing:
            pytest.exit(str(missing), returncode=2)
    made = Deployed(stack)
    # Nothing waits long for a second attempt here.
    stack.google.push.retry_delay = 0.2
    yield made
    stack.__exit__(None, None, None)


@pytest.fixture(scope="module")
def standing(deployed: Deployed) -> Iterator[House]:
    """Where Ann is connected already, for tests that change nothing that another one looks at."""
    made = House(deployed)
    made.join("ann")
    yield made
    deployed.calm()


@pytest.fixture
def house(deployed: Deployed) -> Iterator[House]:
    yield House(deployed)
    deployed.calm()
