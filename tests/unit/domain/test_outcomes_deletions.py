"""What went on one side: deleted in the calendar, cancelled or reassigned in the studio, and what brings it back."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from shared.domain import identity
from shared.domain.event import Delete, Event, Insert
from shared.domain.link import Link
from shared.domain.operation import CancelAppointment, UpdateAppointment
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    ANN,
    BEFORE_SINCE,
    BOB,
    CONNECTION,
    NOW,
    a_deleted_event,
    a_foreign_event,
    a_link,
    a_removed_link,
    a_seal,
    a_tombstone,
    an_appointment,
    an_event,
    content,
    event_id,
    holding,
    item,
    somebody_elses,
)
from tests.unit.domain.deciding import CANCELLED, REASSIGNED, SENT_B, A, B, C, decided, deeds

BOTH = (ANN, BOB)

# --- deleted in the calendar -----------------------------------------------------------------------------------------


def test_a_deletion_in_the_calendar_cancels_and_leaves_a_tombstone_that_says_where_it_happened() -> None:
    operation = decided(item(link=a_link(), appointment=an_appointment(), event=a_deleted_event()))
    assert isinstance(operation.studio, CancelAppointment)
    assert operation.link is not None
    assert operation.link.gone_there
    assert operation.takes_away


@pytest.mark.parametrize("users", [(ANN,), BOTH])
def test_an_edit_in_the_studio_beats_the_deletion_whoever_is_assigned(users: tuple[str, ...]) -> None:
    this = item(link=a_link(), appointment=an_appointment(users=users, title="B"), event=a_deleted_event())
    operation = decided(this)
    assert (deeds(operation), operation.reason) == ("insert, pair", Reason.STUDIO_EDIT_BEATS_DELETION)


def test_what_is_entered_again_has_the_next_generations_id() -> None:
    this = item(link=a_link(generation=3), appointment=an_appointment(title="B"), event=a_deleted_event(3))
    operation = decided(this)
    assert isinstance(operation.calendar, Insert)
    assert operation.link is not None
    assert (operation.calendar.event_id, operation.link.generation) == (event_id(4), 4)


def test_an_entry_that_a_person_made_is_entered_again_as_ours() -> None:
    """A deleted id cannot be used again, and a person's is not ours to reuse: it becomes an event of our own."""
    this = item(link=a_link(event_id="foreign1"), appointment=an_appointment(title="B"), event=Event(id="foreign1"))
    operation = decided(this)
    assert isinstance(operation.calendar, Insert)
    assert operation.calendar.event_id == event_id(1)


# --- removed from one of several calendars ---------------------------------------------------------------------------


def test_a_deletion_in_one_of_several_calendars_asks_and_cancels_nothing() -> None:
    operation = decided(item(link=a_link(), appointment=an_appointment(users=BOTH), event=a_deleted_event()))
    assert (operation.studio, operation.calendar) == (None, None)
    assert operation.link is not None
    assert (operation.link.state, operation.link.asked) == (
        "removed",
        identity.removal_question(CONNECTION, event_id()),
    )


def test_the_columns_stay_so_that_an_edit_is_known_later() -> None:
    this = item(link=a_link(A, B), appointment=holding(A, users=BOTH), event=a_deleted_event())
    link = decided(this).link
    assert link is not None
    assert (link.studio, link.calendar) == (A, B)


@pytest.mark.parametrize("users", [(ANN,), BOTH], ids=["alone by now", "several"])
@pytest.mark.parametrize("event", [None, a_deleted_event()], ids=["not asked", "deleted"])
@pytest.mark.parametrize("asked", ["question1", None])
def test_what_was_removed_waits_and_is_never_cancelled(
    users: tuple[str, ...], event: Event | None, asked: str | None
) -> None:
    """Also when the others are taken off meanwhile: the question is open, and nobody deleted anything since."""
    this = item(link=a_removed_link(asked=asked), appointment=an_appointment(users=users), event=event)
    assert deeds(decided(this)) == "nothing"


