"""The policy: its table first, then what the table leaves to words, then what a crash may leave behind.

The simulation in `test_plan_in_motion.py` drives the same policy through random histories.
"""

import datetime as dt
from typing import Any

import msgspec
import pytest

from shared.domain import identity
from shared.domain.content import AllDay, Content
from shared.domain.errors import Park
from shared.domain.event import Delete, Event, Insert, Patch
from shared.domain.link import Link, succeeded
from shared.domain.operation import (
    CancelAppointment,
    CreateAppointment,
    Item,
    Operation,
    Rules,
    UpdateAppointment,
    agreed,
)
from shared.domain.plan import decide
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    ANN,
    APPOINTMENT,
    BEFORE_SINCE,
    BOB,
    CONNECTION,
    EVERY_UNIT,
    NOW,
    SINCE,
    WINDOW_FROM,
    a_deleted_event,
    a_foreign_event,
    a_link,
    a_misfit,
    a_seal,
    a_tombstone,
    an_appointment,
    an_event,
    content,
    event_id,
    holding,
    item,
    rules,
)

A, B, C = (content(title=title) for title in "ABC")
CANCELLED = an_appointment(status="cancelled")
REASSIGNED = an_appointment(users=(BOB,))


def deeds(operation: Operation) -> str:
    """What an operation does, in a few words, in the order in which it is done."""
    words = {
        Insert: "insert", Patch: "patch", Delete: "delete",
        CreateAppointment: "create", UpdateAppointment: "update", CancelAppointment: "cancel",
    }  # fmt: skip
    done = [words[type(write)] for write in (operation.calendar, operation.studio) if write is not None]
    if operation.link is not None:
        done.append("pair" if operation.link.paired else "bury")
    if operation.parked is not None:
        done.append("park")
    return ", ".join(done) or "nothing"


def decided(this: Item, **fields: Any) -> Operation:
    return decide(this, rules(**fields))


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "studio", "calendar", "done", "reason"),
    [
        pytest.param(*row[1:], id=row[0])
        for row in [
            ("new in the studio: enter the calendar",
             None, an_appointment(), None, "insert, pair", Reason.CREATED_IN_STUDIO),
            ("new in the calendar: enter the studio",
             None, None, a_foreign_event(), "create, pair", Reason.CREATED_IN_CALENDAR),
            ("a guest's copy of what the studio has: join",
             None, REASSIGNED, a_foreign_event(), "update, pair", Reason.JOINED),
            ("a guest's copy of what the studio cancelled: leave it",
             None, CANCELLED, a_foreign_event(), "nothing", Reason.CANCELLED_IN_STUDIO),
            ("the same on both sides, not paired yet: pair",
             None, an_appointment(), a_foreign_event(), "pair", Reason.MATCHED),
            ("ours in the calendar, not recorded yet: record",
             None, an_appointment(), an_event(seal=a_seal(content())), "pair", Reason.CREATED_IN_STUDIO),
            ("ours in the calendar, not recorded, and cancelled since: take it out",
             None, CANCELLED, an_event(seal=a_seal(content())), "delete, bury", Reason.CANCELLED_IN_STUDIO),
            ("never on any side: nothing", None, None, None, "nothing", Reason.GONE_ON_BOTH),
            ("paired, and nothing changed: nothing", a_link(), an_appointment(), an_event(), "nothing", Reason.AGREED),
            ("paired, the calendar not asked: nothing", a_link(), an_appointment(), None, "nothing", Reason.AGREED),
            ("paired, changed in the studio: patch",
             a_link(), an_appointment(title="B"), None, "patch, pair", Reason.CHANGED_IN_STUDIO),
            ("paired, changed in the calendar: update",
             a_link(), an_appointment(), an_event(title="B"), "update, pair", Reason.CHANGED_IN_CALENDAR),
            ("paired, changed on both: both",
             a_link(), an_appointment(title="B"), an_event(location="Park"), "patch, update, pair",
             Reason.CHANGED_ON_BOTH),
            ("deleted in the calendar, nobody else assigned: cancel",
             a_link(), an_appointment(), a_deleted_event(), "cancel, bury", Reason.DELETED_IN_CALENDAR),
            ("deleted in the calendar, another assigned: leave it to a person",
             a_link(), an_appointment(users=(ANN, BOB)), a_deleted_event(), "nothing",
             Reason.REMOVED_FROM_ONE_OF_SEVERAL),
            ("deleted in the calendar, edited in the studio: enter again",
             a_link(), an_appointment(title="B"), a_deleted_event(), "insert, pair",
             Reason.STUDIO_EDIT_BEATS_DELETION),
            ("cancelled in the studio: take it out", a_link(), CANCELLED, None, "delete, bury",
             Reason.CANCELLED_IN_STUDIO),
            ("deleted in the studio: take it out", a_link(), None, None, "delete, bury", Reason.CANCELLED_IN_STUDIO),
            ("reassigned: take it out", a_link(), REASSIGNED, None, "delete, bury", Reason.LEFT_USER),
            ("gone from both: bury", a_link(), CANCELLED, a_deleted_event(), "bury", Reason.GONE_ON_BOTH),
            ("taken apart, back in the studio: enter again",
             a_tombstone(), an_appointment(), None, "insert, pair", Reason.CREATED_IN_STUDIO),
            ("taken apart, still in the calendar: leave it",
             a_tombstone(), CANCELLED, an_event(), "nothing", Reason.GONE_ON_BOTH),
            ("taken apart, on no side: nothing", a_tombstone(), None, None, "nothing", Reason.GONE_ON_BOTH),
        ]
    ],
)  # fmt: skip
def test_table(link: Link | None, studio: Any, calendar: Event | None, done: str, reason: Reason) -> None:
    operation = decided(item(link=link, appointment=studio, event=calendar))
    assert (deeds(operation), operation.reason) == (done, reason)


