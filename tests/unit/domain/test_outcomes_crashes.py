"""What a run that died leaves behind: the event carries a seal that no link knows, or the link says `leaving`."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from shared.domain.event import Delete, Event, Insert, Patch, Restore
from shared.domain.link import Link, succeeded
from shared.domain.operation import UpdateAppointment, before_writing
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    BOB,
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
)
from tests.unit.domain.deciding import CANCELLED, REASSIGNED, SENT_B, A, B, C, decided, deeds

# --- a change that was written and not recorded ----------------------------------------------------------------------


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


# --- an entry that was made and not recorded -------------------------------------------------------------------------


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


def test_an_edit_of_an_unrecorded_entry_goes_to_the_studio_when_the_appointment_leaves() -> None:
    """A was entered, the run died; a person edited it to B; then it was reassigned: B is a change on one side only."""
    operation = decided(item(appointment=holding(A, users=(BOB,)), event=an_event(holds=B, seal=a_seal(A))))
    assert deeds(operation) == "update, pair, more"
    assert isinstance(operation.studio, UpdateAppointment)
    assert operation.studio.content == B


def test_an_unrecorded_entry_of_an_erased_appointment_is_taken_out() -> None:
    operation = decided(item(event=an_event(seal=a_seal(content()))))
    assert (deeds(operation), operation.reason) == ("delete, bury", Reason.CANCELLED_IN_STUDIO)


def test_what_a_person_edited_of_an_unrecorded_entry_is_in_the_log_when_it_is_cancelled() -> None:
    operation = decided(item(appointment=CANCELLED, event=an_event(holds=B, seal=a_seal(A))))
    assert deeds(operation) == "delete, bury"
    assert {lost.unit for lost in operation.lost} == B.differs(A)
    assert {lost.side for lost in operation.lost} == {"calendar"}
    untouched = decided(item(appointment=CANCELLED, event=an_event(holds=A, seal=a_seal(A))))
    assert untouched.lost == ()


def test_an_unrecorded_entry_is_taken_out_of_a_mirror_too_and_its_edits_with_it() -> None:
    edited = an_event(holds=B, seal=a_seal(A))
    assert deeds(decided(item(appointment=holding(A, users=(BOB,)), event=edited), two_way=False)) == "delete, bury"


def test_an_entry_that_is_somebody_elses_by_now_is_not_taken_out() -> None:
    """Entered, the run died, a person gave the event to a colleague: it is not ours to delete any more."""
    given_away = an_event(seal=a_seal(content()), own=False, organizer="carl@example.com")
    assert decided(item(appointment=CANCELLED, event=given_away)).calendar is None


# --- a deletion that may or may not have been carried out ------------------------------------------------------------


def test_before_an_event_is_deleted_its_link_says_so() -> None:
    operation = decided(item(link=a_link(etag="e7"), appointment=CANCELLED))
    assert before_writing(operation) == a_link(etag="e7", state="leaving")


@pytest.mark.parametrize(
    "this",
    [
        item(link=a_link(), appointment=an_appointment(title="B")),
        item(link=a_link(), appointment=an_appointment(), event=a_deleted_event()),
        item(appointment=CANCELLED, event=an_event(seal=a_seal(content()))),
        item(appointment=an_appointment()),
        item(link=a_link(A), appointment=holding(B), event=a_deleted_event()),
        item(link=a_removed_link(A), appointment=holding(B)),
    ],
    ids=[
        "a patch",
        "a cancellation",
        "an entry that was never a pair",
        "a new entry",
        "a pair that is restored",
        "what was removed and is restored",
    ],
)
def test_nothing_else_is_said_beforehand(this: Any) -> None:
    assert before_writing(decided(this)) is None


def test_a_deletion_that_is_tried_again_is_not_announced_twice() -> None:
    operation = decided(item(link=a_link(state="leaving"), appointment=CANCELLED))
    assert before_writing(operation) == operation.item.link


def test_what_was_to_leave_and_is_wanted_again_is_looked_for_first() -> None:
    """Only the calendar knows whether the run that died came to deleting it: entered blindly, it might stand twice."""
    operation = decided(item(link=a_link(state="leaving"), appointment=an_appointment()))
    assert (deeds(operation), operation.calendar, operation.studio) == ("more", None, None)


def test_what_was_to_leave_and_is_gone_is_restored_and_not_cancelled() -> None:
    """It was us who deleted it: that is no person's deletion."""
    operation = decided(item(link=a_link(state="leaving"), appointment=an_appointment(), event=a_deleted_event()))
    assert deeds(operation) == "restore, pair, more"
    assert operation.calendar == Restore(event_id=event_id())