@pytest.mark.parametrize(
    ("verdict", "done", "reason"),
    [
        ("take_off", "leave, bury", Reason.TAKEN_OFF),
        ("put_back", "insert, pair", Reason.PUT_BACK),
        ("approved", "nothing", Reason.REMOVED_FROM_ONE_OF_SEVERAL),
        ("declined", "nothing", Reason.REMOVED_FROM_ONE_OF_SEVERAL),
    ],
)
@pytest.mark.parametrize("two_way", [True, False], ids=["two-way", "mirror"])
def test_an_answer_is_carried_out_and_the_answer_to_another_question_is_not(
    verdict: Any, done: str, reason: Reason, two_way: bool
) -> None:
    this = item(link=a_removed_link(), appointment=an_appointment(users=BOTH), verdict=verdict)
    operation = decided(this, two_way=two_way)
    assert (deeds(operation), operation.reason) == (done, reason)


def test_taking_a_user_off_changes_nothing_else_of_the_appointment() -> None:
    operation = decided(item(link=a_removed_link(), appointment=holding(C, users=BOTH), verdict=None))
    assert deeds(operation) == "insert, pair", "an edit comes first"
    this = item(link=a_removed_link(A), appointment=holding(A, users=BOTH), verdict="take_off")
    assert decided(this).studio == UpdateAppointment(content=A, units=frozenset(), leave=True)


@pytest.mark.parametrize("verdict", ["take_off", "put_back", None])
def test_an_edit_in_the_studio_enters_what_was_removed_again_whatever_the_answer(verdict: Any) -> None:
    operation = decided(item(link=a_removed_link(A), appointment=holding(B, users=BOTH), verdict=verdict))
    assert (deeds(operation), operation.reason) == ("insert, pair", Reason.STUDIO_EDIT_BEATS_DELETION)
    assert operation.link is not None
    assert (operation.link.state, operation.link.asked) == ("paired", None)


@pytest.mark.parametrize("verdict", ["take_off", "put_back"])
def test_an_answer_to_what_is_settled_already_does_nothing(verdict: Any) -> None:
    assert deeds(decided(item(link=a_link(), appointment=an_appointment(users=BOTH), verdict=verdict))) == "nothing"
    assert deeds(decided(item(link=a_tombstone(), appointment=REASSIGNED, verdict=verdict))) == "nothing"


@pytest.mark.parametrize("studio", [None, CANCELLED, REASSIGNED], ids=["erased", "cancelled", "taken off"])
def test_what_was_removed_and_leaves_the_studio_too_is_buried(studio: Any) -> None:
    operation = decided(item(link=a_removed_link(), appointment=studio))
    assert (deeds(operation), operation.reason) == ("bury", Reason.GONE_ON_BOTH)


def test_what_was_removed_and_taken_out_of_the_bin_is_a_pair_again_and_nothing_is_asked_any_more() -> None:
    this = item(link=a_removed_link(A), appointment=holding(A, users=BOTH), event=an_event(holds=B))
    operation = decided(this)
    assert deeds(operation) == "update, pair"
    assert operation.link is not None
    assert (operation.link.state, operation.link.asked) == ("paired", None)


# --- a guest's copy of a colleague's entry ---------------------------------------------------------------------------


def test_a_colleagues_entry_that_went_with_him_is_replaced_by_ones_own() -> None:
    """Bob was taken off, so his event went, and Google took Ann's copy with it: Ann deleted nothing."""
    link = a_link(event_id="foreign1", theirs=True, colleagues=True)
    operation = decided(item(link=link, appointment=an_appointment(), event=Event(id="foreign1")))
    assert deeds(operation) == "insert, pair"
    assert operation.link is not None
    assert (operation.link.theirs, operation.link.colleagues) == (False, False)


def test_a_colleagues_entry_that_is_removed_while_he_is_assigned_is_asked_about() -> None:
    link = a_link(event_id="foreign1", theirs=True, colleagues=True)
    this = item(link=link, appointment=an_appointment(users=BOTH), event=Event(id="foreign1"))
    assert deeds(decided(this)) == "removed"


# --- cancelled, erased -----------------------------------------------------------------------------------------------


