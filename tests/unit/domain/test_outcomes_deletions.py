"""What went on one side: deleted in the calendar, cancelled or reassigned in the studio, and what brings it back."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from shared.domain import identity
from shared.domain.event import Delete, Event, Insert, Patch, Restore
from shared.domain.link import Link
from shared.domain.operation import CancelAppointment, UpdateAppointment, agreed
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
    held_on,
    holding,
    item,
    somebody_elses,
)
from tests.unit.domain.deciding import CANCELLED, REASSIGNED, SENT_B, A, B, C, decided, deeds

BOTH = (ANN, BOB)
SENT_A = a_seal(A)

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
    assert (deeds(operation), operation.reason) == ("restore, pair, more", Reason.STUDIO_EDIT_BEATS_DELETION)


def test_what_cannot_be_restored_is_entered_again_with_the_next_generations_id() -> None:
    this = item(link=a_link(generation=3), appointment=an_appointment(title="B"), event=a_deleted_event(3))
    operation = decided(msgspec.structs.replace(this, beyond_restoring=True))
    assert isinstance(operation.calendar, Insert)
    assert operation.link is not None
    assert (operation.calendar.event_id, operation.link.generation) == (event_id(4), 4)


def test_an_entry_that_a_person_made_is_restored_like_ours() -> None:
    """With guests, colours and notes, which an event of our own would not have."""
    this = item(link=a_link(event_id="foreign1"), appointment=an_appointment(title="B"), event=Event(id="foreign1"))
    assert decided(this).calendar == Restore(event_id="foreign1")


def test_an_entry_that_a_person_made_and_that_cannot_be_restored_is_entered_again_as_ours() -> None:
    """A deleted id cannot be used again, and a person's is not ours to reuse: it becomes an event of our own."""
    this = item(link=a_link(event_id="foreign1"), appointment=an_appointment(title="B"), event=Event(id="foreign1"))
    operation = decided(msgspec.structs.replace(this, beyond_restoring=True))
    assert isinstance(operation.calendar, Insert)
    assert operation.calendar.event_id == event_id(1)


def test_an_invitation_is_not_taken_out_of_the_bin_but_entered_as_ours() -> None:
    """It is not ours to bring back: its organiser may have deleted it."""
    link = a_link(event_id="foreign1", theirs=True, organizer="carl@example.com")
    operation = decided(item(link=link, appointment=an_appointment(title="B"), event=Event(id="foreign1")))
    assert deeds(operation) == "insert, pair"
    assert operation.link is not None
    assert (operation.link.theirs, operation.link.organizer) == (False, "")


@pytest.mark.parametrize("status", ["confirmed", "tentative"])
def test_what_is_restored_has_the_status_that_was_agreed(status: Any) -> None:
    """The bin does not say which one it had."""
    before = msgspec.structs.replace(A, status=status)
    this = item(link=a_link(before), appointment=holding(msgspec.structs.replace(before, title="B")))
    operation = decided(msgspec.structs.replace(this, event=a_deleted_event()))
    assert operation.calendar == Restore(event_id=event_id(), status=status)


def test_restoring_agrees_on_nothing_new_so_that_both_sides_edits_are_found_afterwards() -> None:
    """What the studio changed, and what was changed in the calendar before it was deleted."""
    link = a_link(A, held=held_on("calendar"))
    first = decided(item(link=link, appointment=holding(B), event=a_deleted_event()))
    back = an_event(holds=msgspec.structs.replace(A, location="Park"), etag="e7")
    recorded = agreed(first, back)
    assert recorded == a_link(A, etag="e7")
    second = decided(item(link=recorded, appointment=holding(B), event=back))
    assert (deeds(second), second.lost) == ("patch, update, pair", ())


def test_an_answer_that_says_restored_of_what_is_deleted_still_is_not_believed() -> None:
    """The pair would stand with a deleted event: the next look at it would take that for a person's deletion."""
    for link in (a_tombstone(held=A, gone_there=True), a_link(A, state="leaving"), a_removed_link(B)):
        operation = decided(item(link=link, appointment=holding(A), event=a_deleted_event()))
        assert deeds(operation) == "restore, pair, more"
        assert agreed(operation, a_deleted_event()) is None


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
        ("put_back", "restore, pair, more", Reason.PUT_BACK),
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
    assert deeds(operation) == "restore, pair, more", "an edit comes first"
    this = item(link=a_removed_link(A), appointment=holding(A, users=BOTH), verdict="take_off")
    assert decided(this).studio == UpdateAppointment(content=A, units=frozenset(), leave=True)


