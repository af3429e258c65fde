"""Series: which occurrences there are, over the changes of the clock."""

import datetime as dt

import pytest

from shared.domain import zones
from shared.domain.content import AllDay, Timed, repeated
from tests.unit.domain.series import BERLIN, HOUR, NEW_YORK, days, slots, timed


def local_days(when: Timed, zone: str, most: int = 20) -> list[str]:
    """Of occurrences that keep to one time of the day, the local days."""
    starts = [when.at(slot).start.astimezone(zones.info(zone)) for slot in slots(when, most)]
    assert {start.time() for start in starts} == {starts[0].time()}
    return [f"{start:%Y-%m-%d}" for start in starts]


# --- rules -----------------------------------------------------------------------------------------------------------


# The examples of RFC 5545, 3.8.5.3: all at nine in New York.
@pytest.mark.parametrize(
    ("first", "lines", "expected"),
    [
        ("1997-09-02", ["FREQ=DAILY;COUNT=3"], "1997-09-02 1997-09-03 1997-09-04"),
        ("1997-09-02", ["FREQ=DAILY;INTERVAL=10;COUNT=5"], "1997-09-02 1997-09-12 1997-09-22 1997-10-02 1997-10-12"),
        ("1997-09-02", ["FREQ=WEEKLY;COUNT=3"], "1997-09-02 1997-09-09 1997-09-16"),
        ("1997-09-02", ["FREQ=WEEKLY;COUNT=4;WKST=SU;BYDAY=TU,TH"], "1997-09-02 1997-09-04 1997-09-09 1997-09-11"),
        (
            "1997-09-01",
            ["FREQ=WEEKLY;INTERVAL=2;UNTIL=19970930T000000Z;WKST=SU;BYDAY=MO,WE,FR"],
            "1997-09-01 1997-09-03 1997-09-05 1997-09-15 1997-09-17 1997-09-19 1997-09-29",
        ),
        ("1997-09-05", ["FREQ=MONTHLY;COUNT=4;BYDAY=1FR"], "1997-09-05 1997-10-03 1997-11-07 1997-12-05"),
        (
            "1997-09-07",
            ["FREQ=MONTHLY;INTERVAL=2;COUNT=6;BYDAY=1SU,-1SU"],
            "1997-09-07 1997-09-28 1997-11-02 1997-11-30 1998-01-04 1998-01-25",
        ),
        (
            "1997-09-22",
            ["FREQ=MONTHLY;COUNT=6;BYDAY=-2MO"],
            "1997-09-22 1997-10-20 1997-11-17 1997-12-22 1998-01-19 1998-02-16",
        ),
        (
            "1997-09-28",
            ["FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=6"],
            "1997-09-28 1997-10-29 1997-11-28 1997-12-29 1998-01-29 1998-02-26",
        ),
        (
            "1997-09-10",
            ["FREQ=MONTHLY;INTERVAL=18;COUNT=8;BYMONTHDAY=10,11,12,13,14,15"],
            "1997-09-10 1997-09-11 1997-09-12 1997-09-13 1997-09-14 1997-09-15 1999-03-10 1999-03-11",
        ),
        (
            "1997-01-01",
            ["FREQ=YEARLY;INTERVAL=3;COUNT=9;BYYEARDAY=1,100,200"],
            "1997-01-01 1997-04-10 1997-07-19 2000-01-01 2000-04-09 2000-07-18 2003-01-01 2003-04-10 2003-07-19",
        ),
        ("1997-05-19", ["FREQ=YEARLY;BYDAY=20MO;COUNT=3"], "1997-05-19 1998-05-18 1999-05-17"),
        ("1997-05-12", ["FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3"], "1997-05-12 1998-05-11 1999-05-17"),
        ("1997-03-13", ["FREQ=YEARLY;BYMONTH=3;BYDAY=TH;COUNT=4"], "1997-03-13 1997-03-20 1997-03-27 1998-03-05"),
        (
            "1997-09-02",
            [
                "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;UNTIL=20001231T000000Z",
                "EXDATE;TZID=America/New_York:19970902T090000",
            ],
            "1998-02-13 1998-03-13 1998-11-13 1999-08-13 2000-10-13",
        ),
        (
            "1996-11-05",
            ["FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3"],
            "1996-11-05 2000-11-07 2004-11-02",
        ),
        ("1997-09-04", ["FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3"], "1997-09-04 1997-10-07 1997-11-06"),
        (
            "1997-09-29",
            ["FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=5"],
            "1997-09-29 1997-10-30 1997-11-27 1997-12-30 1998-01-29",
        ),
        (
            "1997-08-05",
            ["FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO"],
            "1997-08-05 1997-08-10 1997-08-19 1997-08-24",
        ),
        (
            "1997-08-05",
            ["FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU"],
            "1997-08-05 1997-08-17 1997-08-19 1997-08-31",
        ),
        (
            "2007-01-15",
            ["FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5"],
            "2007-01-15 2007-01-30 2007-02-15 2007-03-15 2007-03-30",
        ),
    ],
)
def test_rules_give_the_days_that_the_standard_says(first: str, lines: list[str], expected: str) -> None:
    lines[0] = f"RRULE:{lines[0]}"
    assert local_days(timed(f"{first} 09:00", *lines, zone=NEW_YORK), NEW_YORK) == expected.split()


