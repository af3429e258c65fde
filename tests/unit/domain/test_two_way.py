"""Two-way off: the calendar is a mirror that nobody reads. Turned on again: what stands there is taken as it is."""

from typing import Any

import msgspec
import pytest

from shared.domain.event import Event, Patch
from shared.domain.link import Seal
from shared.domain.operation import Item, Operation, UpdateAppointment, agreed
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    ANN,
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

# --- a mirror --------------------------------------------------------------------------------------------------------


def test_a_mirror_is_put_back_and_what_stood_there_is_kept() -> None:
    operation = decided(item(link=a_link(A), appointment=holding(A), event=an_event(holds=B)), two_way=False)
    assert deeds(operation) == "patch, pair"
    assert [lost.value for lost in operation.lost] == ["B"]


@pytest.mark.parametrize("policy", ["studio", "google", "latest"])
def test_a_mirror_wins_no_clash(policy: Any) -> None:
    this = item(link=a_link(A), appointment=holding(B), event=an_event(holds=C))
    operation = decided(this, two_way=False, clash_policy=policy)
    assert (deeds(operation), [lost.value for lost in operation.lost]) == ("patch, pair", ["C"])


@pytest.mark.parametrize("users", [(ANN,), (ANN, BOB)])
def test_a_mirror_enters_again_what_was_deleted_there_and_asks_nobody(users: tuple[str, ...]) -> None:
    this = item(link=a_link(), appointment=an_appointment(users=users), event=a_deleted_event())
    assert deeds(decided(this, two_way=False)) == "restore, pair, more"


def test_a_mirrors_edits_do_not_come_along_when_the_appointment_leaves() -> None:
    operation = decided(item(link=a_link(), appointment=REASSIGNED, event=an_event(title="B")), two_way=False)
    assert deeds(operation) == "delete, bury"
    assert [lost.value for lost in operation.lost] == ["B"]


def test_a_mirror_gives_the_studio_nothing_new() -> None:
    operation = decided(item(event=a_foreign_event()), two_way=False)
    assert (deeds(operation), operation.reason) == ("nothing", Reason.ONE_WAY)


def test_a_mirror_that_a_person_populates_the_studio_from_gives_it_what_is_new_and_no_edit() -> None:
    asked = {"two_way": False, "populating_studio": True}
    assert deeds(decided(item(event=a_foreign_event()), **asked)) == "create, pair"
    this = item(link=a_link(A), appointment=holding(A), event=an_event(holds=B))
    assert decided(this, **asked).studio is None


def test_a_mirror_takes_the_studios_text_into_a_twin_and_gives_none_back() -> None:
    """With two-way, an empty text in the studio would yield to a full one."""
    this = item(appointment=an_appointment(description=""), event=a_foreign_event(description="By hand"))
    assert deeds(decided(this)) == "update, pair"
    operation = decided(this, two_way=False)
    assert (deeds(operation), [lost.value for lost in operation.lost]) == ("patch, pair", ["By hand"])


def test_what_was_removed_before_stays_removed_in_a_mirror_until_it_is_edited() -> None:
    assert deeds(decided(item(link=a_removed_link(A), appointment=holding(A)), two_way=False)) == "nothing"
    edited = decided(item(link=a_removed_link(A), appointment=holding(B)), two_way=False)
    assert deeds(edited) == "restore, pair, more"


# --- turned on: what was not read ------------------------------------------------------------------------------------


def unread(**fields: Any) -> Item:
    return item(unread=True, **fields)


def test_what_was_edited_there_stays_as_it_is_on_both_sides() -> None:
    operation = decided(unread(link=a_link(A), appointment=holding(A), event=an_event(holds=B, etag="e9")))
    assert (deeds(operation), operation.reason) == ("pair", Reason.BASELINE)
    assert operation.link is not None
    assert (operation.link.studio, operation.link.calendar, operation.link.etag) == (A, B, "e9")
    assert operation.lost == ()


def test_after_that_a_change_on_either_side_is_carried_and_nothing_else() -> None:
    event = an_event(holds=B)
    link = decided(unread(link=a_link(A), appointment=holding(A), event=event)).link
    assert deeds(decided(item(link=link, appointment=holding(A), event=event))) == "nothing"
    moved = msgspec.structs.replace(B, location="Park")
    there = decided(item(link=link, appointment=holding(A), event=an_event(holds=moved)))
    assert isinstance(there.studio, UpdateAppointment)
    assert there.studio.units == {"location"}
    here = decided(item(link=link, appointment=holding(C), event=event)).calendar
    assert isinstance(here, Patch)
    assert here.units == {"title"}