# --- what is written -------------------------------------------------------------------------------------------------


def test_a_patch_sends_the_changed_units_conditional_on_what_was_seen() -> None:
    patch = decided(item(link=a_link(etag="e7"), appointment=an_appointment(title="B"))).calendar
    assert isinstance(patch, Patch)
    assert (patch.event_id, patch.etag, set(patch.units)) == (event_id(), "e7", {"title"})
    assert set(patch.seal.sent) == {"title"}


def test_an_insert_has_our_own_id_and_sends_every_unit() -> None:
    insert = decided(item(appointment=an_appointment())).calendar
    assert isinstance(insert, Insert)
    assert insert.event_id == identity.event(CONNECTION, APPOINTMENT, 0)
    assert set(insert.seal.sent) == EVERY_UNIT


def test_a_deletion_is_conditional_on_what_was_seen() -> None:
    operation = decided(item(link=a_link(), appointment=CANCELLED, event=an_event(etag="e9")))
    assert operation.calendar == Delete(event_id=event_id(), etag="e9")


def test_the_same_plan_comes_out_of_the_same_facts() -> None:
    this = item(link=a_link(), appointment=an_appointment(title="B"), event=an_event(location="Park"))
    assert decided(this) == decided(this)


def test_joining_adds_the_user_and_leaves_the_studios_text() -> None:
    operation = decided(item(appointment=holding(A, users=(BOB,)), event=a_foreign_event(holds=B)))
    assert operation.studio == UpdateAppointment(content=A, units=frozenset(), join=True)
    assert operation.link is not None
    assert (operation.link.studio, operation.link.calendar, operation.link.event_id) == (A, B, "foreign1")


def test_after_joining_both_texts_stay_as_they_are() -> None:
    event = a_foreign_event(holds=B)
    joined = decided(item(appointment=holding(A, users=(BOB,)), event=event))
    after = decided(item(appointment=holding(A, users=(BOB, ANN)), event=event, link=agreed(joined, None)))
    assert deeds(after) == "nothing"


def test_joining_what_does_not_fit_parks_it() -> None:
    repeating = an_appointment(users=(BOB,), recurrence=("RRULE:FREQ=DAILY",))
    operation = decided(item(appointment=repeating, event=a_foreign_event()))
    assert (deeds(operation), operation.reason) == ("park", Reason.REPEATING)


def test_a_change_of_the_etag_alone_is_recorded_once_and_then_quiet() -> None:
    """Somebody added a guest: nothing of ours changed, but the next write must be conditional on the new etag."""
    this = item(link=a_link(), appointment=an_appointment(), event=an_event(etag="e2"))
    first = decided(this)
    assert deeds(first) == "pair"
    assert deeds(decide(msgspec.structs.replace(this, link=agreed(first, None)), rules())) == "nothing"