@pytest.mark.parametrize(
    ("first", "lines", "expected"),
    [
        # What the rule does not say, the first occurrence says.
        ("2026-01-31", ["RRULE:FREQ=MONTHLY;COUNT=3"], "2026-01-31 2026-03-31 2026-05-31"),
        ("2028-02-29", ["RRULE:FREQ=YEARLY;COUNT=3"], "2028-02-29 2032-02-29 2036-02-29"),
        ("2026-05-20", ["RRULE:FREQ=YEARLY;BYMONTH=3;UNTIL=20280320"], "2026-05-20 2027-03-20 2028-03-20"),
        (
            "2026-05-20",
            ["RRULE:FREQ=YEARLY;BYWEEKNO=1,53;UNTIL=20280105"],
            "2026-05-20 2026-12-30 2027-01-06 2028-01-05",
        ),
        # dateutil by itself would leave out the Mondays that are not the first.
        (
            "2026-06-01",
            ["RRULE:FREQ=MONTHLY;BYDAY=MO,1TU;COUNT=7"],
            "2026-06-01 2026-06-02 2026-06-08 2026-06-15 2026-06-22 2026-06-29 2026-07-06",
        ),
        ("2026-12-28", ["RRULE:FREQ=YEARLY;BYDAY=MO,1FR;COUNT=4"], "2026-12-28 2027-01-01 2027-01-04 2027-01-11"),
        # The place in a week is counted from its start, not from the first occurrence, and over New Year's Eve.
        (
            "2026-05-20",
            ["RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1;UNTIL=20260601"],
            "2026-05-20 2026-05-25 2026-06-01",
        ),
        ("2025-12-27", ["RRULE:FREQ=WEEKLY;BYDAY=WE,SA;BYSETPOS=-1;COUNT=3"], "2025-12-27 2026-01-03 2026-01-10"),
        # Two rules; a day that both give is one.
        (
            "2026-06-01",
            ["RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=DAILY;INTERVAL=10;COUNT=3"],
            "2026-06-01 2026-06-08 2026-06-11 2026-06-15 2026-06-21",
        ),
        # The first occurrence is one, also where the rule gives others.
        ("2026-06-03", ["RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20260615"], "2026-06-03 2026-06-08 2026-06-15"),
        ("2026-06-03", ["RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20260608"], "2026-06-03 2026-06-08"),
        ("2026-06-03", ["RRULE:FREQ=DAILY;UNTIL=20260501"], "2026-06-03"),
        (
            "2026-06-03",
            ["RDATE;VALUE=DATE:20260701,20260615", "RDATE;VALUE=DATE:20260615"],
            "2026-06-03 2026-06-15 2026-07-01",
        ),
        ("2026-06-03", ["RDATE:20260615"], "2026-06-03 2026-06-15"),
        # What is taken out counts for COUNT all the same.
        ("2026-06-01", ["RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20260602,20260604"], "2026-06-01 2026-06-03"),
        ("2026-06-01", ["RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20260601"], "2026-06-02 2026-06-03"),
        (
            "2026-06-01",
            ["RRULE:FREQ=DAILY;COUNT=9", "EXRULE:FREQ=WEEKLY;BYDAY=MO,WE,TH,FR,SA"],
            "2026-06-02 2026-06-07 2026-06-09",
        ),
        ("2026-06-01", ["RRULE:FREQ=DAILY;COUNT=4", "EXRULE:FREQ=DAILY;COUNT=2"], "2026-06-03 2026-06-04"),
        ("2026-06-01", ["RRULE:FREQ=DAILY;COUNT=2", "RDATE:20260609", "EXRULE:FREQ=WEEKLY;BYDAY=TU"], "2026-06-01"),
        ("2026-06-01", ["RDATE:20260609,20260610", "EXDATE:20260609"], "2026-06-01 2026-06-10"),
    ],
)  # fmt: skip
def test_series_of_whole_days(first: str, lines: list[str], expected: str) -> None:
    assert slots(days(first, *lines)) == expected.replace("-", "").split()


