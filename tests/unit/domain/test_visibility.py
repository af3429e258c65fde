"""What the studio may see of a calendar entry, and what is not ours to write, whatever happens on either side."""

import itertools
from typing import Any

import msgspec
import pytest

from shared.domain.appointment import Appointment, Origin
from shared.domain.content import BUSY, UNITS, Content, Unit
from shared.domain.event import Event, Patch
from shared.domain.link import Link
from shared.domain.operation import CreateAppointment, Item, Operation, UpdateAppointment, agreed
from shared.domain.reasons import Reason
from shared.domain.visibility import EVERYTHING, HIDDEN, Seen, as_agreed, seen
from tests.unit.domain.builders import (
    ANN,
    BOB,
    OPEN_UNITS,
    a_deleted_event,
    a_foreign_event,
    a_link,
    a_seal,
    a_time,
    a_tombstone,
    an_appointment,
    an_event,
    changed,
    content,
    held_on,
    holding,
    item,
    rules,
    somebody_elses,
)
from tests.unit.domain.deciding import CANCELLED, REASSIGNED, A, B, C, decided, deeds

# What a person would not have the studio read.
SECRET = content(title="Doctor", description="Knee", location="Clinic", private=True)
MASKED = content(title=BUSY, description="", location="", private=True)
MINE = Origin(provider="google", connection="conn1", event_id="foreign1")


def imported(held: Content, **fields: Any) -> Appointment:
    """An appointment that came from the event `foreign1`."""
    return holding(held, **{"kind": "unlinked", "origin": MINE, **fields})


def their_link(studio: Content = A, stored: Content | None = None, **fields: Any) -> Link:
    return a_link(studio, stored, **{"event_id": "foreign1", "theirs": True, "seal": "", **fields})


def private_link(studio: Content = MASKED, stored: Content | None = None, **fields: Any) -> Link:
    return a_link(studio, stored, **{"event_id": "foreign1", "private_there": True, "seal": "", **fields})


def a_private_event(**fields: Any) -> Event:
    return a_foreign_event(**{"holds": SECRET, **fields})


def recorded(operation: Operation) -> Link:
    assert operation.link is not None
    return operation.link


def words(operation: Operation) -> str:
    """All that an operation would tell the studio, and what is kept of the pair."""
    studio = operation.studio
    told = studio.content if isinstance(studio, CreateAppointment | UpdateAppointment) else None
    return repr((told, operation.link, operation.lost))


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "fields", "shown", "frozen"),
    [
        pytest.param(*row[1:], id=row[0])
        for row in [
            ("one's own", a_foreign_event(holds=A), {}, A, frozenset()),
            ("somebody else's, accepted", somebody_elses(holds=A), {}, A, EVERYTHING),
            ("somebody else's, of an organiser without guests", somebody_elses(holds=A, answer=""), {}, A, EVERYTHING),
            ("somebody else's, not answered", somebody_elses(holds=A, answer="needsAction"), {},
             msgspec.structs.replace(A, status="tentative"), EVERYTHING),
            ("somebody else's, perhaps", somebody_elses(holds=A, answer="tentative"), {},
             msgspec.structs.replace(A, status="tentative"), EVERYTHING),
            ("one's own, perhaps", a_foreign_event(holds=A, answer="tentative"), {}, A, frozenset()),
            ("out of office", a_foreign_event(holds=A, kind="outOfOffice"), {}, A, EVERYTHING),
            ("private", a_private_event(), {}, MASKED, HIDDEN),
            ("private, details allowed", a_private_event(), {"private_details": True}, SECRET, frozenset()),
            ("somebody else's and private", somebody_elses(holds=SECRET), {}, MASKED, EVERYTHING),
            ("somebody else's and private, details allowed",
             somebody_elses(holds=SECRET), {"private_details": True}, SECRET, EVERYTHING),
            ("private by the studio", an_event(holds=SECRET, seal=a_seal(SECRET)), {}, SECRET, frozenset()),
        ]
    ],
)  # fmt: skip
def test_table(event: Event, fields: dict[str, Any], shown: Content, frozen: frozenset[Unit]) -> None:
    there: Seen = seen(event, item(event=event), rules(**fields))
    assert (there.content, there.frozen) == (shown, frozen)


