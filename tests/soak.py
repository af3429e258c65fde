"""How much of what there is to try is tried: a spread of it in `make test`, all of it in `make soak`.

`make soak` sets ``SOAK=1`` and runs the tests that are marked so: those that ask here, and those that are `spread`.
"""

import itertools
import os
from collections.abc import Sequence
from typing import Any

import pytest

SOAKING = os.environ.get("SOAK") == "1"

# For tests that try more in `make soak` than in `make test`.
soaks = pytest.mark.soak


def spread(test: Any) -> Any:
    """For tests with several parameters: in `make test` each value of each occurs, in `make soak` all combinations."""
    return pytest.mark.spread(pytest.mark.soak(test))


def few(test: Any) -> Any:
    """For tests with many parameters of a kind: in `make test` every other case, in `make soak` all."""
    return pytest.mark.few(pytest.mark.soak(test))


def leisurely(test: Any) -> Any:
    """For tests that only `make soak` runs: what they find out others do as well, with less of the whole in motion."""
    return pytest.mark.leisurely(pytest.mark.soak(test))


def covering(*axes: Sequence[Any], together: int = 1) -> list[Any]:
    """Cases for `parametrize`: one value of each axis; soaking, every combination.

    Otherwise as few as it takes for each value to occur; or, `together` two, for each two values of different axes to
    meet. Most faults show where two things meet: D. R. Kuhn et al., "Software fault interactions and implications for
    software testing", IEEE Transactions on Software Engineering 30(6), 2004.
    """
    every = list(itertools.product(*axes))
    if SOAKING:
        return every if len(axes) > 1 else [one for (one,) in every]
    places = _cover([*itertools.product(*(range(len(axis)) for axis in axes))], together)
    chosen = [tuple(axis[place] for axis, place in zip(axes, case, strict=True)) for case in places]
    return chosen if len(axes) > 1 else [one for (one,) in chosen]


def deselected(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Those that are left for `make soak`: the leisurely, and of those that are `spread` or `few` some cases."""
    if SOAKING:
        return []
    left = [item for item in items if item.get_closest_marker("leisurely") is not None]
    of_few: dict[str, list[pytest.Item]] = {}
    families: dict[str, dict[tuple[int, ...], pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("few") is not None:
            of_few.setdefault(item.nodeid.partition("[")[0], []).append(item)
        if isinstance(item, pytest.Function) and item.get_closest_marker("spread") is not None:
            places = tuple(place for _, place in sorted(item.callspec.indices.items()))
            families.setdefault(item.nodeid.partition("[")[0], {})[places] = item
    left += [item for cases in of_few.values() for item in cases[1::2]]
    return left + [family[case] for family in families.values() for case in family.keys() - set(_cover([*family], 1))]


def _cover(cases: Sequence[tuple[int, ...]], together: int) -> list[tuple[int, ...]]:
    """As few of the cases as it takes for each `together` values to occur in one of them; greedily."""

    def meetings(case: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
        return set(itertools.combinations(enumerate(case), together))

    left = set().union(*map(meetings, cases))
    chosen = []
    while left:
        best = max(cases, key=lambda case: len(meetings(case) & left))
        left -= meetings(best)
        chosen.append(best)
    return chosen


def points(number: int, every: int = 4) -> list[int]:
    """Of the points 1 to `number` at which a process may die: the first, the last and some between; soaking, all."""
    if SOAKING:
        return list(range(1, number + 1))
    return sorted({1, number, *range(2, number, every)})
