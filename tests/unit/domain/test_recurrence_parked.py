"""Lines that are not understood to the letter, or that no calendar could hold, are parked, and the part is named."""

from collections.abc import Sequence

import pytest

from shared.domain.errors import Park
from shared.domain.reasons import Reason
from shared.domain.recurrence import checked
from tests.unit.domain.series import days


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["RRULE:FREQ=HOURLY"], "FREQ=HOURLY: "),
        (["RRULE:FREQ=MINUTELY;COUNT=2"], "FREQ=MINUTELY: "),
        (["RRULE:FREQ=SECONDLY"], "FREQ=SECONDLY: "),
        (["RRULE:FREQ=FORTNIGHTLY"], "FREQ=FORTNIGHTLY: "),
        (["RRULE:COUNT=3"], "FREQ: "),
        (["DTSTART:20260520T070000Z", "RRULE:FREQ=DAILY"], "DTSTART: "),
        (["RRULE:FREQ=DAILY", "DTEND;TZID=Europe/Berlin:20260520T080000"], "DTEND: "),
        (["RDATE;VALUE=PERIOD:20260521T070000Z/PT1H"], "RDATE with periods"),
        (["RDATE:20260521T070000Z/20260521T080000Z"], "RDATE with periods"),
        (["RRULE:FREQ=DAILY;COUNT=3;UNTIL=20260601"], "COUNT together with UNTIL"),
        (["RRULE:FREQ=YEARLY;BYEASTER=0"], "BYEASTER: "),
        (["RRULE:RSCALE=HEBREW;FREQ=YEARLY"], "RSCALE: "),
        (["RRULE:FREQ=DAILY;X-MINE=1"], "X-MINE: "),
        (["EXDATE:20260521T070000Z"], "neither RRULE nor RDATE"),
        (["EXRULE:FREQ=DAILY"], "neither RRULE nor RDATE"),
        ([], "neither RRULE nor RDATE"),
        (["  ", ""], "neither RRULE nor RDATE"),
        (["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"], "BYMONTHDAY: no month has that day"),
        (["RRULE:FREQ=DAILY;BYMONTH=2,4;BYMONTHDAY=31"], "BYMONTHDAY: no month has that day"),
        (["RRULE:FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2"], "a rule without any occurrence"),
        (["RRULE:FREQ=YEARLY;BYMONTH=1;BYYEARDAY=200"], "a rule without any occurrence"),
        (["FREQ=DAILY"], "a line that cannot be read: 'FREQ=DAILY'"),
        (["RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY"], "a line that cannot be read: "),
        (["every Tuesday"], "a line that cannot be read: "),
        (["RRULE:every=Tuesday"], "FREQ: "),
        (["RRULE:"], "a part that cannot be read: "),
        (["RRULE:FREQ=DAILY;"], "a part that cannot be read: "),
        (["RRULE:FREQ=DAILY;COUNT"], "a part that cannot be read: "),
        (["RRULE:FREQ=DAILY;COUNT=2;COUNT=3"], "a part that cannot be read: "),
        (["RRULE;X-A=1:FREQ=DAILY"], "RRULE with parameters: "),
        (["RRULE:FREQ=DAILY;COUNT=0"], "COUNT: a number from 1 to 10000, not 0"),
        (["RRULE:FREQ=DAILY;COUNT=-1"], "COUNT: a number from 1 to 10000, not -1"),
        (["RRULE:FREQ=DAILY;COUNT=10001"], "COUNT: a number from 1 to 10000, not 10001"),
        (["RRULE:FREQ=DAILY;COUNT=1" + "0" * 5000], "COUNT: a number from 1 to 10000, not 1000"),
        (["RRULE:FREQ=DAILY;COUNT=٣"], "COUNT: a number from 1 to 10000, not ٣"),
        (["RRULE:FREQ=DAILY;INTERVAL=0"], "INTERVAL: a number from 1 to 9999, not 0"),
        (["RRULE:FREQ=DAILY;INTERVAL=1.5"], "INTERVAL: a number from 1 to 9999, not 1.5"),
        (["RRULE:FREQ=DAILY;UNTIL=tomorrow"], "UNTIL: TOMORROW"),
        (["RRULE:FREQ=DAILY;UNTIL=20260230"], "UNTIL: 20260230"),
        (["RRULE:FREQ=DAILY;UNTIL=20260520T070000+0200"], "UNTIL: "),
        (["RRULE:FREQ=WEEKLY;WKST=XX"], "WKST=XX"),
        (["RRULE:FREQ=WEEKLY;BYDAY=XX"], "BYDAY=XX"),
        (["RRULE:FREQ=WEEKLY;BYDAY=1MO"], "BYDAY: numbers only"),
        (["RRULE:FREQ=MONTHLY;BYDAY=6MO"], "BYDAY: no month has a sixth"),
        (["RRULE:FREQ=YEARLY;BYMONTH=12;BYDAY=53MO"], "BYDAY: no month has a sixth"),
        (["RRULE:FREQ=YEARLY;BYDAY=54MO"], "BYDAY=54MO"),
        (["RRULE:FREQ=YEARLY;BYDAY=0MO"], "BYDAY=0MO"),
        (["RRULE:FREQ=YEARLY;BYWEEKNO=2;BYDAY=1MO"], "BYDAY: numbers not with BYWEEKNO"),
        (["RRULE:FREQ=MONTHLY;BYMONTHDAY=32"], "BYMONTHDAY=32"),
        (["RRULE:FREQ=MONTHLY;BYMONTHDAY=0"], "BYMONTHDAY=0"),
        (["RRULE:FREQ=WEEKLY;BYMONTHDAY=3"], "BYMONTHDAY: not with FREQ=WEEKLY"),
        (["RRULE:FREQ=DAILY;BYYEARDAY=3"], "BYYEARDAY: only with FREQ=YEARLY"),
        (["RRULE:FREQ=MONTHLY;BYWEEKNO=3"], "BYWEEKNO: only with FREQ=YEARLY"),
        (["RRULE:FREQ=YEARLY;BYWEEKNO=54"], "BYWEEKNO=54"),
        (["RRULE:FREQ=YEARLY;BYWEEKNO=3;INTERVAL=2"], "BYWEEKNO together with"),
        (["RRULE:FREQ=YEARLY;BYWEEKNO=-53"], "BYWEEKNO: -52 and -53"),
        (["RRULE:FREQ=YEARLY;BYMONTH=13"], "BYMONTH=13"),
        (["RRULE:FREQ=YEARLY;BYMONTH=1,,2"], "BYMONTH=1,,2"),
        (["RRULE:FREQ=DAILY;BYHOUR=24"], "BYHOUR=24"),
        (["RRULE:FREQ=DAILY;BYSECOND=60"], "BYSECOND=60"),
        (["RRULE:FREQ=MONTHLY;BYSETPOS=1"], "BYSETPOS: only with another BY part"),
        (["RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20260521"], "EXDATE: 20260521 is a day in a series of times"),
        (["RDATE:20260521"], "RDATE: 20260521 is a day in a series of times"),
        (["RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20260521T070000Z"], "EXDATE: VALUE=DATE in a series of times"),
        (["RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Nowhere:20260521T090000"], "EXDATE: TZID=Europe/Nowhere"),
        (["RRULE:FREQ=DAILY", "EXDATE;RANGE=THISANDFUTURE:20260521T090000"], "EXDATE: RANGE=THISANDFUTURE"),
        (["RRULE:FREQ=DAILY", "EXDATE;VALUE=TEXT:x"], "EXDATE: VALUE=TEXT"),
        (["RRULE:FREQ=DAILY", "EXDATE:"], "EXDATE: "),
        (["RRULE:FREQ=DAILY", "EXDATE:20260521T250000Z"], "EXDATE: 20260521T250000Z"),
        (["RDATE:99991231T235959Z"], "RDATE: 99991231T235959Z"),
        (["RDATE:00010101T000000Z"], "RDATE: 00010101T000000Z"),
    ],
)
def test_what_is_not_understood_is_parked_and_named(lines: Sequence[str], expected: str) -> None:
    with pytest.raises(Park) as parked:
        checked(lines, all_day=False)
    assert (parked.value.reason, parked.value.field) == (Reason.UNSUPPORTED_RULE, "recurrence")
    assert parked.value.detail.startswith(expected)
    assert len(parked.value.detail) <= 60


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["RRULE:FREQ=DAILY", "EXDATE:20260521T070000Z"], "EXDATE: 20260521T070000Z is a time"),
        (["RDATE;TZID=Europe/Berlin:20260521T070000"], "RDATE: 20260521T070000 is a time"),
        (["RRULE:FREQ=DAILY;UNTIL=20260521T000000Z"], "UNTIL: a time in a series of whole days"),
        (["RRULE:FREQ=DAILY;BYHOUR=9"], "BYHOUR, BYMINUTE or BYSECOND in a series of whole days"),
        (["RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE-TIME:20260521"], "EXDATE: VALUE=DATE-TIME"),
    ],
)
def test_a_time_in_a_series_of_whole_days_is_parked_and_named(lines: Sequence[str], expected: str) -> None:
    with pytest.raises(Park) as parked:
        checked(lines, all_day=True)
    assert parked.value.reason is Reason.UNSUPPORTED_RULE
    assert parked.value.detail.startswith(expected)