@pytest.mark.parametrize("verdict", ["take_off", "put_back", None])
def test_an_edit_in_the_studio_enters_what_was_removed_again_whatever_the_answer(verdict: Any) -> None:
    operation = decided(item(link=a_removed_link(A), appointment=holding(B, users=BOTH), verdict=verdict))
    assert (deeds(operation), operation.reason) == ("restore, pair, more", Reason.STUDIO_EDIT_BEATS_DELETION)
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
    link = a_link(event_id="foreign1", theirs=True, organizer="bob@example.com")
    for users in ((ANN,), BOTH):
        this = item(link=link, appointment=an_appointment(users=users), event=Event(id="foreign1"), withdrawn=True)
        operation = decided(this)
        assert deeds(operation) == "insert, pair"
        assert operation.link is not None
        assert (operation.link.theirs, operation.link.organizer) == (False, "")


def test_a_colleagues_entry_that_is_removed_while_he_is_assigned_is_asked_about() -> None:
    link = a_link(event_id="foreign1", theirs=True, organizer="bob@example.com")
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


def test_a_buried_pair_still_says_what_was_agreed_on() -> None:
    link = decided(item(link=a_link(A, B), appointment=CANCELLED)).link
    assert link is not None
    assert (link.paired, link.studio, link.calendar, link.gone_there) == (False, A, B, False)
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
    hourly = an_appointment(users=(BOB,), recurrence=("RRULE:FREQ=HOURLY",), time_zone="Europe/Berlin")
    assert deeds(decided(item(link=a_link(), appointment=hourly, event=an_event()))) == "park"


# --- restored from the bin -------------------------------------------------------------------------------------------

THERE = a_tombstone(held=A, gone_there=True)
THEIRS = a_tombstone(held=A, gone_there=True, event_id="foreign1", theirs=True)


def test_what_the_calendar_cancelled_and_has_again_is_reinstated() -> None:
    operation = decided(item(link=THERE, appointment=holding(A, status="cancelled"), event=an_event(holds=A)))
    assert operation.studio == UpdateAppointment(content=A, units=frozenset({"status"}))
    assert operation.link is not None
    assert (operation.link.state, operation.link.event_id, operation.link.gone_there) == ("paired", event_id(), False)


def test_what_a_person_had_entered_is_reinstated_in_the_same_way() -> None:
    link = a_tombstone(held=A, gone_there=True, event_id="foreign1")
    this = item(link=link, appointment=holding(A, status="cancelled"), event=a_foreign_event(holds=A))
    assert deeds(decided(this)) == "update, pair"


def test_it_comes_back_though_it_is_out_of_scope_by_now() -> None:
    event = an_event(updated=BEFORE_SINCE, holds=msgspec.structs.replace(A, status="tentative"))
    operation = decided(item(link=THERE, appointment=holding(A, status="cancelled"), event=event))
    assert deeds(operation) == "update, pair"
    assert isinstance(operation.studio, UpdateAppointment)
    assert operation.studio.content.status == "tentative"


@pytest.mark.parametrize("status", ["confirmed", "tentative"])
def test_it_is_reinstated_with_the_status_that_it_had(status: Any) -> None:
    before = msgspec.structs.replace(A, status=status)
    link = a_tombstone(held=before, gone_there=True)
    operation = decided(item(link=link, appointment=holding(A, status="cancelled"), event=an_event(holds=before)))
    assert operation.studio == UpdateAppointment(content=before, units=frozenset({"status"}))


def test_what_the_studio_wrote_meanwhile_goes_to_the_restored_event() -> None:
    operation = decided(item(link=THERE, appointment=holding(B, status="cancelled"), event=an_event(holds=A)))
    assert deeds(operation) == "patch, update, pair"
    assert operation.lost == ()
    assert operation.studio == UpdateAppointment(content=B, units=frozenset({"status"}))
    assert isinstance(operation.calendar, Patch)
    assert (operation.calendar.units, operation.calendar.content) == ({"title"}, B)