@pytest.mark.parametrize(
    ("link", "fields", "shown", "frozen"),
    [
        pytest.param(*row[1:], id=row[0])
        for row in [
            ("one's own", a_link(A), {}, A, frozenset()),
            ("somebody else's", their_link(A), {}, A, EVERYTHING),
            ("private", private_link(), {}, MASKED, HIDDEN),
            ("private, read when details were allowed", private_link(SECRET), {}, MASKED, HIDDEN),
            ("private, details allowed", private_link(SECRET), {"private_details": True}, SECRET, frozenset()),
            ("private by the studio", a_link(SECRET), {}, SECRET, frozenset()),
        ]
    ],
)  # fmt: skip
def test_what_was_agreed_is_seen_in_the_same_way(
    link: Link, fields: dict[str, Any], shown: Content, frozen: frozenset[Unit]
) -> None:
    there = as_agreed(link, rules(**fields))
    assert (there.content, there.frozen) == (shown, frozen)


# --- somebody else's -------------------------------------------------------------------------------------------------

THEIRS = [None, somebody_elses(holds=A), somebody_elses(holds=B), somebody_elses(holds=SECRET)]


@pytest.mark.parametrize("fields", [{}, {"two_way": False}, {"clash_policy": "google"}, {"private_details": True}])
@pytest.mark.parametrize("verdict", [None, "approved", "declined", "take_off", "put_back"])
@pytest.mark.parametrize(
    "studio",
    [
        None, CANCELLED, REASSIGNED, holding(A), holding(B), holding(C, users=(ANN, BOB)),
        holding(msgspec.structs.replace(A, when=a_time("15:00"), status="tentative", busy=False, private=True)),
    ],
    ids=["erased", "cancelled", "another's", "as agreed", "edited", "edited, several", "everything edited"],
)  # fmt: skip
def test_somebody_elses_event_is_never_written_whatever_the_studio_does(
    studio: Appointment | None, verdict: Any, fields: dict[str, Any]
) -> None:
    for event in THEIRS:
        for held in (None, held_on("studio"), held_on("calendar")):
            for unread in (True, False):
                link = their_link(A, held=held)
                this = item(link=link, appointment=studio, event=event, verdict=verdict, unread=unread)
                assert decided(this, **fields).calendar is None


@pytest.mark.parametrize("fields", [{}, {"two_way": False}, {"populating_calendar": True}])
@pytest.mark.parametrize("link", [None, a_tombstone(), a_tombstone(gone_there=True, event_id="foreign1")])
def test_somebody_elses_event_that_is_not_paired_is_never_written_either(link: Any, fields: dict[str, Any]) -> None:
    for studio in (None, CANCELLED, REASSIGNED, holding(A), holding(C)):
        for event in THEIRS[1:]:
            assert decided(item(link=link, appointment=studio, event=event), **fields).calendar is None


@pytest.mark.parametrize("studio", [None, CANCELLED, REASSIGNED], ids=["erased", "cancelled", "another's"])
def test_the_pair_stands_though_it_left_the_studio(studio: Appointment | None) -> None:
    """So that it is known should the studio take it up again; what the event becomes until then is not followed."""
    this = item(link=their_link(), appointment=studio, event=somebody_elses(holds=B))
    operation = decided(this)
    assert (deeds(operation), operation.reason) == ("pair", Reason.ANOTHERS)
    assert operation.link == their_link(etag="", organizer="carl@example.com")
    for event in (None, this.event):
        again = decided(msgspec.structs.replace(this, link=operation.link, event=event))
        assert (deeds(again), again.reason) == ("nothing", Reason.ANOTHERS)