def test_what_the_provider_stored_is_agreed_not_what_was_sent() -> None:
    operation = decided(item(appointment=holding(content(description="a < b"))))
    rewritten = an_event(etag="e5", description="a &lt; b")
    link = agreed(operation, rewritten)
    assert link is not None
    assert (link.studio, link.calendar, link.etag) == (content(description="a < b"), rewritten.content, "e5")
    again = item(appointment=holding(content(description="a < b")), link=link, event=rewritten)
    assert deeds(decided(again)) == "nothing"


def test_a_deletion_carried_out_leaves_the_tombstone_as_it_is() -> None:
    operation = decided(item(link=a_link(), appointment=CANCELLED))
    assert agreed(operation, Event(id=event_id())) == operation.link


# --- scope -----------------------------------------------------------------------------------------------------------

LONG_AGO = content(when=AllDay(WINDOW_FROM.date() - dt.timedelta(days=9), WINDOW_FROM.date() - dt.timedelta(days=8)))
OLD_EVENT = a_foreign_event(updated=BEFORE_SINCE)


@pytest.mark.parametrize(
    ("this", "fields", "done"),
    [
        pytest.param(*row[1:], id=row[0])
        for row in [
            ("in the studio, changed since",
             item(appointment=an_appointment(), changed_at=SINCE), {}, "insert, pair"),
            ("in the studio, changed before",
             item(appointment=an_appointment(), changed_at=BEFORE_SINCE), {}, "nothing"),
            ("in the studio, not known to have changed",
             item(appointment=an_appointment(), changed_at=None), {}, "nothing"),
            ("in the studio, populated",
             item(appointment=an_appointment(), changed_at=None), {"calendar_populated": True}, "insert, pair"),
            ("in the studio, the other direction populated",
             item(appointment=an_appointment(), changed_at=None), {"studio_populated": True}, "nothing"),
            ("in the studio, ended before the window",
             item(appointment=holding(LONG_AGO)), {"calendar_populated": True}, "nothing"),
            ("in the calendar, changed since", item(event=a_foreign_event(updated=SINCE)), {}, "create, pair"),
            ("in the calendar, changed before", item(event=OLD_EVENT), {}, "nothing"),
            ("in the calendar, nobody knows when", item(event=a_foreign_event(updated=None)), {}, "nothing"),
            ("in the calendar, populated", item(event=OLD_EVENT), {"studio_populated": True}, "create, pair"),
            ("in the calendar, the other direction populated",
             item(event=OLD_EVENT), {"calendar_populated": True}, "nothing"),
            ("in the calendar, ended before the window",
             item(event=a_foreign_event(holds=LONG_AGO)), {"studio_populated": True}, "nothing"),
            ("in the calendar, changed since, but one-way",
             item(event=a_foreign_event()), {"two_way": False}, "nothing"),
            ("in the calendar, one-way, populated",
             item(event=OLD_EVENT), {"two_way": False, "studio_populated": True}, "create, pair"),
            ("another guest's copy, changed before",
             item(appointment=REASSIGNED, event=OLD_EVENT), {}, "nothing"),
            ("linked, whatever the filters say",
             item(link=a_link(LONG_AGO), appointment=holding(msgspec.structs.replace(LONG_AGO, title="B")),
                  changed_at=None), {}, "patch, pair"),
            ("linked and deleted in the calendar, edited here, whatever the filters say",
             item(link=a_link(LONG_AGO), appointment=holding(msgspec.structs.replace(LONG_AGO, title="B")),
                  event=a_deleted_event(), changed_at=None), {}, "insert, pair"),
            ("a tombstone puts nothing back that is out of scope",
             item(link=a_tombstone(), appointment=an_appointment(), changed_at=None), {}, "nothing"),
        ]
    ],
)  # fmt: skip
def test_scope(this: Item, fields: dict[str, Any], done: str) -> None:
    assert deeds(decided(this, **fields)) == done


def test_what_ends_as_the_window_begins_is_in_it() -> None:
    day = WINDOW_FROM.date()
    last_day = content(when=AllDay(day - dt.timedelta(days=1), day))
    assert deeds(decided(item(appointment=holding(last_day)))) == "insert, pair"


# --- one-way: the calendar is a mirror -------------------------------------------------------------------------------


