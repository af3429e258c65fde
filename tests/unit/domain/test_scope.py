"""Which entries sync at all: every reason for staying out, in both directions, and what is linked whatever they say."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from shared.domain.content import AllDay, Content
from shared.domain.event import Event
from shared.domain.operation import Earlier, Item
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    BEFORE_SINCE,
    NOW,
    SINCE,
    WINDOW_FROM,
    a_deleted_event,
    a_foreign_event,
    a_link,
    a_seal,
    a_time,
    a_tombstone,
    an_appointment,
    an_event,
    an_unfit_event,
    content,
    holding,
    item,
    somebody_elses,
)
from tests.unit.domain.deciding import REASSIGNED, decided, deeds

DAY = dt.timedelta(days=1)
MOMENT = dt.timedelta(seconds=1)
LONG_AGO = content(when=AllDay(WINDOW_FROM.date() - 9 * DAY, WINDOW_FROM.date() - 8 * DAY))
POPULATED = SINCE + 3 * DAY
READ_SINCE = SINCE + 6 * DAY

# A calendar that the user had before has it; or may have it, as a run there left it unfinished.
REST = (Earlier(connection_id="before", link=a_link()),)
PERHAPS = (Earlier(connection_id="before"),)

# --- into the calendar -----------------------------------------------------------------------------------------------


def here(changed_at: dt.datetime | None = NOW, holds: Content | None = None, **fields: Any) -> Item:
    return item(appointment=holding(holds or content()), changed_at=changed_at, **fields)


@pytest.mark.parametrize(
    ("this", "fields", "out"),
    [
        pytest.param(*row[1:], id=row[0])
        for row in [
            ("changed since", here(SINCE), {}, None),
            ("changed a moment before", here(SINCE - MOMENT), {}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("not known to have changed", here(None), {}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("changed before, being populated", here(BEFORE_SINCE), {"populating_calendar": True}, None),
            ("changed before, populated once", here(BEFORE_SINCE), {"calendar_populated": POPULATED}, None),
            ("nobody knows when, populated once", here(None), {"calendar_populated": POPULATED}, None),
            ("changed before, the other direction being populated",
             here(BEFORE_SINCE), {"populating_studio": True}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("changed before, the other direction populated once",
             here(BEFORE_SINCE), {"studio_populated": POPULATED}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("changed before the calendar is read", here(SINCE), {"read_since": READ_SINCE}, None),
            ("changed since, in a mirror", here(SINCE), {"two_way": False}, None),
            ("tentative", here(holds=content(status="tentative")), {}, None),
            ("private", here(holds=content(private=True)), {}, None),
            ("ended before the window", here(holds=LONG_AGO), {}, Reason.ENDED_BEFORE_WINDOW),
            ("ended before the window, being populated",
             here(holds=LONG_AGO), {"populating_calendar": True, "calendar_populated": POPULATED},
             Reason.ENDED_BEFORE_WINDOW),
            ("in an earlier calendar, changed since it was connected",
             here(SINCE, earlier=REST), {"active_since": SINCE + DAY}, Reason.IN_EARLIER_CALENDAR),
            ("in an earlier calendar, populated since this one is the active one",
             here(None, earlier=REST), {"active_since": POPULATED, "calendar_populated": POPULATED}, None),
            ("in an earlier calendar, populated before this one was the active one",
             here(None, earlier=REST), {"active_since": POPULATED + MOMENT, "calendar_populated": POPULATED},
             Reason.IN_EARLIER_CALENDAR),
            ("perhaps in an earlier calendar, changed since it was connected",
             here(SINCE, earlier=PERHAPS), {"active_since": SINCE + DAY}, None),
            ("in an earlier calendar, changed since this one is the active one",
             here(SINCE + DAY, earlier=REST), {"active_since": SINCE + DAY}, None),
            ("in an earlier calendar, being populated",
             here(None, earlier=REST), {"active_since": SINCE, "populating_calendar": True}, None),
            ("in an earlier calendar, nobody knows when it changed",
             here(None, earlier=REST), {"active_since": SINCE}, Reason.IN_EARLIER_CALENDAR),
            ("in an earlier calendar, ended before the window",
             here(earlier=REST, holds=LONG_AGO), {}, Reason.ENDED_BEFORE_WINDOW),
        ]
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("link", "done"), [(None, "insert, pair"), (a_tombstone(), "restore, pair, more")], ids=["new", "gone"]
)
def test_what_enters_the_calendar(link: Any, done: str, this: Item, fields: dict[str, Any], out: Reason | None) -> None:
    operation = decided(msgspec.structs.replace(this, link=link), **fields)
    expected = (done, Reason.CREATED_IN_STUDIO) if out is None else ("nothing", out)
    assert (deeds(operation), operation.reason) == expected


# --- into the studio -------------------------------------------------------------------------------------------------


def there(updated: dt.datetime | None = NOW, **fields: Any) -> Event:
    return a_foreign_event(updated=updated, **fields)


@pytest.mark.parametrize(
    ("event", "fields", "out"),
    [
        pytest.param(*row[1:], id=row[0])
        for row in [
            ("changed since", there(SINCE), {}, None),
            ("changed a moment before", there(SINCE - MOMENT), {}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("nobody knows when", there(None), {}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("changed before, being populated", there(BEFORE_SINCE), {"populating_studio": True}, None),
            ("nobody knows when, being populated", there(None), {"populating_studio": True}, None),
            ("changed before, populated once", there(BEFORE_SINCE), {"studio_populated": POPULATED}, None),
            ("nobody knows when, populated once", there(None), {"studio_populated": POPULATED}, None),
            ("changed before, the other direction being populated",
             there(BEFORE_SINCE), {"populating_calendar": True}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("changed before, the other direction populated once",
             there(BEFORE_SINCE), {"calendar_populated": POPULATED}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("changed before the calendar is read",
             there(READ_SINCE - MOMENT), {"read_since": READ_SINCE}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("changed when the calendar is read", there(READ_SINCE), {"read_since": READ_SINCE}, None),
            ("there when it was populated",
             there(POPULATED), {"read_since": READ_SINCE, "studio_populated": POPULATED}, None),
            ("changed between populate and reading",
             there(POPULATED + MOMENT), {"read_since": READ_SINCE, "studio_populated": POPULATED},
             Reason.UNCHANGED_SINCE_CONNECTED),
            ("changed between populate and reading, being populated again",
             there(POPULATED + MOMENT),
             {"read_since": READ_SINCE, "studio_populated": POPULATED, "populating_studio": True}, None),
            ("read already when it was populated, changed since it is read",
             there(SINCE + 2 * DAY), {"read_since": SINCE + DAY, "studio_populated": POPULATED}, None),
            ("changed since, but a mirror", there(), {"two_way": False}, Reason.ONE_WAY),
            ("there when it was populated, but a mirror",
             there(), {"two_way": False, "studio_populated": NOW}, Reason.ONE_WAY),
            ("a mirror that is populated from", there(BEFORE_SINCE), {"two_way": False, "populating_studio": True},
             None),
            ("ended before the window", there(holds=LONG_AGO), {}, Reason.ENDED_BEFORE_WINDOW),
            ("ended before the window, being populated",
             there(holds=LONG_AGO), {"populating_studio": True}, Reason.ENDED_BEFORE_WINDOW),
            ("tentative", there(status="tentative"), {}, Reason.TENTATIVE),
            ("tentative, being populated", there(status="tentative"), {"populating_studio": True}, Reason.TENTATIVE),
            ("tentative, asked for", there(status="tentative"), {"include_tentative": True}, None),
            ("tentative, asked for, but changed before",
             there(BEFORE_SINCE, status="tentative"), {"include_tentative": True}, Reason.UNCHANGED_SINCE_CONNECTED),
            ("an invitation, accepted", somebody_elses(), {}, None),
            ("an invitation without an answer", somebody_elses(answer="needsAction"), {}, Reason.TENTATIVE),
            ("an invitation, perhaps", somebody_elses(answer="tentative"), {}, Reason.TENTATIVE),
            ("an invitation without an answer, asked for",
             somebody_elses(answer="needsAction"), {"include_tentative": True}, None),
            ("an invitation, declined", somebody_elses(answer="declined"), {}, Reason.DECLINED),
            ("an invitation, declined, tentative ones asked for, being populated",
             somebody_elses(answer="declined"), {"include_tentative": True, "populating_studio": True},
             Reason.DECLINED),
            ("one's own, which one does not attend oneself", there(answer="declined"), {}, None),
            ("one's own, not answered oneself", there(answer="needsAction"), {}, None),
            ("a note of absence", there(kind="outOfOffice"), {}, None),
            *((kind, there(kind=kind), {"populating_studio": True}, Reason.EVENT_TYPE)
              for kind in ("birthday", "focusTime", "fromGmail", "workingLocation", "something of next year")),
        ]
    ],
)  # fmt: skip
def test_what_enters_the_studio(event: Event, fields: dict[str, Any], out: Reason | None) -> None:
    operation = decided(item(event=event), **fields)
    expected = ("create, pair", Reason.CREATED_IN_CALENDAR) if out is None else ("nothing", out)
    assert (deeds(operation), operation.reason) == expected


@pytest.mark.parametrize(
    ("event", "out"),
    [
        (there(BEFORE_SINCE), Reason.UNCHANGED_SINCE_CONNECTED),
        (there(status="tentative"), Reason.TENTATIVE),
        (somebody_elses(answer="declined"), Reason.DECLINED),
        (there(kind="birthday"), Reason.EVENT_TYPE),
        (there(holds=LONG_AGO), Reason.ENDED_BEFORE_WINDOW),
    ],
)
def test_joining_what_the_studio_has_is_entering_it_too(event: Event, out: Reason) -> None:
    operation = decided(item(appointment=REASSIGNED, event=event))
    assert (deeds(operation), operation.reason) == ("nothing", out)


@pytest.mark.parametrize(
    ("event", "fields", "out"),
    [
        (an_unfit_event(), {}, None),
        (an_unfit_event(updated=BEFORE_SINCE), {"populating_studio": True}, None),
        (an_unfit_event(updated=BEFORE_SINCE), {}, Reason.UNCHANGED_SINCE_CONNECTED),
        (an_unfit_event(), {"read_since": NOW + MOMENT}, Reason.UNCHANGED_SINCE_CONNECTED),
        (an_unfit_event(), {"two_way": False}, Reason.ONE_WAY),
        (an_unfit_event(kind="birthday"), {}, Reason.EVENT_TYPE),
        (an_unfit_event(own=False, answer="declined"), {}, Reason.DECLINED),
        (an_unfit_event(own=False, answer="needsAction"), {}, Reason.TENTATIVE),
        (an_unfit_event(own=False, answer="needsAction"), {"include_tentative": True}, None),
    ],
)
@pytest.mark.parametrize("link", [None, a_tombstone()], ids=["new", "gone"])
def test_what_does_not_fit_is_parked_only_if_it_would_come_in(
    link: Any, event: Event, fields: dict[str, Any], out: Reason | None
) -> None:
    operation = decided(item(event=event, link=link), **fields)
    expected = ("park", Reason.UNSUPPORTED_RULE) if out is None else ("nothing", out)
    assert (deeds(operation), operation.reason) == expected


# --- the window ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ends", "in_it"), [(-MOMENT, False), (dt.timedelta(0), True), (MOMENT, True)])
def test_what_ends_as_the_window_begins_is_in_it(ends: dt.timedelta, in_it: bool) -> None:
    end = WINDOW_FROM + ends
    held = content(when=msgspec.structs.replace(a_time("10:00"), start=end - DAY, end=end))
    assert (decided(here(holds=held)).calendar is not None) == in_it
    assert (decided(item(event=there(holds=held))).studio is not None) == in_it


def test_a_whole_day_is_over_when_it_is_over_everywhere() -> None:
    day = WINDOW_FROM.date()
    last_day = content(when=AllDay(day - DAY, day))
    assert deeds(decided(here(holds=last_day))) == "insert, pair"


# --- what is linked, or stands on both sides -------------------------------------------------------------------------

FILTERED = [
    pytest.param(an_event(title="B", **fields), id=name)
    for name, fields in {
        "tentative": {"status": "tentative"},
        "declined": {"own": False, "answer": "declined"},
        "another type": {"kind": "focusTime"},
        "changed before": {"updated": BEFORE_SINCE},
        "nobody knows when": {"updated": None},
        "ended before the window": {"when": LONG_AGO.when},
    }.items()
]


@pytest.mark.parametrize("event", FILTERED)
def test_a_linked_pair_takes_the_calendars_edits_whatever_the_filters_say(event: Event) -> None:
    operation = decided(item(link=a_link(), appointment=an_appointment(), event=event), read_since=NOW + MOMENT)
    assert deeds(operation) == "update, pair"


@pytest.mark.parametrize("fields", [{}, {"active_since": NOW + DAY}, {"window_from": NOW + 90 * DAY}])
def test_a_linked_pair_takes_the_studios_edits_whatever_the_filters_say(fields: dict[str, Any]) -> None:
    this = item(link=a_link(), appointment=an_appointment(title="B"), changed_at=None)
    assert deeds(decided(this, **fields)) == "patch, pair"
    again = msgspec.structs.replace(this, event=a_deleted_event())
    assert deeds(decided(again, **fields)) == "restore, pair, more"


@pytest.mark.parametrize("event", FILTERED)
def test_a_linked_pair_whose_entry_would_be_filtered_now_is_not_cancelled(event: Event) -> None:
    operation = decided(item(link=a_link(), appointment=an_appointment(), event=event))
    assert not operation.takes_away


@pytest.mark.parametrize(
    ("changed_at", "updated", "paired"),
    [(NOW, BEFORE_SINCE, True), (None, NOW, True), (BEFORE_SINCE, BEFORE_SINCE, False)],
    ids=["the appointment is in scope", "the event is in scope", "neither"],
)
def test_a_twin_is_paired_if_either_of_the_two_is_in_scope(
    changed_at: dt.datetime | None, updated: dt.datetime, paired: bool
) -> None:
    this = item(appointment=an_appointment(), event=there(updated), changed_at=changed_at)
    assert deeds(decided(this)) == ("pair" if paired else "nothing")


def test_an_unrecorded_entry_of_ours_is_a_pair_whatever_the_filters_say() -> None:
    """It was in scope when it was entered; the box was unticked since, and the run had died."""
    entered = an_event(seal=a_seal(content()), updated=BEFORE_SINCE)
    assert deeds(decided(item(appointment=an_appointment(), event=entered, changed_at=None))) == "pair"
