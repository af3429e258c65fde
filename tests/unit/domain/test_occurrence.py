"""Occurrences of a series: the table of `occurrence.py`, row by row, and what is implied by the series.

The series is weekly from 20 May, ten o'clock; the occurrence is its second, a week later.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from shared.domain.appointment import Appointment
from shared.domain.content import Content, When
from shared.domain.errors import Park
from shared.domain.event import Delete, Event, Insert, Patch, instance_id
from shared.domain.identity import occurrence
from shared.domain.link import Link
from shared.domain.occurrence import implied, original_fields, read_occurrence, slot_in
from shared.domain.operation import Item, LetGo, Series
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    BOB,
    DAY,
    NOW,
    a_link,
    a_misfit,
    an_event,
    event_id,
    held_on,
    holding,
    series_content,
)
from tests.unit.domain.deciding import decided, deeds

SLOT = "20260527T100000Z"
ONE = occurrence("appt1", SLOT)
SERIES_EVENT = event_id()
INSTANCE = instance_id(SERIES_EVENT, SLOT)

WEEKLY = series_content("10:00", "RRULE:FREQ=WEEKLY;COUNT=4")
ENDED = series_content("10:00", "RRULE:FREQ=WEEKLY;COUNT=1")
REGULAR = msgspec.structs.replace(WEEKLY, when=WEEKLY.when.at(SLOT))


def titled(title: str, at: Content = REGULAR) -> Content:
    return msgspec.structs.replace(at, title=title)


def own(held: Content | None = None, **fields: Any) -> Appointment:
    """The occurrence's own document."""
    return holding(held or REGULAR, series_id="appt1", **fields)


def of_series(held: Content = WEEKLY, **fields: Any) -> Appointment:
    return holding(held, **fields)


def instance(held: Content | None = REGULAR, **fields: Any) -> Event:
    """The occurrence in the calendar; None: deleted."""
    return an_event(
        **{"id": INSTANCE, "series_event": SERIES_EVENT, "original_start": SLOT, "etag": "e2", **fields}, holds=held
    ) if held is not None else Event(id=INSTANCE, series_event=SERIES_EVENT, original_start=SLOT)  # fmt: skip


def tied(agreed: Content = WEEKLY, **fields: Any) -> Link:
    """The pair of the series."""
    return a_link(agreed, **fields)


def pair(agreed: Content = REGULAR, **fields: Any) -> Link:
    """The pair of the occurrence, an instance of the series' event."""
    known = {"appointment_id": ONE, "event_id": INSTANCE, "series_id": "appt1", "slot": SLOT}
    return a_link(agreed, **{**known, "series_event": SERIES_EVENT, **fields})


def alone(agreed: Content = REGULAR, **fields: Any) -> Link:
    """The pair of an occurrence that stands by itself."""
    return pair(agreed, **{"event_id": event_id(0, ONE), "series_event": "", **fields})


def former(when: When = WEEKLY.when, by: str = "studio") -> dict[str, Any]:
    return {"formers": (when,), "former_by": by}


def an_occurrence(**fields: Any) -> Item:
    return Item(**{"appointment_id": ONE, "series_id": "appt1", "slot": SLOT, "changed_at": NOW, **fields})


def regular(held: Content = REGULAR) -> Appointment:
    """As the series' document has it."""
    return own(held)


IN_STEP = Series(appointment=of_series(), regular=regular(), link=tied())
RENAMED = Series(
    appointment=of_series(titled("B", WEEKLY)), regular=regular(titled("B")), link=tied(titled("B", WEEKLY))
)
ENDED_BY_STUDIO = Series(appointment=of_series(ENDED), link=tied(ENDED, **former()))
ENDED_THERE = Series(appointment=of_series(ENDED), link=tied(ENDED, **former(by="calendar")))
NEVER_THERE = Series(appointment=of_series(ENDED), link=tied(ENDED))
CANCELLED = Series(appointment=of_series(status="cancelled"), link=tied())
DELETED_THERE = Series(appointment=of_series(status="cancelled"), link=tied(state="gone", gone_there=True))
WAITS = Series(appointment=of_series(), regular=regular(), link=tied(held=held_on("calendar")))
ASKED = Series(appointment=of_series(), regular=regular(), link=tied(state="removed", asked="question1"))
NOT_ENTERED = Series(appointment=of_series(), regular=regular())
CANCELLED_UNSEEN = Series(appointment=of_series(status="cancelled"))
BOBS = Series(appointment=of_series(users=(BOB,)), regular=own(users=(BOB,)))