@pytest.mark.parametrize("studio", [None, CANCELLED, REASSIGNED], ids=["erased", "cancelled", "another's"])
@pytest.mark.parametrize("held", [None, held_on("studio"), held_on("calendar")])
def test_what_was_given_away_before_it_left_the_studio_is_not_deleted_when_the_calendar_is_not_asked(
    held: Any, studio: Appointment | None
) -> None:
    """Ours when it was last agreed upon: that it is somebody else's by now must be known to the next run."""
    given_away = an_event(holds=A, own=False, organizer="carl@example.com")
    first = decided(item(link=a_link(A, held=held), appointment=studio, event=given_away))
    assert (recorded(first).theirs, recorded(first).held) == (True, None)
    assert deeds(decided(item(link=first.link, appointment=studio))) == "nothing"


def test_taken_up_again_it_is_looked_at_first_and_brings_what_its_organiser_changed_meanwhile() -> None:
    this = item(link=their_link(A, etag=""), appointment=holding(A))
    assert deeds(decided(this)) == "more"
    operation = decided(msgspec.structs.replace(this, event=somebody_elses(holds=B)))
    assert operation.studio == UpdateAppointment(content=B, units=frozenset({"title"}))
    assert recorded(operation).etag == "e1"


def test_an_edit_of_the_studio_stays_with_the_studio_and_is_not_tried_again() -> None:
    operation = decided(item(link=their_link(A), appointment=holding(B), event=somebody_elses(holds=A)))
    assert (deeds(operation), operation.lost) == ("pair", ())
    assert (recorded(operation).studio, recorded(operation).calendar) == (B, A)
    again = item(link=recorded(operation), appointment=holding(B), event=somebody_elses(holds=A))
    assert deeds(decided(again)) == "nothing"
    assert decided(again).reason is Reason.ANOTHERS


def test_an_edit_of_the_organiser_comes_in() -> None:
    operation = decided(item(link=their_link(A), appointment=holding(A), event=somebody_elses(holds=B)))
    assert operation.studio == UpdateAppointment(content=B, units=frozenset({"title"}))


@pytest.mark.parametrize("policy", ["studio", "google", "latest"])
@pytest.mark.parametrize("unit", OPEN_UNITS)
def test_a_clash_goes_to_the_organiser_whatever_the_policy_and_what_the_studio_said_is_kept(
    unit: Unit, policy: Any
) -> None:
    base = content(description="")
    here, there = changed(base, unit, 1), changed(base, unit, 2)
    this = item(link=their_link(base), appointment=holding(here), event=somebody_elses(holds=there))
    operation = decided(this, clash_policy=policy)
    assert operation.studio == UpdateAppointment(content=there, units=frozenset({unit}))
    assert [(lost.unit, lost.side) for lost in operation.lost] == [(unit, "studio")]


def test_a_different_unit_of_the_studio_stays_when_the_organiser_changes_another() -> None:
    here, there = holding(B), somebody_elses(holds=msgspec.structs.replace(A, location="Park"))
    operation = decided(item(link=their_link(A), appointment=here, event=there))
    assert isinstance(operation.studio, UpdateAppointment)
    assert (operation.studio.units, operation.studio.content.title) == ({"location"}, "B")
    assert (operation.calendar, operation.lost) == (None, ())


def test_a_twin_of_somebody_elses_event_keeps_the_studios_text_and_loses_nothing() -> None:
    operation = decided(item(appointment=holding(A), event=somebody_elses(holds=B)))
    assert (deeds(operation), operation.lost) == ("pair", ())
    assert (recorded(operation).studio, recorded(operation).calendar) == (A, B)


def test_accepting_what_came_in_as_tentative_confirms_it() -> None:
    asked = {"include_tentative": True}
    entered = decided(item(event=somebody_elses(holds=A, answer="needsAction")), **asked)
    assert isinstance(entered.studio, CreateAppointment)
    assert entered.studio.content.status == "tentative"
    here = holding(entered.studio.content)
    accepted = decided(item(link=recorded(entered), appointment=here, event=somebody_elses(holds=A)))
    assert accepted.studio == UpdateAppointment(content=A, units=frozenset({"status"}))


