"""Series between Google's event resource and ours: as it is written, as Google gives it back, and as it is read."""

import datetime as dt
import json
from typing import Any

import pytest

from local.google.event_times import check_recurrence, span
from local.google.occurrences import Reading
from shared.adapters.google_event import event_body, read_event
from shared.domain.content import AllDay, Content, Timed, When, repeated
from shared.domain.event import Event
from shared.domain.link import Seal
from shared.domain.reasons import Reason
from shared.domain.recurrence import slot_of

START = dt.datetime(2027, 6, 1, 8, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DAY = dt.date(2027, 6, 1)
WHOLE_DAY = AllDay(DAY, DAY + dt.timedelta(days=1))
AN_HOUR = Timed(START, START + HOUR)
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=5"


def timed(*lines: str, zone: str = "Europe/Berlin") -> When:
    return repeated(AN_HOUR, lines, zone)


def zoned(
    start: str = "2027-06-01T10:00:00+02:00", end: str = "2027-06-01T11:00:00+02:00", **both: str
) -> dict[str, Any]:
    zone = {"timeZone": "Europe/Berlin", **both}
    return {"start": {"dateTime": start, **zone}, "end": {"dateTime": end, **zone}}


def read(*lines: str, **fields: Any) -> Event:
    return read_event({"id": "e1", **zoned(), "recurrence": list(lines), **fields}, "c1")


def written(when: When) -> dict[str, Any]:
    body = event_body(Content(when=when), frozenset({"when"}), Seal("s", {}), "c1", "p1", "e1")
    return {name: value for name, value in body.items() if name != "extendedProperties"}


def stored(when: When) -> When:
    """What Google makes of it, in a calendar of another zone, and we of that."""
    body = {name: value for name, value in written(when).items() if value is not None}
    start, end = ({key: value for key, value in body[name].items() if value is not None} for name in ("start", "end"))
    given = span(start, end, body.get("recurrence", []), "Asia/Tokyo", Reading())
    kept = {"start": given.start, "end": given.end, "recurrence": body.get("recurrence", [])}
    event = read_event({"id": "e1", **json.loads(json.dumps(kept))}, "c1")
    assert event.content is not None
    return event.content.when


# --- read ------------------------------------------------------------------------------------------------------------


def test_a_master_is_read_with_the_zone_of_its_start_and_its_lines() -> None:
    event = read(WEEKLY, "EXDATE;TZID=Europe/Berlin:20270608T100000")
    assert event.content is not None
    assert event.content.when == timed(WEEKLY, "EXDATE;TZID=Europe/Berlin:20270608T100000")


def test_the_same_instant_in_another_offset_is_no_change() -> None:
    there = read(WEEKLY, **zoned("2027-06-01T17:00:00+09:00", "2027-06-01T18:00:00+09:00"))
    assert there == read(WEEKLY)


@pytest.mark.parametrize("zone", ["Europe/Kiev", "FLE Standard Time"])
def test_an_older_name_of_the_zone_is_no_change(zone: str) -> None:
    there = read(WEEKLY, **zoned(timeZone=zone)).content
    here = Content(when=timed(WEEKLY, zone="Europe/Kyiv"))
    assert there is not None
    assert here.differs(there) == frozenset()


def test_another_zone_is_a_change_though_the_first_occurrence_is_the_same() -> None:
    there = read(WEEKLY, **zoned(timeZone="Africa/Johannesburg")).content
    assert there is not None
    assert Content(when=timed(WEEKLY)).differs(there) == {"when"}


def test_a_series_of_whole_days_has_no_zone() -> None:
    dates = {"start": {"date": "2027-06-01", "timeZone": "Europe/Nowhere"}, "end": {"date": "2027-06-02"}}
    event = read("RRULE:FREQ=YEARLY", **dates)
    assert event.content is not None
    assert event.content.when == repeated(WHOLE_DAY, ["RRULE:FREQ=YEARLY"])


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "", "GMT+02:00", "\ud83d", None])
def test_a_series_in_no_zone_that_is_known_is_unfit(zone: str | None) -> None:
    event = read(WEEKLY, **zoned(timeZone=zone))  # type: ignore[arg-type]
    assert (event.content, event.unfit) == (None, Reason.INVALID)
    assert "time zone" in event.unfit_detail or "missing" in event.unfit_detail
    assert event.unfit_detail.encode()  # It can be stored.


@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        (["RRULE:FREQ=HOURLY"], "FREQ=HOURLY"),
        (["RDATE;VALUE=PERIOD:20270608T100000Z/PT1H"], "RDATE with periods"),
        (["EXDATE:20270608T080000Z"], "neither RRULE nor RDATE"),
        (["RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20270601T080000Z"], "no occurrence is left"),
        (["RDATE:20270501T080000Z"], "RDATE: before the first occurrence"),
        (["\ud83d"], "a line that cannot be read"),
    ],
)
def test_a_series_that_cannot_be_carried_over_is_unfit_and_says_why(lines: list[str], detail: str) -> None:
    event = read(*lines)
    assert (event.content, event.unfit) == (None, Reason.UNSUPPORTED_RULE)
    assert event.unfit_detail.startswith(detail)
    assert not event.deleted


