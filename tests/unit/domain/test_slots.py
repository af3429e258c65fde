"""Slots: which overlap a time, which a series has, when it ends, and where an occurrence goes when its series moves."""

import datetime as dt
from collections.abc import Sequence

import pytest

from shared.domain import zones
from shared.domain.content import NEVER, AllDay, Timed
from shared.domain.recurrence import original_of, slot_of
from tests.unit.domain.series import ALWAYS, BERLIN, HOUR, NEW_YORK, ONE_DAY, days, timed

# --- how long, and where ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "ends_at"),
    [
        (["RRULE:FREQ=DAILY;COUNT=3"], dt.datetime(2026, 5, 22, 8, tzinfo=dt.UTC)),
        (["RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260522T070000Z"], dt.datetime(2026, 5, 21, 8, tzinfo=dt.UTC)),
        (["RRULE:FREQ=WEEKLY;UNTIL=20271231T000000Z"], dt.datetime(2027, 12, 29, 9, tzinfo=dt.UTC)),
        (["RRULE:FREQ=YEARLY;UNTIL=20390101"], dt.datetime(2038, 5, 20, 8, tzinfo=dt.UTC)),
        (["RRULE:FREQ=DAILY;COUNT=2", "RDATE:20300101T120000Z"], dt.datetime(2030, 1, 1, 13, tzinfo=dt.UTC)),
        (["RDATE:20300101T120000Z", "RDATE:20290101T120000Z"], dt.datetime(2030, 1, 1, 13, tzinfo=dt.UTC)),
        (["RRULE:FREQ=DAILY"], NEVER),
        (["RRULE:FREQ=DAILY;UNTIL=99991231T235959Z"], NEVER),
        (["RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=YEARLY"], NEVER),
    ],
)
def test_a_series_ends_with_its_last_occurrence(lines: Sequence[str], ends_at: dt.datetime) -> None:
    assert timed("2026-05-20 09:00", *lines).ends_at == ends_at


def test_a_series_of_whole_days_ends_when_its_last_day_is_over_everywhere() -> None:
    assert days("2026-05-20", "RRULE:FREQ=DAILY;COUNT=2").ends_at == dt.datetime(2026, 5, 22, 12, tzinfo=dt.UTC)
    assert days("2026-05-20", "RRULE:FREQ=DAILY").ends_at == NEVER


def test_those_that_overlap_are_given_and_no_others() -> None:
    when = timed("2026-05-20 09:00", "RRULE:FREQ=DAILY")
    seven = dt.datetime(2026, 6, 1, 7, tzinfo=dt.UTC)
    first, second = "20260601T070000Z", "20260602T070000Z"
    moment = dt.timedelta(seconds=1)
    assert list(when.slots(seven, seven + ONE_DAY)) == [first]
    assert list(when.slots(seven + HOUR - moment, seven + ONE_DAY + moment)) == [first, second]
    assert list(when.slots(seven + HOUR, seven + ONE_DAY)) == []
    assert list(when.slots(seven, seven)) == []


def test_one_that_takes_no_time_is_in_the_window_that_begins_with_it() -> None:
    when = timed("2026-05-20 09:00", "RRULE:FREQ=DAILY", lasts=0 * HOUR)
    seven = dt.datetime(2026, 6, 1, 7, tzinfo=dt.UTC)
    assert list(when.slots(seven, seven + HOUR)) == ["20260601T070000Z"]
    assert list(when.slots(seven - HOUR, seven)) == []


def test_a_long_one_that_began_in_an_earlier_year_overlaps() -> None:
    when = days("2020-03-01", "RRULE:FREQ=YEARLY", lasts=365)
    january = dt.datetime(2026, 1, 10, tzinfo=dt.UTC)
    assert list(when.slots(january, january + ONE_DAY)) == ["20250301"]


def test_whole_days_overlap_wherever_on_earth_they_are_lived() -> None:
    when = days("2026-05-20", "RRULE:FREQ=WEEKLY")
    begins, ends = dt.datetime(2026, 5, 26, 10, tzinfo=dt.UTC), dt.datetime(2026, 5, 28, 12, tzinfo=dt.UTC)
    moment = dt.timedelta(seconds=1)
    assert list(when.slots(begins - HOUR, begins)) == []
    assert list(when.slots(begins, begins + moment)) == ["20260527"]
    assert list(when.slots(ends - moment, ends)) == ["20260527"]
    assert list(when.slots(ends, ends + HOUR)) == []


