"""How many deletions pass within a day: five always, more only up to a fifth of what is to come."""

import datetime as dt

import pytest

from shared.domain import guard
from shared.domain.connection import Taken
from tests.unit.domain.builders import NOW

HOUR = dt.timedelta(hours=1)


def spread(*numbers: int, every: dt.timedelta = HOUR) -> Taken:
    """As many deletions as said, one number after the other, the last of them now."""
    taken = Taken()
    for place, number in enumerate(numbers):
        taken = guard.add(taken, number, NOW - every * (len(numbers) - 1 - place))
    return taken


# --- the numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "taken", "upcoming", "passes"),
    [
        (1, 0, 0, True),
        (5, 0, 0, True),
        (5, 0, 5, True),
        (6, 0, 0, False),
        (6, 0, 29, False),
        (6, 0, 30, True),
        (7, 0, 30, False),
        (7, 0, 34, False),
        (7, 0, 35, True),
        (41, 0, 58, False),
        (11, 0, 58, True),
        (12, 0, 58, False),
        (200, 0, 1000, True),
        (201, 0, 1000, False),
        (0, 400, 0, False),
    ],
)
def test_five_always_pass_and_a_fifth_of_what_is_to_come(wanted: int, taken: int, upcoming: int, passes: bool) -> None:
    assert guard.lets_through(wanted, taken, upcoming) == passes


@pytest.mark.parametrize(
    ("wanted", "taken", "upcoming", "passes"),
    [
        (2, 3, 10, True),
        (3, 3, 10, False),
        (1, 5, 24, False),
        (1, 5, 25, True),
        (10, 10, 90, True),
        (11, 10, 90, False),
    ],
    ids=str,
)
def test_what_went_within_the_day_counts_and_was_among_what_was_to_come(
    wanted: int, taken: int, upcoming: int, passes: bool
) -> None:
    assert guard.lets_through(wanted, taken, upcoming) == passes


def test_a_fifth_is_a_fifth_in_every_size() -> None:
    """No number is off by one because of a fraction that a computer cannot hold."""
    for upcoming in range(5_000):
        fifth = max(upcoming // 5, guard.FREE)
        assert guard.lets_through(fifth, 0, upcoming)
        assert not guard.lets_through(fifth + 1, 0, upcoming)


@pytest.mark.parametrize("upcoming", [0, 10, 25, 100, 1_000])
def test_one_by_one_no_more_pass_than_at_once(upcoming: int) -> None:
    """Dribbling: deletions that come singly, each in a run of its own, add up."""
    at_once = max(number for number in range(upcoming + 10) if guard.lets_through(number, 0, upcoming))
    left, passed = upcoming, 0
    while passed < upcoming + 10 and guard.lets_through(1, passed, left):
        left, passed = max(left - 1, 0), passed + 1
    assert passed == at_once


# --- the trailing day ------------------------------------------------------------------------------------------------


def test_nothing_was_taken_in_the_beginning() -> None:
    assert guard.count(Taken(), NOW) == 0


def test_what_was_taken_adds_up_within_an_hour_and_over_hours() -> None:
    assert guard.count(spread(2, 3, every=dt.timedelta(minutes=1)), NOW) == 5
    assert guard.count(spread(2, 3, 4), NOW) == 9


@pytest.mark.parametrize(
    ("later", "counts"),
    [
        (dt.timedelta(0), True),
        (dt.timedelta(hours=23, minutes=59), True),
        (dt.timedelta(hours=24), True),
        (dt.timedelta(hours=24, minutes=59), True),
        (dt.timedelta(hours=25), False),
        (dt.timedelta(days=3), False),
    ],
)
def test_a_day_is_trailing_and_an_hour_counts_as_a_whole(later: dt.timedelta, counts: bool) -> None:
    """An hour too long rather than too short: NOW is on the hour."""
    assert guard.count(spread(4), NOW + later) == (4 if counts else 0)


def test_a_day_never_ends_early_in_mid_hour() -> None:
    late = NOW + dt.timedelta(minutes=59)
    assert guard.count(guard.add(Taken(), 4, late), late + dt.timedelta(hours=24)) == 4


def test_midnight_is_no_new_day() -> None:
    night = NOW.replace(hour=23, minute=50)
    assert guard.count(guard.add(Taken(), 5, night), night + dt.timedelta(minutes=20)) == 5


def test_hours_that_no_longer_count_are_not_kept() -> None:
    taken = guard.add(spread(1, 1, 1, every=dt.timedelta(hours=12)), 1, NOW + dt.timedelta(hours=13))
    assert guard.count(taken, NOW + dt.timedelta(hours=13)) == len(taken.hours) == 2


def test_the_zone_of_the_clock_does_not_matter() -> None:
    there = NOW.astimezone(dt.timezone(dt.timedelta(hours=9)))
    assert guard.add(Taken(), 2, there) == guard.add(Taken(), 2, NOW)
    assert guard.count(guard.add(Taken(), 2, NOW), there) == 2


def test_dribbling_over_a_day_is_held_and_free_again_the_day_after() -> None:
    """One an hour: the sixth would be held, and the day after the first five are forgotten one by one."""
    taken, passed = Taken(), []
    for hour in range(48):
        now = NOW + HOUR * hour
        if guard.lets_through(1, guard.count(taken, now), 0):
            taken = guard.add(taken, 1, now)
            passed.append(hour)
    assert passed == [0, 1, 2, 3, 4, 25, 26, 27, 28, 29]
