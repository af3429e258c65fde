"""Time zones: which are known, which mean the same, and which show the same clock, whatever they are called."""

import datetime as dt
from zoneinfo import available_timezones

import pytest

from shared.domain import zones
from shared.domain.errors import Park
from shared.domain.reasons import Reason
from shared.domain.zones import canonical, differ, info, known

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
        ("W. Europe Standard Time", "Europe/Berlin", False),  # As Outlook says it.
        ("GMT Standard Time", "UTC", True),  # It is London's, and has a summer.
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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (" Europe/Berlin ", "Europe/Berlin"),
        ("Europe/Oslo", "Europe/Oslo"),  # An alias stays: who lives there does not want to read Berlin.
        ("Europe/Kiev", "Europe/Kiev"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("UTC", "UTC"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Eastern Standard Time", "America/New_York"),
        ("Nepal Standard Time", "Asia/Katmandu"),  # The list of names for Windows has the older ones.
    ],
)
def test_a_known_zone_has_an_iana_name(name: str, expected: str) -> None:
    assert known(name) == expected
    assert info(name).key == expected


@pytest.mark.parametrize(
    "name",
    ["Europe/Nowhere", "", " ", "Europe", "europe/berlin", "GMT+02:00", "CEST", "../etc/passwd", "a\0b", "x" * 999],
)
def test_an_unknown_zone_is_parked_and_named_at_no_great_length(name: str) -> None:
    for ask in (known, canonical, info):
        with pytest.raises(Park) as parked:
            ask(name)
        assert (parked.value.reason, parked.value.field) == (Reason.INVALID, "time_zone")
        assert name.strip()[:60] in parked.value.detail
        assert len(parked.value.detail) < 100


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Europe/Kyiv", "Europe/Kiev", True),
        ("Asia/Kolkata", "Asia/Calcutta", True),
        ("America/New_York", "US/Eastern", True),
        ("America/New_York", "Eastern Standard Time", True),
        ("Etc/UTC", "UTC", True),
        ("Etc/UTC", "Zulu", True),
        ("Europe/Berlin", "Europe/Paris", False),
        ("Asia/Kolkata", "Asia/Colombo", False),
    ],
)
def test_aliases_of_a_zone_are_one_zone_and_neighbours_are_not(one: str, other: str, *, same: bool) -> None:
    assert (canonical(one) == canonical(other)) == same


def test_every_name_of_the_data_base_can_be_loaded_and_has_a_canonical_name_of_its_own() -> None:
    names = available_timezones() - {"localtime"}
    assert len(names) > 500
    assert {canonical(canonical(name)) == canonical(name) for name in names} == {True}
    assert {info(name).key == name for name in names} == {True}
    assert len({canonical(name) for name in names}) < len(names)


def test_times_are_said_by_the_clock_of_a_zone_and_in_utc_where_it_is_not_known() -> None:
    at = dt.datetime(2026, 3, 29, 0, 30, tzinfo=dt.UTC)
    later = dt.datetime(2026, 3, 29, 1, 30, 15, tzinfo=dt.UTC)
    assert zones.span(at, later, "Europe/Berlin") == "2026-03-29 01:30 to 2026-03-29 03:30:15 Europe/Berlin"
    assert [zones.local(at, zone) for zone in ("", "Mars/Olympus")] == ["2026-03-29 00:30 UTC"] * 2
