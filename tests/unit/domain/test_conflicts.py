"""Which entries of a user block the same time, and what is stored of that."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pytest

from shared.domain import identity
from shared.domain.conflicts import (
    AHEAD,
    KEPT,
    OCCURRENCES,
    Conflict,
    Entry,
    Span,
    decided,
    entries,
    first_overlap,
    overlapping,
    pair_of,
    ranges,
    read_conflict,
    series_of,
    slot_span,
)

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)  # A Monday.
BERLIN = "Europe/Berlin"
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)

Raw = dict[str, Any]


def at(text: str) -> dt.datetime:
    """``03-04 10:00``: of that year, UTC."""
    return dt.datetime.fromisoformat(f"{text if len(text) > 11 else '2026-' + text}+00:00")


def timed(start: str, hours: float = 1, **fields: Any) -> Raw:
    begin = at(start)
    times = {"start": begin, "end": begin + dt.timedelta(hours=hours)}
    return {"kind": "session", "status": "confirmed", "user_ids": ["ann"], **times, **fields}


def whole(start: str, end: str, **fields: Any) -> Raw:
    dates = {"all_day": True, "start_date": f"2026-{start}", "end_date": f"2026-{end}"}
    return {"kind": "session", "status": "confirmed", "user_ids": ["ann"], **dates, **fields}


def weekly(start: str, hours: float = 1, rule: str = "RRULE:FREQ=WEEKLY", **fields: Any) -> Raw:
    return timed(start, hours, **{"recurrence": [rule], "time_zone": BERLIN, **fields})


def overlap(one: Raw, other: Raw, *also: tuple[str, Raw], zone: str = BERLIN) -> tuple[str, str] | None:
    """The first overlap of the two, UTC, ``03-04 10:00``; `also` are further documents."""
    found = entries({"a": one, "b": other, **dict(also)}, "ann", zone)
    return between(found, "a", "b")


def between(found: dict[str, Entry], one: str, other: str) -> tuple[str, str] | None:
    if one not in found or other not in found:
        return None
    span = first_overlap(found[one], found[other], NOW, NOW + AHEAD)
    assert span == first_overlap(found[other], found[one], NOW, NOW + AHEAD), "whichever is asked first"
    pairs = overlapping(found.values(), {one}, NOW, NOW + AHEAD, 99)
    assert (pair_of(one, other) in pairs) == (span is not None), "found among all as it is between the two"
    return None if span is None else (f"{span.start:%m-%d %H:%M}", f"{span.end:%m-%d %H:%M}")


# --- what overlaps ---------------------------------------------------------------------------------------------------

TEN = timed("03-04 10:00")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (timed("03-04 10:30"), ("03-04 10:30", "03-04 11:00")),
        (timed("03-04 09:30"), ("03-04 10:00", "03-04 10:30")),
        (timed("03-04 10:15", 0.5), ("03-04 10:15", "03-04 10:45")),
        (timed("03-01 10:00", 900), ("03-04 10:00", "03-04 11:00")),
        (TEN, ("03-04 10:00", "03-04 11:00")),
        (timed("03-04 11:00"), None),
        (timed("03-04 09:00"), None),
        (timed("03-04 10:30", 0), None),
        (timed("03-04 10:30", status="tentative"), ("03-04 10:30", "03-04 11:00")),
        (timed("03-04 10:30", kind="unlinked"), ("03-04 10:30", "03-04 11:00")),
        (timed("03-04 10:30", user_ids=["bea", "ann"]), ("03-04 10:30", "03-04 11:00")),
        (timed("03-04 10:30", resource_ids=["room"]), ("03-04 10:30", "03-04 11:00")),
        (timed("03-04 10:30", status="cancelled"), None),
        (timed("03-04 10:30", busy=False), None),
        (timed("03-04 10:30", user_ids=["bea"]), None),
        (timed("03-04 10:30", user_ids=[]), None),
        (timed("03-04 10:30", kind="party"), None),
        (timed("03-04 10:30", -1), None),
        (timed("03-04 10:30", end=None), None),
    ],
    ids=str,
)
def test_two_busy_entries_of_one_user_at_the_same_time_overlap(other: Raw, expected: tuple[str, str] | None) -> None:
    assert overlap(TEN, other) == expected


def test_rooms_and_texts_play_no_part() -> None:
    assert overlap(timed("03-04 10:00", resource_ids=["r"]), timed("03-04 11:00", resource_ids=["r"])) is None
    assert overlap({**TEN, "title": 5}, timed("03-04 10:30")) is None, "it does not fit the contract: it is parked"


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (timed("03-02 10:00", 3), ("03-02 10:00", "03-02 13:00")),
        (timed("03-02 10:00", 2), None),
        (timed("2027-03-03 11:00"), ("03-03 11:00", "03-03 12:00")),
        (timed("2027-03-03 12:00"), None),
    ],
    ids=["still going on", "over just now", "in a year", "in more than a year"],
)
def test_only_what_ends_after_now_and_begins_within_a_year_counts(one: Raw, expected: tuple[str, str] | None) -> None:
    assert overlap(one, {**one}) == expected


# --- whole days ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "other", "studio", "expected"),
    [
        (whole("03-04", "03-05"), timed("03-04 10:00"), BERLIN, ("03-04 10:00", "03-04 11:00")),
        (whole("03-04", "03-05"), timed("03-03 22:30"), BERLIN, ("03-03 23:00", "03-03 23:30")),
        (whole("03-04", "03-05"), timed("03-03 22:30"), "UTC", None),
        (whole("03-04", "03-05"), timed("03-04 23:00"), BERLIN, None),
        (whole("03-04", "03-05"), timed("03-05 09:00"), "Pacific/Honolulu", ("03-05 09:00", "03-05 10:00")),
        (whole("03-04", "03-05"), timed("03-03 10:00"), "Pacific/Kiritimati", ("03-03 10:00", "03-03 11:00")),
        (whole("03-04", "03-05", time_zone="Asia/Tokyo"), timed("03-03 15:30"), BERLIN, ("03-03 15:30", "03-03 16:30")),
        (whole("03-04", "03-05", time_zone="Nowhere"), timed("03-03 22:30"), BERLIN, ("03-03 23:00", "03-03 23:30")),
        (whole("03-04", "03-05"), timed("03-03 23:30"), "Nowhere", ("03-04 00:00", "03-04 00:30")),
        (whole("03-04", "03-05"), whole("03-05", "03-06"), BERLIN, None),
        (whole("03-04", "03-06"), whole("03-05", "03-07"), BERLIN, ("03-04 23:00", "03-05 23:00")),
        (
            whole("03-04", "03-05"),
            whole("03-05", "03-06", time_zone="Asia/Tokyo"),
            BERLIN,
            ("03-04 15:00", "03-04 23:00"),
        ),
        (whole("03-04", "03-05", busy=False), timed("03-04 10:00"), BERLIN, None),
        (whole("03-04", "03-04"), timed("03-04 10:00"), BERLIN, None),
        (whole("03-29", "03-30"), timed("03-29 21:30"), BERLIN, ("03-29 21:30", "03-29 22:00")),
        (whole("10-25", "10-26"), timed("10-25 22:30"), BERLIN, ("10-25 22:30", "10-25 23:00")),
    ],
    ids=str,
)
def test_a_busy_day_blocks_from_midnight_to_midnight_in_its_zone(
    days: Raw, other: Raw, studio: str, expected: tuple[str, str] | None
) -> None:
    assert overlap(days, other, zone=studio) == expected


def test_a_day_that_begins_in_a_gap_is_no_trouble_and_neither_are_the_first_and_the_last_of_all() -> None:
    cairo = whole("04-24", "04-25", time_zone="Africa/Cairo")  # The clock is put forward at midnight.
    assert overlap(cairo, timed("04-23 21:30")) == ("04-23 22:00", "04-23 22:30")
    ages = {"kind": "session", "user_ids": ["ann"], "all_day": True, "start_date": "0001-01-01"}
    ages |= {"end_date": "9999-12-31"}
    assert overlap(ages, TEN, zone="Asia/Tokyo") == ("03-04 10:00", "03-04 11:00")
    assert overlap(ages, TEN, zone="America/Lima") == ("03-04 10:00", "03-04 11:00")


# --- series ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "other", "expected"),
    [
        (weekly("02-02 10:00"), timed("03-09 10:30"), ("03-09 10:30", "03-09 11:00")),
        (weekly("02-02 10:00"), timed("03-10 10:30"), None),
        # After the clocks went forward (29 March) the same local time is an hour earlier.
        (weekly("02-02 10:00"), timed("03-30 10:00"), None),
        (weekly("02-02 10:00"), timed("03-30 09:30"), ("03-30 09:30", "03-30 10:00")),
        (weekly("02-02 10:00"), timed("10-26 10:30"), ("10-26 10:30", "10-26 11:00")),
        (weekly("02-02 10:00"), timed("2027-03-02 12:00", 500), None),
        (weekly("02-02 10:00", rule="RRULE:FREQ=WEEKLY;COUNT=5"), timed("03-09 10:30"), None),
        (weekly("02-02 10:00", rule="RRULE:FREQ=WEEKLY;UNTIL=20260309T100000Z"), timed("03-16 10:00"), None),
        (weekly("02-02 10:00", busy=False), timed("03-09 10:30"), None),
        (weekly("02-02 10:00", status="cancelled"), timed("03-09 10:30"), None),
        (weekly("02-02 10:00", user_ids=["bea"]), timed("03-09 10:30"), None),
        (weekly("02-02 10:00", rule="RRULE:FREQ=SECONDLY"), timed("03-09 10:30"), None),
        (weekly("02-02 10:00", time_zone="Nowhere"), timed("03-09 10:30"), None),
        (weekly("02-02 10:00", time_zone=None), timed("03-09 10:30"), ("03-09 10:30", "03-09 11:00")),
        (weekly("02-02 10:00"), weekly("03-02 10:30"), ("03-09 10:30", "03-09 11:00")),
        (weekly("02-02 10:00"), weekly("02-03 10:00"), None),
        (weekly("02-02 10:00"), weekly("02-03 10:30", rule="RRULE:FREQ=DAILY"), ("03-09 10:30", "03-09 11:00")),
        # Of the same time in winter, but in another zone: they meet only while one has summer time.
        (
            weekly("02-02 10:00"),
            weekly("02-02 09:00", time_zone="Africa/Lagos"),
            ("03-30 09:00", "03-30 10:00"),
        ),
        (
            whole("02-02", "02-03", recurrence=["RRULE:FREQ=WEEKLY"]),
            timed("03-08 22:00"),
            None,
        ),
        (
            whole("02-02", "02-03", recurrence=["RRULE:FREQ=WEEKLY"]),
            timed("03-08 23:30"),
            ("03-08 23:30", "03-09 00:30"),
        ),
        (
            whole("02-02", "02-03", recurrence=["RRULE:FREQ=WEEKLY"], time_zone="Asia/Tokyo"),
            weekly("02-03 15:30", rule="RRULE:FREQ=WEEKLY", time_zone="UTC"),
            None,
        ),
        (
            whole("02-02", "02-03", recurrence=["RRULE:FREQ=WEEKLY"], time_zone="Asia/Tokyo"),
            weekly("02-01 15:30", rule="RRULE:FREQ=WEEKLY", time_zone="UTC"),
            ("03-08 15:30", "03-08 16:30"),
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_series_overlaps_occurrence_by_occurrence(series: Raw, other: Raw, expected: tuple[str, str] | None) -> None:
    assert overlap(series, other) == expected


MOVED = "a_20260309T100000Z"


def moved(start: str, **fields: Any) -> Raw:
    """The occurrence of series `a` on 9 March at ten."""
    return timed(start, **{"series_id": "a", "original_start": at("03-09 10:00"), **fields})


def test_a_moved_occurrence_blocks_where_it_is_and_not_where_it_was() -> None:
    series = weekly("02-02 10:00")
    there, meeting = timed("03-09 10:00"), timed("03-12 10:30")
    documents = {"a": series, MOVED: moved("03-12 10:00"), "b": there, "c": meeting}
    found = entries(documents, "ann", BERLIN)
    assert between(found, "a", "b") is None
    assert between(found, MOVED, "c") == ("03-12 10:30", "03-12 11:00")
    assert between(found, "a", "c") is None


@pytest.mark.parametrize(
    "instead",
    [
        moved("03-09 10:00", status="cancelled"),
        moved("03-09 10:00", busy=False),
        moved("03-09 10:00", user_ids=["bea"]),
        moved("03-09 10:00", end=at("03-09 09:00")),
        {"kind": "session", "status": "cancelled", "series_id": "a", "original_start": at("03-09 10:00")},
    ],
    ids=["cancelled", "free", "a colleague's", "not well-formed", "cancelled, and nothing else is said"],
)
def test_an_occurrence_that_was_taken_out_of_the_series_blocks_nothing(instead: Raw) -> None:
    assert overlap(weekly("02-02 10:00"), timed("03-09 10:00"), (MOVED, instead)) is None


def test_an_occurrence_whose_document_makes_no_sense_at_all_is_passed_over() -> None:
    away = moved("03-12 10:00")
    series, there, meeting = weekly("02-02 10:00"), timed("03-09 10:00"), ("c", timed("03-12 10:00"))
    for name in ("x", "a_20260309", "b_20260309T100000Z"):  # That is not its id.
        assert overlap(series, there, (name, away)) == ("03-09 10:00", "03-09 11:00")
        assert name not in entries({"a": series, name: away, **dict([meeting])}, "ann", BERLIN)
    local = {**moved("03-09 10:00", status="cancelled"), "original_start": "2026-03-09T10:00:00"}
    assert overlap(weekly("02-02 10:00"), timed("03-09 10:00"), (MOVED, local)) == ("03-09 10:00", "03-09 11:00")


def test_an_occurrence_of_whole_days_is_told_by_its_date() -> None:
    series = whole("02-02", "02-03", recurrence=["RRULE:FREQ=WEEKLY"])
    instead = whole("03-10", "03-11", series_id="a", original_date="2026-03-09")
    documents = {"a": series, "a_20260309": instead, "b": timed("03-09 10:00"), "c": timed("03-10 10:00")}
    found = entries(documents, "ann", BERLIN)
    assert between(found, "a", "b") is None
    assert between(found, "a_20260309", "c") == ("03-10 10:00", "03-10 11:00")


def test_what_an_occurrence_does_not_say_it_has_from_its_series() -> None:
    """Who is assigned, for one thing; and its times, where it says none."""
    series = weekly("02-02 10:00", user_ids=["ann"])
    renamed = {"title": "Renamed", "series_id": "a", "original_start": at("03-09 10:00")}
    away = {**renamed, "start": at("03-12 10:00"), "end": at("03-12 12:00")}
    there, meeting = timed("03-09 10:30"), timed("03-12 11:30")
    found = entries({"a": series, MOVED: renamed, "b": there, "c": meeting}, "ann", BERLIN)
    assert between(found, "a", "b") is None
    assert between(found, MOVED, "b") == ("03-09 10:30", "03-09 11:00")
    found = entries({"a": series, MOVED: away, "b": there, "c": meeting}, "ann", BERLIN)
    assert between(found, "a", "b") is between(found, MOVED, "b") is None
    assert between(found, MOVED, "c") == ("03-12 11:30", "03-12 12:00")
    found = entries({"a": {**series, "busy": False}, MOVED: away, "c": meeting}, "ann", BERLIN)
    assert found.keys() == {"c"}
    assert entries({"a": series, MOVED: away}, "bea", BERLIN) == {}


def test_a_series_and_its_own_occurrences_are_no_conflict() -> None:
    daily = weekly("02-02 10:00", 30, rule="RRULE:FREQ=DAILY")  # Each goes on into the next.
    other = {**moved("03-10 09:30"), "original_start": at("03-10 10:00")}
    documents = {"a": daily, MOVED: moved("03-10 09:00"), "a_20260310T100000Z": other}
    found = entries(documents, "ann", "")
    assert found.keys() == documents.keys()
    assert overlapping(found.values(), found.keys(), NOW, NOW + AHEAD, 99) == []
    assert between(found, "a", MOVED) is between(found, "a_20260310T100000Z", MOVED) is None


@pytest.mark.parametrize(
    "series",
    [
        None,
        weekly("02-02 10:00", status="cancelled"),
        weekly("02-02 10:00", rule="RRULE:FREQ=WEEKLY;COUNT=5"),
        timed("02-02 10:00"),
        weekly("02-02 10:00", rule="RRULE:FREQ=SECONDLY"),
    ],
    ids=["erased", "cancelled", "ended before", "a single one now", "parked"],
)
def test_an_occurrence_goes_with_its_series(series: Raw | None) -> None:
    documents = {MOVED: moved("03-12 10:00"), "b": timed("03-12 10:00")}
    assert entries({**documents, "a": weekly("02-02 10:00")}, "ann", BERLIN).keys() == {"a", MOVED, "b"}
    if series is not None:
        documents["a"] = series
    assert MOVED not in entries(documents, "ann", BERLIN)


def test_an_occurrence_counts_for_whoever_is_assigned_to_it_though_the_series_is_a_colleagues() -> None:
    documents = {"a": weekly("02-02 10:00", user_ids=["bea"]), MOVED: moved("03-12 10:00"), "b": timed("03-12 10:30")}
    found = entries(documents, "ann", BERLIN)
    assert between(found, MOVED, "b") == ("03-12 10:30", "03-12 11:00")
    assert found.keys() == {MOVED, "b"}


def test_of_a_rule_that_gives_one_every_quarter_of_an_hour_only_the_next_fortnight_is_looked_at() -> None:
    hours = ",".join(str(hour) for hour in range(24))
    rule = f"RRULE:FREQ=DAILY;BYHOUR={hours};BYMINUTE=0,15,30,45"
    found = entries({"a": weekly("03-01 00:00", 0.1, rule=rule)}, "ann", BERLIN)
    spans = list(found["a"].spans(NOW, NOW + AHEAD))
    assert len(spans) == OCCURRENCES
    assert spans[0].start == NOW
    assert spans[-1].end < NOW + 16 * DAY


# --- among many ------------------------------------------------------------------------------------------------------


def test_among_many_every_pair_of_what_was_touched_is_found_and_no_other() -> None:
    documents = {
        "one": timed("03-04 10:00", 3),
        "two": timed("03-04 10:30"),
        "three": timed("03-04 11:00"),
        "four": timed("03-04 12:30"),
        "apart": timed("03-05 10:00"),
    }
    found = entries(documents, "ann", BERLIN)

    def pairs(touched: Iterable[str]) -> set[tuple[str, str]]:
        return set(overlapping(found.values(), set(touched), NOW, NOW + AHEAD, 99))

    assert pairs(documents) == {("one", "two"), ("one", "three"), ("four", "one"), ("three", "two")}
    assert pairs(["two"]) == {("one", "two"), ("three", "two")}
    assert pairs(["apart"]) == pairs([]) == set()


def test_of_too_many_the_first_are_found() -> None:
    documents = {f"n{n:03}": timed("03-04 10:00", 5) for n in range(40)}
    found = entries(documents, "ann", BERLIN)
    first = overlapping(found.values(), found.keys(), NOW, NOW + AHEAD, 100)
    assert len(first) == len(set(first)) == 100
    assert first == overlapping(found.values(), found.keys(), NOW, NOW + AHEAD, 999)[:100]
    assert len(overlapping(found.values(), found.keys(), NOW, NOW + AHEAD, 999)) == 40 * 39 / 2


@pytest.mark.parametrize(
    ("spans", "most", "apart", "expected"),
    [
        ([], 3, 0, []),
        ([(1, 2)], 3, 0, [(1, 2)]),
        ([(5, 6), (1, 2)], 3, 0, [(1, 2), (5, 6)]),
        ([(1, 5), (2, 3), (4, 7), (7, 8)], 3, 0, [(1, 8)]),
        ([(1, 2), (3, 4), (9, 10), (13, 14)], 3, 0, [(1, 4), (9, 10), (13, 14)]),
        ([(1, 2), (3, 4), (9, 10), (13, 14)], 2, 0, [(1, 4), (9, 14)]),
        ([(1, 2), (3, 4), (9, 10), (13, 14)], 1, 0, [(1, 14)]),
        ([(1, 2), (3, 4), (9, 10), (13, 14)], 9, 3, [(1, 4), (9, 10), (13, 14)]),
        ([(1, 2), (3, 4), (9, 10), (13, 14)], 9, 5, [(1, 4), (9, 14)]),
        ([(1, 2), (3, 4), (9, 10), (13, 14)], 9, 6, [(1, 14)]),
    ],
)
def test_times_are_put_together_where_they_are_nearest(
    spans: list[tuple[int, int]], most: int, apart: int, expected: list[tuple[int, int]]
) -> None:
    def hours(given: list[tuple[int, int]]) -> list[Span]:
        return [Span(NOW + start * HOUR, NOW + end * HOUR) for start, end in given]

    assert ranges(hours(spans), most, apart * HOUR) == hours(expected)


# --- occurrences by their ids ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        ("a_20260309T100000Z", None, ("a", "20260309T100000Z")),
        ("a_b_20260309", None, ("a_b", "20260309")),
        (MOVED, moved("03-12 10:00"), ("a", "20260309T100000Z")),
        (MOVED, {"kind": "party"}, None),
        ("x", moved("03-12 10:00"), None),
        ("a_20260309T100000Z", timed("03-12 10:00"), None),
        ("a_20260399", None, None),
        ("_20260309", None, None),
        ("20260309", None, None),
        ("a", None, None),
        (MOVED, {**moved("03-12 10:00"), "original_start": None}, None),
    ],
    ids=str,
)
def test_what_is_an_occurrence_or_was_one_names_its_series(
    name: str, document: Raw | None, expected: tuple[str, str] | None
) -> None:
    assert series_of(name, document) == expected


def test_a_slot_that_is_given_back_to_the_series_has_its_time() -> None:
    series = weekly("02-02 10:00")
    assert slot_span(series, "20260330T090000Z", BERLIN) == Span(at("03-30 09:00"), at("03-30 10:00"))
    assert slot_span(series, "20260330T100000Z", BERLIN) is None
    assert slot_span(series, "20260330", BERLIN) is None
    assert slot_span(None, "20260330T090000Z", BERLIN) is slot_span({"kind": "party"}, "20260330", BERLIN) is None
    days = whole("02-02", "02-03", recurrence=["RRULE:FREQ=WEEKLY"])
    assert slot_span(days, "20260330", BERLIN) == Span(at("03-29 22:00"), at("03-30 22:00"))


# --- what is stored --------------------------------------------------------------------------------------------------

PAIR = ("a", "b")
THERE = Span(at("03-04 10:30"), at("03-04 11:00"))


def a_conflict(span: Span = THERE, **fields: Any) -> Conflict:
    given: dict[str, Any] = {"user_id": "ann", "appointment_ids": PAIR, "found_at": NOW, "expires_at": span.end + KEPT}
    return Conflict(**{**given, "overlap_start": span.start, "overlap_end": span.end, **fields})


def decide(known: Conflict | None, one: Raw, other: Raw, now: dt.datetime = NOW) -> Conflict | None:
    found = entries({"a": one, "b": other}, "ann", BERLIN)
    return decided(known, "ann", PAIR, now, (found["a"], found["b"]) if found.keys() == {"a", "b"} else None)


EARLIER = NOW - DAY
AT_HALF = timed("03-04 10:30")
OPEN = a_conflict(found_at=EARLIER)
RESOLVED = a_conflict(found_at=EARLIER, status="resolved", closed_at=EARLIER)
GONE = a_conflict(found_at=EARLIER, status="gone", closed_at=EARLIER)
AWAY = timed("03-05 10:30")
LATER = timed("03-04 10:45")
LATER_SPAN = Span(at("03-04 10:45"), at("03-04 11:00"))


@pytest.mark.parametrize(
    ("known", "other", "expected"),
    [
        (None, AT_HALF, a_conflict()),
        (None, AWAY, None),
        (OPEN, AT_HALF, None),
        (OPEN, LATER, a_conflict(LATER_SPAN, found_at=EARLIER)),
        (OPEN, AWAY, a_conflict(found_at=EARLIER, status="gone", closed_at=NOW, expires_at=NOW + KEPT)),
        (
            OPEN,
            {**AT_HALF, "busy": False},
            a_conflict(found_at=EARLIER, status="gone", closed_at=NOW, expires_at=NOW + KEPT),
        ),
        (RESOLVED, AT_HALF, None),
        (RESOLVED, LATER, a_conflict(LATER_SPAN)),
        (RESOLVED, AWAY, a_conflict(found_at=EARLIER, status="gone", closed_at=NOW, expires_at=NOW + KEPT)),
        (GONE, AT_HALF, a_conflict()),
        (GONE, LATER, a_conflict(LATER_SPAN)),
        (GONE, AWAY, None),
    ],
    ids=[
        "found",
        "nothing",
        "stays open",
        "still open, at another time",
        "moved away",
        "made free",
        "kept",
        "opened again, as the times are others",
        "kept, then moved away",
        "back as it was",
        "back at another time",
        "stays away",
    ],
)
def test_a_conflict_is_opened_and_closed_as_the_overlap_comes_and_goes(
    known: Conflict | None, other: Raw, expected: Conflict | None
) -> None:
    assert decide(known, TEN, other) == expected
    if expected is not None:
        assert decide(expected, TEN, other, NOW + HOUR) is None, "looked at again, nothing is written"


def test_what_is_over_is_closed_when_it_is_looked_at_and_a_keep_both_needs_no_closing() -> None:
    then = at("03-04 11:00")
    assert decide(OPEN, TEN, AT_HALF, then - HOUR / 60) is None
    assert decide(OPEN, TEN, AT_HALF, then) == a_conflict(
        found_at=EARLIER, status="gone", closed_at=then, expires_at=then + KEPT
    )
    assert decide(RESOLVED, TEN, AT_HALF, then) is None


def test_keep_both_is_said_of_the_series_as_they_are_and_goes_on_with_their_next_overlap() -> None:
    one, other = weekly("02-02 10:00"), weekly("02-02 10:30")
    first = Span(at("03-09 10:30"), at("03-09 11:00"))
    second = Span(at("03-16 10:30"), at("03-16 11:00"))
    kept = a_conflict(first, status="resolved")
    assert decide(None, one, other) == a_conflict(first)
    assert decide(kept, one, other) is None
    assert decide(kept, one, other, first.end) == a_conflict(second, status="resolved")
    assert decide(a_conflict(first), one, other, first.end) == a_conflict(second)


def test_keep_both_does_not_hold_for_what_was_moved_since() -> None:
    first = Span(at("03-09 10:30"), at("03-09 11:00"))
    kept = a_conflict(first, status="resolved")
    one, other = weekly("02-02 10:00"), weekly("02-02 10:15")
    later = at("03-09 11:00")
    assert decide(kept, one, other, later) == a_conflict(Span(at("03-16 10:15"), at("03-16 11:00")), found_at=later)
    earlier = weekly("02-03 10:30", rule="RRULE:FREQ=DAILY")
    assert decide(
        a_conflict(Span(at("03-16 10:30"), at("03-16 11:00")), status="resolved"), one, earlier
    ) == a_conflict(first), "one before it is news"


def test_a_conflict_is_told_by_its_user_and_its_two_appointments() -> None:
    known = identity.conflict("ann", "a", "b")
    assert known == identity.conflict("ann", "b", "a")
    assert len({known, identity.conflict("bea", "a", "b"), identity.conflict("ann", "a", "c")}) == 3
    assert len(known) == 26


def test_a_conflict_that_does_not_fit_the_contract_is_none() -> None:
    fields = {name: getattr(OPEN, name) for name in OPEN.__struct_fields__}
    assert read_conflict({**fields, "appointment_ids": ["a", "b"], "seen_by": ["ann"]}) == OPEN
    for odd in ({"status": "done"}, {"appointment_ids": ["a"]}, {"overlap_end": None}, {"found_at": "today"}):
        assert read_conflict({**fields, **odd}) is None