def test_a_single_entry_has_no_slots() -> None:
    once, day = Timed(*ALWAYS), AllDay(dt.date(2026, 5, 20), dt.date(2026, 5, 21))
    assert (list(once.slots(*ALWAYS)), list(day.slots(*ALWAYS))) == ([], [])
    assert not once.has("19700101T000000Z")
    assert not day.has("20260520")
    assert (once.repeats, day.repeats) == (False, False)


@pytest.mark.parametrize(
    "slot",
    ["20260520", "20260520T080000Z", "20260519T070000Z", "20260520T070001Z", "", "nonsense", "2026-05-20T07:00:00Z",
     "20260520T070000", "20260230T070000Z", "00010101T000000Z", "99991231T235959Z", "٢٠٢٦٠٥٢٠T070000Z",
     "20260520T070000Z\n"],
)  # fmt: skip
def test_a_series_of_times_has_no_such_slot(slot: str) -> None:
    when = timed("2026-05-20 09:00", "RRULE:FREQ=DAILY")
    assert when.has("20260520T070000Z")
    assert not when.has(slot)


@pytest.mark.parametrize("slot", ["20260520T070000Z", "20260519", "20260521", "", "00010101", "99991231"])
def test_a_series_of_whole_days_has_no_such_slot(slot: str) -> None:
    when = days("2026-05-20", "RRULE:FREQ=WEEKLY")
    assert when.has("20260520")
    assert not when.has(slot)


def test_a_slot_is_read_as_what_it_was_written_for() -> None:
    nine = dt.datetime(2026, 3, 1, 10, tzinfo=zones.info(BERLIN))
    assert slot_of(nine) == "20260301T090000Z"
    assert original_of("20260301T090000Z") == nine
    assert slot_of(dt.date(2026, 3, 1)) == "20260301"
    assert original_of("20260301") == dt.date(2026, 3, 1)
    assert slot_of(dt.datetime(800, 3, 1, tzinfo=dt.UTC)) == "08000301T000000Z"


@pytest.mark.parametrize(
    "slot", ["", "x", "2026-03-01", "20260301T090000", "20260301T0900Z", "20261301", "20260301T250000Z"]
)
def test_nonsense_is_no_slot(slot: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        original_of(slot)


def test_an_occurrence_of_the_other_kind_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="series of times"):
        timed("2026-05-20 09:00", "RRULE:FREQ=DAILY").at("20260520")
    with pytest.raises(ValueError, match="series of whole days"):
        days("2026-05-20", "RRULE:FREQ=DAILY").at("20260520T070000Z")


# --- bounded work ----------------------------------------------------------------------------------------------------


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU",  # From a Monday: none but the first, for ever.
        "RRULE:FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29",
        "RRULE:FREQ=MONTHLY;INTERVAL=12;BYMONTH=3",
        "RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU;UNTIL=99901231T000000Z",
    ],
)
def test_a_rule_that_gives_nothing_keeps_nobody_busy(line: str) -> None:
    when = timed("1991-01-07 09:00", line)
    window = (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2036, 1, 1, tzinfo=dt.UTC))
    for number in range(50):
        assert list(when.slots(*window)) == []
        assert not when.has(f"2026{number % 12 + 1:02}01T080000Z")
    assert when.ends_at in {NEVER, when.end}