def test_several_times_of_one_day() -> None:
    when = timed("2026-05-20 09:00", "RRULE:FREQ=DAILY;BYHOUR=9,14;BYMINUTE=0,30;COUNT=5")
    assert [slot[6:13] for slot in slots(when)] == ["20T0700", "20T0730", "20T1200", "20T1230", "21T0700"]


# --- the clock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "first", "count", "expected"),
    [
        (BERLIN, "2026-03-28 09:00", 3, "20260328T080000Z 20260329T070000Z 20260330T070000Z"),
        (BERLIN, "2026-10-24 09:00", 3, "20261024T070000Z 20261025T080000Z 20261026T080000Z"),
        # In the gap half past two is half past three; of the two half past two it is the first.
        (BERLIN, "2026-03-28 02:30", 3, "20260328T013000Z 20260329T013000Z 20260330T003000Z"),
        (BERLIN, "2026-10-24 02:30", 3, "20261024T003000Z 20261025T003000Z 20261026T013000Z"),
        (NEW_YORK, "2026-03-07 02:30", 3, "20260307T073000Z 20260308T073000Z 20260309T063000Z"),
        (NEW_YORK, "2026-10-31 01:30", 3, "20261031T053000Z 20261101T053000Z 20261102T063000Z"),
        # Half an hour.
        ("Australia/Lord_Howe", "2026-10-03 02:15", 3, "20261002T154500Z 20261003T154500Z 20261004T151500Z"),
        ("Australia/Lord_Howe", "2026-04-04 01:45", 3, "20260403T144500Z 20260404T144500Z 20260405T151500Z"),
        # No change, and a quarter of an hour.
        ("Asia/Kathmandu", "2026-03-28 09:00", 3, "20260328T031500Z 20260329T031500Z 20260330T031500Z"),
        # There was no 30 December: its occurrence falls on the 31st, and is the same as that day's.
        ("Pacific/Apia", "2011-12-28 10:00", 5, "20111228T200000Z 20111229T200000Z 20111230T200000Z 20111231T200000Z"),
        ("UTC", "2026-03-28 02:30", 2, "20260328T023000Z 20260329T023000Z"),
    ],
)
def test_occurrences_keep_to_the_clock_on_the_wall(zone: str, first: str, count: int, expected: str) -> None:
    when = timed(first, f"RRULE:FREQ=DAILY;COUNT={count}", zone=zone)
    assert slots(when) == expected.split()
    assert all(when.has(slot) for slot in expected.split())


def test_a_first_occurrence_in_the_second_of_two_hours_stays_there() -> None:
    when = timed("2026-10-25 02:30", "RRULE:FREQ=DAILY;COUNT=2", fold=1)
    assert slots(when) == ["20261025T013000Z", "20261026T013000Z"]
    first_hour = timed("2026-10-25 02:30", "RRULE:FREQ=DAILY;COUNT=2")
    assert slots(first_hour) == ["20261025T003000Z", "20261026T013000Z"]


