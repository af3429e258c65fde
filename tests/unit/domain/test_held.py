"""A deletion that the guard has held: it waits on its link for a person's word, and everything else goes on."""

from typing import Any

import msgspec
import pytest

from shared.domain.event import Delete, Event
from shared.domain.link import Link
from shared.domain.operation import CancelAppointment, CreateAppointment, UpdateAppointment
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    ANN,
    BOB,
    a_deleted_event,
    a_link,
    a_missing_event,
    a_seal,
    an_event,
    held_on,
    holding,
    item,
)
from tests.unit.domain.deciding import CANCELLED, REASSIGNED, A, B, C, decided, deeds

IN_CALENDAR = a_link(A, held=held_on("calendar"))
IN_STUDIO = a_link(A, held=held_on("studio"))


def without_hold(link: Link | None) -> bool:
    return link is not None and link.held is None


# --- deleted in the calendar -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [None, "take_off", "put_back"])
def test_a_deletion_in_the_calendar_that_is_held_cancels_nothing(verdict: Any) -> None:
    operation = decided(item(link=IN_CALENDAR, appointment=holding(A), event=a_deleted_event(), verdict=verdict))
    assert (deeds(operation), operation.reason, operation.tells) == ("nothing", Reason.HELD, False)


def test_it_stays_held_when_the_calendar_is_not_asked() -> None:
    """The outbox names the item: nothing is known of the event, and the mark must not be rubbed out by that."""
    assert deeds(decided(item(link=IN_CALENDAR, appointment=holding(A)))) == "nothing"


def test_an_approved_deletion_is_carried_out() -> None:
    this = item(link=IN_CALENDAR, appointment=holding(A), event=a_deleted_event(), verdict="approved")
    operation = decided(this)
    assert isinstance(operation.studio, CancelAppointment)
    assert deeds(operation) == "cancel, bury"


def test_a_declined_deletion_is_put_back() -> None:
    this = item(link=IN_CALENDAR, appointment=holding(A), event=a_deleted_event(), verdict="declined")
    operation = decided(this)
    assert (deeds(operation), operation.reason) == ("restore, pair, more", Reason.PUT_BACK)
    assert without_hold(operation.link)


@pytest.mark.parametrize("verdict", ["approved", "declined", None])
def test_an_edit_in_the_studio_beats_the_held_deletion_whatever_was_said(verdict: Any) -> None:
    this = item(link=IN_CALENDAR, appointment=holding(B), event=a_deleted_event(), verdict=verdict)
    operation = decided(this)
    assert (deeds(operation), operation.reason) == ("restore, pair, more", Reason.STUDIO_EDIT_BEATS_DELETION)
    assert without_hold(operation.link)


def test_an_edit_of_a_held_pair_goes_to_the_calendar_where_the_write_finds_out() -> None:
    """The event is not asked for, so it is taken to be there: a patch of a deleted event is refused as stale."""
    assert deeds(decided(item(link=IN_CALENDAR, appointment=holding(B)))) == "patch, pair"


@pytest.mark.parametrize("verdict", ["approved", "declined", None])
def test_taken_out_of_the_bin_it_is_a_pair_again_whatever_was_said(verdict: Any) -> None:
    """What was approved is verified anew: the event is there, so there is nothing to carry out."""
    this = item(link=IN_CALENDAR, appointment=holding(A), event=an_event(holds=A), verdict=verdict)
    operation = decided(this)
    assert (deeds(operation), without_hold(operation.link)) == ("pair", True)


def test_an_approved_deletion_whose_event_is_merely_not_to_be_found_is_not_carried_out() -> None:
    this = item(link=IN_CALENDAR, appointment=holding(A), event=a_missing_event(), verdict="approved")
    assert deeds(decided(this)) == "doubt"


def test_an_approved_deletion_where_others_are_assigned_by_now_is_asked_about_instead() -> None:
    others = holding(A, users=(ANN, BOB))
    operation = decided(item(link=IN_CALENDAR, appointment=others, event=a_deleted_event(), verdict="approved"))
    assert deeds(operation) == "removed"
    assert without_hold(operation.link)


@pytest.mark.parametrize("verdict", ["approved", "declined", None])
@pytest.mark.parametrize("studio", [None, CANCELLED, REASSIGNED], ids=["erased", "cancelled", "another's"])
def test_held_in_the_calendar_and_gone_from_the_studio_too_it_is_buried(studio: Any, verdict: Any) -> None:
    this = item(link=IN_CALENDAR, appointment=studio, event=a_deleted_event(), verdict=verdict)
    assert deeds(decided(this)) == "bury"


@pytest.mark.parametrize("fields", [{"two_way": False}, {}], ids=["a mirror now", "read again"])
def test_what_was_held_waits_for_its_answer_whatever_was_set_since(fields: Any) -> None:
    unread = not fields
    this = item(link=IN_CALENDAR, appointment=holding(A), event=a_deleted_event(), unread=unread)
    assert (deeds(decided(this, **fields)), decided(this, **fields).reason) == ("nothing", Reason.HELD)
    approved = msgspec.structs.replace(this, verdict="approved")
    assert deeds(decided(approved, **fields)) == "cancel, bury"
    declined = msgspec.structs.replace(this, verdict="declined")
    assert deeds(decided(declined, **fields)) == "restore, pair, more"


# --- cancelled or erased in the studio -------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [None, an_event(holds=A), an_event(holds=B)], ids=["not asked", "there", "edited"])
@pytest.mark.parametrize("studio", [None, CANCELLED], ids=["erased", "cancelled"])
def test_a_cancellation_that_is_held_takes_nothing_out_of_the_calendar(studio: Any, event: Event | None) -> None:
    operation = decided(item(link=IN_STUDIO, appointment=studio, event=event))
    assert (deeds(operation), operation.reason) == ("nothing", Reason.HELD)


