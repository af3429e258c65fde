"""When series happen; what is expected here was counted by hand, or is an example of RFC 5545."""

import datetime as dt
import time

import pytest

from local.google import occurrences
from local.google.errors import ApiError
from local.google.event_times import check_recurrence
from local.google.occurrences import MOST, Reading


def times(start: str, *lines: str, zone: str = "Europe/Berlin") -> list[str]:
    """Stamps of a series that starts at a local time, or at a date."""
    if "T" not in start:
        return [occurrences.stamp(slot) for slot in occurrences.occurrences({"date": start}, lines)]
    moment = occurrences.at(dt.datetime.fromisoformat(start), zone, all_day=False)
    assert isinstance(moment, dt.datetime)
    value = {"dateTime": moment.isoformat(), "timeZone": zone}
    return [occurrences.stamp(slot) for slot in occurrences.occurrences(value, lines)]


def days(*stamps: str) -> list[str]:
    return [f"2027{stamp}T080000Z" for stamp in stamps]


class TestTheStart:
    def test_counts_where_the_rule_does_not_name_it(self) -> None:
        """1 June 2027 is a Tuesday."""
        found = times("2027-06-01T10:00:00", "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=3")
        assert found == days("0601", "0604", "0611")

    def test_is_not_counted_twice(self) -> None:
        found = times("2027-06-01T10:00:00", "RRULE:FREQ=WEEKLY;BYDAY=TU,FR;COUNT=3")
        assert found == days("0601", "0604", "0608")

    def test_can_be_left_out(self) -> None:
        found = times("2027-06-01T10:00:00", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20270601T080000Z")
        assert found == days("0602", "0603")

    def test_alone_is_left_of_a_count_of_one(self) -> None:
        assert times("2027-06-01T10:00:00", "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=1") == days("0601")


class TestTheClock:
    def test_an_hour_that_is_skipped_happens_an_hour_later(self) -> None:
        """28 March 2027, 2:30 in Berlin is 3:30."""
        found = times("2027-03-27T02:30:00", "RRULE:FREQ=DAILY;COUNT=3")
        assert found == ["20270327T013000Z", "20270328T013000Z", "20270329T003000Z"]

    def test_an_hour_that_comes_twice_happens_the_first_time(self) -> None:
        """31 October 2027, 2:30 in Berlin."""
        found = times("2027-10-30T02:30:00", "RRULE:FREQ=DAILY;COUNT=3")
        assert found == ["20271030T003000Z", "20271031T003000Z", "20271101T013000Z"]

    def test_until_in_utc_is_met_by_the_clock_of_the_zone(self) -> None:
        """Ten o'clock is eight in summer and nine in winter."""
        for until, count in (("20271101T090000Z", 3), ("20271101T085959Z", 2)):
            assert len(times("2027-10-30T10:00:00", f"RRULE:FREQ=DAILY;UNTIL={until}")) == count

    def test_weekdays_are_those_of_the_zone(self) -> None:
        """Tuesday morning in Tokyo is Monday night in UTC."""
        found = times("2027-06-01T07:00:00", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2", zone="Asia/Tokyo")
        assert found == ["20270531T220000Z", "20270607T220000Z"]


class TestRules:
    def test_months_without_the_day_are_skipped(self) -> None:
        assert times("2027-01-31", "RRULE:FREQ=MONTHLY;COUNT=3") == ["20270131", "20270331", "20270531"]

    def test_a_leap_day_comes_every_four_years(self) -> None:
        assert times("2028-02-29", "RRULE:FREQ=YEARLY;COUNT=3") == ["20280229", "20320229", "20360229"]

    def test_the_last_workday_of_the_month(self) -> None:
        """As in RFC 5545, 3.8.5.3, of another year."""
        rule = "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3"
        assert times("2027-05-31", rule) == ["20270531", "20270630", "20270730"]

    @pytest.mark.parametrize(
        ("first_day", "wanted"), [("MO", ["05", "10", "19", "24"]), ("SU", ["05", "17", "19", "31"])]
    )
    def test_the_first_day_of_the_week_matters(self, first_day: str, wanted: list[str]) -> None:
        """The example of RFC 5545: Tuesday, 5 August 1997."""
        rule = f"RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={first_day}"
        assert times("1997-08-05", rule) == [f"199708{day}" for day in wanted]

    def test_an_exrule_takes_away(self) -> None:
        found = times("2027-06-01T10:00:00", "RRULE:FREQ=DAILY;COUNT=5", "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2")
        assert found == days("0602", "0604", "0605")

    def test_two_rules_are_one_series(self) -> None:
        found = times("2027-06-01", "RRULE:FREQ=WEEKLY;COUNT=2", "RRULE:FREQ=DAILY;COUNT=2")
        assert found == ["20270601", "20270602", "20270608"]

    def test_dates_in_another_zone_are_instants(self) -> None:
        lines = "RDATE;TZID=America/New_York:20270602T040000", "EXDATE;TZID=America/New_York:20270608T040000"
        assert times("2027-06-01T10:00:00", "RRULE:FREQ=WEEKLY;COUNT=3", *lines) == days("0601", "0602", "0615")

    def test_dates_without_a_zone_are_of_the_series(self) -> None:
        assert times("2027-06-01T10:00:00", "RDATE:20270602T100000") == days("0601", "0602")

    def test_whole_days_end_with_a_day(self) -> None:
        for until in ("20270603", "20270603T215959Z"):
            assert times("2027-06-01", f"RRULE:FREQ=DAILY;UNTIL={until}") == ["20270601", "20270602", "20270603"]


class TestBounds:
    def test_a_series_without_end_is_asked_about_as_far_as_needed(self) -> None:
        start = {"date": "1990-01-01"}
        assert occurrences.happens(start, ["RRULE:FREQ=DAILY"], dt.date(2027, 6, 1))
        assert not occurrences.happens(start, ["RRULE:FREQ=DAILY;INTERVAL=2"], dt.date(1990, 1, 2))
        assert occurrences.happens(start, ["RRULE:FREQ=YEARLY"], dt.date(2130, 1, 1))

    def test_it_has_so_many_occurrences_and_no_more(self) -> None:
        started = time.monotonic()
        assert len(occurrences.occurrences({"date": "1999-01-01"}, ["RRULE:FREQ=DAILY;COUNT=999999999"])) == MOST
        assert time.monotonic() - started < 5

    @pytest.mark.parametrize(
        ("line", "last"),
        [
            ("RRULE:FREQ=DAILY", None),
            ("RRULE:FREQ=DAILY;COUNT=999999999", None),
            ("RRULE:FREQ=DAILY;COUNT=3", dt.date(2027, 6, 3)),
            ("RRULE:FREQ=WEEKLY;UNTIL=20270620", dt.date(2027, 6, 15)),
            ("RDATE;VALUE=DATE:20270605,20270602", dt.date(2027, 6, 5)),
        ],
    )
    def test_the_last_one_is_known_if_there_is_one(self, line: str, last: dt.date | None) -> None:
        assert occurrences.last({"date": "2027-06-01"}, [line]) == last

    def test_a_series_may_never_happen(self) -> None:
        lines = ["RRULE:FREQ=DAILY;COUNT=1", "EXDATE;VALUE=DATE:20270601"]
        with pytest.raises(ValueError, match="no occurrence"):
            occurrences.last({"date": "2027-06-01"}, lines)
        assert occurrences.last({"date": "2027-06-01"}, ["RRULE:FREQ=DAILY;UNTIL=20270531"]) == dt.date(2027, 6, 1)
        with pytest.raises(ValueError, match="no occurrence"):
            occurrences.last(
                {"date": "2027-06-01"}, ["RRULE:FREQ=DAILY;UNTIL=20270531"], Reading(start_outlives_until=False)
            )


@pytest.mark.parametrize(
    "text", ["", "2027", "20270601T080000", "20271301", "20270601T250000Z", "20270601Z", "R20270601"]
)
def test_other_ends_of_ids_are_no_stamps(text: str) -> None:
    assert occurrences.from_stamp(text) is None


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=HOURLY",
        "RRULE:FREQ=DAILY;COUNT=0",
        "RRULE:FREQ=YEARLY;UNTIL=20230617;COUNT=-1;INTERVAL=1",
        "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270601T080000Z",
        "RRULE:FREQ=DAILY;INTERVAL=0",
        "RRULE:FREQ=DAILY;BYDAY=XX",
        "RRULE:FREQ=DAILY;UNTIL=tomorrow",
        "RRULE:FREQ=DAILY;SOMETIMES=1",
        "RRULE:FREQ=DAILY;nonsense",
        "RDATE;TZID=Nowhere/Land:20270601T080000",
        "EXDATE:20271301T080000Z",
        "DTSTART:20270601T080000Z",
    ],
)
def test_lines_that_make_no_sense_are_refused(line: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_recurrence(["RRULE:FREQ=DAILY", line], all_day=False)
    assert caught.value.status == 400


def test_a_rule_that_never_happens_is_not_looked_for() -> None:
    with pytest.raises(ApiError, match="never happens"):
        check_recurrence(["RRULE:FREQ=DAILY;BYMONTH=2,4;BYMONTHDAY=31"], all_day=False)
    check_recurrence(["RRULE:FREQ=YEARLY;BYMONTH=2,5;BYMONTHDAY=31"], all_day=False)
    with pytest.raises(ApiError, match="Invalid recurrence rule"):
        check_recurrence(["RRULE:FREQ=YEARLY;BYMONTH=13;BYMONTHDAY=1"], all_day=False)


@pytest.mark.parametrize(
    ("line", "all_day", "status"), [("EXDATE:20270601T080000Z", True, 400), ("EXDATE;VALUE=DATE:20270601", False, 501)]
)
def test_whole_days_and_times_do_not_mix(line: str, all_day: bool, status: int) -> None:
    with pytest.raises(ApiError) as caught:
        check_recurrence(["RRULE:FREQ=DAILY", line], all_day=all_day)
    assert caught.value.status == status
