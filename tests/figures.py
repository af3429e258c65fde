"""What the tests that try much have tried, and what they found: a table at the end of `make test` and `make soak`.

A figure is counted by the test that has just compared what came out with what should have, so a loss that is found
stands in the table of the failed run. The workers of a parallel run hand theirs to the process that prints.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import pytest

Column = Literal[
    "kill points tried", "faults struck", "schedules tried", "idle runs", "losses found", "duplicates found"
]
COLUMNS: tuple[Column, ...] = (
    "kill points tried", "faults struck", "schedules tried", "idle runs", "losses found", "duplicates found"
)  # fmt: skip
FOUND: frozenset[Column] = frozenset({"losses found", "duplicates found"})
_KEY = "figures"


class Figures:
    """Counts, by group of tests and column."""

    def __init__(self) -> None:
        self.counted: Counter[tuple[str, str]] = Counter()

    def add(self, group: str, column: Column, number: int = 1) -> None:
        self.counted[group, column] += number

    def compare(self, group: str, came: Iterable[Any], expected: Iterable[Any]) -> None:
        """Counts what is missing, and what is there more often than it should be."""
        here, wanted = Counter(map(str, came)), Counter(map(str, expected))
        self.add(group, "losses found", (wanted - here).total())
        self.add(group, "duplicates found", (here - wanted).total())

    def rows(self) -> Iterator[tuple[str, ...]]:
        """As Markdown has them: a head, a line, the groups, and the sum of all.

        A group in which nobody counts what is found has a dash there: a zero would say more than is known.
        """
        yield ("flows", *COLUMNS)
        yield ("---", *(["---:"] * len(COLUMNS)))
        groups = sorted({group for group, _ in self.counted})
        for group in groups:
            yield (group, *(self._shown(group, column) for column in COLUMNS))
        yield ("all", *(f"{sum(self.counted[group, column] for group in groups):,}" for column in COLUMNS))

    def _shown(self, group: str, column: Column) -> str:
        if column in FOUND and (group, column) not in self.counted:
            return "-"
        return f"{self.counted[group, column]:,}"


FIGURES = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    return pytestconfig.stash[FIGURES]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        counted = session.config.stash[FIGURES].counted
        output[_KEY] = [[group, column, number] for (group, column), number in counted.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    for group, column, number in getattr(node, "workeroutput", {}).get(_KEY, ()):
        node.config.stash[FIGURES].add(group, column, number)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash[FIGURES]
    if not figures.counted:
        return
    rows = list(figures.rows())
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    terminalreporter.section("what was tried, and what was found")
    for first, *numbers in rows:
        cells = [first.ljust(widths[0]), *(one.rjust(width) for one, width in zip(numbers, widths[1:], strict=True))]
        terminalreporter.write_line(f"| {' | '.join(cells)} |")