SERIES: Mapping[str, Series] = {
    "in step": IN_STEP, "renamed": RENAMED, "ended by studio": ENDED_BY_STUDIO, "ended there": ENDED_THERE,
    "without the slot": NEVER_THERE, "cancelled": CANCELLED, "deleted there": DELETED_THERE, "held": WAITS,
    "asked": ASKED, "not entered": NOT_ENTERED, "cancelled unseen": CANCELLED_UNSEEN, "Bob's": BOBS,
}  # fmt: skip
LINKS: Mapping[str, Link | None] = {
    "none": None, "pair": pair(), "alone": alone(), "gone": pair(state="gone"),
}  # fmt: skip
STUDIO: Mapping[str, Appointment | None] = {
    "-": None, "as it": own(), "edited": own(titled("S")), "cancelled": own(status="cancelled"),
    "Bob's": own(users=(BOB,)),
}  # fmt: skip
CALENDAR: Mapping[str, Event | None] = {
    "not asked": None, "as it": instance(), "edited": instance(titled("C")), "deleted": instance(None),
    "not found": Event(id=INSTANCE, missing=True),
}  # fmt: skip
TABLE = """
    in step          | none  | -         | not asked | nothing                    | agreed
    in step          | none  | -         | as it     | pair                       | agreed
    in step          | none  | edited    | not asked | patch, pair                | changed_in_studio
    in step          | none  | cancelled | not asked | delete, bury               | cancelled_in_studio
    in step          | none  | Bob's     | not asked | delete, bury               | left_user
    in step          | none  | -         | edited    | update, pair               | changed_in_calendar
    in step          | none  | -         | deleted   | cancel, bury               | deleted_in_calendar
    in step          | none  | cancelled | deleted   | nothing                    | gone_on_both
    in step          | pair  | edited    | not asked | patch, pair                | changed_in_studio
    in step          | pair  | edited    | deleted   | restore, pair, more        | studio_edit_beats_deletion
    in step          | pair  | as it     | deleted   | cancel, bury               | deleted_in_calendar
    in step          | alone | as it     | not asked | delete, pair, more         | with_series
    renamed          | pair  | -         | not asked | patch, pair                | changed_in_studio
    ended by studio  | none  | -         | not asked | nothing                    | with_series
    ended by studio  | none  | edited    | not asked | nothing                    | with_series
    ended by studio  | none  | -         | edited    | delete, bury               | with_series
    ended by studio  | pair  | edited    | not asked | delete, bury               | with_series
    ended by studio  | pair  | as it     | edited    | delete, bury               | with_series
    ended by studio  | pair  | as it     | deleted   | bury                       | with_series
    ended by studio  | pair  | as it     | not found | bury                       | with_series
    ended by studio  | alone | as it     | not asked | let go, pair               | with_series
    ended there      | none  | edited    | not asked | insert, pair, more         | studio_edit_beats_deletion
    ended there      | pair  | as it     | deleted   | bury                       | with_series
    ended there      | pair  | edited    | deleted   | insert, pair, more         | studio_edit_beats_deletion
    ended there      | pair  | as it     | as it     | pair                       | agreed
    ended there      | pair  | as it     | edited    | update, pair               | changed_in_calendar
    without the slot | none  | edited    | not asked | park                       | invalid
    without the slot | none  | cancelled | not asked | nothing                    | with_series
    cancelled        | none  | edited    | not asked | nothing                    | with_series
    cancelled        | pair  | as it     | not asked | bury                       | with_series
    cancelled        | pair  | as it     | edited    | bury                       | cancelled_in_studio
    cancelled        | none  | -         | edited    | bury                       | cancelled_in_studio
    cancelled        | alone | as it     | not asked | let go, pair               | with_series
    deleted there    | pair  | as it     | deleted   | bury                       | with_series
    deleted there    | pair  | edited    | deleted   | insert, pair, more         | studio_edit_beats_deletion
    held             | pair  | edited    | edited    | nothing                    | held
    asked            | pair  | edited    | not asked | nothing                    | with_series
    not entered      | none  | edited    | not asked | nothing                    | with_series
    cancelled unseen | none  | edited    | not asked | nothing                    | cancelled_in_studio
    Bob's            | none  | as it     | not asked | insert, pair               | created_in_studio
    Bob's            | none  | Bob's     | not asked | nothing                    | gone_on_both
    Bob's            | alone | edited    | not asked | patch, pair                | changed_in_studio
"""