def test_a_cancellation_beats_an_edit_in_the_calendar_which_is_kept() -> None:
    operation = decided(item(link=a_link(A), appointment=CANCELLED, event=an_event(holds=B)))
    assert deeds(operation) == "delete, bury"
    assert [(lost.side, lost.value) for lost in operation.lost] == [("calendar", "B")]


def test_an_unrecorded_write_of_ours_is_not_logged_as_lost_when_the_appointment_is_cancelled() -> None:
    sent = an_event(holds=B, seal=a_seal(B, frozenset({"title"}), previous="sealed"))
    operation = decided(item(link=a_link(A), appointment=holding(B, status="cancelled"), event=sent))
    assert operation.lost == ()


def test_a_buried_pair_agrees_on_nothing_any_more() -> None:
    link = decided(item(link=a_link(), appointment=CANCELLED)).link
    assert link is not None
    assert (link.paired, link.studio, link.calendar, link.gone_there) == (False, None, None, False)
    assert link.expires_at == NOW + dt.timedelta(days=30)


def test_cancelling_is_a_deletion_to_the_guard_and_leaving_a_user_is_none() -> None:
    assert decided(item(link=a_link(), appointment=CANCELLED)).takes_away
    assert decided(item(link=a_link(), appointment=None)).takes_away
    assert not decided(item(link=a_link(), appointment=REASSIGNED)).takes_away
    assert not decided(item(link=a_link(), appointment=CANCELLED, event=a_deleted_event())).takes_away


# --- reassigned ------------------------------------------------------------------------------------------------------


def test_what_was_still_edited_in_the_calendar_goes_to_the_studio_when_the_appointment_leaves() -> None:
    operation = decided(item(link=a_link(A), appointment=holding(A, users=(BOB,)), event=an_event(holds=B)))
    assert operation.studio == UpdateAppointment(content=B, units=frozenset({"title"}))


def test_the_event_is_not_deleted_before_its_pending_edit_is_in_the_studio() -> None:
    """A run that dies between the two writes must leave the edit on one side at least (engine.md, "merged into the
    studio first, then the event goes"); the calendar's write comes first in every operation.
    """
    operation = decided(item(link=a_link(A), appointment=holding(A, users=(BOB,)), event=an_event(holds=B)))
    assert not (operation.studio is not None and isinstance(operation.calendar, Delete))
    assert operation.more


def test_an_unrecorded_write_of_ours_is_no_pending_edit_when_the_appointment_leaves() -> None:
    """Agreed A; B was sent, the run died; the studio went back to A and to another user: A stays."""
    this = item(link=a_link(A), appointment=holding(A, users=(BOB,)), event=an_event(holds=B, seal=SENT_B))
    assert decided(this).studio is None


def test_a_reassigned_appointment_that_does_not_fit_is_parked_and_its_event_stays() -> None:
    repeating = an_appointment(users=(BOB,), recurrence=("RRULE:FREQ=DAILY",))
    assert deeds(decided(item(link=a_link(), appointment=repeating, event=an_event()))) == "park"


# --- restored from the bin -------------------------------------------------------------------------------------------

THERE = a_tombstone(gone_there=True)


def test_what_the_calendar_cancelled_and_has_again_is_reinstated() -> None:
    operation = decided(item(link=THERE, appointment=holding(A, status="cancelled"), event=an_event(holds=A)))
    assert operation.studio == UpdateAppointment(content=A, units=frozenset({"status"}))
    assert operation.link is not None
    assert (operation.link.state, operation.link.event_id, operation.link.gone_there) == ("paired", event_id(), False)


def test_what_a_person_had_entered_is_reinstated_in_the_same_way() -> None:
    link = a_tombstone(gone_there=True, event_id="foreign1")
    this = item(link=link, appointment=holding(A, status="cancelled"), event=a_foreign_event(holds=A))
    assert deeds(decided(this)) == "update, pair, more"


def test_it_comes_back_though_it_is_out_of_scope_by_now() -> None:
    event = an_event(updated=BEFORE_SINCE, status="tentative")
    assert deeds(decided(item(link=THERE, appointment=CANCELLED, event=event))) == "update, pair, more"