def test_a_mirror_is_put_back_and_what_stood_there_is_kept() -> None:
    operation = decided(item(link=a_link(A), appointment=holding(A), event=an_event(holds=B)), two_way=False)
    assert deeds(operation) == "patch, pair"
    assert [lost.value for lost in operation.lost] == ["B"]


def test_a_mirror_enters_again_what_was_deleted_there() -> None:
    operation = decided(item(link=a_link(), appointment=an_appointment(), event=a_deleted_event()), two_way=False)
    assert deeds(operation) == "insert, pair"


def test_a_mirrors_edits_do_not_come_along_when_the_appointment_leaves() -> None:
    operation = decided(item(link=a_link(), appointment=REASSIGNED, event=an_event(title="B")), two_way=False)
    assert deeds(operation) == "delete, bury"


# --- clashes and policies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "studio_at", "calendar_at", "winner"),
    [
        ("studio", NOW, NOW + dt.timedelta(hours=1), "B"),
        ("google", NOW, NOW - dt.timedelta(hours=1), "C"),
        ("latest", NOW, NOW + dt.timedelta(hours=1), "C"),
        ("latest", NOW, NOW - dt.timedelta(hours=1), "B"),
        ("latest", None, NOW, "B"),
    ],
)
def test_a_clash_goes_where_the_policy_says(
    policy: Any, studio_at: dt.datetime | None, calendar_at: dt.datetime, winner: str
) -> None:
    this = item(
        link=a_link(A), appointment=holding(B), event=an_event(holds=C, updated=calendar_at), changed_at=studio_at
    )
    operation = decided(this, clash_policy=policy)
    assert operation.link is not None
    assert operation.link.studio is not None
    assert operation.link.calendar is not None
    assert operation.link.studio.title == operation.link.calendar.title == winner
    assert len(operation.lost) == 1


# --- deletions -------------------------------------------------------------------------------------------------------


def test_a_deletion_in_one_of_several_calendars_is_said_once_and_stores_nothing() -> None:
    operation = decided(item(link=a_link(), appointment=an_appointment(users=(ANN, BOB)), event=a_deleted_event()))
    assert operation.tells
    assert not operation.writes


def test_an_edit_in_the_studio_beats_the_deletion_also_with_several_users() -> None:
    this = item(link=a_link(), appointment=an_appointment(users=(ANN, BOB), title="B"), event=a_deleted_event())
    assert deeds(decided(this)) == "insert, pair"


def test_what_is_entered_again_has_the_next_generations_id() -> None:
    this = item(link=a_link(generation=3), appointment=an_appointment(title="B"), event=a_deleted_event(3))
    operation = decided(this)
    assert isinstance(operation.calendar, Insert)
    assert operation.link is not None
    assert (operation.calendar.event_id, operation.link.generation) == (event_id(4), 4)


@pytest.mark.parametrize(("link", "known", "used"), [(None, 2, 2), (a_tombstone(0), 0, 1), (a_tombstone(1), 5, 5)])
def test_a_burnt_id_is_followed_by_the_next_that_is_free(link: Link | None, known: int, used: int) -> None:
    operation = decided(item(link=link, appointment=an_appointment(), next_generation=known))
    assert isinstance(operation.calendar, Insert)
    assert operation.link is not None
    assert (operation.calendar.event_id, operation.link.generation) == (event_id(used), used)


def test_a_cancellation_beats_an_edit_in_the_calendar_which_is_kept() -> None:
    operation = decided(item(link=a_link(A), appointment=CANCELLED, event=an_event(holds=B)))
    assert deeds(operation) == "delete, bury"
    assert [(lost.side, lost.value) for lost in operation.lost] == [("calendar", "B")]


def test_a_buried_pair_agrees_on_nothing_any_more() -> None:
    link = decided(item(link=a_link(), appointment=CANCELLED)).link
    assert link is not None
    assert (link.paired, link.studio, link.calendar, link.expires_at) == (
        False,
        None,
        None,
        NOW + dt.timedelta(days=30),
    )


# --- reassignment ----------------------------------------------------------------------------------------------------


def test_what_was_still_edited_in_the_calendar_goes_to_the_studio_when_the_appointment_leaves() -> None:
    operation = decided(item(link=a_link(A), appointment=holding(A, users=(BOB,)), event=an_event(holds=B)))
    assert operation.studio == UpdateAppointment(content=B, units=frozenset({"title"}))