def test_what_the_gap_puts_off_is_in_its_place_in_the_order() -> None:
    when = timed("2026-03-29 00:00", "RRULE:FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30;UNTIL=20260329T033000")
    # Two, half past two (skipped: they are three and half past), then three: the same as two.
    assert slots(when) == ["20260328T230000Z", "20260329T010000Z", "20260329T013000Z"]


def test_each_occurrence_lasts_as_long_as_the_first_whatever_the_clock_does() -> None:
    when = timed("2026-03-27 22:00", "RRULE:FREQ=DAILY", lasts=8 * HOUR)
    night = when.at("20260328T210000Z")
    assert (night.end - night.start, night.repeats, night.zone) == (8 * HOUR, False, "")
    assert night.end.astimezone(zones.info(BERLIN)).hour == 7
    assert days("2026-03-28", "RRULE:FREQ=DAILY", lasts=2).at("20260329") == AllDay(
        dt.date(2026, 3, 29), dt.date(2026, 3, 31)
    )


def test_seconds_fractions_do_not_count() -> None:
    start = dt.datetime(2026, 5, 20, 7, 0, 0, 600_000, tzinfo=dt.UTC)
    when = repeated(Timed(start, start + HOUR), ["RRULE:FREQ=DAILY;COUNT=2"], BERLIN)
    assert slots(when) == ["20260520T070000Z", "20260521T070000Z"]
    assert when.at("20260520T070000Z").shown() == "2026-05-20T07:00:00Z/2026-05-20T08:00:00Z"


# --- UNTIL, EXDATE, RDATE: whose time? ------------------------------------------------------------------------------

SUNDAY, MONDAY = "20260329T070000Z", "20260330T070000Z"  # At nine in Berlin, after the change of the clock.


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260330T070000Z", MONDAY),
        ("20260330T065959Z", SUNDAY),
        ("20260330T090000", MONDAY),
        ("20260330T085959", SUNDAY),
        ("20260330", MONDAY),
        ("20260329", SUNDAY),
        ("20260329T235959Z", SUNDAY),
        ("20260330T235959Z", MONDAY),
    ],
)
def test_until_is_inclusive_and_without_a_zone_it_is_local(until: str, last: str) -> None:
    when = timed("2026-03-27 09:00", f"RRULE:FREQ=DAILY;UNTIL={until}")
    assert slots(when)[-1] == last
    assert when.ends_at == when.at(last).end
    assert when.shown() == timed("2026-03-27 09:00", f"RRULE:FREQ=DAILY;UNTIL={last}").shown()


@pytest.mark.parametrize("name", ["EXDATE", "RDATE"])
@pytest.mark.parametrize(
    "line",
    [
        ":20260330T070000Z",
        ":20260330T090000",
        ";TZID=Europe/Berlin:20260330T090000",
        ";TZID=America/New_York:20260330T030000",
        ";TZID=W. Europe Standard Time:20260330T090000",
        ';tzid="Europe/Berlin";value=date-time:20260330t090000',
        ";VALUE=DATE-TIME;TZID=Asia/Kathmandu:20260330T070000Z",
    ],
)
def test_dates_are_understood_in_their_own_zone(name: str, line: str) -> None:
    rule = "RRULE:FREQ=DAILY;COUNT=4" if name == "EXDATE" else "RRULE:FREQ=DAILY;COUNT=3"
    when = timed("2026-03-27 09:00", rule, name + line)
    assert (MONDAY in slots(when)) == (name == "RDATE")
    assert when.has(MONDAY) == (name == "RDATE")
    assert len(slots(when)) == (4 if name == "RDATE" else 3)


def test_a_date_that_the_clock_skips_takes_out_what_was_put_off() -> None:
    when = timed("2026-03-28 02:30", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=Europe/Berlin:20260329T023000")
    assert slots(when) == ["20260328T013000Z", "20260330T003000Z"]