def test_what_the_studio_wrote_meanwhile_goes_to_the_restored_event_next() -> None:
    event = an_event(holds=A)
    first = decided(item(link=THERE, appointment=holding(B, status="cancelled"), event=event))
    assert isinstance(first.studio, UpdateAppointment)
    assert (first.studio.units, first.more) == ({"status"}, True)
    assert decided(item(link=first.link, appointment=holding(B), event=event)).calendar is not None


@pytest.mark.parametrize(
    ("link", "studio", "fields", "reason"),
    [
        (a_tombstone(), CANCELLED, {}, Reason.CANCELLED_IN_STUDIO),
        (THERE, None, {}, Reason.CANCELLED_IN_STUDIO),
        (THERE, REASSIGNED, {}, Reason.NOT_ASSIGNED),
        (a_tombstone(), REASSIGNED, {}, Reason.NOT_ASSIGNED),
        (THERE, CANCELLED, {"two_way": False}, Reason.CANCELLED_IN_STUDIO),
    ],
    ids=["the studio cancelled it", "erased since", "another's since", "had left this user", "a mirror"],
)
def test_anything_else_that_is_restored_is_left_alone(
    link: Link, studio: Any, fields: dict[str, Any], reason: Reason
) -> None:
    operation = decided(item(link=link, appointment=studio, event=an_event()), **fields)
    assert (deeds(operation), operation.reason) == ("nothing", reason)


def test_reopened_in_the_studio_and_restored_in_the_calendar_it_is_one_pair() -> None:
    this = item(link=THERE, appointment=an_appointment(), event=an_event(seal=a_seal(content())))
    operation = decided(this)
    assert deeds(operation) == "pair"
    assert operation.link is not None
    assert operation.link.event_id == event_id()


def test_another_event_of_the_same_appointment_reinstates_nothing() -> None:
    """Only the one that was deleted says that the deletion is taken back."""
    this = item(link=THERE, appointment=CANCELLED, event=a_foreign_event())
    assert deeds(decided(this)) == "nothing"


def test_an_edit_made_after_restoring_survives() -> None:
    """Taken out of the bin and renamed before the run came: the rename was made on one side only. What we sent last
    stands in the event's seal, so the studio is known not to have changed it.
    """
    renamed = an_event(holds=B, seal=a_seal(A))
    operation = decided(item(link=THERE, appointment=holding(A, status="cancelled"), event=renamed))
    assert isinstance(operation.studio, UpdateAppointment)
    assert operation.studio.content.title == "B"


def test_what_loses_when_a_restored_event_meets_the_studios_text_is_kept() -> None:
    """Nothing tells who changed it: the studio has it, and what lost is logged, in the first step or in the next."""
    event = a_foreign_event(holds=B)
    gone = a_tombstone(gone_there=True, event_id="foreign1")
    first = decided(item(link=gone, appointment=holding(A, status="cancelled"), event=event))
    second = decided(item(link=first.link, appointment=holding(A), event=event))
    assert deeds(second) == "patch, pair"
    assert [lost.value for lost in (*first.lost, *second.lost)] == ["B"]


def test_an_invitation_that_was_removed_and_is_there_again_is_reinstated_without_being_written() -> None:
    gone = a_tombstone(gone_there=True, event_id="foreign1")
    this = item(link=gone, appointment=holding(A, status="cancelled"), event=somebody_elses(holds=B))
    first = decided(this)
    second = decided(item(link=first.link, appointment=holding(A), event=somebody_elses(holds=B)))
    assert [first.calendar, second.calendar] == [None, None]


def test_a_restored_invitation_brings_its_organisers_text() -> None:
    """Its text is not ours to write, so that of the studio cannot go there: the two must not stay apart for good."""
    gone = a_tombstone(gone_there=True, event_id="foreign1")
    moved = msgspec.structs.replace(A, when=content("15:00").when)
    this = item(link=gone, appointment=holding(A, status="cancelled"), event=somebody_elses(holds=moved))
    first = decided(this)
    assert isinstance(first.studio, UpdateAppointment)
    assert first.studio.content.when == moved.when
