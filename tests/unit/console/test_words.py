"""Times in people's words."""

import datetime as dt

import pytest

from shared.console.words import ago, day, lasting

NOW = dt.datetime(2026, 6, 5, 14, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (dt.timedelta(seconds=-5), "just now"),
        (dt.timedelta(seconds=59), "just now"),
        (dt.timedelta(minutes=1), "1 minute ago"),
        (dt.timedelta(minutes=59), "59 minutes ago"),
        (dt.timedelta(hours=1), "1 hour ago"),
        (dt.timedelta(hours=23, minutes=59), "23 hours ago"),
        (dt.timedelta(days=1), "1 day ago"),
        (dt.timedelta(days=40), "40 days ago"),
    ],
)
def test_the_largest_whole_unit_is_told(passed: dt.timedelta, words: str) -> None:
    assert ago(NOW - passed, NOW) == words


@pytest.mark.parametrize(
    ("minutes", "words"), [(1, "1 minute"), (10, "10 minutes"), (60, "1 hour"), (90, "90 minutes"), (1440, "1 day")]
)
def test_what_one_has_to_wait_is_told_to_the_minute(minutes: int, words: str) -> None:
    assert lasting(minutes) == words


def test_a_day_is_told_in_utc() -> None:
    assert day(NOW) == "5 June 2026, 14:05 UTC"
    assert day(dt.datetime(2026, 6, 5, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))) == "4 June 2026, 22:30 UTC"