@pytest.mark.parametrize("row", [row.strip() for row in TABLE.strip().splitlines()])
def test_what_its_series_is_decides_what_an_occurrence_becomes(row: str) -> None:
    series, link, studio, calendar, done, reason = (cell.strip() for cell in row.split("|"))
    item = an_occurrence(series=SERIES[series], link=LINKS[link], appointment=STUDIO[studio], event=CALENDAR[calendar])
    operation = decided(item)
    assert (deeds(operation), operation.reason) == (done, Reason(reason))


def test_every_row_of_the_series_table_is_tried() -> None:
    tried = {row.split("|")[0].strip() for row in TABLE.strip().splitlines()}
    assert tried == SERIES.keys()


def test_an_edit_there_of_an_occurrence_whose_series_the_studio_took_away_is_in_the_log() -> None:
    for series in (ENDED_BY_STUDIO, CANCELLED):
        for link in (None, pair()):
            operation = decided(an_occurrence(series=series, link=link, event=instance(titled("C"))))
            assert [(lost.unit, lost.side, lost.value) for lost in operation.lost] == [("title", "calendar", "C")]


def test_an_edit_there_of_a_series_that_was_moved_there_meanwhile_is_in_the_log() -> None:
    moved = msgspec.structs.replace(titled("C"), when=REGULAR.when)
    there = instance(moved, original_start="20260528T100000Z")
    operation = decided(an_occurrence(series=CANCELLED, event=there, slot="20260528T100000Z"))
    assert [(lost.unit, lost.value) for lost in operation.lost] == [("title", "C")]


def test_an_occurrence_by_itself_is_another_event_and_becomes_a_single_appointment() -> None:
    entered = decided(
        an_occurrence(series=ENDED_THERE, link=pair(), appointment=own(titled("S")), event=instance(None))
    )
    assert isinstance(entered.calendar, Insert)
    assert entered.calendar.event_id not in {INSTANCE, SERIES_EVENT}
    assert entered.link is not None
    assert entered.link.series_event == ""
    let_go = decided(an_occurrence(series=ENDED_THERE, link=entered.link, appointment=own(titled("S"))))
    assert isinstance(let_go.studio, LetGo)
    assert let_go.studio.appointment_id != ONE
    assert let_go.link is not None
    assert (let_go.link.appointment_id, let_go.link.event_id) == (let_go.studio.appointment_id, entered.link.event_id)
    assert (let_go.link.series_id, let_go.link.slot) == ("", "")
    assert let_go.tombstone is not None
    assert (let_go.tombstone.state, let_go.tombstone.event_id) == ("gone", INSTANCE)
    assert (let_go.tombstone.appointment_id, let_go.tombstone.slot) == (ONE, SLOT)


@pytest.mark.parametrize("under_way", [{"state": "leaving"}, {"state": "removed", "asked": "removed-1"}], ids=str)
def test_an_occurrence_by_itself_that_something_is_under_way_with_is_not_let_go_yet(under_way: dict[str, Any]) -> None:
    link = msgspec.structs.replace(alone(), **under_way)
    for series in (ENDED_THERE, CANCELLED):
        operation = decided(an_occurrence(series=series, link=link, appointment=own(titled("S"))))
        assert not isinstance(operation.studio, LetGo)


def test_a_change_of_one_occurrence_is_a_write_to_its_instance_with_the_etag_of_the_series() -> None:
    calendar = decided(an_occurrence(series=IN_STEP, appointment=own(titled("S")))).calendar
    assert isinstance(calendar, Patch)
    assert (calendar.event_id, calendar.etag, calendar.units) == (INSTANCE, "e1", {"title"})


def test_a_cancelled_occurrence_is_a_deletion_of_its_instance() -> None:
    calendar = decided(an_occurrence(series=IN_STEP, appointment=own(status="cancelled"))).calendar
    assert calendar == Delete(event_id=INSTANCE, etag="e1")


def test_an_occurrence_of_a_series_that_does_not_fit_is_parked_and_says_so() -> None:
    operation = decided(an_occurrence(series=Series(misfit=a_misfit()), appointment=own(), link=pair()))
    assert operation.parked is not None
    assert (operation.parked.field, operation.parked.detail) == ("series_id", "its series: end it is missing")