def test_the_event_is_not_deleted_before_its_pending_edit_is_in_the_studio() -> None:
    """A run that dies between the two writes must leave the edit on one side at least (engine.md, "merged into the
    studio first, then the event goes"); the calendar's write comes first in every operation.
    """
    operation = decided(item(link=a_link(A), appointment=holding(A, users=(BOB,)), event=an_event(holds=B)))
    assert not (operation.studio is not None and isinstance(operation.calendar, Delete))


def test_an_unrecorded_write_of_ours_is_no_pending_edit_when_the_appointment_leaves() -> None:
    """Agreed A; B was sent, the run died; the studio went back to A and to another user: A stays."""
    sent = an_event(holds=B, seal=a_seal(B, frozenset({"title"}), previous="sealed"))
    operation = decided(item(link=a_link(A), appointment=holding(A, users=(BOB,)), event=sent))
    assert operation.studio is None


def test_an_unrecorded_write_of_ours_is_not_logged_as_lost_when_the_appointment_is_cancelled() -> None:
    sent = an_event(holds=B, seal=a_seal(B, frozenset({"title"}), previous="sealed"))
    operation = decided(item(link=a_link(A), appointment=holding(B, status="cancelled"), event=sent))
    assert operation.lost == ()


def test_an_edit_of_an_unrecorded_event_goes_to_the_studio_when_the_appointment_leaves() -> None:
    """A was entered, the run died; a person edited it to B; then it was reassigned: B is a change on one side only."""
    edited = an_event(holds=B, seal=a_seal(A))
    operation = decided(item(appointment=holding(A, users=(BOB,)), event=edited))
    assert isinstance(operation.studio, UpdateAppointment)


def test_a_reassigned_appointment_that_does_not_fit_is_parked_and_its_event_stays() -> None:
    repeating = an_appointment(users=(BOB,), recurrence=("RRULE:FREQ=DAILY",))
    assert deeds(decided(item(link=a_link(), appointment=repeating, event=an_event()))) == "park"


# --- crashes: the event carries a seal that no link knows ------------------------------------------------------------

SENT_B = a_seal(B, frozenset({"title"}), previous="sealed")


def test_a_write_of_ours_that_was_not_recorded_is_recorded_and_nothing_is_sent_again() -> None:
    operation = decided(item(link=a_link(A), appointment=holding(B), event=an_event(holds=B, seal=SENT_B)))
    assert deeds(operation) == "pair"
    assert operation.link is not None
    assert operation.link.seal == SENT_B.name


def test_a_persons_edit_after_the_unrecorded_write_survives() -> None:
    this = item(link=a_link(A), appointment=holding(B), event=an_event(holds=C, seal=SENT_B))
    assert decided(this).studio == UpdateAppointment(content=C, units=frozenset({"title"}))


def test_a_persons_edit_of_another_unit_after_the_unrecorded_write_survives_too() -> None:
    edited = an_event(holds=msgspec.structs.replace(B, location="Park"), seal=SENT_B)
    operation = decided(item(link=a_link(A), appointment=holding(B), event=edited))
    assert deeds(operation) == "update, pair"
    assert isinstance(operation.studio, UpdateAppointment)
    assert operation.studio.units == {"location"}


def test_an_edit_in_the_studio_after_the_unrecorded_write_is_carried() -> None:
    operation = decided(item(link=a_link(A), appointment=holding(C), event=an_event(holds=B, seal=SENT_B)))
    assert deeds(operation) == "patch, pair"
    assert operation.lost == ()
    assert isinstance(operation.calendar, Patch)
    assert operation.calendar.content.title == "C"


@pytest.mark.parametrize("policy", ["studio", "google", "latest"])
def test_the_studio_going_back_after_the_unrecorded_write_is_carried(policy: Any) -> None:
    """A, B sent but not recorded, A again: by the link alone, B would be a person's edit, and would come back."""
    this = item(link=a_link(A), appointment=holding(A), event=an_event(holds=B, seal=SENT_B))
    operation = decided(this, clash_policy=policy)
    assert (deeds(operation), operation.lost) == ("patch, pair", ())
    assert isinstance(operation.calendar, Patch)
    assert operation.calendar.content == A