@pytest.mark.parametrize("studio", [None, CANCELLED], ids=["erased", "cancelled"])
def test_an_approved_cancellation_is_carried_out(studio: Any) -> None:
    operation = decided(item(link=IN_STUDIO, appointment=studio, event=an_event(holds=A), verdict="approved"))
    assert deeds(operation) == "delete, bury"


@pytest.mark.parametrize("two_way", [True, False], ids=["two-way", "mirror"])
@pytest.mark.parametrize("status", ["confirmed", "tentative"])
def test_a_declined_cancellation_is_undone_with_the_status_that_it_had(status: Any, two_way: bool) -> None:
    before = msgspec.structs.replace(A, status=status)
    link = msgspec.structs.replace(IN_STUDIO, studio=before, calendar=before)
    event = an_event(holds=before)
    this = item(link=link, appointment=holding(A, status="cancelled"), event=event, verdict="declined")
    operation = decided(this, two_way=two_way)
    assert (deeds(operation), operation.reason) == ("update, pair, more", Reason.PUT_BACK)
    assert operation.studio == UpdateAppointment(content=before, units=frozenset({"status"}))
    assert without_hold(operation.link)
    assert deeds(decided(item(link=operation.link, appointment=holding(before), event=event))) == "nothing"


def test_what_both_sides_edited_meanwhile_is_merged_after_the_cancellation_was_declined() -> None:
    event = an_event(holds=msgspec.structs.replace(A, location="Park"))
    cancelled = holding(B, status="cancelled")
    first = decided(item(link=IN_STUDIO, appointment=cancelled, event=event, verdict="declined"))
    second = decided(item(link=first.link, appointment=holding(B), event=event))
    assert deeds(second) == "patch, update, pair"
    assert second.lost == ()


def test_a_declined_erasure_makes_the_document_again_from_the_calendar() -> None:
    operation = decided(item(link=IN_STUDIO, event=an_event(holds=B), verdict="declined"))
    assert operation.studio == CreateAppointment(content=B, event_id=IN_STUDIO.event_id)
    assert operation.calendar is None
    assert deeds(decided(item(link=operation.link, appointment=holding(B), event=an_event(holds=B)))) == "nothing"


@pytest.mark.parametrize("event", [None, an_event(holds=A)], ids=["not asked", "there"])
def test_un_cancelled_it_is_a_pair_again(event: Event | None) -> None:
    operation = decided(item(link=IN_STUDIO, appointment=holding(A), event=event))
    assert (deeds(operation), without_hold(operation.link)) == ("pair", True)


def test_un_cancelled_with_an_edit_the_edit_goes_to_the_calendar() -> None:
    operation = decided(item(link=IN_STUDIO, appointment=holding(B)))
    assert (deeds(operation), without_hold(operation.link)) == ("patch, pair", True)


@pytest.mark.parametrize(
    ("verdict", "done", "reason"),
    [
        (None, "nothing", Reason.HELD),
        ("approved", "delete, bury", Reason.LEFT_USER),
        ("declined", "join, pair, more", Reason.PUT_BACK),
    ],
)
def test_made_again_for_a_colleague_it_still_waits_for_the_answer_about_this_user(
    verdict: Any, done: str, reason: Reason
) -> None:
    """Erased, held for both, and declined by one of them: that must not take it from the other."""
    operation = decided(item(link=IN_STUDIO, appointment=REASSIGNED, event=an_event(holds=A), verdict=verdict))
    assert (deeds(operation), operation.reason) == (done, reason)


def test_leaving_a_user_is_no_deletion_and_waits_for_nobody() -> None:
    operation = decided(item(link=a_link(A), appointment=REASSIGNED, event=an_event(holds=A)))
    assert (deeds(operation), operation.reason) == ("delete, bury", Reason.LEFT_USER)


@pytest.mark.parametrize("verdict", [None, "approved", "declined"])
def test_deleted_in_the_calendar_as_well_it_is_buried(verdict: Any) -> None:
    this = item(link=IN_STUDIO, appointment=CANCELLED, event=a_deleted_event(), verdict=verdict)
    assert deeds(decided(this)) == "bury"


def test_an_approval_is_conditional_on_the_event_that_is_there_now() -> None:
    operation = decided(item(link=IN_STUDIO, appointment=CANCELLED, event=an_event(etag="e9"), verdict="approved"))
    assert isinstance(operation.calendar, Delete)
    assert operation.calendar.etag == "e9"


def test_a_deletion_of_what_was_un_cancelled_is_not_held_by_the_question_about_its_cancellation() -> None:
    """That question is about taking it out of the calendar. Left alone here, the deletion would never be carried."""
    operation = decided(item(link=IN_STUDIO, appointment=holding(A), event=a_deleted_event()))
    assert (deeds(operation), operation.takes_away) == ("cancel, bury", True)


def test_an_edit_after_a_declined_erasure_survives_though_a_write_had_not_been_recorded() -> None:
    """The document is made again as the event is, seal and all: what comes after that is an edit of one side."""
    event = an_event(holds=B, seal=a_seal(A, frozenset({"title"}), previous="sealed"))
    first = decided(item(link=IN_STUDIO, event=event, verdict="declined"))
    edited = msgspec.structs.replace(event, content=C)
    assert decided(item(link=first.link, appointment=holding(B), event=edited)).studio == UpdateAppointment(
        content=C, units=frozenset({"title"})
    )
