"""Time zones that show the same clock, whatever they are called."""

import datetime as dt

import pytest

from shared.domain.zones import differ

SUMMER = dt.datetime(2026, 7, 10, 12, 0, tzinfo=dt.UTC)
WINTER = dt.datetime(2026, 1, 10, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize("now", [SUMMER, WINTER], ids=["summer", "winter"])
@pytest.mark.parametrize(
    ("one", "other", "different"),
    [
        ("Europe/Berlin", "Europe/Berlin", False),
        ("Europe/Kyiv", "Europe/Kiev", False),  # Renamed in 2022: Google may still send the old name.
        ("Asia/Kolkata", "Asia/Calcutta", False),
        ("UTC", "Etc/GMT", False),
        ("Europe/Berlin", "Europe/Paris", False),
        ("Europe/Berlin", "Europe/London", True),
        ("America/Phoenix", "America/Denver", True),  # The same in winter only.
        ("America/Phoenix", "America/Los_Angeles", True),  # The same in summer only.
        ("Europe/London", "UTC", True),
        ("Asia/Kolkata", "Asia/Colombo", False),
        ("Asia/Kolkata", "Asia/Kathmandu", True),  # A quarter of an hour.
        ("Pacific/Kiritimati", "Pacific/Honolulu", True),  # The same clock, another day.
    ],
)
def test_zones_differ_where_their_clocks_do_within_a_year(
    one: str, other: str, now: dt.datetime, *, different: bool
) -> None:
    assert differ(one, other, now) == different
    assert differ(other, one, now) == different


@pytest.mark.parametrize("unknown", ["Europe/Nowhere", "", "Europe", "../etc/passwd", "/etc/passwd", "a\0b", "\ud800"])
def test_an_unknown_zone_differs_from_every_other(unknown: str) -> None:
    assert differ(unknown, "Europe/Berlin", SUMMER)
    assert differ("Europe/Berlin", unknown, SUMMER)


def test_daylight_saving_that_two_zones_keep_on_other_days_is_seen() -> None:
    """The same offsets in summer and in winter, with three weeks between their changes."""
    assert differ("Africa/Cairo", "Europe/Athens", WINTER)


@pytest.mark.parametrize("hour", range(24))
def test_the_hour_at_which_it_is_asked_does_not_matter(hour: int) -> None:
    """New York and Havana change their clocks in the same nights, two hours apart."""
    assert not differ("America/New_York", "America/Havana", WINTER.replace(hour=hour, minute=30))