def test_a_person_going_back_after_the_unrecorded_write_is_carried() -> None:
    """By the link alone, the event is as agreed and only the studio has changed: the person would be overruled."""
    operation = decided(item(link=a_link(A), appointment=holding(B), event=an_event(holds=A, seal=SENT_B)))
    assert operation.studio == UpdateAppointment(content=A, units=frozenset({"title"}))


def test_a_seal_that_the_link_knows_says_nothing_about_a_later_edit() -> None:
    """A, B, A were all recorded; a person then set B: it matches what was sent once, and is an edit all the same."""
    first = a_seal(B, frozenset({"title"}), previous="sealed")
    second = a_seal(A, frozenset({"title"}), previous=first.name)
    this = item(link=a_link(A, seal=second.name), appointment=holding(A), event=an_event(holds=B, seal=second))
    assert decided(this).studio == UpdateAppointment(content=B, units=frozenset({"title"}))


def test_a_second_unrecorded_write_vouches_for_the_first_one_too() -> None:
    both = msgspec.structs.replace(B, location="Park")
    second = decided(item(link=a_link(A), appointment=holding(both), event=an_event(holds=B, seal=SENT_B))).calendar
    assert isinstance(second, Patch)
    assert second.units == {"location"}
    died_again = item(link=a_link(A), appointment=holding(both), event=an_event(holds=both, seal=second.seal))
    assert deeds(decided(died_again)) == "pair"


def test_the_next_seal_follows_the_one_on_the_event_not_the_one_on_the_link() -> None:
    """Otherwise A, B (unrecorded), A, B would name the fourth write as the second one."""
    back = decided(item(link=a_link(A), appointment=holding(A), event=an_event(holds=B, seal=SENT_B))).calendar
    assert isinstance(back, Patch)
    fourth = decided(item(link=a_link(A), appointment=holding(B), event=an_event(holds=A, seal=back.seal))).calendar
    assert isinstance(fourth, Patch)
    assert len({SENT_B.name, back.seal.name, fourth.seal.name}) == 3


def test_an_entry_that_was_not_recorded_takes_an_edit_from_each_side() -> None:
    entered = an_event(holds=msgspec.structs.replace(A, location="Park"), seal=a_seal(A))
    operation = decided(item(appointment=holding(B), event=entered))
    assert deeds(operation) == "patch, update, pair"
    assert operation.lost == ()


def test_an_unrecorded_entry_of_a_later_generation_is_recorded_with_its_generation() -> None:
    entered = an_event(generation=1, seal=a_seal(content()))
    operation = decided(item(link=a_tombstone(0), appointment=an_appointment(), event=entered))
    assert operation.link is not None
    assert (operation.link.event_id, operation.link.generation) == (event_id(1), 1)


def test_an_unrecorded_entry_of_a_later_generation_is_taken_out_once_the_appointment_is_cancelled() -> None:
    """Back in the studio, entered again, the run died, cancelled again: nobody else will ever remove that event."""
    entered = an_event(generation=1, seal=a_seal(content()))
    operation = decided(item(link=a_tombstone(0), appointment=CANCELLED, event=entered))
    assert deeds(operation) == "delete, bury"


def test_an_event_of_the_next_generation_takes_the_place_of_the_one_that_the_link_still_names() -> None:
    """Deleted there, edited here: entered again, the run died. Reading the item puts the successor into the link."""
    entered = an_event(generation=1, holds=B, seal=a_seal(B, previous="sealed"), etag="e5")
    operation = decided(item(link=succeeded(a_link(A), event_id(1), 1), appointment=holding(B), event=entered))
    assert operation.calendar is None
    assert operation.link is not None
    assert (operation.link.event_id, operation.link.generation, operation.link.etag) == (event_id(1), 1, "e5")


# --- what does not fit -----------------------------------------------------------------------------------------------


def an_unfit_event(**fields: Any) -> Event:
    return an_event(**{"content": None, "unfit": Reason.REPEATING, "unfit_detail": "recurrence", **fields})