@pytest.mark.parametrize(
    ("link", "studio", "fields", "reason"),
    [
        (a_tombstone(), CANCELLED, {}, Reason.CANCELLED_IN_STUDIO),
        (THERE, None, {}, Reason.CANCELLED_IN_STUDIO),
        (THERE, REASSIGNED, {}, Reason.NOT_ASSIGNED),
        (a_tombstone(), REASSIGNED, {}, Reason.NOT_ASSIGNED),
        (THERE, CANCELLED, {"two_way": False}, Reason.CANCELLED_IN_STUDIO),
        (THERE, holding(A, users=(BOB,), status="cancelled"), {}, Reason.CANCELLED_IN_STUDIO),
    ],
    ids=[
        "the studio cancelled it",
        "erased since",
        "another's since",
        "had left this user",
        "a mirror",
        "another's, though cancelled",
    ],
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


def test_cancelled_in_the_studio_restored_by_a_person_and_reopened_in_the_studio_it_is_one_pair() -> None:
    """The restored event was left alone, so nothing is asked of the calendar: restoring what is there does nothing."""
    first = decided(item(link=a_tombstone(held=A), appointment=holding(A)))
    assert first.calendar == Restore(event_id=event_id())
    there = an_event(holds=A, etag="e5")
    second = item(link=agreed(first, there), appointment=holding(A), event=there)
    assert deeds(decided(second)) == "nothing"
    assert second.link is not None
    assert (second.link.state, second.link.event_id) == ("paired", event_id())


def test_another_event_of_the_same_appointment_reinstates_nothing() -> None:
    """Only the one that was deleted says that the deletion is taken back."""
    this = item(link=THERE, appointment=CANCELLED, event=a_foreign_event())
    assert deeds(decided(this)) == "nothing"


@pytest.mark.parametrize(
    "renamed",
    [
        an_event(holds=B),
        an_event(holds=B, seal=SENT_A),
        an_event(holds=B, seal=msgspec.structs.replace(SENT_A, name="sealed")),
    ],
    ids=["no seal", "a seal that was never recorded", "the seal that the tombstone knows"],
)
def test_an_edit_made_after_restoring_survives(renamed: Event) -> None:
    """Taken out of the bin and renamed before the run came: the rename was made on one side only."""
    operation = decided(item(link=THERE, appointment=holding(A, status="cancelled"), event=renamed))
    assert operation.studio == UpdateAppointment(content=B, units=frozenset({"title", "status"}))
    assert (operation.calendar, operation.lost) == (None, ())


@pytest.mark.parametrize(("policy", "winner", "loser"), [("studio", "B", "C"), ("google", "C", "B")])
def test_what_loses_when_a_restored_event_meets_the_studios_text_is_kept(policy: Any, winner: str, loser: str) -> None:
    this = item(link=THERE, appointment=holding(B, status="cancelled"), event=an_event(holds=C))
    operation = decided(this, clash_policy=policy)
    assert isinstance(operation.studio, UpdateAppointment)
    assert operation.studio.content.title == winner
    assert [lost.value for lost in operation.lost] == [loser]


def test_reinstated_and_recorded_there_is_nothing_left_to_do() -> None:
    event = an_event(holds=B, seal=SENT_A, etag="e9")
    first = decided(item(link=THERE, appointment=holding(A, status="cancelled"), event=event))
    assert deeds(decided(item(link=agreed(first, None), appointment=holding(B), event=event))) == "nothing"


def test_an_invitation_that_was_removed_and_is_there_again_is_reinstated_without_being_written() -> None:
    """Also where the studio had text of its own: that stays with the studio, as before."""
    own = holding(C, status="cancelled")
    first = decided(item(link=THEIRS, appointment=own, event=somebody_elses(holds=A)))
    assert first.studio == UpdateAppointment(content=C, units=frozenset({"status"}))
    second = decided(item(link=first.link, appointment=holding(C), event=somebody_elses(holds=A)))
    assert [first.calendar, deeds(second)] == [None, "nothing"]


def test_a_restored_invitation_brings_its_organisers_text() -> None:
    """Its text is not ours to write, so that of the studio cannot go there: the two must not stay apart for good."""
    moved = msgspec.structs.replace(A, when=content("15:00").when)
    this = item(link=THEIRS, appointment=holding(A, status="cancelled"), event=somebody_elses(holds=moved))
    operation = decided(this)
    assert operation.studio == UpdateAppointment(content=moved, units=frozenset({"when", "status"}))
    assert operation.calendar is None