def test_declining_what_came_in_as_tentative_does_not_confirm_it() -> None:
    """ "Tentative until it is accepted": who declines has not accepted."""
    asked = {"include_tentative": True}
    entered = decided(item(event=somebody_elses(holds=A, answer="needsAction")), **asked)
    assert isinstance(entered.studio, CreateAppointment)
    here = holding(entered.studio.content)
    declined = somebody_elses(holds=A, answer="declined")
    operation = decided(item(link=recorded(entered), appointment=here, event=declined), **asked)
    assert not (isinstance(operation.studio, UpdateAppointment) and operation.studio.content.status == "confirmed")


@pytest.mark.parametrize("users", [(ANN,), (ANN, BOB)])
def test_an_invitation_that_the_guest_deletes_is_deleted_like_any_other(users: tuple[str, ...]) -> None:
    this = item(link=their_link(), appointment=holding(A, users=users), event=Event(id="foreign1"))
    assert deeds(decided(this)) == ("cancel, bury" if users == (ANN,) else "removed")


def test_an_event_that_was_given_away_is_somebody_elses_from_then_on() -> None:
    """Ours by its seal, but another's calendar organises it now."""
    given_away = an_event(holds=A, own=False, organizer="carl@example.com")
    operation = decided(item(link=a_link(A), appointment=holding(B), event=given_away))
    assert operation.calendar is None
    assert recorded(operation).theirs


# --- made private in the calendar ------------------------------------------------------------------------------------


def test_a_private_entry_enters_as_busy_and_private() -> None:
    operation = decided(item(event=a_private_event()))
    assert operation.studio == CreateAppointment(content=MASKED, event_id="foreign1")
    assert recorded(operation).private_there


@pytest.mark.parametrize("verdict", [None, "approved", "declined", "put_back"])
@pytest.mark.parametrize(
    "studio",
    [None, CANCELLED, REASSIGNED, imported(MASKED), imported(B), imported(content(title="", when=a_time("15:00")))],
    ids=["none", "cancelled", "another's", "as seen", "edited", "emptied and moved"],
)
@pytest.mark.parametrize(
    "link",
    [None, private_link(), private_link(held=held_on("studio")), private_link(B, MASKED), private_link(SECRET),
     their_link(MASKED, private_there=True), a_tombstone(held=A, gone_there=True, event_id="foreign1"), a_link(A),
     a_tombstone(held=MASKED, gone_there=True, event_id="foreign1", private_there=True), a_tombstone(held=A)],
    ids=["new", "paired", "held", "edited before", "details allowed before", "somebody else's", "gone", "not private",
         "gone, private before", "another event is gone"],
)  # fmt: skip
def test_its_text_is_told_to_nobody(link: Link | None, studio: Appointment | None, verdict: Any) -> None:
    """Neither written to the studio, nor kept on the link, nor logged as lost; and not written back as "Busy" either.

    A pair that was not private before, as `a_link(A)`, had come from the calendar.
    """
    if studio is not None:
        studio = msgspec.structs.replace(studio, origin=MINE)
    if link is not None and link.state != "gone":
        link = msgspec.structs.replace(link, event_id="foreign1")
    for unread in (True, False):
        for fields in ({}, {"two_way": False}, {"two_way": False, "populating_studio": True}):
            this = item(link=link, appointment=studio, event=a_private_event(), verdict=verdict, unread=unread)
            operation = decided(this, **fields)
            if link is None or link.studio != SECRET:
                assert not any(secret in words(operation) for secret in ("Doctor", "Knee", "Clinic"))
            if isinstance(operation.calendar, Patch):
                assert not operation.calendar.units & HIDDEN


def test_what_it_was_before_is_masked_as_soon_as_it_is_made_private() -> None:
    """It came in when it was public: the person who makes it private now wants its text out of the studio."""
    public = msgspec.structs.replace(SECRET, private=False)
    link = a_link(public, event_id="foreign1", seal="")
    operation = decided(item(link=link, appointment=imported(public), event=a_private_event()))
    assert isinstance(operation.studio, UpdateAppointment)
    assert operation.studio.content == MASKED
    assert "Doctor" not in words(operation)