def test_an_occurrence_has_content_like_a_single_entry() -> None:
    times = zoned("2027-06-08T12:00:00+02:00", "2027-06-08T13:00:00+02:00", timeZone="Europe/Nowhere")
    original = {"originalStartTime": {"dateTime": "2027-06-08T10:00:00+02:00"}, "recurringEventId": "e0"}
    event = read_event({"id": "e1", **times, **original, "summary": "Later"}, "c1")
    later = START + dt.timedelta(days=7, hours=2)
    assert event.content == Content(title="Later", when=Timed(later, later + HOUR))
    assert event.original_start == slot_of(START + dt.timedelta(days=7)) == "20270608T080000Z"


def test_an_occurrence_of_a_series_of_whole_days_says_its_date() -> None:
    dates = {"start": {"date": "2027-06-09"}, "end": {"date": "2027-06-10"}}
    original = {"originalStartTime": {"date": "2027-06-08"}, "recurringEventId": "e0"}
    event = read_event({"id": "e1", **dates, **original}, "c1")
    assert event.original_start == "20270608"
    assert event.content is not None
    assert not event.content.when.repeats


@pytest.mark.parametrize("recurrence", [{}, {"recurrence": []}])
def test_a_single_entry_has_no_zone(recurrence: dict[str, Any]) -> None:
    event = read_event({"id": "e1", **zoned(timeZone="Europe/Nowhere"), **recurrence}, "c1")
    assert event.content == Content(when=AN_HOUR)


# --- written ---------------------------------------------------------------------------------------------------------


def test_a_series_of_times_is_written_with_its_zone_at_both_ends() -> None:
    assert written(timed(WEEKLY)) == {
        "start": {"dateTime": "2027-06-01T08:00:00Z", "date": None, "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2027-06-01T09:00:00Z", "date": None, "timeZone": "Europe/Berlin"},
        "recurrence": [WEEKLY],
    }


def test_a_series_of_whole_days_is_written_without_a_zone() -> None:
    body = written(repeated(WHOLE_DAY, ["RRULE:FREQ=YEARLY"]))
    assert body["start"] == {"date": "2027-06-01", "dateTime": None, "timeZone": None}
    assert body["recurrence"] == ["RRULE:FREQ=YEARLY"]


@pytest.mark.parametrize("when", [AN_HOUR, WHOLE_DAY])
def test_what_does_not_repeat_any_more_loses_its_rule(when: When) -> None:
    assert written(when)["recurrence"] is None


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("rrule:freq=daily;until=20270610", "RRULE:FREQ=DAILY;UNTIL=20270610T215959Z"),
        ("RRULE:UNTIL=20270610T100000;FREQ=DAILY", "RRULE:UNTIL=20270610T080000Z;FREQ=DAILY"),
        ("RRULE:FREQ=DAILY;UNTIL=20270610T080000Z;WKST=SU", "RRULE:FREQ=DAILY;UNTIL=20270610T080000Z;WKST=SU"),
        ("RRULE:FREQ=DAILY;UNTIL=99991231T235959Z", "RRULE:FREQ=DAILY;UNTIL=99991231T235959Z"),
        (
            "RDATE;TZID=W. Europe Standard Time:20270609T100000,20270608T100000",
            "RDATE:20270608T080000Z,20270609T080000Z",
        ),
        ("RDATE:20270608T100000", "RDATE:20270608T080000Z"),
    ],
)
def test_lines_are_written_in_the_way_that_leaves_no_doubt(line: str, sent: str) -> None:
    when = timed(line)
    assert when.recurrence == (line,)
    assert written(when)["recurrence"] == [sent]
    check_recurrence([sent], all_day=False)


def test_days_are_written_as_days() -> None:
    lines = ["RRULE:FREQ=DAILY;UNTIL=20270610", "EXDATE:20270605,20270604"]
    sent = ["RRULE:FREQ=DAILY;UNTIL=20270610", "EXDATE;VALUE=DATE:20270604,20270605"]
    assert written(repeated(WHOLE_DAY, lines))["recurrence"] == sent


@pytest.mark.parametrize(
    "when",
    [
        AN_HOUR,
        WHOLE_DAY,
        Timed(START, START),
        timed(WEEKLY, "EXDATE;TZID=America/New_York:20270608T040000"),
        timed("RRULE:FREQ=DAILY;UNTIL=20270610", zone="Australia/Lord_Howe"),
        repeated(Timed(START, START), [WEEKLY], "Asia/Kathmandu"),
        repeated(WHOLE_DAY, ["RRULE:FREQ=MONTHLY;BYDAY=1TU", "EXDATE:20270706"]),
    ],
)
def test_what_google_stores_means_what_was_sent(when: When) -> None:
    there = stored(when)
    assert there.shown() == when.shown()
    assert (there.ends_at, there.repeats, type(there)) == (when.ends_at, when.repeats, type(when))