def test_what_stands_by_itself_needs_no_series_that_fits() -> None:
    operation = decided(an_occurrence(series=Series(misfit=a_misfit()), appointment=own(titled("S")), link=alone()))
    assert deeds(operation) == "patch, pair"


# --- what the series implies -----------------------------------------------------------------------------------------


def test_what_was_agreed_of_an_occurrence_is_what_was_agreed_of_its_series_at_its_time() -> None:
    link = implied(tied(theirs=True, organizer="carl@example.com"), ONE, SLOT)
    assert link is not None
    assert link.studio == link.calendar == REGULAR
    assert (link.event_id, link.series_event, link.series_id, link.slot) == (INSTANCE, SERIES_EVENT, "appt1", SLOT)
    assert (link.theirs, link.organizer, link.etag) == (True, "carl@example.com", "e1")


@pytest.mark.parametrize("slot", ["20260528T100000Z", "20260527", "20260617T100000Z", "nonsense"])
def test_nothing_is_implied_of_a_time_that_the_series_does_not_have(slot: str) -> None:
    assert implied(tied(), f"appt1_{slot}", slot) is None


def test_nothing_is_implied_where_only_one_side_has_the_time() -> None:
    assert implied(tied(WEEKLY, calendar=ENDED), ONE, SLOT) is None
    assert implied(tied(ENDED, calendar=WEEKLY), ONE, SLOT) is None


# --- documents -------------------------------------------------------------------------------------------------------

START = dt.datetime(2026, 5, 20, 10, tzinfo=dt.UTC)
WHOLE = {
    "kind": "session", "title": "Newborn", "user_ids": ["ann"], "status": "confirmed", "start": START,
    "end": START + dt.timedelta(hours=1), "time_zone": "UTC", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
}  # fmt: skip


def test_an_occurrence_has_from_its_series_what_its_document_does_not_say() -> None:
    one = read_occurrence({"series_id": "appt1", "location": "Park"}, WHOLE, "appt1", SLOT, "")
    assert one.content() == msgspec.structs.replace(REGULAR, location="Park")
    assert not one.recurrence


def test_a_document_that_only_says_that_it_is_cancelled_is_enough() -> None:
    one = read_occurrence({"series_id": "appt1", "status": "cancelled"}, WHOLE, "appt1", SLOT, "")
    assert one.cancelled
    assert one.user_ids == ("ann",)


def test_an_occurrence_keeps_its_own_times() -> None:
    later = {"start": START + dt.timedelta(days=9), "end": START + dt.timedelta(days=9, hours=2)}
    when = read_occurrence(later, WHOLE, "appt1", SLOT, "").content().when
    assert (when.start, when.end) == (later["start"], later["end"])


def test_all_day_occurrences_have_dates() -> None:
    series = {
        "kind": "session",
        "title": "Fair",
        "all_day": True,
        "start_date": f"{DAY}",
        "end_date": f"{DAY + dt.timedelta(days=2)}",
    }
    whole = {**series, "user_ids": ["ann"], "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]}
    when = read_occurrence(None, whole, "appt1", "20260527", "").content().when
    assert (f"{when.start}", f"{when.end}") == ("2026-05-27", "2026-05-29")


@pytest.mark.parametrize("slot", [SLOT, "20260527"])
def test_a_document_says_which_occurrence_it_is(slot: str) -> None:
    assert slot_in({"series_id": "appt1", **original_fields(slot)}, f"appt1_{slot}") == ("appt1", slot)


@pytest.mark.parametrize("document", [{}, {"series_id": None}, {"series_id": ""}, {"original_start": START}])
def test_a_document_without_a_series_is_no_occurrence(document: dict[str, Any]) -> None:
    assert slot_in(document, "appt1") is None


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"series_id": 7}, "series_id"),
        ({"series_id": "appt1"}, "original_start"),
        ({"series_id": "appt1", "original_start": "soon"}, "original_start"),
        ({"series_id": "appt1", "original_start": 7}, "original_start"),
        ({"series_id": "appt1", "original_start": START}, "id"),
        ({"series_id": "appt2", **original_fields(SLOT)}, "id"),
    ],
)
def test_a_document_that_does_not_say_which_occurrence_it_is_is_parked(document: dict[str, Any], field: str) -> None:
    with pytest.raises(Park) as parked:
        slot_in(document, ONE)
    assert (parked.value.reason, parked.value.field) == (Reason.INVALID, field)