def test_what_was_to_leave_and_is_still_there_stays_with_the_edits_of_both_sides() -> None:
    edited = an_event(holds=msgspec.structs.replace(A, location="Park"))
    operation = decided(item(link=a_link(A, state="leaving"), appointment=holding(B), event=edited))
    assert deeds(operation) == "patch, update, pair"


def test_an_edit_of_what_was_to_leave_is_still_saved_when_the_appointment_is_anothers() -> None:
    this = item(link=a_link(A, state="leaving"), appointment=holding(A, users=(BOB,)), event=an_event(holds=B))
    assert deeds(decided(this)) == "update, pair, more"


# --- an event that was brought back, or not, or whose place another took ---------------------------------------------

GONE_THERE = a_tombstone(held=A, gone_there=True)


def test_before_a_buried_event_is_restored_its_link_says_that_we_did_it() -> None:
    operation = decided(item(link=GONE_THERE, appointment=holding(A)))
    assert before_writing(operation) == a_link(A, state="leaving")


def test_restored_by_a_run_that_died_and_cancelled_since_it_is_taken_out_and_not_reinstated() -> None:
    """Without the mark, it would look as if a person had taken it out of the bin: to undo the cancellation."""
    mark = before_writing(decided(item(link=GONE_THERE, appointment=holding(A))))
    for event in (None, an_event(holds=A)):
        operation = decided(item(link=mark, appointment=holding(A, status="cancelled"), event=event))
        assert (deeds(operation), operation.reason) == ("delete, bury", Reason.CANCELLED_IN_STUDIO)


def test_restored_by_a_run_that_died_and_wanted_still_both_sides_edits_are_merged() -> None:
    mark = before_writing(decided(item(link=GONE_THERE, appointment=holding(B))))
    assert deeds(decided(item(link=mark, appointment=holding(B)))) == "more"
    edited = an_event(holds=msgspec.structs.replace(A, location="Park"))
    assert deeds(decided(item(link=mark, appointment=holding(B), event=edited))) == "patch, update, pair"


@pytest.mark.parametrize(
    "link",
    [a_link(A), a_removed_link(A), a_link(A, event_id="foreign1", theirs=True, organizer="carl@example.com")],
    ids=["paired", "removed", "somebody else's"],
)
def test_before_another_event_takes_the_place_of_a_deleted_one_the_link_knows_its_id(link: Link) -> None:
    """Where the calendar isn't read, nobody would find it should the run die and the appointment be cancelled."""
    this = item(link=link, appointment=holding(B), event=Event(id=link.event_id), beyond_restoring=True)
    entering = decided(this)
    assert deeds(entering) == "insert, pair"
    mark = before_writing(entering)
    assert mark is not None
    assert (mark.state, mark.event_id, mark.generation, mark.theirs) == ("leaving", event_id(1), 1, False)
    assert (mark.studio, mark.calendar, mark.seal) == (A, A, "")
    cancelled = decided(item(link=mark, appointment=CANCELLED), two_way=False)
    assert cancelled.calendar == Delete(event_id=event_id(1), etag="")
    assert isinstance(entering.calendar, Insert)
    entered = an_event(generation=1, holds=B, seal=entering.calendar.seal)
    assert deeds(decided(item(link=mark, appointment=holding(B), event=entered))) == "pair"


# --- what is ours to delete ------------------------------------------------------------------------------------------


def test_an_event_of_ours_whose_tombstone_has_expired_is_left_alone() -> None:
    """A person took it out of Google's bin, months after it was cancelled: nothing tells who wants what."""
    event = an_event(seal=a_seal(content()))
    long_ago = an_appointment(status="cancelled", updated_at=NOW - dt.timedelta(days=31))
    lately = an_appointment(status="cancelled", updated_at=NOW - dt.timedelta(days=1))
    assert decided(item(appointment=long_ago, event=event)).calendar is None
    assert isinstance(decided(item(appointment=lately, event=event)).calendar, Delete)


def test_an_event_that_a_person_entered_is_never_taken_out_for_want_of_a_record() -> None:
    for studio in (None, CANCELLED, REASSIGNED):
        assert decided(item(appointment=studio, event=a_foreign_event())).calendar is None