def test_made_public_it_is_told_in_full() -> None:
    public = msgspec.structs.replace(SECRET, private=False)
    operation = decided(item(link=private_link(), appointment=imported(MASKED), event=a_private_event(holds=public)))
    assert isinstance(operation.studio, UpdateAppointment)
    assert operation.studio.content == public
    assert not recorded(operation).private_there


def test_details_allowed_later_come_in_with_the_next_listing() -> None:
    this = item(link=private_link(), appointment=imported(MASKED), event=a_private_event())
    operation = decided(this, private_details=True)
    assert operation.studio == UpdateAppointment(content=SECRET, units=frozenset({"title", "description", "location"}))


@pytest.mark.parametrize("event", [None, a_private_event()], ids=["not asked", "read"])
def test_details_disallowed_later_go_out_again(event: Event | None) -> None:
    operation = decided(item(link=private_link(SECRET), appointment=imported(SECRET), event=event))
    assert isinstance(operation.studio, UpdateAppointment)
    assert operation.studio.content == MASKED
    assert "Doctor" not in words(operation)


def test_allowed_its_text_is_ours_to_write() -> None:
    edited = msgspec.structs.replace(SECRET, title="Doctor Who")
    operation = decided(item(link=private_link(SECRET), appointment=imported(edited)), private_details=True)
    assert isinstance(operation.calendar, Patch)
    assert operation.calendar.units == {"title"}


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit in HIDDEN])
@pytest.mark.parametrize("event", [None, a_private_event()], ids=["not asked", "read"])
def test_the_studio_cannot_write_over_what_it_cannot_see(event: Event | None, unit: Unit) -> None:
    edited = msgspec.structs.replace(MASKED, **{unit: False if unit == "private" else "By the studio"})
    operation = decided(item(link=private_link(), appointment=imported(edited), event=event))
    assert (operation.calendar, operation.studio, operation.lost) == (None, None, ())


@pytest.mark.parametrize("event", [None, a_private_event()], ids=["not asked", "read"])
def test_the_studio_can_still_move_it(event: Event | None) -> None:
    moved = msgspec.structs.replace(MASKED, when=a_time("15:00"))
    operation = decided(item(link=private_link(), appointment=imported(moved), event=event))
    assert isinstance(operation.calendar, Patch)
    assert operation.calendar.units == {"when"}


@pytest.mark.parametrize("policy", ["studio", "google", "latest"])
def test_a_clash_of_times_is_settled_as_everywhere(policy: Any) -> None:
    here = imported(msgspec.structs.replace(MASKED, when=a_time("15:00")))
    there = a_private_event(holds=msgspec.structs.replace(SECRET, when=a_time("17:00")))
    operation = decided(item(link=private_link(), appointment=here, event=there), clash_policy=policy)
    assert (operation.calendar is None) == (policy == "google")


def moved_by_the_studio(here: Content) -> tuple[Operation, Event]:
    """The studio moves what it cannot see; the calendar answers with all that it holds."""
    moved = msgspec.structs.replace(here, when=a_time("15:00"))
    operation = decided(item(link=private_link(here, MASKED), appointment=imported(moved)))
    assert isinstance(operation.calendar, Patch)
    held = msgspec.structs.replace(SECRET, when=a_time("15:00"))
    return operation, a_private_event(holds=held, etag="e2", seal=operation.calendar.seal, appointment_id="appt1")


def test_the_calendars_answer_to_a_write_is_masked_too() -> None:
    operation, answer = moved_by_the_studio(MASKED)
    assert "Doctor" not in repr(agreed(operation, answer))


def test_what_the_studio_wrote_for_itself_is_still_there_after_it_moved_the_entry() -> None:
    """The answer to the write holds the text. Taken for what was agreed, "Busy" would look like a person's edit."""
    own = msgspec.structs.replace(MASKED, title="Ann is out", description="Ask her first")
    operation, answer = moved_by_the_studio(own)
    moved = imported(msgspec.structs.replace(own, when=a_time("15:00")))
    again = decided(item(link=agreed(operation, answer), appointment=moved, event=answer))
    assert again.studio is None


