"""Where somebody is connected already."""

from collections.abc import Iterator

import pytest

from tests.functions.deployed import Deployed, House


@pytest.fixture(scope="module")
def standing(deployed: Deployed) -> Iterator[House]:
    """Where Ann is connected already, for tests that change nothing that another one looks at."""
    made = House(deployed)
    made.join("ann")
    yield made
    deployed.calm()