@pytest.mark.parametrize(
    ("this", "reason"),
    [
        (item(misfit=a_misfit()), Reason.INVALID),
        (item(misfit=a_misfit(), link=a_link(), event=an_event(title="B")), Reason.INVALID),
        (item(misfit=a_misfit(), link=a_link(), event=a_deleted_event()), Reason.INVALID),
        (item(appointment=an_appointment(end=None)), Reason.INVALID),
        (item(appointment=an_appointment(recurrence=("RRULE:FREQ=DAILY",)), link=a_link()), Reason.REPEATING),
        (item(event=an_unfit_event()), Reason.REPEATING),
        (item(event=an_unfit_event(), link=a_link(), appointment=an_appointment()), Reason.REPEATING),
    ],
    ids=[
        "a document",
        "a paired document, edited in the calendar",
        "a paired document, deleted in the calendar",
        "times missing",
        "a paired appointment that repeats now",
        "an event",
        "a paired event",
    ],
)
def test_what_does_not_fit_is_parked_and_nothing_is_written(this: Item, reason: Reason) -> None:
    operation = decided(this)
    assert (deeds(operation), operation.reason) == ("park", reason)
    assert isinstance(operation.parked, Park)


def test_an_event_that_does_not_fit_and_that_nobody_asked_for_is_not_even_parked() -> None:
    assert deeds(decided(item(event=an_unfit_event(updated=BEFORE_SINCE)))) == "nothing"


def test_a_document_of_somebody_else_that_does_not_fit_is_not_looked_at() -> None:
    elsewhere = an_appointment(users=(BOB,), end=None)
    assert deeds(decided(item(appointment=elsewhere))) == "nothing"


def test_a_cancelled_document_need_not_fit_to_be_taken_out() -> None:
    assert deeds(decided(item(link=a_link(), appointment=an_appointment(status="cancelled", end=None)))) == (
        "delete, bury"
    )


# --- every combination -----------------------------------------------------------------------------------------------


def every_item() -> list[Item]:
    links = [None, a_link(A), a_link(A, B), a_tombstone()]
    documents = [None, holding(A), holding(C), holding(A, users=(ANN, BOB)), holding(A, users=(BOB,)), CANCELLED]
    events = [
        None, an_event(holds=A), an_event(holds=B), an_event(holds=B, seal=SENT_B), a_deleted_event(), an_unfit_event(),
    ]  # fmt: skip
    return [
        item(link=link, appointment=document, event=event)
        for link in links
        for document in documents
        for event in events
    ]


@pytest.mark.parametrize("two_way", [True, False], ids=["two-way", "mirror"])
def test_whatever_an_item_holds_one_operation_comes_out_that_keeps_the_rules(two_way: bool) -> None:
    these: Rules = rules(two_way=two_way, studio_populated=True, calendar_populated=True)
    for this in every_item():
        operation = decide(this, these)
        assert operation.parked is None or deeds(operation) == "park"
        assert operation.calendar is None or operation.link is not None, "a write without a record"
        assert operation.studio is None or operation.link is not None, "a write without a record"
        if isinstance(operation.calendar, Delete):
            assert operation.link is not None
            assert not operation.link.paired, "a deletion without a tombstone"
        if isinstance(operation.studio, CancelAppointment):
            assert this.event is not None, "a cancellation that nobody saw the reason of"
            assert this.event.deleted, "a cancellation that nobody saw the reason of"
        if isinstance(operation.calendar, Patch):
            assert operation.calendar.units, "a write of nothing"
            assert set(operation.calendar.seal.sent) >= operation.calendar.units
        if not two_way and this.link is not None:
            assert operation.studio is None, "a mirror speaks"


def held(link: Link | None) -> Content | None:
    return None if link is None else link.studio


def test_columns_are_recorded_for_pairs_and_only_for_pairs() -> None:
    for this in every_item():
        link = decided(this, studio_populated=True, calendar_populated=True).link
        if link is not None:
            assert (held(link) is not None) == link.paired
            assert (link.ends_at == link.studio.when.ends_at) if link.studio is not None else True


# --- what is ours to delete ------------------------------------------------------------------------------------------


def test_an_event_of_ours_whose_tombstone_has_expired_is_left_alone() -> None:
    """A person took it out of Google's bin, months after it was cancelled: nothing tells who wants what."""
    event = an_event(seal=a_seal(content()))
    long_ago = an_appointment(status="cancelled", updated_at=NOW - dt.timedelta(days=31))
    lately = an_appointment(status="cancelled", updated_at=NOW - dt.timedelta(days=1))
    assert decided(item(appointment=long_ago, event=event)).calendar is None
    assert isinstance(decided(item(appointment=lately, event=event)).calendar, Delete)