def test_a_pair_whose_sides_stay_at_different_times_is_quiet_after_a_write() -> None:
    """What was moved there unread stays there; each write of another unit must not flip the time that the link has."""
    stays = content("15:00", title="A")
    operation = decided(item(link=a_link(A, stays), appointment=holding(C), event=an_event(holds=stays)))
    assert deeds(operation) == "patch, pair"
    after = an_event(holds=msgspec.structs.replace(stays, title="C"), etag="e2", seal=_seal_of(operation))
    assert deeds(decided(item(link=agreed(operation, after), appointment=holding(C), event=after))) == "nothing"


def _seal_of(operation: Operation) -> Seal:
    assert isinstance(operation.calendar, Patch)
    return operation.calendar.seal


@pytest.mark.parametrize("policy", ["studio", "google", "latest"])
def test_what_the_studio_changed_meanwhile_goes_there_whatever_the_policy(policy: Any) -> None:
    this = unread(link=a_link(A), appointment=holding(C), event=an_event(holds=B))
    operation = decided(this, clash_policy=policy)
    assert (deeds(operation), operation.studio) == ("patch, pair", None)


def test_an_unrecorded_write_of_ours_that_is_found_there_is_recorded() -> None:
    this = unread(link=a_link(A), appointment=holding(B), event=an_event(holds=B, seal=SENT_B))
    operation = decided(this)
    assert (operation.calendar, operation.studio) == (None, None)
    assert operation.link is not None
    assert operation.link.seal == SENT_B.name


@pytest.mark.parametrize("users", [(ANN,), (ANN, BOB)])
def test_what_was_deleted_there_stays_deleted_and_the_appointment_stays_too(users: tuple[str, ...]) -> None:
    this = unread(link=a_link(A), appointment=holding(A, users=users), event=a_deleted_event())
    operation = decided(this)
    assert (deeds(operation), operation.reason) == ("removed", Reason.REMOVED_WHILE_UNREAD)
    assert operation.link is not None
    assert operation.link.asked is None, "nobody is asked: it is as the mirror's owner wanted it"


def test_and_it_says_so_whenever_somebody_looks() -> None:
    operation = decided(item(link=a_removed_link(asked=None), appointment=an_appointment()))
    assert (deeds(operation), operation.reason) == ("nothing", Reason.REMOVED_WHILE_UNREAD)


def test_what_was_deleted_there_and_edited_here_is_entered_again() -> None:
    this = unread(link=a_link(A), appointment=holding(B), event=a_deleted_event())
    assert deeds(decided(this)) == "restore, pair, more"


def test_what_we_were_about_to_delete_is_not_taken_for_a_persons_deletion() -> None:
    this = unread(link=a_link(state="leaving"), appointment=an_appointment(), event=a_deleted_event())
    assert deeds(decided(this)) == "restore, pair, more"


@pytest.mark.parametrize("studio", [None, CANCELLED], ids=["erased", "cancelled"])
def test_what_the_studio_cancelled_meanwhile_goes_there_too(studio: Any) -> None:
    assert deeds(decided(unread(link=a_link(), appointment=studio, event=an_event()))) == "delete, bury"


def test_what_was_edited_there_unread_does_not_enter_the_studio_when_the_appointment_is_anothers_by_now() -> None:
    """In a mirror its edit would not have come along (above); that two-way is on now makes it no edit of today."""
    this = unread(link=a_link(A), appointment=holding(A, users=(BOB,)), event=an_event(holds=B))
    assert decided(this).studio is None


@pytest.mark.parametrize(
    ("link", "event"),
    [(None, a_foreign_event(updated=NOW)), (a_tombstone(), an_event())],
    ids=["entered there", "taken out of the bin there"],
)
def test_what_came_there_unread_stays_there(link: Any, event: Event) -> None:
    later = NOW.replace(hour=NOW.hour + 1)
    studio = None if link is None else CANCELLED
    operation = decided(unread(link=link, appointment=studio, event=event), read_since=later)
    assert (deeds(operation), operation.calendar) == ("nothing", None)


def test_what_was_restored_there_unread_reinstates_nothing_also_when_it_is_read_again() -> None:
    """The calendar had cancelled it; it was taken out of the bin while nobody looked."""
    gone = a_tombstone(held=A, gone_there=True)
    first = decided(unread(link=gone, appointment=holding(A, status="cancelled"), event=an_event(holds=A)))
    assert (first.studio, first.calendar, first.reason) == (None, None, Reason.CANCELLED_IN_STUDIO)
    assert first.link == a_tombstone(held=A)
    again = item(link=first.link, appointment=holding(A, status="cancelled"), event=an_event(holds=A))
    assert deeds(decided(again)) == "nothing"


def test_an_unrecorded_entry_of_ours_is_recorded_though_it_was_not_read() -> None:
    operation = decided(unread(appointment=an_appointment(), event=an_event(seal=a_seal(content()))))
    assert deeds(operation) == "pair"
    assert operation.link is not None
    assert operation.link.event_id == event_id()