def test_a_twin_that_is_private_is_matched_and_stays_unread() -> None:
    """Also where another event of the appointment is gone: what is known of that one says nothing about this."""
    studio = (holding(B), an_appointment(title=""), an_appointment(description="", location=""))
    for here, link in itertools.product(studio, (None, a_tombstone(held=A), a_tombstone(held=B, gone_there=True))):
        operation = decided(item(appointment=here, event=a_private_event(), link=link))
        assert not any(secret in words(operation) for secret in ("Doctor", "Knee", "Clinic"))
        assert operation.calendar is None
        assert recorded(operation).private_there


def test_a_twin_that_is_private_stays_unread_though_the_run_died_after_writing_to_it() -> None:
    """Then the event carries our seal; but that seal did not send the privacy, so it was not our wish."""
    this = item(appointment=an_appointment(description="", busy=False), event=a_private_event())
    patch = decided(this).calendar
    assert isinstance(patch, Patch)
    assert patch.units == {"busy"}
    held = msgspec.structs.replace(SECRET, busy=False)
    event = a_private_event(holds=held, seal=patch.seal, appointment_id="appt1", etag="e2")
    after = decided(msgspec.structs.replace(this, event=event))
    assert after.calendar is None
    assert not any(secret in words(after) for secret in ("Doctor", "Knee", "Clinic"))


# --- made private by the studio --------------------------------------------------------------------------------------

OURS = content(title="Ms Lee", description="Boudoir", private=True)
ENTERED = an_event(holds=OURS, seal=a_seal(OURS))


@pytest.mark.parametrize(
    "this",
    [
        item(appointment=holding(OURS), event=ENTERED),
        item(link=a_link(OURS), appointment=holding(OURS), event=ENTERED),
        item(link=a_link(OURS), appointment=holding(OURS)),
        item(link=a_link(msgspec.structs.replace(OURS, private=False)), appointment=holding(OURS), event=ENTERED),
    ],
    ids=["entered, the run died", "paired", "not asked", "made private, the run died"],
)
def test_the_studios_own_private_appointment_keeps_its_text(this: Item) -> None:
    operation = decided(this)
    assert (operation.studio, operation.calendar) == (None, None)
    assert not (operation.link is not None and operation.link.private_there)


def test_an_imported_one_that_the_studio_made_private_keeps_its_text_though_the_run_died() -> None:
    """Paired as public, the studio made it private, the run died after the write: its seal says whose wish that was."""
    link = a_link(msgspec.structs.replace(OURS, private=False), event_id="foreign1")
    sent = a_seal(OURS, frozenset({"private"}), previous="sealed")
    event = a_foreign_event(holds=OURS, seal=sent, appointment_id="appt1")
    operation = decided(item(link=link, appointment=imported(OURS), event=event))
    assert (operation.studio, operation.calendar) == (None, None)
    assert not recorded(operation).private_there


def test_the_studios_own_text_stays_when_a_person_makes_it_private_in_the_calendar() -> None:
    """It is the studio's own text: what becomes private is the appointment."""
    public = msgspec.structs.replace(OURS, private=False)
    operation = decided(item(link=a_link(public), appointment=holding(public), event=an_event(holds=OURS)))
    assert operation.studio == UpdateAppointment(content=OURS, units=frozenset({"private"}))


def test_the_studios_private_text_still_syncs_both_ways() -> None:
    link = a_link(OURS)
    edited = msgspec.structs.replace(OURS, title="Ms Kim")
    assert deeds(decided(item(link=link, appointment=holding(edited), event=an_event(holds=OURS)))) == "patch, pair"
    assert deeds(decided(item(link=link, appointment=holding(OURS), event=an_event(holds=edited)))) == "update, pair"


def test_deleting_a_private_entry_in_the_calendar_cancels_it_like_any_other() -> None:
    this = item(link=private_link(), appointment=imported(MASKED), event=a_deleted_event(id="foreign1"))
    assert deeds(decided(this)) == "cancel, bury"