def test_a_long_text_is_cut_where_it_is_quoted() -> None:
    with pytest.raises(Park) as parked:
        checked(["Dear Ann, " * 1000], all_day=False)
    assert len(parked.value.detail) == 60
    assert parked.value.detail.endswith("…")


@pytest.mark.parametrize(
    "lines",
    [
        ["RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20260520"],
        ["RRULE:FREQ=DAILY", "EXRULE:FREQ=DAILY"],
        ["RDATE:20260521", "EXDATE:20260520,20260521"],
        ["RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU", "EXDATE:20260520"],
    ],
)
def test_a_series_without_any_occurrence_is_parked(lines: Sequence[str]) -> None:
    with pytest.raises(Park) as parked:
        days("2026-05-20", *lines)
    assert parked.value.detail == "no occurrence is left"


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3",
        "RRULE:FREQ=YEARLY;BYMONTH=3;COUNT=3",
        "RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU;COUNT=10000",
    ],
)
def test_what_google_and_others_count_differently_is_parked(line: str) -> None:
    """From a Wednesday in May: Google adds the first occurrence on top of the number."""
    with pytest.raises(Park) as parked:
        days("2026-05-20", line)
    assert parked.value.reason is Reason.UNSUPPORTED_RULE
    assert parked.value.detail.startswith("COUNT: the start is none")


def test_blanks_around_lines_do_not_matter() -> None:
    assert checked([" RRULE:FREQ=DAILY ", "", "\n"], all_day=True) == ("RRULE:FREQ=DAILY",)
