"""Contract suites describe a vendor's behaviour and run on our simulation of it, or on the real thing.

pytest tests/contract                    the simulated Google
make conformance                         the real one; without credentials, says which are needed
"""

from collections.abc import Iterator

import pytest

from tests.contract.google_target import Target, real_target, simulated_target, what_is_missing


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--google",
        choices=("simulated", "real"),
        default="simulated",
        help="which Google the Calendar contract suite talks to",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "open_point: Google documents nothing here; the simulator asserts its choice, the real run prints what it saw",
    )
    # At once, and not as 100 skipped cases: a run that looked at nothing is no conformance.
    if _real(config) and (missing := what_is_missing()):
        pytest.exit(missing, returncode=2)


def _real(config: pytest.Config) -> bool:
    # The default serves where this file is loaded too late for its option to be known.
    return bool(config.getoption("--google", default="simulated") == "real")


@pytest.fixture(scope="module")
def google_targets(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The target that all cases of a module share."""
    with real_target() if _real(request.config) else simulated_target() as target:
        yield target


@pytest.fixture
def google(google_targets: Target) -> Iterator[Target]:
    """The target with a calendar for one case: a new one at the simulator, the given one at the real Google."""
    google_targets.begin()
    yield google_targets
    google_targets.clean_up()