@pytest.mark.timeout(20)
def test_an_endless_series_from_long_ago_is_as_quick_as_a_new_one() -> None:
    window = (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
    for minute in range(60):
        when = timed(f"1990-01-01 09:{minute:02}", "RRULE:FREQ=DAILY")
        there = list(when.slots(*window))
        assert len(there) == 365
        assert all(when.has(slot) for slot in there)
        assert len(when.series()._years) <= 5


# --- moving ----------------------------------------------------------------------------------------------------------

EVERY_DAY, EVERY_WEEK = "RRULE:FREQ=DAILY;COUNT=10", "RRULE:FREQ=WEEKLY"
SPRING = timed("2026-03-27 09:00", EVERY_DAY)
SPRING_AT_TEN = timed("2026-03-27 10:00", EVERY_DAY)
SPRING_ABROAD = timed("2026-03-27 09:00", EVERY_DAY, zone=NEW_YORK)
NIGHT = timed("2026-03-28 02:30", EVERY_DAY)
MORNING = timed("2026-03-28 05:00", EVERY_DAY)
MAY = timed("2026-05-18 09:00", EVERY_DAY)
MAY_LATER = timed("2026-05-20 09:00", EVERY_DAY)
MAY_AT_TEN = timed("2026-05-18 10:00", EVERY_DAY)
TWICE_AT_TEN = timed("2026-05-18 10:00", "RRULE:FREQ=DAILY;COUNT=2")
AT_TEN_BUT_ONCE = timed("2026-05-18 10:00", EVERY_DAY, "EXDATE:20260521T080000Z")
MONDAYS, WEDNESDAYS = (timed(f"2026-05-{day} 09:00", EVERY_WEEK) for day in (18, 20))
MONDAYS_AT_TEN = timed("2026-05-18 10:00", EVERY_WEEK)
AFTER_MIDNIGHT = timed("2026-05-18 00:30", EVERY_DAY)
DAYS, LATER_DAYS = days("2026-05-18", EVERY_DAY), days("2026-05-20", EVERY_DAY)
WHOLE_MONDAYS, WHOLE_TUESDAYS = days("2026-05-18", EVERY_WEEK), days("2026-05-19", EVERY_WEEK)
ONE_TUESDAY = days("2026-05-19", "RRULE:FREQ=WEEKLY;COUNT=1")
SINGLE = AllDay(dt.date(2026, 5, 18), dt.date(2026, 5, 19))
BIRTHDAYS, FAR_AWAY = days("2026-05-18", "RRULE:FREQ=YEARLY"), days("9990-05-19", "RRULE:FREQ=YEARLY")


@pytest.mark.parametrize(
    ("before", "after", "slot", "there"),
    [
        # An hour later by the clock, before and after the clock changes; its own zone or another.
        (SPRING, SPRING_AT_TEN, "20260327T080000Z", "20260327T090000Z"),
        (SPRING, SPRING_AT_TEN, "20260330T070000Z", "20260330T080000Z"),
        (SPRING, SPRING_ABROAD, "20260330T070000Z", "20260330T130000Z"),
        # Skipped by the clock, it is meant for half past two all the same.
        (NIGHT, MORNING, "20260329T013000Z", "20260329T030000Z"),
        # Another day of the week.
        (MONDAYS, WEDNESDAYS, "20260525T070000Z", "20260527T070000Z"),
        # There as it is: stays, also where the rest goes elsewhere.
        (MAY, MAY_LATER, "20260521T070000Z", "20260521T070000Z"),
        (MAY, MAY_LATER, "20260519T070000Z", "20260521T070000Z"),
        # An exception that the series had none for goes with it.
        (MONDAYS, MAY_AT_TEN, "20260521T070000Z", "20260521T080000Z"),
        # Gone: cut off, taken out, or no day of the new rule.
        (MAY, MAY_AT_TEN, "20260521T070000Z", "20260521T080000Z"),
        (MAY, TWICE_AT_TEN, "20260521T070000Z", None),
        (MAY, AT_TEN_BUT_ONCE, "20260521T070000Z", None),
        (MAY, MONDAYS_AT_TEN, "20260521T070000Z", None),
        # Whole days come in, or go.
        (AFTER_MIDNIGHT, DAYS, "20260520T223000Z", "20260521"),
        (AFTER_MIDNIGHT, LATER_DAYS, "20260520T223000Z", "20260523"),
        (DAYS, AFTER_MIDNIGHT, "20260521", "20260520T223000Z"),
        (WHOLE_MONDAYS, WHOLE_TUESDAYS, "20260525", "20260526"),
        (WHOLE_MONDAYS, ONE_TUESDAY, "20260525", None),
        # A slot that makes no sense, and a series that is none.
        (DAYS, LATER_DAYS, "nonsense", None),
        (DAYS, MAY, "20260521T080000Z", None),
        (MAY, MAY_AT_TEN, "20260521", None),
        (DAYS, SINGLE, "20260518", None),
        (SINGLE, LATER_DAYS, "20260518", None),
        (BIRTHDAYS, FAR_AWAY, "99900518", None),
    ],
)
def test_a_slot_moves_as_far_as_the_first_one(
    before: Timed | AllDay, after: Timed | AllDay, slot: str, there: str | None
) -> None:
    assert before.moved(slot, after) == there
